//! Who makes a call, and what they may do.

use std::sync::Arc;

/// Somebody who makes calls.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who it is.
    pub who: Who,
    /// Whether they may change something.
    pub may_change: bool,
    /// Root, or the daemon's own user.
    pub is_administrator: bool,
}

/// Where somebody comes from, and what they are known by.
#[derive(Debug, Clone)]
pub enum Who {
    /// A process of this machine, by the control socket.
    Process {
        /// Its user.
        uid: u32,
        /// Its number; 0 for a process outside of our PID namespace.
        pid: i32,
    },
    /// Somebody on the network, by HTTP.
    Visitor {
        /// The name of the token; empty for who shows none.
        token: Arc<str>,
        /// The address.
        peer: Arc<str>,
    },
}

impl Caller {
    /// Who it is, in an event's line.
    pub fn name(&self) -> String {
        match &self.who {
            Who::Process { uid, .. } => format!("user {uid}"),
            Who::Visitor { token, peer } if token.is_empty() => peer.to_string(),
            Who::Visitor { token, peer } => format!("{token} at {peer}"),
        }
    }

    /// The user of a process.
    pub fn uid(&self) -> Option<u32> {
        match self.who {
            Who::Process { uid, .. } => Some(uid),
            Who::Visitor { .. } => None,
        }
    }
}

/// A process's name, for the log; empty if it has ended or can't be seen.
pub fn process(pid: i32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
    name.map(|n| n.trim_end().to_owned()).unwrap_or_default()
}
