//! The addresses that streamd listens at: free, its own, or held by another program.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use super::{finding::Finding, holders, scene::Scene};

const AREA: &str = "ports";

/// Below this, only root may listen.
const FIRST_FREE: u16 = 1024;

/// A socket of the kernel's table that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listening {
    address: SocketAddr,
    inode: u64,
}

/// Looks at each address of the configuration.
pub fn look(scene: &Scene) -> Vec<Finding> {
    let Some(config) = &scene.config else {
        let reason = "at which ports streamd listens is not known: the configuration can't be read";
        return vec![Finding::warning(AREA, reason, "")];
    };
    let listening = listening();
    let addresses = addresses(config);
    let mut findings: Vec<_> = addresses
        .iter()
        .map(|(key, listen)| match listen.strip_prefix("unix:") {
            Some(path) => unix(key, Path::new(path), scene),
            None => tcp(key, listen, &listening, scene),
        })
        .collect();
    let own = |listen: &String| {
        listen
            .parse()
            .is_ok_and(|a: SocketAddr| a.ip().is_loopback())
    };
    if !addresses.is_empty() && addresses.iter().all(|(_, listen)| own(listen)) {
        findings.push(Finding::ok(
            AREA,
            "all are of this machine alone; for others to watch: listen = \"0.0.0.0:8080\" in [http]",
        ));
    }
    findings
}

/// Every `listen` of the configuration, with the key it stands at.
fn addresses(config: &toml::Table) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut add = |key: String, table: Option<&toml::Value>| {
        let listen = table.and_then(|table| table.get("listen"));
        let list = match listen {
            Some(toml::Value::Array(list)) => list.clone(),
            other => other.cloned().into_iter().collect(),
        };
        let texts = list.iter().filter_map(|listen| listen.as_str());
        all.extend(texts.map(|listen| (key.clone(), listen.to_owned())));
    };
    add("http".into(), config.get("http"));
    add("metrics".into(), config.get("metrics"));
    let cameras = config.get("camera").and_then(|cameras| cameras.as_table());
    for (name, camera) in cameras.into_iter().flatten() {
        add(format!("camera.{name}"), Some(camera));
    }
    all
}

fn tcp(key: &str, listen: &str, listening: &[Listening], scene: &Scene) -> Finding {
    let Ok(address) = listen.parse::<SocketAddr>() else {
        return Finding::error(AREA, format!("{key}: {listen} is no address"), "");
    };
    if address.port() == 0 {
        return Finding::ok(
            AREA,
            format!("{listen} ({key}): any free port, which the log says"),
        );
    }
    let taken: Vec<_> = listening
        .iter()
        .filter(|one| meet(one.address, address))
        .collect();
    if taken.is_empty() {
        return free(key, address, scene);
    }
    let sockets = taken
        .iter()
        .map(|one| PathBuf::from(format!("socket:[{}]", one.inode)));
    let holders: Vec<_> = sockets.flat_map(|socket| holders::of(&socket)).collect();
    if holders.iter().any(|holder| scene.is_daemon(holder.pid)) {
        return Finding::ok(AREA, format!("{listen} ({key}): streamd listens"));
    }
    held(key, listen, &holders, scene)
}

/// A port that somebody else has, or of whom that can't be seen.
fn held(key: &str, listen: &str, holders: &[holders::Holder], scene: &Scene) -> Finding {
    if holders.is_empty() && scene.daemon.is_some() {
        let what = format!("{listen} ({key}): somebody listens, streamd as it seems");
        return Finding::ok(AREA, what);
    }
    if holders.iter().any(|holder| holder.pid == 1) {
        let what = format!(
            "{listen} ({key}): systemd listens, and starts streamd for the first who comes"
        );
        return Finding::ok(AREA, what);
    }
    let section = format!("listen in [{key}]");
    match holders.is_empty() {
        true => Finding::error(
            AREA,
            format!(
                "{listen} ({key}) is held by a program that {} may not see",
                scene.user
            ),
            format!("sudo streamctl doctor says which; end it, or change {section}"),
        ),
        false => Finding::error(
            AREA,
            format!("{listen} ({key}) is held by {}", holders::list(holders)),
            format!("End it, or change {section} to a port that is free"),
        ),
    }
}

