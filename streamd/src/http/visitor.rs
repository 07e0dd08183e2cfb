//! Who is at the other end of a connection, and what becomes of the connection.

use std::sync::Arc;

use axum::http::{HeaderMap, header::USER_AGENT};
use parking_lot::Mutex;
use streamd_protocol::limits::Limits;

use super::websocket::wanted::Wanted;
use crate::{
    access::role::{Identity, Shown},
    camera::Place,
    viewer::framing::Framing,
};

/// A connection as the requests on it see it.
#[derive(Clone)]
pub struct Visitor {
    /// Its address; of a request through a trusted proxy, that of who is behind it.
    pub peer: Arc<str>,
    /// Its connection is encrypted.
    pub is_encrypted: bool,
    /// There are too many others: only questions about the daemon itself are answered.
    pub is_crowded: bool,
    /// Who it is, by what its request shows.
    pub who: Identity,
    next: Arc<Mutex<Option<Next>>>,
}

/// What becomes of a connection once the response that announces it has left.
pub enum Next {
    /// It carries pictures.
    Viewer(Newcomer),
    /// It carries pictures once its `hello` has a token that is good for them.
    AtTheDoor(Waiting),
    /// These bytes are its last.
    LastWords(Vec<u8>),
}

/// A viewer that came by HTTP.
pub struct Newcomer {
    /// The number that is reserved for it.
    pub id: u64,
    /// Where it is.
    pub peer: Arc<str>,
    /// Its place at the camera.
    pub place: Place,
    /// How pictures are wrapped.
    pub framing: Box<dyn Framing>,
    /// Who it is.
    pub who: Shown,
    /// The limits in its address.
    pub limits: Limits,
    /// What it calls itself, by its `key` or its `User-Agent`; may be empty.
    pub name: String,
}

/// Who wants to be a viewer over WebSocket and has shown no token yet.
pub struct Waiting {
    /// Where it is.
    pub peer: Arc<str>,
    /// The cameras it asks for.
    pub wanted: Wanted,
    /// The limits in its address.
    pub limits: Limits,
    /// What it calls itself; may be empty.
    pub name: String,
}

impl Visitor {
    /// Somebody at this address.
    pub fn new(peer: Arc<str>) -> Self {
        Self {
            peer,
            is_encrypted: false,
            is_crowded: false,
            who: Identity::default(),
            next: Arc::default(),
        }
    }

    /// What is kept of who it is, while it watches.
    pub fn shown(&self) -> Shown {
        Shown::of(&self.who)
    }

    /// Decides what becomes of the connection. The response to the same request must be its last.
    pub fn then(&self, next: Next) {
        *self.next.lock() = Some(next);
    }

    /// What was decided.
    pub fn next(&self) -> Option<Next> {
        self.next.lock().take()
    }
}

/// What a program calls itself: `Mozilla/5.0 (X11; …)`. Empty where it does not say.
pub fn user_agent(headers: &HeaderMap) -> &str {
    let agent = headers.get(USER_AGENT);
    agent
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default()
}

/// The first product of a `User-Agent`, which names the program well enough: `Mozilla/5.0`.
pub fn product(user_agent: &str) -> &str {
    user_agent
        .split_ascii_whitespace()
        .next()
        .unwrap_or_default()
}
