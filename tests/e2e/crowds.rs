//! Too many at once: those who watch and those who administer notice nothing.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use socket2::SockRef;
use streamd_protocol::stream::{Event, FromClient, ToClient, Want};
use streamd_tests::{PATIENCE, daemon::Daemon, eventually, setup::Setup, viewer::Viewer, web};

/// Checks that a client still gets frames that are captured from now on.
#[track_caller]
fn unaffected(witness: &mut Viewer) {
    let target = witness.picture().app.sequence + 5;
    witness.picture_that("frames go on", |p| p.app.sequence >= target);
}

/// Connections that never say anything, as many as the machine gives.
fn silent(to: SocketAddr, count: usize) -> Vec<TcpStream> {
    (0..count)
        .filter_map(|_| TcpStream::connect_timeout(&to, PATIENCE).ok())
        .collect()
}

#[test]
fn a_paused_client_gives_way_when_places_run_out() {
    let daemon = Setup::default().camera("max-clients = 2").start();
    let mut watching = daemon.viewer();
    watching.picture();
    let mut paused = daemon.viewer();
    paused.hello("paused", Want::default());
    paused.say(&FromClient::Want(Want {
        paused: Some(true),
        ..Want::default()
    }));
    daemon.wait_for_client(&paused, "it is paused", |c| c.paused);
    daemon.viewer().picture();
    let said = paused.until_closed();
    let told = |m: &ToClient| matches!(m, ToClient::Notice { event: Event::Kicked, message, .. } if message.contains("its place was needed"));
    assert!(said.iter().any(told), "{said:?}");
    unaffected(&mut watching);
    assert_eq!(daemon.wait_for_clients(1).cameras[0].clients, 1);
}

#[test]
fn an_address_has_its_share_and_others_have_theirs() {
    let daemon = Setup::default()
        .camera("max-clients = 8")
        .another("side", "")
        .tables("[clients]\nmax-per-address = 7")
        .start();
    let to = daemon.setup.tcp(0);
    let mut six: Vec<_> = (0..6)
        .map(|_| Viewer::connect_from([127, 0, 0, 2], to))
        .collect();
    six.iter_mut().for_each(|viewer| drop(viewer.picture()));
    let mut seventh = Viewer::connect_from([127, 0, 0, 2], to);
    assert_eq!(seventh.until_closed(), []);
    daemon.log.wait_for(&[
        "client refused",
        &seventh.address(),
        "camera main has 6 clients of this address",
    ]);
    Viewer::connect_from([127, 0, 0, 3], to).picture();
    let side = daemon.setup.tcp(1);
    let mut one_more = Viewer::connect_from([127, 0, 0, 2], side);
    one_more.picture();
    let mut eighth = Viewer::connect_from([127, 0, 0, 2], side);
    assert_eq!(eighth.until_closed(), []);
    daemon
        .log
        .wait_for(&[&eighth.address(), "has its 7 connections (max-per-address)"]);
}

#[test]
fn silent_connections_keep_nobody_out() {
    let daemon = Setup::default()
        .tables("[metrics]\nlisten = \"127.0.0.1:0\"")
        .start();
    let mut witness = daemon.viewer();
    let first = silent(daemon.setup.http(), 1100);
    let mut longest = &first[0];
    longest.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut said = String::new();
    longest.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 503 "), "{said}");
    let state = web::get(daemon.setup.http(), "/state", &[]);
    assert_eq!(state.status, 200);
    unaffected(&mut witness);
}

#[test]
fn a_storm_of_connections_writes_a_few_lines() {
    let daemon = Daemon::start();
    let mut witness = Viewer::connect_from([127, 0, 0, 2], daemon.setup.tcp(0));
    let before = daemon.log.count();
    for _ in 0..500 {
        let socket = TcpStream::connect_timeout(&daemon.setup.tcp(0), PATIENCE).unwrap();
        let reset = SockRef::from(&socket).set_linger(Some(std::time::Duration::ZERO));
        reset.unwrap();
    }
    unaffected(&mut witness);
    daemon.wait_for_clients(1);
    let lines = &daemon.log.all()[before..];
    assert!(lines.len() < 20, "{}", lines.join("\n"));
    // Who comes from elsewhere is still seen.
    let mut other = Viewer::connect_from([127, 0, 0, 3], daemon.setup.tcp(0));
    other.picture();
    daemon.log.wait_for(&["client connected", &other.address()]);
}

#[test]
fn when_descriptors_run_out_control_goes_on_and_so_does_accepting() {
    let daemon = Setup::default().open_files(128).start();
    let mut witness = daemon.viewer();
    witness.picture();
    let crowd = silent(daemon.setup.http(), 300);
    daemon
        .log
        .wait_for(&["no more clients are accepted for now", "LimitNOFILE="]);
    daemon.stats();
    unaffected(&mut witness);
    let said = daemon.log.all();
    let warnings = said.iter().filter(|line| line.contains("LimitNOFILE="));
    assert_eq!(warnings.count(), 1, "{said:#?}");
    drop(crowd);
    let asks = || {
        let mut socket = TcpStream::connect_timeout(&daemon.setup.http(), PATIENCE).unwrap();
        let asked = socket.write_all(b"GET /state HTTP/1.0\r\n\r\n");
        let mut answer = String::new();
        let read = socket.read_to_string(&mut answer);
        match answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.0 200") {
            true => Ok(()),
            false => Err(format!("{asked:?} {read:?} {answer}")),
        }
    };
    eventually("an answer", asks);
    daemon.viewer().picture();
}
