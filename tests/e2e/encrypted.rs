//! TLS: clients over it are served as those without, and nobody else is.

use nix::sys::signal::Signal;
use streamd_protocol::stream::{Event, ToClient, Want};
use streamd_tests::{
    daemon::{Daemon, Ran},
    picture::Picture,
    setup::Setup,
    tls::{Authority, Tunnel},
    viewer::Viewer,
    web,
};

/// `localhost`, encrypted.
struct Encrypted {
    authority: Authority,
    setup: Setup,
}

impl Encrypted {
    /// With these keys of `[tls]` more, which name files in the setup's folder.
    fn new(tls: &[(&str, &str)]) -> Self {
        let (authority, setup) = (Authority::default(), Setup::default());
        let folder = setup.file("");
        authority.issue("localhost").write(&folder);
        std::fs::write(folder.join("authority.pem"), authority.pem()).unwrap();
        let files = [("certificate", "certificate.pem"), ("key", "key.pem")];
        let files = files.iter().chain(tls);
        let files = files.map(|(key, name)| format!("{key} = {:?}\n", folder.join(name)));
        let files: String = files.collect();
        let setup = setup
            .camera("tls = true")
            // The first lines are keys of [http].
            .tables(&format!("tls = true\n[tls]\n{files}"));
        Self { authority, setup }
    }

    fn start(&self) -> Daemon {
        self.setup.clone().start()
    }
}

#[test]
fn pictures_and_messages_come_over_tls_as_without() {
    let encrypted = Encrypted::new(&[]);
    let daemon = encrypted.start();
    let tunnel = Tunnel::new(daemon.setup.tcp(0), &encrypted.authority, None);
    let mut viewer = Viewer::connect(tunnel.begin);
    let (first, second) = (viewer.picture(), viewer.picture());
    assert!(first.app.sequence < second.app.sequence);
    assert!(second.colour() > 100);
    viewer.hello("over TLS", Want::default());
    let stats = daemon.wait_for_clients(1);
    assert_eq!(stats.clients[0].name, "over TLS");
    assert!(stats.clients[0].frames() > 0);
    drop(viewer);
    daemon.wait_for_clients(0);
}

#[test]
fn the_web_is_served_over_tls_and_says_that_it_should_stay_so() {
    let encrypted = Encrypted::new(&[]);
    let daemon = encrypted.start();
    let tunnel = Tunnel::new(daemon.setup.http(), &encrypted.authority, None);
    let snapshot = web::get(tunnel.begin, "/snapshot", &[]);
    assert_eq!(snapshot.status, 200);
    let always = snapshot.header("Strict-Transport-Security").unwrap();
    assert!(always.starts_with("max-age="), "{always}");
    assert_eq!(Picture::new(snapshot.body()).size, (320, 240));
    let mut stream = web::get(tunnel.begin, "/stream", &[]);
    let first = Picture::new(stream.part("boundarydonotcross"));
    let second = Picture::new(stream.part("boundarydonotcross"));
    assert!(first.app.sequence < second.app.sequence);
    let plain = web::get(daemon.setup.http(), "/snapshot", &[]);
    assert_eq!(plain.status, 400);
    let said = String::from_utf8(plain.body()).unwrap();
    assert!(said.contains("https://"), "{said}");
}

#[test]
fn who_speaks_no_tls_gets_nothing() {
    let encrypted = Encrypted::new(&[]);
    let daemon = encrypted.start();
    let mut plain = Viewer::connect(daemon.setup.tcp(0));
    plain.write(b"nothing of TLS");
    plain.until_closed();
    // Of another authority, too.
    let other = Tunnel::new(daemon.setup.tcp(0), &Authority::default(), None);
    Viewer::connect(other.begin).until_closed();
    assert_eq!(daemon.stats().clients.len(), 0);
}

#[test]
fn handshakes_are_counted_by_address() {
    let encrypted = Encrypted::new(&[]);
    let tls = encrypted.setup.file("certificate.pem");
    let key = encrypted.setup.file("key.pem");
    let tables = format!(
        "tls = true\n[tls]\ncertificate = {tls:?}\nkey = {key:?}\n[clients]\nmax-handshakes-per-address = 1"
    );
    let daemon = encrypted.setup.clone().tables(&tables).start();
    let to = daemon.setup.tcp(0);
    let many: Vec<_> = (0..20)
        .map(|_| Viewer::connect_from([127, 0, 0, 2], to))
        .collect();
    daemon.log.wait_for(&[
        "client refused",
        "more than 1 TLS handshakes in a second from this address (max-handshakes-per-address)",
    ]);
    drop(many);
    // Others have their own.
    let tunnel = Tunnel::new(to, &encrypted.authority, None);
    Viewer::connect(tunnel.begin).picture();
    let web = Tunnel::new(daemon.setup.http(), &encrypted.authority, None);
    assert_eq!(web::get(web.begin, "/state", &[]).status, 200);
}

#[test]
fn a_certificate_is_renewed_by_a_reload_and_connections_stay() {
    let encrypted = Encrypted::new(&[]);
    let daemon = encrypted.start();
    let old = Tunnel::new(daemon.setup.tcp(0), &encrypted.authority, None);
    let mut stays = Viewer::connect(old.begin);
    stays.picture();
    let folder = encrypted.setup.file("");
    std::fs::write(folder.join("key.pem"), "no key").unwrap();
    daemon.streamctl("reload").succeeded();
    daemon
        .log
        .wait_for(&["the certificate was not read again", "no private key"]);
    Viewer::connect(old.begin).picture();
    let renewed = Authority::default();
    renewed.issue("localhost").write(&folder);
    daemon.streamctl("reload").succeeded();
    daemon.log.wait_for(&["the certificate was read again"]);
    Viewer::connect(old.begin).until_closed();
    let new = Tunnel::new(daemon.setup.tcp(0), &renewed, None);
    Viewer::connect(new.begin).picture();
    stays.picture();
}

