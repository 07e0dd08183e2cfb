//! A client of WebRTC, by WHEP.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    time::{Duration, Instant, SystemTime},
};

use str0m::{
    Candidate, Event, Input, Output, Rtc, RtcConfig,
    change::{SdpAnswer, SdpPendingOffer},
    media::{Direction, KeyframeRequestKind, MediaData, MediaKind, Mid},
    net::{Protocol, Receive},
    rtp::Extension,
};

use crate::{PATIENCE, web};

/// What it may receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offers {
    /// H.264, and what else there is.
    All,
    /// VP8 alone.
    Vp8,
    /// H.264, and sound in what else there is.
    Sound,
}

/// Something that has come whole.
#[derive(Debug, Clone)]
pub struct Came {
    /// It is sound, and no picture.
    pub is_sound: bool,
    /// A picture as the byte stream of its NAL units, or a packet of sound.
    pub bytes: Vec<u8>,
    /// The clock of its stream.
    pub clock: u64,
    /// When it was captured, in seconds of the wall clock, by the last sender report on its stream.
    pub captured: Option<f64>,
}

impl Came {
    fn of(data: &MediaData) -> Self {
        let captured = data.last_sender_info.map(|report| {
            let at = report.ntp_time.duration_since(SystemTime::UNIX_EPOCH);
            let said = at.expect("it is not before 1970").as_secs_f64();
            let ticks = data.time.numer() as u32;
            let behind = ticks.wrapping_sub(report.rtp_time.numer() as u32) as i32;
            said + f64::from(behind) / data.time.frequency().get() as f64
        });
        Self {
            is_sound: data.params.spec().codec.is_audio(),
            bytes: data.data.to_vec(),
            clock: data.time.numer(),
            captured,
        }
    }
}

/// A client, before it has an answer.
pub struct Whep {
    rtc: Rtc,
    socket: UdpSocket,
    pending: Option<SdpPendingOffer>,
    mid: Mid,
    /// What it offers.
    pub offer: String,
    /// The address of its session.
    pub location: String,
    gone: bool,
}

impl Whep {
    /// One that has not asked yet.
    ///
    /// # Panics
    /// If there is no socket to be had.
    pub fn new(offers: Offers) -> Self {
        Self::at([127, 0, 0, 1].into(), offers)
    }

    fn at(ip: IpAddr, offers: Offers) -> Self {
        let socket = UdpSocket::bind((ip, 0)).expect("a port");
        let at = socket.local_addr().expect("a bound socket has one");
        let config = RtcConfig::new().set_extension(5, Extension::PlayoutDelay);
        let config = match offers {
            Offers::All | Offers::Sound => config,
            Offers::Vp8 => config.clear_codecs().enable_vp8(true),
        };
        let mut rtc = config.build(Instant::now());
        rtc.add_local_candidate(Candidate::host(at, "udp").expect("an address"));
        let mut api = rtc.sdp_api();
        let mid = api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        if offers == Offers::Sound {
            api.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        }
        let (offer, pending) = api.apply().expect("there is something to offer");
        Self {
            rtc,
            socket,
            pending: Some(pending),
            mid,
            offer: offer.to_sdp_string(),
            location: String::new(),
            gone: false,
        }
    }

    /// Offers it, and takes the answer.
    ///
    /// # Panics
    /// If it is refused.
    #[track_caller]
    pub fn connect(http: SocketAddr, path: &str) -> Self {
        Self::new(Offers::All).offered(http, path)
    }

    /// The same, from this address.
    ///
    /// # Panics
    /// If it is refused.
    #[track_caller]
    pub fn connect_at(ip: IpAddr, http: SocketAddr, path: &str) -> Self {
        Self::at(ip, Offers::All).offered(http, path)
    }

    /// Sends the offer, and takes the answer.
    ///
    /// # Panics
    /// If it is refused.
    #[track_caller]
    #[must_use]
    pub fn offered(mut self, http: SocketAddr, path: &str) -> Self {
        let answer = web::send(
            http,
            "POST",
            path,
            &["Content-Type: application/sdp"],
            &self.offer,
        );
        let status = answer.status;
        let location = answer.header("Location").unwrap_or_default().to_owned();
        let body = String::from_utf8(answer.body()).expect("an answer is text");
        assert_eq!(status, 201, "{body}");
        self.location = location;
        let answer = SdpAnswer::from_sdp_string(&body).expect("a session description");
        let pending = self.pending.take().expect("it has not been answered");
        let accepted = self.rtc.sdp_api().accept_answer(pending, answer);
        accepted.expect("an answer to the offer");
        self
    }

    /// Asks for a key.
    pub fn ask_for_key(&mut self) {
        let mid = self.mid;
        if let Some(mut writer) = self.rtc.writer(mid) {
            let _ = writer.request_keyframe(None, KeyframeRequestKind::Pli);
        }
    }

    /// The next picture, as the byte stream of its NAL units.
    ///
    /// # Panics
    /// If none comes.
    #[track_caller]
    pub fn picture(&mut self) -> Vec<u8> {
        loop {
            let came = self.whatever();
            if !came.is_sound {
                return came.bytes;
            }
        }
    }

    /// The next picture or packet of sound.
    ///
    /// # Panics
    /// If none comes.
    #[track_caller]
    pub fn whatever(&mut self) -> Came {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(came) = self.turn() {
                return came;
            }
            assert!(!self.gone, "the session has ended");
        }
        panic!("nothing came within {PATIENCE:?}");
    }

    /// Waits until the other end says that it is over.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn wait_for_end(&mut self) {
        let end = Instant::now() + PATIENCE;
        while !self.gone {
            assert!(Instant::now() < end, "it goes on");
            self.turn();
        }
    }

    /// What comes next, at most for some milliseconds.
    fn turn(&mut self) -> Option<Came> {
        let until = loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => break at,
                Ok(Output::Transmit(datagram)) => {
                    let _ = self
                        .socket
                        .send_to(&datagram.contents, datagram.destination);
                }
                Ok(Output::Event(Event::MediaData(data))) => return Some(Came::of(&data)),
                Ok(Output::Event(Event::Closed)) | Err(_) => self.gone = true,
                Ok(Output::Event(_)) => {}
            }
            if self.gone {
                return None;
            }
        };
        let wait = until.saturating_duration_since(Instant::now());
        let wait = wait.clamp(Duration::from_millis(1), Duration::from_millis(20));
        self.socket.set_read_timeout(Some(wait)).expect("not zero");
        let mut bytes = [0; 2048];
        let Ok((length, from)) = self.socket.recv_from(&mut bytes) else {
            let turned = self.rtc.handle_input(Input::Timeout(Instant::now()));
            self.gone |= turned.is_err();
            return None;
        };
        let to = self.socket.local_addr().expect("a bound socket has one");
        if let Ok(contents) = bytes[..length].try_into() {
            let received = Receive {
                proto: Protocol::Udp,
                source: from,
                destination: to,
                contents,
            };
            let heard = self
                .rtc
                .handle_input(Input::Receive(Instant::now(), received));
            self.gone |= heard.is_err();
        }
        None
    }
}
