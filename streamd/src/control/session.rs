//! One control connection: call after call, each with a deadline.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use streamd_protocol::control::{Call, Error, MAX_CALL_BYTES, Reply, WatchEventsReply};
use tokio::{
    net::UnixStream,
    time::{MissedTickBehavior, timeout},
};
use tokio_util::codec::Framed;
use tracing::{debug, info};

use super::{
    Context,
    access::Peer,
    codec::{Codec, Incoming, Lost},
    places::Place,
};
use crate::{
    calls::{
        self,
        caller::process,
        get_stats,
        method::{Answer, json},
        watch_events::next as next_event,
    },
    events,
};

/// A connection without a call for so long is closed: it may not hold one of a few places for ever.
const IDLE: Duration = Duration::from_secs(5 * 60);

/// From a call's first byte to its last: a local caller needs microseconds.
const HALF_MESSAGE: Duration = Duration::from_secs(10);

/// For a reply to be taken by the caller's kernel.
const NOT_READING: Duration = Duration::from_secs(10);

type Connection = Framed<UnixStream, Codec>;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the caller hung up")]
    HungUp,
    #[error("idle, and another caller needed the place")]
    GaveWay,
    #[error("no call for {} s", IDLE.as_secs())]
    Idle,
    #[error("half a message for {} s", HALF_MESSAGE.as_secs())]
    HalfMessage,
    #[error("a reply was not taken for {} s", NOT_READING.as_secs())]
    NotReading,
    #[error("a call during a stream, which has no end")]
    CallDuringStream,
    #[error(transparent)]
    Lost(#[from] Lost),
}

/// Serves a connection to its end, and logs an end that the caller is to blame for.
pub(super) async fn run(stream: UnixStream, peer: Peer, place: &Place, context: &Context) {
    let mut connection = Framed::new(stream, Codec::default());
    let Err(end) = converse(&mut connection, &peer, place, context).await;
    match end {
        End::HungUp | End::GaveWay | End::Idle | End::Lost(Lost::Io(_)) => {
            debug!(
                uid = peer.uid,
                pid = peer.pid,
                "control connection ended: {end}"
            );
        }
        End::HalfMessage | End::NotReading | End::CallDuringStream | End::Lost(Lost::TooLong) => {
            info!(
                message_id = events::CONTROL_REFUSED,
                uid = peer.uid,
                pid = peer.pid,
                process = process(peer.pid),
                "control connection closed: {end}"
            );
        }
    }
}

async fn converse(
    connection: &mut Connection,
    peer: &Peer,
    place: &Place,
    context: &Context,
) -> Result<std::convert::Infallible, End> {
    loop {
        place.idle();
        let message = tokio::select! {
            message = next_message(connection) => message,
            () = place.to_leave() => Err(End::GaveWay),
        };
        place.busy();
        let message = match message {
            Err(End::Lost(Lost::TooLong)) => {
                let error = Error::MessageTooLong {
                    maximum_bytes: MAX_CALL_BYTES as i64,
                };
                send(connection, error.into_reply()).await?;
                return Err(Lost::TooLong.into());
            }
            message => message?,
        };
        match serde_json::from_slice::<Call>(&message) {
            Ok(call) => answer(connection, call, peer, context).await?,
            Err(e) => {
                let message = e.to_string();
                send(connection, Error::MessageMalformed { message }.into_reply()).await?;
            }
        }
    }
}

/// The next whole message. A message that has begun has its own, shorter deadline.
async fn next_message(connection: &mut Connection) -> Result<bytes::BytesMut, End> {
    let first = timeout(IDLE, connection.next())
        .await
        .map_err(|_| End::Idle)?;
    match first.ok_or(End::HungUp)?? {
        Incoming::Whole(message) => return Ok(message),
        Incoming::Began => {}
    }
    let rest = timeout(HALF_MESSAGE, connection.next())
        .await
        .map_err(|_| End::HalfMessage)?;
    match rest.ok_or(End::HungUp)?? {
        Incoming::Whole(message) => Ok(message),
        Incoming::Began => Err(End::HalfMessage),
    }
}

