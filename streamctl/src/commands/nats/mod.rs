//! `streamctl nats`: a server of NATS for the machines of a fleet.

mod server;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use nix::unistd::gethostname;
use nkeys::KeyPair;
use serde::Serialize;
use streamd_protocol::fleet;

use self::server::{Server, User};
use crate::{failure::Failure, session::Session, table};

/// The server's configuration, in the folder.
const CONFIGURATION: &str = "nats-server.conf";

/// Where a machine has its seed.
const SEED: &str = "/etc/streamd/nats.nk";

/// The port of NATS.
const PORT: u16 = 4222;

/// Write the configuration of a NATS server for many machines, with a key for each
///
/// No daemon is needed. With --json: the files, and the machines with their public keys.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write nats-server.conf and the seed of each machine's key into a folder, and say what goes where
    Init(Init),
    /// Add machines to the nats-server.conf of a folder, and write their seeds beside it
    Add {
        #[command(flatten)]
        machines: Machines,
        /// The folder that `streamctl nats init` has filled
        folder: PathBuf,
    },
}

/// Who is to have a key.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Machines {
    /// A machine with cameras that others may have; may be there several times
    #[arg(long = "host", value_name = "NAME", value_parser = name)]
    hosts: Vec<String>,
    /// A machine that takes cameras over, and may have some of its own; may be there several times
    #[arg(long = "relay", value_name = "NAME", value_parser = name)]
    relays: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct Init {
    #[command(flatten)]
    machines: Machines,
    /// The name or address by which machines reach the server [default: this machine's name]
    #[arg(long, value_name = "NAME[:PORT]", value_parser = reached)]
    server: Option<String>,
    /// Where the server listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:4222")]
    listen: std::net::SocketAddr,
    /// The server's folder for JetStream, which must belong to it
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/nats", value_parser = absolute)]
    store: PathBuf,
    /// The certificate on the server's machine, for TLS
    #[arg(long, value_name = "FILE", requires = "key", value_parser = absolute)]
    certificate: Option<PathBuf>,
    /// The certificate's key
    #[arg(long, value_name = "FILE", requires = "certificate", value_parser = absolute)]
    key: Option<PathBuf>,
    /// Where to write
    folder: PathBuf,
}

/// What was written.
#[derive(Debug, Serialize)]
struct Made {
    configuration: PathBuf,
    server: String,
    machines: Vec<Machine>,
}

#[derive(Debug, Serialize)]
struct Machine {
    name: String,
    relay: bool,
    /// The file with the seed.
    seed: PathBuf,
    /// The public key.
    key: String,
}

/// Does it.
pub fn run(args: Args, session: &Session) -> Result<(), Failure> {
    match args.verb {
        Verb::Init(init) => {
            let made = make(&init)?;
            session.print(&made, |_| shown(&made, Some(&init)))
        }
        Verb::Add { machines, folder } => {
            let made = add(&machines, &folder)?;
            session.print(&made, |_| shown(&made, None))
        }
    }
}

fn make(init: &Init) -> Result<Made, Failure> {
    let scheme = if init.key.is_some() { "tls" } else { "nats" };
    let server = match &init.server {
        Some(server) => server.clone(),
        None => reached(&own_name()).map_err(Failure::Value)?,
    };
    let url = format!("{scheme}://{server}");
    let keys = keys(&init.machines, &init.folder)?;
    let server = Server {
        url: &url,
        listen: &init.listen.to_string(),
        store: &init.store,
        tls: init.certificate.as_deref().zip(init.key.as_deref()),
    };
    let configuration = init.folder.join(CONFIGURATION);
    let users: Vec<_> = keys.iter().map(|(user, _)| user.clone()).collect();
    let text = server::file(&server, &users);
    fs::create_dir_all(&init.folder).map_err(|error| refused(&init.folder, &error))?;
    is_free(&configuration)?;
    let machines = write_seeds(keys, &init.folder)?;
    write(&configuration, 0o644, &text)?;
    Ok(Made {
        configuration,
        server: url,
        machines,
    })
}

fn add(machines: &Machines, folder: &Path) -> Result<Made, Failure> {
    let configuration = folder.join(CONFIGURATION);
    let before = fs::read_to_string(&configuration).map_err(|e| refused(&configuration, &e))?;
    let keys = keys(machines, folder)?;
    let mut users = keys.iter().map(|(user, _)| user);
    let text = users.try_fold(before.clone(), |text, user| server::add(&text, user));
    let (Some(text), Some(url)) = (text, server::url(&before)) else {
        return Err(Failure::File {
            path: configuration,
            why: "it is none that `streamctl nats init` has written".into(),
        });
    };
    let machines = write_seeds(keys, folder)?;
    // Whoever reads it meanwhile has the whole of the one or of the other.
    let new = configuration.with_extension("new");
    let _ = fs::remove_file(&new);
    write(&new, 0o644, &text)?;
    fs::rename(&new, &configuration).map_err(|error| refused(&configuration, &error))?;
    Ok(Made {
        configuration,
        server: url.to_owned(),
        machines,
    })
}

