//! Sound in datagrams: a packet each, as it comes.

use std::{future::pending, sync::Arc};

use super::{
    rtcp,
    session::{self, Session},
    sockets::Pair,
};
use crate::{
    media::Timestamp,
    sound::{Packet, Sound, Subscription},
};

/// Bytes of a report that is read at most.
const MAX_REPORT: usize = 1500;

/// Where the sound of a viewer comes from and goes.
pub struct Listening {
    sound: Arc<Sound>,
    pair: Pair,
    /// While it is not paused.
    subscription: Option<Subscription>,
}

impl Listening {
    /// The sound that goes there.
    pub fn new(sound: Arc<Sound>, pair: Pair) -> Self {
        Self {
            sound,
            pair,
            subscription: None,
        }
    }

    /// Sends a packet; says how many bytes that were. One that can't be sent now is lost.
    fn send(&self, packet: &Packet, stream: &mut session::Sound) -> usize {
        let (now, stream) = (Timestamp::now(), &mut stream.stream);
        if stream.owes_report(now) {
            let mut report = Vec::new();
            stream.report(now, &mut report);
            // The next one says the same.
            let _ = self.pair.rtcp.try_send(&report);
        }
        let head = stream.head(packet.captured, false, packet.data.len());
        let datagram = [&head[..], &packet.data].concat();
        match self.pair.rtp.try_send(&datagram) {
            Ok(bytes) => bytes,
            Err(_) => {
                self.sound.dropped.add(1);
                datagram.len()
            }
        }
    }

    /// Says that it has ended.
    pub fn end(&self, stream: &session::Sound) {
        let mut bye = Vec::new();
        stream.stream.bye(&mut bye);
        let _ = self.pair.rtcp.try_send(&bye);
    }
}

/// Sends the next packet, and says how many bytes that were; 0 when the client has reported on what
/// it hears. For ever where nothing is to be heard.
pub async fn listen(
    listening: &mut Option<Listening>,
    session: &mut Session,
    is_paused: bool,
) -> usize {
    let (Some(listening), Some(stream)) = (listening, &mut session.sound) else {
        return pending().await;
    };
    if is_paused {
        listening.subscription = None;
    } else if listening.subscription.is_none() {
        listening.subscription = Some(listening.sound.subscribe());
    }
    let mut report = [0; MAX_REPORT];
    let mut word = [0; 16];
    loop {
        let next = async {
            match &mut listening.subscription {
                Some(subscription) => subscription.next().await,
                None => pending().await,
            }
        };
        tokio::select! {
            packet = next => return listening.send(&packet, stream),
            got = listening.pair.rtcp.recv(&mut report) => {
                let ssrc = stream.stream.ssrc();
                if got.is_ok_and(|length| rtcp::read(&report[..length], ssrc).is_ok()) {
                    return 0;
                }
            }
            // It has no such port, or says something there, which means nothing.
            _ = listening.pair.rtp.recv(&mut word) => {}
        }
    }
}
