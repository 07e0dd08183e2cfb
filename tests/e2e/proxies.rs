//! Behind a proxy: what is said of clients, and what is limited, is about who they are.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use streamd_protocol::stream::{FromClient, Want};
use streamd_tests::{PATIENCE, daemon::Daemon, setup::Setup, viewer::Viewer, web};

/// The header of version 2 of the PROXY protocol for 192.0.2.9:5000.
const VERSION_2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0C\xC0\x00\x02\x09\x0A\x00\x00\x01\x13\x88\x1F\x42";

fn stream(daemon: &Daemon, said: &str) -> web::Response {
    web::get(daemon.setup.http(), "/stream", &[said])
}

fn peers(daemon: &Daemon, count: usize) -> Vec<String> {
    let clients = daemon.wait_for_clients(count).clients;
    clients.into_iter().map(|client| client.peer).collect()
}

#[test]
fn over_http_who_is_behind_a_trusted_proxy_is_who_is_limited() {
    let daemon = Setup::default()
        .tables("[access]\ntrusted-proxies = [\"127.0.0.0/8\"]\n[clients]\nmax-per-address = 2")
        .start();
    let mut first = stream(&daemon, "X-Forwarded-For: 198.51.100.1, 192.0.2.7");
    first.part("boundarydonotcross");
    assert_eq!(peers(&daemon, 1), ["192.0.2.7"]);
    let mut second = stream(&daemon, "X-Forwarded-For: 192.0.2.7:4000");
    second.part("boundarydonotcross");
    let third = stream(&daemon, "X-Forwarded-For: 192.0.2.7");
    assert_eq!(third.status, 503, "an address has its share");
    daemon.log.wait_for(&["client refused", "peer=192.0.2.7"]);
    // Whom the proxy serves besides has its own.
    let mut other = stream(&daemon, "X-Forwarded-For: 2001:db8::7");
    other.part("boundarydonotcross");
    assert_eq!(peers(&daemon, 3)[2], "2001:db8::7");
}

#[test]
fn nobody_else_is_believed() {
    let daemon = Daemon::start();
    let mut stream = stream(&daemon, "X-Forwarded-For: 192.0.2.7");
    stream.part("boundarydonotcross");
    let peers = peers(&daemon, 1);
    assert!(peers[0].starts_with("127."), "{peers:?}");
}

#[test]
fn over_raw_tcp_and_http_the_proxy_protocol_says_whose_a_connection_is() {
    let daemon = Setup::default()
        .camera("proxy-protocol = true")
        .another("side", "")
        // The first one is of [http].
        .tables("proxy-protocol = true\n[access]\ntrusted-proxies = [\"127.0.0.1\"]")
        .storing(64)
        .start();
    let to = daemon.setup.tcp(0);
    let mut one = Viewer::connect(to);
    one.write(b"PROXY TCP4 192.0.2.7 10.0.0.1 5000 8002\r\n");
    one.hello("one", Want::default());
    one.picture();
    let mut two = Viewer::connect(to);
    let (begin, rest) = VERSION_2.split_at(7);
    two.write(begin);
    two.write(rest);
    two.picture();
    let known = ["192.0.2.7:5000", "192.0.2.9:5000"];
    assert_eq!(peers(&daemon, 2), known);
    let mut none = Viewer::connect(to);
    none.say(&FromClient::Ping { t: 1 });
    assert_eq!(none.payload(), None);
    daemon
        .log
        .wait_for(&["client refused", "does not begin with a header"]);
    let mut foreign = Viewer::connect_from([127, 0, 0, 2], to);
    foreign.try_write(VERSION_2).unwrap();
    assert_eq!(foreign.payload(), None);
    daemon
        .log
        .wait_for(&["client refused", &foreign.address(), "trusted-proxies"]);
    let mut socket = TcpStream::connect_timeout(&daemon.setup.http(), PATIENCE).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = b"PROXY UNKNOWN\r\nGET /state HTTP/1.0\r\n\r\n";
    socket.write_all(request).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") || answer.starts_with("HTTP/1.0 200 "));
    // The other listeners are as ever.
    Viewer::connect(daemon.setup.tcp(1)).picture();
    // Who they are is known after a restart too.
    let mut daemon = daemon;
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    daemon.wait_for_end();
    let daemon = daemon.restart();
    one.picture();
    assert_eq!(peers(&daemon, 2), known);
}