/// A port that nobody has: whether streamd could.
fn free(key: &str, address: SocketAddr, scene: &Scene) -> Finding {
    if let Some(daemon) = &scene.daemon {
        return Finding::error(
            AREA,
            format!(
                "{address} ({key}): streamd (PID {}) does not listen there",
                daemon.stats.pid
            ),
            format!("Restart it: {}", scene.told_to("restart")),
        );
    }
    if address.port() < FIRST_FREE && !scene.root {
        return Finding::warning(
            AREA,
            format!(
                "{address} ({key}): ports below {FIRST_FREE} are root's, and streamd is not root"
            ),
            format!(
                "Change listen in [{key}] to a port above, or let systemd open it: streamd-http.socket"
            ),
        );
    }
    match TcpListener::bind((address.ip(), 0)) {
        Ok(_) => Finding::ok(AREA, format!("{address} ({key}): free")),
        Err(error) => Finding::error(
            AREA,
            format!("{address} ({key}): this machine does not have this address ({error})"),
            format!(
                "Change listen in [{key}]: 0.0.0.0 is every address of the machine; ip address lists them"
            ),
        ),
    }
}

/// A Unix socket for pictures: its folder must be there.
fn unix(key: &str, path: &Path, scene: &Scene) -> Finding {
    let folder = path.parent().unwrap_or(Path::new("/"));
    match (path.exists(), folder.is_dir()) {
        (true, _) if scene.daemon.is_some() => {
            Finding::ok(AREA, format!("unix:{} ({key}): is there", path.display()))
        }
        (_, true) => Finding::ok(
            AREA,
            format!("unix:{} ({key}): its folder is there", path.display()),
        ),
        (_, false) => Finding::error(
            AREA,
            format!(
                "unix:{} ({key}): there is no folder {}, or it can't be looked at",
                path.display(),
                folder.display()
            ),
            "Make the folder, for the user that streamd runs as; the service has /run/streamd",
        ),
    }
}

/// Whether the kernel would refuse `wanted` while `taken` is listened at.
fn meet(taken: SocketAddr, wanted: SocketAddr) -> bool {
    let (a, b) = (taken.ip().to_canonical(), wanted.ip().to_canonical());
    let covers =
        |all: IpAddr, one: IpAddr| all.is_unspecified() && (all.is_ipv6() || one.is_ipv4());
    taken.port() == wanted.port() && (a == b || covers(a, b) || covers(b, a))
}

/// All sockets of this network that listen.
fn listening() -> Vec<Listening> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let texts = tables.map(|table| fs::read_to_string(table).unwrap_or_default());
    texts
        .iter()
        .flat_map(|text| text.lines().filter_map(row))
        .collect()
}

/// A row of the kernel's table, if it listens: `SL LOCAL REMOTE STATE … UID TIMEOUT INODE`
/// (Documentation/networking/proc_net_tcp.rst).
fn row(line: &str) -> Option<Listening> {
    const LISTENS: &str = "0A";
    let words: Vec<_> = line.split_whitespace().collect();
    let [_, local, _, LISTENS, ..] = words[..] else {
        return None;
    };
    Some(Listening {
        address: address(local)?,
        inode: words.get(9)?.parse().ok()?,
    })
}

/// An address as the kernel prints it: words of 32 bits in the machine's own order, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let words = ip.as_bytes().chunks(8).map(|word| {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        Some(word.to_ne_bytes())
    });
    let bytes = words.collect::<Option<Vec<_>>>()?.concat();
    let ip = match bytes.len() {
        4 => Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into(),
        16 => Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap();
        assert!(
            listening()
                .iter()
                .any(|one| one.address == own && one.inode > 0)
        );
        let six = TcpListener::bind("[::1]:0");
        if let Ok(six) = six {
            let own = six.local_addr().unwrap();
            assert!(listening().iter().any(|one| one.address == own));
        }
        for line in [
            "",
            "  sl  local_address rem_address   st",
            "0: 0100007F:1F90 x 0A",
        ] {
            assert_eq!(row(line), None, "{line}");
        }
    }

    #[test]
    fn addresses_meet_as_in_the_kernel() {
        let meets = |a: &str, b: &str| meet(a.parse().unwrap(), b.parse().unwrap());
        assert!(meets("0.0.0.0:8080", "127.0.0.1:8080"));
        assert!(meets("127.0.0.1:8080", "0.0.0.0:8080"));
        assert!(meets("[::]:8080", "127.0.0.1:8080"));
        assert!(!meets("0.0.0.0:8080", "[::1]:8080"));
        assert!(!meets("127.0.0.2:8080", "127.0.0.1:8080"));
        assert!(!meets("127.0.0.1:8081", "127.0.0.1:8080"));
    }

    #[test]
    fn every_listener_of_the_configuration_is_found() {
        let config: toml::Table =
            "[http]\nlisten = ['127.0.0.1:1', 'unix:/a']\n[metrics]\nlisten = []\n\
             [camera.main]\nlisten = '127.0.0.1:2'\n[camera.back]\n"
                .parse()
                .unwrap();
        let found = addresses(&config);
        let found: Vec<_> = found
            .iter()
            .map(|(k, l)| (k.as_str(), l.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("http", "127.0.0.1:1"),
                ("http", "unix:/a"),
                ("camera.main", "127.0.0.1:2")
            ]
        );
    }
}
