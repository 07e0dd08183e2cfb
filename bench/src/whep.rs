//! A viewer by WebRTC: an offer over HTTP (WHEP), then datagrams.
//!
//! It receives as a browser does: what is lost is asked for again, a gap that stays is given up after
//! a while, and then nothing can be decoded until the key that it asks for.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use str0m::{
    Candidate, Event, Input, Output, Rtc, RtcConfig,
    change::{SdpAnswer, SdpOffer},
    format::CodecExtra,
    media::{Direction, KeyframeRequestKind, MediaData, MediaKind, Mid},
    net::{Protocol, Receive},
};
use streamd_protocol::stream::AppSegment;

use crate::framing::{Broken, Picture};

/// How long each step of the way to the answer may take.
const CONNECT: Duration = Duration::from_secs(5);

/// The longest answer that is read.
const MAX_ANSWER: u64 = 64 * 1024;

/// The longest datagram.
const LONGEST: usize = 2048;

/// Packets that wait for one that is missing: more than any picture has, so that only time decides.
const WAITING: usize = 2000;

/// ... and for how long.
const PATIENCE: Duration = Duration::from_secs(1);

/// The time between two requests for a key.
const ASKS: Duration = Duration::from_millis(500);

/// What the kernel keeps of datagrams until they are read: some pictures.
const BUFFER: usize = 1 << 20;

/// Why a session is no more.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The socket is broken.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The protocols can't go on.
    #[error(transparent)]
    Rtc(#[from] str0m::error::RtcError),
    /// The server, or the network, has ended it.
    #[error("it is over")]
    Over,
}

/// A session.
#[derive(Debug)]
pub struct Session {
    socket: UdpSocket,
    local: SocketAddr,
    rtc: Rtc,
    mid: Mid,
    keeps: bool,
    /// When the protocols want to look at the clock.
    wake: Instant,
    /// Since a gap, or the beginning, there was no key.
    lacks_key: bool,
    /// When one was asked for.
    asked: Option<Instant>,
}

impl Session {
    /// Offers to receive what is at this path, and takes the answer.
    pub fn connect(server: SocketAddr, path: &str, keeps: bool) -> io::Result<Self> {
        let http = TcpStream::connect_timeout(&server, CONNECT)?;
        // The way there is the way for datagrams, too.
        let socket = UdpSocket::bind((http.local_addr()?.ip(), 0))?;
        let local = socket.local_addr()?;
        socket2::SockRef::from(&socket).set_recv_buffer_size(BUFFER)?;
        socket.set_nonblocking(true)?;
        let now = Instant::now();
        let mut rtc = RtcConfig::new()
            .clear_codecs()
            .enable_h264(true)
            .set_reordering_size_video(WAITING)
            .set_reordering_timeout_video(Some(PATIENCE))
            .build(now);
        let candidate = Candidate::host(local, "udp").map_err(io::Error::other)?;
        rtc.add_local_candidate(candidate);
        let mut change = rtc.sdp_api();
        let mid = change.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        let (offer, pending) = change
            .apply()
            .ok_or_else(|| io::Error::other("there is nothing to offer"))?;
        let answer = post(http, server, path, &offer)?;
        let answer = SdpAnswer::from_sdp_string(&answer).map_err(io::Error::other)?;
        let taken = rtc.sdp_api().accept_answer(pending, answer);
        taken.map_err(io::Error::other)?;
        let mut session = Self {
            socket,
            local,
            rtc,
            mid,
            keeps,
            wake: now,
            lacks_key: true,
            asked: None,
        };
        // The first word is the client's.
        session.drain(&mut Vec::new()).map_err(io::Error::other)?;
        Ok(session)
    }

    /// The socket, to wait for.
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// When [`Self::read`] is to be called at the latest.
    pub fn wake(&self) -> Instant {
        self.wake
    }