async fn answer(
    connection: &mut Connection,
    call: Call,
    peer: &Peer,
    context: &Context,
) -> Result<(), End> {
    let (oneway, more) = (call.oneway, call.more);
    let answer = {
        let _working = context.working();
        calls::answer(call, &peer.caller(), &context.state)
    };
    if oneway {
        return Ok(());
    }
    let result = match answer {
        Ok(Answer::Now(parameters)) => Ok(parameters),
        Ok(Answer::Later(future)) => future.await,
        Ok(Answer::Events) if more => return tell(connection, context).await,
        Ok(Answer::Events) => Err(Error::ExpectedMore {}),
        Ok(Answer::Figures { every }) if more => return stream(connection, every, context).await,
        Ok(Answer::Figures { .. }) => Ok(figures(context)),
        Err(error) => Err(error),
    };
    send(connection, result.map_or_else(Error::into_reply, reply)).await
}

fn figures(context: &Context) -> Value {
    let _working = context.working();
    get_stats::figures(&context.state)
}

/// Sends the figures again and again, until the caller hangs up.
async fn stream(
    connection: &mut Connection,
    every: Duration,
    context: &Context,
) -> Result<(), End> {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                send(connection, continues(figures(context))).await?;
            }
            incoming = connection.next() => {
                incoming.ok_or(End::HungUp)??;
                return Err(End::CallDuringStream);
            }
        }
    }
}

/// Sends what happens, as it happens, until the caller hangs up. A caller that reads too slowly
/// loses events: nothing that happens waits for it.
async fn tell(connection: &mut Connection, context: &Context) -> Result<(), End> {
    let mut listener = context.state.viewers.news.listen();
    let begins = WatchEventsReply {
        event: None,
        lost: 0,
    };
    send(connection, continues(json(&begins))).await?;
    loop {
        tokio::select! {
            event = next_event(&mut listener) => {
                let event = event.ok_or(End::HungUp)?;
                send(connection, continues(json(&event))).await?;
            }
            incoming = connection.next() => {
                incoming.ok_or(End::HungUp)??;
                return Err(End::CallDuringStream);
            }
        }
    }
}

/// A reply after which more follow.
fn continues(parameters: Value) -> Reply {
    Reply {
        continues: true,
        ..reply(parameters)
    }
}

fn reply(parameters: Value) -> Reply {
    Reply {
        parameters,
        ..Reply::default()
    }
}

async fn send(connection: &mut Connection, reply: Reply) -> Result<(), End> {
    let sent = timeout(NOT_READING, connection.send(reply)).await;
    Ok(sent.map_err(|_| End::NotReading)??)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// Our end of a connection, and the caller's.
    fn pair() -> (Connection, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Framed::new(ours, Codec::default()), theirs)
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_caller_is_idle_and_one_that_stops_halfway_is_not() {
        let (mut connection, mut caller) = pair();
        assert!(matches!(
            next_message(&mut connection).await,
            Err(End::Idle)
        ));
        caller.write_all(b"{}\0{\"method\"").await.unwrap();
        let message = next_message(&mut connection).await.unwrap();
        assert_eq!(&message[..], b"{}");
        let half = next_message(&mut connection).await;
        assert!(matches!(half, Err(End::HalfMessage)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_does_not_read_is_given_up() {
        let (mut connection, _caller) = pair();
        let large = reply("x".repeat(16 << 20).into());
        let sent = send(&mut connection, large).await;
        assert!(matches!(sent, Err(End::NotReading)));
    }

    #[tokio::test]
    async fn the_end_is_no_fault_even_within_a_message() {
        let (mut connection, mut caller) = pair();
        caller.write_all(b"{").await.unwrap();
        drop(caller);
        let end = next_message(&mut connection).await.unwrap_err();
        assert!(matches!(end, End::Lost(Lost::Io(_))), "{end}");
        let (mut connection, caller) = pair();
        drop(caller);
        assert!(matches!(
            next_message(&mut connection).await,
            Err(End::HungUp)
        ));
    }
}
