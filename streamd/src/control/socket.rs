//! Accepting control connections, up to [`super::MAX_CONNECTIONS`].

use std::{io::Write, sync::Arc, time::Duration};

use streamd_protocol::control::Error;
use tokio::net::{UnixListener, UnixStream};
use tracing::warn;

use super::{Context, MAX_CONNECTIONS, access::Peer, session};
use crate::events;

/// After a failed accept: what it lacks (descriptors, memory) does not come back at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts for ever; one task per connection.
pub(super) async fn serve(listener: UnixListener, context: Arc<Context>) {
    let mut failing = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                failing = false;
                admit(&listener, stream, &context);
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    warn!(%error, "accepting control connections fails; it is tried again");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn admit(listener: &UnixListener, stream: UnixStream, context: &Arc<Context>) {
    let peer = match Peer::of(&stream, listener, context.read_only) {
        Ok(peer) => peer,
        Err(error) => {
            warn!(
                message_id = events::CONTROL_REFUSED,
                %error, "control connection refused: who it is can't be known"
            );
            return;
        }
    };
    let Some(place) = context.places.take(&peer) else {
        warn!(
            message_id = events::CONTROL_REFUSED,
            uid = peer.uid,
            pid = peer.pid,
            "control connection refused: there are {MAX_CONNECTIONS}, or 4 of this user, and none is idle"
        );
        refuse(stream);
        return;
    };
    let context = Arc::clone(context);
    tokio::spawn(async move {
        session::run(stream, peer, &place, &context).await;
    });
}

/// Says why, without waiting: a new socket's buffer has room for it.
fn refuse(stream: UnixStream) {
    let error = Error::TooManyConnections {
        maximum: MAX_CONNECTIONS as i64,
    };
    let mut message =
        serde_json::to_vec(&error.into_reply()).expect("strings and numbers are always JSON");
    message.push(0);
    if let Err(error) = stream.into_std().and_then(|mut s| s.write_all(&message)) {
        tracing::debug!(%error, "the refused control connection has gone");
    }
}