/// A key for each machine, none of which has one in the folder; with its seed.
fn keys(machines: &Machines, folder: &Path) -> Result<Vec<(User, String)>, Failure> {
    let all = |names: &[String], relay| {
        names
            .iter()
            .map(move |name| (name.clone(), relay))
            .collect()
    };
    let mut named: Vec<(String, bool)> = all(&machines.hosts, false);
    named.extend::<Vec<_>>(all(&machines.relays, true));
    let mut seen = BTreeSet::new();
    let mut made = Vec::new();
    for (name, relay) in named {
        if !seen.insert(name.clone()) {
            let what = format!("{name} is named twice: a relay may have cameras of its own");
            return Err(Failure::Usage(what));
        }
        is_free(&seed_file(folder, &name))?;
        let pair = KeyPair::new_user();
        let seed = pair
            .seed()
            .map_err(|error| Failure::Value(error.to_string()))?;
        let key = pair.public_key();
        made.push((User { name, relay, key }, seed));
    }
    Ok(made)
}

fn write_seeds(keys: Vec<(User, String)>, folder: &Path) -> Result<Vec<Machine>, Failure> {
    let written = keys.into_iter().map(|(user, seed)| {
        let file = seed_file(folder, &user.name);
        write(&file, 0o600, &format!("{seed}\n"))?;
        Ok(Machine {
            name: user.name,
            relay: user.relay,
            seed: file,
            key: user.key,
        })
    });
    written.collect()
}

fn seed_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.nk"))
}

/// What is to be done with the files.
fn shown(made: &Made, init: Option<&Init>) -> String {
    let configuration = made.configuration.display().to_string();
    let configuration = table::line(&configuration);
    let mut parts = Vec::new();
    match init {
        Some(init) => {
            let store = init.store.display().to_string();
            parts.push(format!(
                "The server's machine: {configuration} goes to /etc/{CONFIGURATION}; then, as root:\n\n\
                 install -d -o nats -g nats {}\nsystemctl restart nats-server",
                table::line(&store)
            ));
            if init.key.is_none() {
                parts.push(
                    "Without --certificate and --key, pictures cross the network as anybody can see them."
                        .into(),
                );
            }
        }
        None => parts.push(format!(
            "The server's machine: {configuration} goes to /etc/{CONFIGURATION}; then, as root:\n\n\
             systemctl reload nats-server"
        )),
    }
    parts.extend(
        made.machines
            .iter()
            .map(|machine| lines(machine, &made.server)),
    );
    parts.join("\n\n")
}

/// What goes to a machine.
fn lines(machine: &Machine, server: &str) -> String {
    let file = machine.seed.display().to_string();
    let name = &machine.name;
    let issuer = match server.starts_with("tls") {
        true => {
            "\n#ca-file = \"/etc/streamd/nats-ca.pem\"  # where the system does not trust who issued the certificate"
        }
        false => "",
    };
    let cameras = match machine.relay {
        true => "\n\n[camera.HOST-CAMERA]\ndevice = \"nats:HOST/CAMERA\"",
        false => "\npublish = [\"main\"]",
    };
    format!(
        "{name}: {file} goes to {SEED}, for root and group streamd alone (0640); in streamd.toml:\n\n\
         [nats]\nservers = [\"{server}\"]{issuer}\ncredentials = \"{SEED}\"\nhost = \"{name}\"{cameras}",
        file = table::line(&file),
    )
}

/// A machine's name.
fn name(text: &str) -> Result<String, String> {
    match fleet::is_name(text) {
        true => Ok(text.into()),
        false => Err(format!("{} are allowed", fleet::NAME_ALLOWED)),
    }
}

/// Where the server is reached, with its port.
fn reached(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    let bare_v6 = text.matches(':').count() > 1 && !text.starts_with('[');
    if text.is_empty() || bare_v6 || !text.chars().all(legal) {
        return Err(
            "a name or an address is allowed, and a port, as in nats.example:4222 or [::1]:4222"
                .into(),
        );
    }
    Ok(match text.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => text.into(),
        _ => format!("{text}:{PORT}"),
    })
}

fn own_name() -> String {
    let name = gethostname().ok().and_then(|name| name.into_string().ok());
    name.unwrap_or_else(|| "localhost".into())
}

fn absolute(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.is_absolute() {
        true => Ok(path),
        false => Err("an absolute path is allowed: it is on the server's machine".into()),
    }
}

fn is_free(path: &Path) -> Result<(), Failure> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(refused(path, &error)),
        Ok(_) => Err(Failure::File {
            path: path.into(),
            why: "it is there already, and stays".into(),
        }),
    }
}

/// Writes a file that is not there yet.
fn write(path: &Path, mode: u32, text: &str) -> Result<(), Failure> {
    let written = || {
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    written().map_err(|error| refused(path, &error))
}

fn refused(path: &Path, error: &io::Error) -> Failure {
    Failure::File {
        path: path.into(),
        why: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_reached_at_a_port() {
        for (text, full) in [
            ("nats.example", "nats.example:4222"),
            ("192.0.2.1:4333", "192.0.2.1:4333"),
            ("[::1]", "[::1]:4222"),
            ("[::1]:4333", "[::1]:4333"),
        ] {
            assert_eq!(reached(text).as_deref(), Ok(full));
        }
        for bad in [
            "",
            "a b",
            "user@a",
            "tls://a/",
            "a\"b",
            "::1",
            "2001:db8::7",
        ] {
            assert!(reached(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_tokens_and_each_is_there_once() {
        for bad in ["", "a.b", "*", ">", "a b", "../a"] {
            assert!(name(bad).is_err(), "{bad}");
        }
        let folder = tempfile::tempdir().unwrap();
        let twice = Machines {
            hosts: vec!["a".into()],
            relays: vec!["a".into()],
        };
        let failure = keys(&twice, folder.path()).unwrap_err();
        assert!(failure.to_string().contains("a is named twice"));
    }
}
