//! Raw TCP: its listeners, and its framing: each payload preceded by its length as a `u64`,
//! little-endian.

use std::{fmt::Display, io, os::fd::OwnedFd, sync::Arc};

use bytes::{Buf, BytesMut};
use streamd_protocol::{
    limits::Limits,
    stats::Transport,
    stream::{FromClient, LENGTH_BYTES, MAX_FROM_CLIENT, announced, header},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    access::role::{Action, Identity, Shown, may},
    events,
    link::{
        listener::{Listener, Taken},
        socket::Socket,
        tls::Tls,
    },
    media::Packet,
    viewer::{
        Arrival, Viewer,
        door::{self, Come},
        framing::{Framing, Received, Sending, Violation},
        viewers::Viewers,
    },
};

/// The framing of raw TCP.
#[derive(Debug, Default)]
pub struct Tcp;

impl Framing for Tcp {
    fn transport(&self) -> Transport {
        Transport::Tcp
    }

    fn before(&mut self, frame: &Packet, _: &Sending, out: &mut Vec<u8>) {
        out.extend_from_slice(&header(frame.bytes.len()));
    }

    fn after(&mut self, _: &Packet, _: &Sending, _: &mut Vec<u8>) {}

    fn message(&mut self, json: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(&header(json.len()));
        out.extend_from_slice(json.as_bytes());
    }

    fn receive(
        &mut self,
        input: &mut BytesMut,
        _: &mut Vec<u8>,
    ) -> Result<Option<Received>, Violation> {
        let announced = announced(input, MAX_FROM_CLIENT).map_err(|error| Violation {
            reason: format!("{error}, in the framing of a u64 length, little-endian, and JSON"),
            code: 1009,
        })?;
        let Some(length) = announced.filter(|length| input.len() >= LENGTH_BYTES + length) else {
            return Ok(None);
        };
        input.advance(LENGTH_BYTES);
        let message = input.split_to(length);
        Ok(Some(match serde_json::from_slice::<FromClient>(&message) {
            Ok(message) => Received::Message(message),
            Err(error) => Received::Bad(error.to_string()),
        }))
    }
}

/// Serves raw TCP clients of a camera, whose connections are taken so.
pub async fn serve(listener: Listener, viewers: Arc<Viewers>, camera: String, taken: Taken) {
    let serve = |connection: OwnedFd| {
        let tls = taken.tls.as_deref().map(Tls::raw);
        if !taken.proxied {
            let socket = Socket::new(connection);
            unserved(socket.and_then(|socket| {
                let peer = socket.peer();
                admit(socket, peer, &viewers, &camera, tls)
            }));
            return;
        }
        let (viewers, camera) = (Arc::clone(&viewers), camera.clone());
        tokio::spawn(async move {
            let introduced = door::introduced(&viewers, connection, &camera).await;
            if let Some((connection, peer)) = introduced {
                let socket = Socket::new(connection);
                unserved(socket.and_then(|socket| admit(socket, peer, &viewers, &camera, tls)));
            }
        });
    };
    listener.run(b"", serve).await;
}

fn admit(
    socket: Socket,
    peer: String,
    viewers: &Arc<Viewers>,
    camera: &str,
    tls: Option<TlsAcceptor>,
) -> io::Result<()> {
    let at = (Arc::clone(viewers), camera.to_owned());
    door::admit(socket, peer, (viewers, camera), tls, move |come| {
        arrives(&at.0, &at.1, come)
    })
}

fn unserved(served: io::Result<()>) {
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended before it was served");
    }
}

/// Lets them in at once where everybody may watch, else once they show a token.
fn arrives(viewers: &Arc<Viewers>, camera: &str, mut come: Come) -> io::Result<()> {
    let anybody = viewers.rules.identity(None);
    if may(&anybody, Action::Watch, Some(camera)) {
        return enter(viewers, camera, come);
    }
    let (viewers, camera) = (Arc::clone(viewers), camera.to_owned());
    tokio::spawn(async move {
        let good = |who: &Identity| may(who, Action::Watch, Some(&camera));
        let at = (&*come.peer, &*camera);
        let (channel, input) = (&mut come.channel, &mut come.input);
        let Ok(who) = door::knock(&viewers, at, good, channel, Tcp, input).await else {
            return;
        };
        come.who = Shown::of(&who);
        unserved(enter(&viewers, &camera, come));
    });
    Ok(())
}

/// Gives them a place, and serves them.
fn enter(viewers: &Arc<Viewers>, camera: &str, come: Come) -> io::Result<()> {
    let place = match viewers.admit(Some(camera), &come.peer) {
        Ok(place) => place,
        Err(refused) => {
            log_refused(&refused, &come.peer, camera);
            return Ok(());
        }
    };
    let congestion = place.camera().settings().config.congestion;
    let arrival = Arrival {
        id: viewers.registry.reserve(),
        channel: come.channel,
        peer: come.peer,
        framing: Box::new(Tcp),
        who: come.who,
        share: Some(come.share),
        place,
        name: String::new(),
        input: come.input,
        limits: Limits::default(),
        congestion,
    };
    tokio::spawn(Viewer::new(Arc::clone(viewers), arrival)?.announce().run());
    Ok(())
}

/// Says in the log that a client was refused.
pub fn log_refused(refused: &impl Display, peer: &str, camera: &str) {
    tracing::warn!(
        message_id = events::CLIENT_REFUSED,
        peer,
        camera,
        "client refused: {refused}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framed(json: &str) -> BytesMut {
        let mut out = Vec::new();
        Tcp.message(json, &mut out);
        BytesMut::from(&out[..])
    }

    #[test]
    fn half_a_message_waits_and_a_long_one_is_a_violation() {
        let whole = framed(r#"{"type":"ping","t":5}"#);
        for cut in 0..whole.len() {
            let mut half = BytesMut::from(&whole[..cut]);
            assert_eq!(Tcp.receive(&mut half, &mut Vec::new()), Ok(None));
        }
        let mut input = whole;
        let got = Tcp.receive(&mut input, &mut Vec::new());
        assert_eq!(got, Ok(Some(Received::Message(FromClient::Ping { t: 5 }))));
        assert!(input.is_empty());
        let mut long = BytesMut::from(&u64::MAX.to_le_bytes()[..]);
        let violation = Tcp.receive(&mut long, &mut Vec::new()).unwrap_err();
        assert!(
            violation.reason.contains("18446744073709551615 bytes"),
            "{violation}"
        );
        assert!(matches!(
            Tcp.receive(&mut framed("{nonsense"), &mut Vec::new()),
            Ok(Some(Received::Bad(_)))
        ));
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_no_panic_and_no_loop(bytes: Vec<u8>) {
            let mut input = BytesMut::from(&bytes[..]);
            let mut turns = 0;
            while let Ok(Some(_)) = Tcp.receive(&mut input, &mut Vec::new()) {
                turns += 1;
                prop_assert!(turns <= bytes.len() / LENGTH_BYTES);
            }
        }
    }
}
