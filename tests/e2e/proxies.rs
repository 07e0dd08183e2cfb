//! Behind a proxy: what is said of clients, and what is limited, is about who they are.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use socket2::{Domain, Socket, Type};
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

/// The proxy's header for a user, as anybody may send it.
const USER: &str = "X-Remote-User: anna";

#[test]
fn a_user_of_a_proxy_needs_no_token_and_nobody_can_forge_one() {
    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    let setup = Setup::default();
    let (file, tokens) = (setup.file("secret"), setup.file("tokens.json"));
    std::fs::write(&file, SECRET).unwrap();
    let tables = |users: &str| {
        format!(
            "[access]\ntrusted-proxies = [\"127.0.0.1\"]\ntoken-file = {tokens:?}\nuser-secret = {file:?}\n{users}"
        )
    };
    let users = tables("user-header = \"X-Remote-User\"\noperators = [\"anna\"]");
    let mut daemon = setup.tables(&users).start();
    let http = daemon.setup.http();
    let proof = format!("X-Proxy-Secret: {SECRET}");
    let ask = |path: &str, headers: &[&str]| web::get(http, path, headers).status;
    for forged in [
        &[USER][..],
        &[USER, "X-Proxy-Secret: 0123456789abcdef0123456789abcdeF"],
        &[USER, "X-Proxy-Secret: "],
        &[&proof],
        &[&proof, "X-Remote-User: "],
        &[&proof, USER, "X-Remote-User: ben"],
        &[&proof, "X-Forwarded-User: anna"],
    ] {
        for path in ["/", "/snapshot", "/stream", "/ws", "/api/v1/session"] {
            assert_eq!(ask(path, forged), 401, "{path} {forged:?}");
        }
    }
    // From elsewhere even the secret is not enough.
    let foreign = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let elsewhere = SocketAddr::from(([127, 0, 0, 2], 0));
    foreign.bind(&elsewhere.into()).unwrap();
    foreign.connect_timeout(&http.into(), PATIENCE).unwrap();
    let mut foreign = TcpStream::from(foreign);
    foreign.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        foreign,
        "GET /snapshot HTTP/1.0\r\n{USER}\r\n{proof}\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    foreign.read_to_string(&mut answer).unwrap();
    assert_eq!(answer.split(' ').nth(1), Some("401"), "{answer}");
    assert_eq!(ask("/api/v1/stats", &[&proof, USER]), 200);
    let ben = [&*proof, "X-Remote-User: ben"];
    assert_eq!(
        (ask("/snapshot", &ben), ask("/api/v1/stats", &ben)),
        (200, 403)
    );
    // With what the proxy itself has asked for.
    let login = "Authorization: Basic YW5uYTpwYXNzd29yZA==";
    assert_eq!(ask("/snapshot", &[&proof, USER, login]), 200);
    let mut stream = web::get(
        http,
        "/stream",
        &[&proof, USER, "X-Forwarded-For: 192.0.2.7"],
    );
    stream.part("boundarydonotcross");
    let clients = daemon.wait_for_clients(1).clients;
    assert_eq!(
        (&*clients[0].login, &*clients[0].peer),
        ("anna", "192.0.2.7")
    );
    daemon.log.wait_for(&["client connected", "token=anna"]);
    daemon.setup = daemon.setup.clone().tables(&tables(""));
    daemon.setup.write_config();
    daemon.streamctl("reload").succeeded();
    daemon.wait_for_clients(0);
    // Without users nothing is said of who may: those of the proxy watch.
    assert_eq!(ask("/api/v1/stats", &[&proof, USER]), 403);
}

#[test]
fn over_a_unix_socket_a_proxy_needs_no_secret() {
    let setup = Setup::default();
    let socket = setup.file("http");
    let tables = format!(
        "[access]\ntrusted-proxies = [\"unix\"]\nuser-header = \"X-Remote-User\"\n[metrics]\nlisten = {:?}",
        format!("unix:{}", socket.display())
    );
    let daemon = setup.tables(&tables).start();
    let ask = |head: &str| {
        let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "GET /metrics HTTP/1.0\r\nHost: localhost\r\n{head}\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    // Metrics are for operators, and a viewer is somebody.
    assert_eq!((&*ask(""), &*ask(&format!("{USER}\r\n"))), ("401", "403"));
    assert_eq!(web::get(daemon.setup.http(), "/state", &[USER]).status, 401);
}
