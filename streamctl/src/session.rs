//! What all verbs share: the way to the daemon, and how to print.

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    time::Duration,
};

use serde::Serialize;
use streamd_protocol::{
    client::{Client, Error},
    control::{self, GetInfo, ListClients, Method},
};

use crate::{charset, failure::Failure, table::Screen};

/// Clients that are named when one that does not exist was asked for.
const NAMED_CLIENTS: usize = 20;

/// One run of streamctl.
#[derive(Debug)]
pub struct Session {
    /// Where the daemon may listen, in the order in which they are tried.
    sockets: Vec<PathBuf>,
    timeout: Duration,
    /// Print JSON instead of what people read.
    pub json: bool,
    /// What standard output can show.
    pub screen: Screen,
}

impl Session {
    /// A run that talks to `socket`, or to the first default one that answers, and waits for it `timeout` seconds.
    pub fn new(socket: Option<PathBuf>, timeout: u64, json: bool) -> Self {
        Self {
            sockets: socket.map_or_else(control::default_socket_paths, |socket| vec![socket]),
            timeout: Duration::from_secs(timeout),
            json,
            screen: Screen::of_stdout(),
        }
    }

    /// Where the daemon may listen, in the order in which they are tried.
    pub fn sockets(&self) -> &[PathBuf] {
        &self.sockets
    }

    /// How long to wait for the daemon.
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The control socket, and how long to wait for the daemon: for connections that are made
    /// later, by other threads.
    pub fn way(&self) -> (PathBuf, Duration) {
        let answers = |socket: &&PathBuf| Client::connect(socket, self.timeout).is_ok();
        let socket = match &self.sockets[..] {
            [only] => only,
            several => several.iter().find(answers).unwrap_or(&several[0]),
        };
        (socket.clone(), self.timeout)
    }

    /// Connects to the first socket where somebody listens. A file that a daemon left behind, or
    /// another one's, hides none.
    fn reach(&self) -> Result<Client, Failure> {
        let mut failed = Vec::new();
        for socket in &self.sockets {
            match Client::connect(socket, self.timeout) {
                Ok(client) => return Ok(client),
                Err(error @ Error::Unavailable { .. }) => failed.push(error),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failure::Nowhere(failed))
    }

    /// Connects to the daemon, and says so if it is of another version.
    pub fn connect(&self) -> Result<Client, Failure> {
        let mut client = self.reach()?;
        let info = client.call(&GetInfo {})?;
        let ours = env!("CARGO_PKG_VERSION");
        if info.version != ours {
            let theirs = crate::table::clean(&info.version);
            eprintln!(
                "streamctl: this is version {ours}, the daemon is {theirs}: restart it after an upgrade"
            );
        }
        Ok(client)
    }

    /// Connects and calls one method. An unknown client is answered with those that exist.
    pub fn call<M: Method>(&self, method: &M) -> Result<M::Reply, Failure> {
        let mut client = self.connect()?;
        client.call(method).map_err(|e| explain(&mut client, e))
    }

    /// Prints `value` as one line of JSON, or `text` for people.
    pub fn print(
        &self,
        value: &impl Serialize,
        text: impl FnOnce(Screen) -> String,
    ) -> Result<(), Failure> {
        let mut text = if self.json {
            serde_json::to_string(value).map_err(io::Error::from)?
        } else {
            charset::fit(&text(self.screen)).into_owned()
        };
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        write(text.as_bytes())
    }
}

/// Writes to standard output, and makes sure that it has arrived.
pub fn write(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Whether people see standard output.
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// The failure of a call; for an unknown client with the ids of those that are connected.
pub fn explain(client: &mut Client, error: Error) -> Failure {
    let Error::Refused(control::Error::NoSuchClient { id }) = error else {
        return error.into();
    };
    let connected = match client.call(&ListClients {}) {
        Ok(reply) => reply.clients,
        Err(error) => return error.into(),
    };
    let mut ids: Vec<_> = connected.iter().map(|c| c.id.to_string()).collect();
    let more = ids.len().saturating_sub(NAMED_CLIENTS);
    ids.truncate(NAMED_CLIENTS);
    Failure::NotFound(match (ids.is_empty(), more) {
        (true, _) => format!("no client {id}: none is connected"),
        (_, 0) => format!("no client {id}: connected are {}", ids.join(", ")),
        _ => format!(
            "no client {id}: connected are {} and {more} more",
            ids.join(", ")
        ),
    })
}