#[test]
fn clients_show_a_certificate_where_that_is_asked_for() {
    let encrypted = Encrypted::new(&[("client-ca", "authority.pem")]);
    let daemon = encrypted.start();
    let server = daemon.setup.tcp(0);
    let without = Tunnel::new(server, &encrypted.authority, None);
    Viewer::connect(without.begin).until_closed();
    let stranger = Authority::default().issue("somebody");
    let stranger = Tunnel::new(server, &encrypted.authority, Some(&stranger));
    Viewer::connect(stranger.begin).until_closed();
    let known = encrypted.authority.issue("somebody");
    let known = Tunnel::new(server, &encrypted.authority, Some(&known));
    Viewer::connect(known.begin).picture();
}

#[test]
fn a_certificate_that_is_none_keeps_the_daemon_from_starting() {
    let encrypted = Encrypted::new(&[]);
    let folder = encrypted.setup.file("");
    Authority::default().issue("localhost").write(&folder);
    let key = std::fs::read(folder.join("key.pem")).unwrap();
    encrypted.authority.issue("localhost").write(&folder);
    for (content, said) in [
        (&key[..], "is not the key of"),
        (b"", "there is no private key in it"),
    ] {
        std::fs::write(folder.join("key.pem"), content).unwrap();
        encrypted.setup.write_config();
        for argument in [None, Some("--check-config")] {
            let mut command = encrypted.setup.command();
            command.args(argument);
            Ran::of(command).failed(78, &["key.pem", said]);
        }
    }
}

#[test]
fn a_stop_is_told_over_tls() {
    let encrypted = Encrypted::new(&[]);
    let daemon = encrypted.start();
    let tunnel = Tunnel::new(daemon.setup.tcp(0), &encrypted.authority, None);
    let mut viewer = Viewer::connect(tunnel.begin);
    viewer.hello("", Want::default());
    daemon.signal(Signal::SIGTERM);
    let stopping = |message: &ToClient| match message {
        ToClient::Notice { event, .. } => *event == Event::Stopping,
        _ => false,
    };
    let said = viewer.until_closed();
    assert!(said.iter().any(stopping), "{said:?}");
}

#[test]
fn streamctl_takes_the_certificate_whose_fingerprint_it_is_given() {
    let encrypted = Encrypted::new(&[]);
    let daemon = encrypted.start();
    let watch = |scheme: &str, to: std::net::SocketAddr, more: &str| {
        daemon.streamctl(&format!(
            "watch {scheme}://{to} --headless --frames 2 --reconnect-attempts 1{more}"
        ))
    };
    let raw = daemon.setup.tcp(0);
    let unknown = watch("tls", raw, "");
    unknown.failed(69, &["signed by nobody", "--fingerprint"]);
    let (_, rest) = unknown.stderr.split_once("Its fingerprint is ").unwrap();
    let (fingerprint, _) = rest.split_once(": ").unwrap();
    let pinned = format!(" --fingerprint {fingerprint}");
    watch("tls", raw, &pinned).succeeded();
    let web = daemon.setup.http();
    for scheme in ["https", "wss"] {
        watch(scheme, web, &pinned).succeeded();
    }
    let other = format!(" --fingerprint {}", "00".repeat(32));
    watch("tls", raw, &other).failed(69, &["it has another certificate", fingerprint]);
    let plain = daemon.streamctl(&format!("watch {raw} --headless --frames 2"));
    plain.failed(76, &["TLS is spoken there", "tls://"]);
}

#[test]
fn who_came_plain_is_not_kept_where_all_is_encrypted_after_a_restart() {
    let encrypted = Encrypted::new(&[]);
    let mut setup = encrypted.setup.clone().storing(16);
    setup.set_camera("");
    let mut daemon = setup.start();
    let mut plain = daemon.viewer();
    plain.picture();
    daemon.signal(Signal::SIGTERM);
    daemon.wait_for_end();
    daemon.setup.set_camera("tls = true");
    let daemon = daemon.restart();
    plain.until_closed();
    daemon.log.wait_for(&["is lost", "not encrypted"]);
    let tunnel = Tunnel::new(daemon.setup.tcp(0), &encrypted.authority, None);
    Viewer::connect(tunnel.begin).picture();
}

/// More than may wait for a request at once, from as many addresses as it takes.
#[test]
fn who_does_not_finish_the_handshake_gives_way() {
    let encrypted = Encrypted::new(&[]);
    let daemon = encrypted.start();
    let web = daemon.setup.http();
    let mut silent = Vec::new();
    for address in 1..=24 {
        for _ in 0..50 {
            let mut begun = Viewer::connect_from([127, 9, 9, address], web);
            // A record of a handshake, of which nothing more comes.
            begun.write(&[22, 3, 1, 2, 0]);
            silent.push(begun);
        }
    }
    let tunnel = Tunnel::new(web, &encrypted.authority, None);
    let snapshot = web::get(tunnel.begin, "/snapshot", &[]);
    assert_eq!(snapshot.status, 200);
}