    /// Reads what has come, and gives the pictures that are whole and can be decoded.
    pub fn read(&mut self) -> Result<Vec<Picture>, Ended> {
        let mut found = Vec::new();
        let mut bytes = [0; LONGEST];
        loop {
            let (length, source) = match self.socket.recv_from(&mut bytes) {
                Ok(came) => came,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The port of the server is closed.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    return Err(Ended::Over);
                }
                Err(error) => return Err(error.into()),
            };
            let Ok(contents) = bytes[..length].try_into() else {
                continue;
            };
            let receive = Receive {
                proto: Protocol::Udp,
                source,
                destination: self.local,
                contents,
            };
            let input = Input::Receive(Instant::now(), receive);
            self.rtc.handle_input(input)?;
            self.drain(&mut found)?;
        }
        let now = Instant::now();
        if now >= self.wake {
            self.rtc.handle_input(Input::Timeout(now))?;
            self.drain(&mut found)?;
        }
        if self.lacks_key {
            self.ask(now);
        }
        Ok(found)
    }

    fn drain(&mut self, found: &mut Vec<Picture>) -> Result<(), Ended> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => {
                    self.wake = at;
                    return Ok(());
                }
                Output::Transmit(datagram) => {
                    // What the kernel does not take is lost, as on the network.
                    let _ = self
                        .socket
                        .send_to(&datagram.contents, datagram.destination);
                }
                Output::Event(Event::MediaData(data)) => found.extend(self.take(&data)),
                Output::Event(Event::Closed) => return Err(Ended::Over),
                Output::Event(Event::IceConnectionStateChange(state))
                    if state.is_disconnected() =>
                {
                    return Err(Ended::Over);
                }
                Output::Event(_) => {}
            }
        }
    }

    /// A picture, if it can be decoded after those before it.
    fn take(&mut self, data: &MediaData) -> Option<Picture> {
        let is_key = matches!(&data.codec_extra, CodecExtra::H264(extra) if extra.is_keyframe);
        self.lacks_key = !is_key && (self.lacks_key || !data.contiguous);
        if self.lacks_key {
            return None;
        }
        Some(Picture {
            bytes: data.data.len(),
            segment: AppSegment::find_in_h264(&data.data),
            grabbed: None,
            data: match self.keeps {
                true => data.data.to_vec(),
                false => Vec::new(),
            },
        })
    }

    fn ask(&mut self, now: Instant) {
        let waits = self.asked.is_some_and(|asked| now < asked + ASKS);
        if waits || !self.rtc.is_connected() {
            return;
        }
        if let Some(mut writer) = self.rtc.writer(self.mid)
            // Before the first packet there is nobody to ask.
            && writer.request_keyframe(None, KeyframeRequestKind::Pli).is_ok()
        {
            self.asked = Some(now);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Its last words, so that its place is free again. Who does not hear them notices in a while.
        if self.rtc.close().is_ok() {
            let _ = self.drain(&mut Vec::new());
        }
    }
}

/// Sends the offer, and gives the answer.
fn post(
    mut http: TcpStream,
    server: SocketAddr,
    path: &str,
    offer: &SdpOffer,
) -> io::Result<String> {
    http.set_read_timeout(Some(CONNECT))?;
    http.set_write_timeout(Some(CONNECT))?;
    let offer = offer.to_sdp_string();
    // Of version 1.0, so that no server answers in chunks.
    let request = format!(
        "POST {path} HTTP/1.0\r\nHost: {server}\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{offer}",
        offer.len()
    );
    http.write_all(request.as_bytes())?;
    let mut response = String::new();
    http.take(MAX_ANSWER).read_to_string(&mut response)?;
    answer(&response).map_err(io::Error::other)
}

/// The session description in a response.
fn answer(response: &str) -> Result<String, Broken> {
    let malformed = Broken::Malformed("the server does not answer in HTTP");
    let (head, body) = response.split_once("\r\n\r\n").ok_or(malformed)?;
    let status = head.lines().next().unwrap_or_default();
    let (_, code) = status.split_once(' ').unwrap_or_default();
    match code.starts_with("201") {
        true => Ok(body.into()),
        false => Err(Broken::Refused(format!("{code}: {}", body.trim()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_what_comes_with_201_and_a_refusal_says_why() {
        let created = "HTTP/1.0 201 Created\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n";
        assert_eq!(answer(created), Ok("v=0\r\n".into()));
        let refused = "HTTP/1.0 406 Not Acceptable\r\n\r\nno H.264\n";
        let why = answer(refused).unwrap_err().to_string();
        assert_eq!(why, "the server answers: 406 Not Acceptable: no H.264");
        assert!(answer("SSH-2.0-x\r\n").is_err());
    }
}
