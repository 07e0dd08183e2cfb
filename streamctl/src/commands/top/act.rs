//! Makes the calls that keys ask for, on a thread of its own: a daemon that does not answer must
//! not freeze the page.

use std::{
    io,
    path::PathBuf,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use streamd_protocol::{
    client::{Client, Error},
    control::{KickClient, SetCamera, SetClient},
};

use crate::{table::line, terminal::wake::Waker, units};

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Disconnects a client.
    Kick(i64),
    /// Sets a client's limits; 0 lifts one.
    Client(SetClient),
    /// Changes a camera.
    Camera(SetCamera),
}

/// The thread that does it.
#[derive(Debug)]
pub struct Hand {
    actions: SyncSender<Action>,
    said: Receiver<String>,
}

impl Hand {
    /// Starts the thread, which ends with the process; `way` is the socket and how long to wait.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub fn start(way: (PathBuf, Duration), waker: Waker) -> io::Result<Self> {
        // One action at a time, and one more that was asked for meanwhile.
        let (actions, asked) = sync_channel(1);
        let (sender, said) = sync_channel(4);
        thread::Builder::new().name("act".into()).spawn(move || {
            for action in asked {
                let said = perform(&way, &action).unwrap_or_else(|error| line(&error.to_string()));
                if sender.send(said).is_err() {
                    return;
                }
                waker.wake();
            }
        })?;
        Ok(Self { actions, said })
    }

    /// Has something done; false when it is still busy.
    pub fn act(&self, action: Action) -> bool {
        self.actions.try_send(action).is_ok()
    }

    /// What became of the last one, once.
    pub fn said(&self) -> Option<String> {
        self.said.try_recv().ok()
    }
}

/// Calls the daemon and says for people what it did.
fn perform(way: &(PathBuf, Duration), action: &Action) -> Result<String, Error> {
    let mut client = Client::connect(&way.0, way.1)?;
    match action {
        Action::Kick(id) => {
            let kicked = client.call(&KickClient {
                id: Some(*id),
                ..KickClient::default()
            })?;
            Ok(format!(
                "{} disconnected",
                units::count(kicked.kicked, "client")
            ))
        }
        Action::Client(call) => {
            client.call(call)?;
            let change = change(call.quality.map(|q| q as f64), call.fps, "no limit");
            Ok(format!("client {}: {change}", call.id))
        }
        Action::Camera(call) => {
            let reply = client.call(call)?;
            let change = change(call.quality.map(|q| q as f64), call.fps, "0");
            Ok(format!("{}: {change}", reply.cameras.join(", ")))
        }
    }
}

fn change(quality: Option<f64>, fps: Option<f64>, zero: &str) -> String {
    let (what, value) = match (quality, fps) {
        (Some(quality), _) => ("quality", quality),
        (None, fps) => ("fps", fps.unwrap_or(0.0)),
    };
    match value {
        0.0 => format!("{what} {zero}"),
        value => format!("{what} {}", units::set_fps(value)),
    }
}
