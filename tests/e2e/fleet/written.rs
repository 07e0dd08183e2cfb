//! Fleets by what `streamctl nats` has written: who may what, tools, TLS.

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt, path::PathBuf};

use nix::sys::signal::Signal;
use serde_json::Value;
use streamd_tests::{
    daemon::{Daemon, streamctl},
    nats::{self as server, Server},
    setup::Setup,
    tls::Authority,
};

use super::{access, host_with, live, nats, relay_with};

/// A fleet whose server, users and seeds are as `streamctl nats init` has written them.
struct Written {
    server: Server,
    folder: Setup,
}

impl Written {
    fn new() -> Self {
        Self::with(Setup::default(), server::fresh_address(), "nats", "")
    }

    /// In this folder, at this address, which is reached by this scheme; with more on the command line.
    fn with(folder: Setup, address: SocketAddr, scheme: &str, more: &str) -> Self {
        let (files, store) = (folder.file("nats"), folder.file("store"));
        let line = format!(
            "nats init --host robot7 --host robot8 --relay wall --server {address} --listen {address} --store {}{more} {}",
            store.display(),
            files.display()
        );
        let printed = streamctl(&folder.control(), &line);
        for part in [
            "host = \"robot7\"",
            &format!("servers = [\"{scheme}://{address}\"]"),
        ] {
            assert!(printed.succeeded().contains(part), "{printed:?}");
        }
        streamctl(&folder.control(), &line).failed(73, &["it is there already"]);
        let server = Server::by(files.join("nats-server.conf"), None, address);
        Self { server, folder }
    }

    fn seed_file(&self, name: &str) -> PathBuf {
        self.folder.file("nats").join(format!("{name}.nk"))
    }

    fn seed(&self, name: &str) -> String {
        let seed = fs::read_to_string(self.seed_file(name)).expect("it was written");
        seed.trim().to_owned()
    }

    /// The keys of `[nats]` for a machine.
    fn keys(&self, name: &str) -> String {
        format!("credentials = {:?}", self.seed_file(name))
    }

    fn relay(&self, camera: &str) -> Daemon {
        let keys = format!("host = \"wall\"\n{}", self.keys("wall"));
        relay_with(&self.server, camera, &keys, "")
    }
}

#[test]
fn a_fleet_works_by_what_streamctl_has_written_and_each_host_has_its_own_alone() {
    let fleet = Written::new();
    let mode = |file: PathBuf| fs::metadata(file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(fleet.seed_file("robot7")), 0o600);
    let relay = fleet.relay("robot7/main");
    let robot7 = host_with(&fleet.server, "robot7", &fleet.keys("robot7"), "");
    let mut viewer = relay.viewer();
    live(&mut viewer);
    let seed = fleet.seed("robot8");
    let theirs = [
        "SUB streamd.v1.robot7.> 1",
        "SUB streamd.v1.*.presence 2",
        "SUB streamd.v1.*.*.want 3",
        "SUB > 4",
        "SUB _INBOX.> 5",
        "SUB _INBOX.robot7.> 6",
        "SUB _INBOX.wall.> 7",
        "SUB $JS.API.> 8",
        "PUB streamd.v1.robot7.main.jpeg 0\r\n",
        "PUB streamd.v1.robot7.main.want 0\r\n",
        "PUB streamd.v1.robot7.presence 0\r\n",
        "PUB streamd.v1.robot7.probe 0\r\n",
        "PUB _INBOX.wall.1 0\r\n",
        "PUB $SRV.PING 0\r\n",
        "PUB $JS.API.STREAM.DELETE.streamd 0\r\n",
        "PUB $JS.API.STREAM.PURGE.streamd 0\r\n",
        "PUB $JS.API.STREAM.MSG.GET.streamd 0\r\n",
        "PUB $JS.API.CONSUMER.CREATE.streamd 0\r\n",
    ]
    .map(str::to_owned);
    let refused = fleet.server.refusals(&seed, &theirs);
    assert_eq!(refused.len(), theirs.len(), "{refused:?}");
    let own = [
        "SUB streamd.v1.robot8.> 1",
        "SUB _INBOX.robot8.> 2",
        "PUB streamd.v1.robot8.presence 0\r\n",
    ]
    .map(str::to_owned);
    assert_eq!(fleet.server.refusals(&seed, &own), [""; 0]);
    // The relay may take, and nothing else in the name of others.
    let relays = [
        "SUB streamd.v1.robot7.> 1",
        "PUB streamd.v1.robot7.main.jpeg 0\r\n",
        "PUB streamd.v1.robot7.presence 0\r\n",
        "PUB $JS.API.STREAM.DELETE.streamd 0\r\n",
    ]
    .map(str::to_owned);
    let refused = fleet.server.refusals(&fleet.seed("wall"), &relays);
    assert_eq!(refused.len(), relays.len(), "{refused:?}");
    live(&mut viewer);
    for daemon in [&relay, &robot7] {
        let stats = daemon.stats();
        assert!(nats(&stats).reason.is_empty(), "{stats:?}");
        assert_eq!(nats(&stats).foreign, 0);
        let log = daemon.log.all();
        assert!(
            !log.iter().any(|line| line.contains("Violation")),
            "{log:?}"
        );
    }
}

