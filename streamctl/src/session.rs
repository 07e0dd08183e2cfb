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

use crate::{failure::Failure, table::Screen};

/// Clients that are named when one that does not exist was asked for.
const NAMED_CLIENTS: usize = 20;

/// One run of streamctl.
#[derive(Debug)]
pub struct Session {
    socket: PathBuf,
    timeout: Duration,
    /// Print JSON instead of what people read.
    pub json: bool,
    /// What standard output can show.
    pub screen: Screen,
}

impl Session {
    /// A run that talks to `socket`, or to the default one, and waits for it `timeout` seconds.
    pub fn new(socket: Option<PathBuf>, timeout: u64, json: bool) -> Self {
        Self {
            socket: socket.unwrap_or_else(control::default_socket),
            timeout: Duration::from_secs(timeout),
            json,
            screen: Screen::of_stdout(),
        }
    }

    /// The control socket, and how long to wait for the daemon: for connections that are made
    /// later, by other threads.
    pub fn way(&self) -> (PathBuf, Duration) {
        (self.socket.clone(), self.timeout)
    }

    /// Connects to the daemon, and says so if it is of another version.
    pub fn connect(&self) -> Result<Client, Failure> {
        let mut client = Client::connect(&self.socket, self.timeout)?;
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
            text(self.screen)
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