#[test]
fn a_host_that_is_added_later_is_let_in_after_a_reload_of_the_server() {
    let fleet = Written::new();
    let files = fleet.folder.file("nats");
    let line = format!("nats add --host robot9 {}", files.display());
    let added = streamctl(&fleet.folder.control(), &line);
    let printed = added.succeeded();
    let server = format!("servers = [\"nats://{}\"]", fleet.server.address);
    assert!(
        printed.contains(&server) && printed.contains("host = \"robot9\""),
        "{printed}"
    );
    fleet.server.signal(Signal::SIGHUP);
    let _host = host_with(&fleet.server, "robot9", &fleet.keys("robot9"), "");
    live(&mut fleet.relay("robot9/main").viewer());
    streamctl(&fleet.folder.control(), &line).failed(73, &["robot9.nk: it is there already"]);
}

#[test]
fn tools_for_nats_find_a_host_as_a_service_with_an_endpoint_for_each_camera() {
    let fleet = Written::new();
    let _robot7 = host_with(&fleet.server, "robot7", &fleet.keys("robot7"), "");
    let relay = fleet.relay("robot7/main");
    live(&mut relay.viewer());
    let ask = |subject: &str| -> Value {
        let seed = fleet.seed("wall");
        let answer = fleet.server.ask(&seed, subject, "_INBOX.wall.tool");
        serde_json::from_str(&answer).expect("a service answers in JSON")
    };
    let ping = ask("$SRV.PING");
    assert_eq!(ping["type"], "io.nats.micro.v1.ping_response");
    assert_eq!(
        (&ping["name"], &ping["metadata"]["host"]),
        (&"streamd".into(), &"robot7".into())
    );
    let id = ping["id"].as_str().expect("each has a number");
    let info = ask(&format!("$SRV.INFO.streamd.{id}"));
    assert_eq!(info["type"], "io.nats.micro.v1.info_response");
    assert_eq!(
        info["endpoints"][0]["subject"],
        "streamd.v1.robot7.main.want"
    );
    let stats = ask("$SRV.STATS.streamd");
    assert_eq!(stats["type"], "io.nats.micro.v1.stats_response");
    assert_eq!(stats["endpoints"][0]["name"], "main");
    assert!(
        stats["endpoints"][0]["num_requests"].as_u64() > Some(0),
        "{stats}"
    );
}

#[test]
fn a_fleet_with_a_certificate_is_encrypted_and_an_authority_that_is_not_known_is_said() {
    let (folder, address) = (Setup::default(), server::fresh_address());
    let (authority, home) = (Authority::default(), folder.file(""));
    authority.issue(&address.ip().to_string()).write(&home);
    let issuer = folder.file("authority.pem");
    fs::write(&issuer, authority.pem()).unwrap();
    let more = format!(
        " --certificate {} --key {}",
        home.join("certificate.pem").display(),
        home.join("key.pem").display()
    );
    let fleet = Written::with(folder, address, "tls", &more);
    let start = |name: &str, nats: &str, camera: &str| {
        let (setup, keys) = (Setup::default(), fleet.keys(name));
        let nats =
            format!("[nats]\nservers = [\"tls://{address}\"]\nhost = {name:?}\n{keys}\n{nats}\n");
        let tables = access(&setup) + &nats;
        setup.tables(&tables).camera(camera).start()
    };
    let knows = format!("ca-file = {issuer:?}");
    let publishes = "publish = [\"main\"]";
    let _robot7 = start("robot7", &format!("{knows}\n{publishes}"), "fps = 30");
    let takes = "device = \"nats:robot7/main\"\nfps = 30";
    let relay = start("wall", &knows, takes);
    live(&mut relay.viewer());
    let stranger = start("robot8", publishes, "fps = 30");
    let stats = stranger.wait_for_stats("it says why", |stats| {
        let reason = &nats(stats).reason;
        reason.contains("TLS could not be agreed on (nats.ca-file")
    });
    assert!(!nats(&stats).connected);
}
