//! From an offer to an answer, and to a session that has not been connected yet.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use str0m::{
    Candidate, IceCreds, Rtc, RtcConfig,
    change::SdpOffer,
    format::{Codec, PayloadParams},
    media::{Mid, Pt},
    rtp::Extension,
};

use super::endpoint::Endpoint;

/// Packets that are kept to be sent again: some seconds of a stream.
const KEPT: usize = 1024;

/// The number of the extension that tells a browser not to hold pictures back, where we choose it.
const PLAYOUT_DELAY: u8 = 5;

/// What the answer calls the stream that pictures and sound are of: a receiver plays those of one
/// stream in step.
const STREAM: &str = "streamd";

/// Why an offer can't be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no session description.
    #[error("the offer can't be read: {0}")]
    Unreadable(String),
    /// There is nothing in it that could be sent.
    #[error(
        "the offer has no video in H.264 (packetization-mode=1) that it would receive: this is all there is"
    )]
    NoCodec,
    /// The port can't be reached from there.
    #[error(
        "no address is known at which you could reach this machine: set public-address in [webrtc]"
    )]
    NoAddress,
}

/// A session that has been agreed on.
pub struct Agreed {
    /// Its protocols.
    pub rtc: Rtc,
    /// The answer.
    pub answer: String,
    /// Where its datagrams come to.
    pub local: SocketAddr,
    /// What STUN calls it.
    pub name: String,
    /// How the pictures are sent.
    pub pictures: Sends,
    /// How sound is sent, where it is wanted and the camera has any.
    pub sound: Option<Sends>,
}

/// How a stream is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sends {
    /// By this section of the description.
    pub mid: Mid,
    /// As this.
    pub payload: Pt,
}

/// Answers the offer of a client at this address. Sound is agreed on where the camera `has_sound`.
///
/// # Errors
/// What is wrong with it.
pub fn answer(
    endpoint: &Arc<Endpoint>,
    peer: Option<IpAddr>,
    text: &str,
    has_sound: bool,
) -> Result<Agreed, Refused> {
    let unreadable = |error: &dyn std::fmt::Display| Refused::Unreadable(error.to_string());
    let addresses = endpoint.addresses(peer);
    let local = *addresses.first().ok_or(Refused::NoAddress)?;
    let offer = SdpOffer::from_sdp_string(text).map_err(|error| unreadable(&error))?;
    let now = Instant::now();
    let creds = IceCreds::new();
    let name = creds.ufrag.clone();
    let mut rtc = RtcConfig::new()
        .set_local_ice_credentials(creds)
        .set_ice_lite(true)
        .clear_codecs()
        .enable_h264(true)
        .enable_opus(true, false)
        .set_extension(PLAYOUT_DELAY, Extension::PlayoutDelay)
        .set_send_buffer_video(KEPT)
        .enable_raw_packets(true)
        .build(now);
    let candidates = addresses.iter().map(|address| match *address == local {
        true => Candidate::host(*address, "udp"),
        false => Candidate::server_reflexive(*address, local, "udp"),
    });
    for candidate in candidates.flatten() {
        rtc.add_local_candidate(candidate);
    }
    let answer = rtc.sdp_api().accept_offer(offer);
    let answer = answer.map_err(|error| unreadable(&error))?;
    let is_h264 = |one: &PayloadParams| one.spec().format.packetization_mode == Some(1);
    let pictures = first(&mut rtc, text, "video ", is_h264).ok_or(Refused::NoCodec)?;
    let is_opus = |one: &PayloadParams| one.spec().codec == Codec::Opus;
    let sound = first(&mut rtc, text, "audio ", is_opus).filter(|_| has_sound);
    Ok(Agreed {
        rtc,
        answer: for_receivers(&answer.to_sdp_string(), text, has_sound),
        local,
        name,
        pictures,
        sound,
    })
}

/// Of what the offer wants, the first of this kind that can be sent as something that fits.
fn first(
    rtc: &mut Rtc,
    offer: &str,
    kind: &str,
    fits: impl Fn(&PayloadParams) -> bool,
) -> Option<Sends> {
    // Each section of media begins with its kind.
    let sections = offer.split("\nm=").skip(1);
    let of_kind = sections.filter(|section| section.starts_with(kind));
    let names = of_kind.filter_map(|section| {
        let mut lines = section.lines().map(str::trim_end);
        lines.find_map(|line| line.strip_prefix("a=mid:"))
    });
    names.map(Mid::from).find_map(|mid| {
        let sends = rtc.media(mid)?.direction().is_sending();
        let writer = rtc.writer(mid).filter(|_| sends)?;
        let mut all = writer.payload_params();
        let payload = all.find(|one| fits(one))?.pt();
        Some(Sends { mid, payload })
    })
}

/// The answer as receivers take it. All that is sent is of one stream (`msid:STREAM TRACK`). Where
/// there is no sound, nothing is sent in a section for it. A section that is refused names formats, as each must (RFC 8866, section 5.14): those that were offered.
fn for_receivers(answer: &str, offer: &str, has_sound: bool) -> String {
    let mut offered = offer.lines().filter(|line| line.starts_with("m="));
    let mut is_sound = false;
    let mut changed = |line: &str| {
        if line.starts_with("m=") {
            is_sound = line.starts_with("m=audio ");
            let (_, formats) = offered.next()?.split_once("/SAVPF ")?;
            let line = line.trim_end();
            return line
                .ends_with("/SAVPF")
                .then(|| format!("{line} {}\r\n", formats.trim_end()));
        }
        if line.trim_end() == "a=sendonly" && is_sound && !has_sound {
            return Some("a=inactive\r\n".into());
        }
        let (before, said) = line.split_once("msid:")?;
        let (_, track) = said.split_once(' ')?;
        let is_it = before == "a=" || before.starts_with("a=ssrc:");
        is_it.then(|| format!("{before}msid:{STREAM} {track}"))
    };
    let lines = answer.split_inclusive('\n');
    lines
        .map(|line| changed(line).unwrap_or_else(|| line.into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use str0m::media::{Direction, MediaKind};

    use super::*;

    fn endpoint() -> Arc<Endpoint> {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        Endpoint::new(socket, None, Arc::default()).unwrap()
    }

    fn offer(config: RtcConfig, all: &[(MediaKind, Direction)]) -> String {
        let config = config.set_extension(PLAYOUT_DELAY, Extension::PlayoutDelay);
        let mut rtc = config.build(Instant::now());
        let mut api = rtc.sdp_api();
        for (kind, direction) in all {
            api.add_media(*kind, *direction, None, None, None);
        }
        api.apply().unwrap().0.to_sdp_string()
    }

    const PICTURES: (MediaKind, Direction) = (MediaKind::Video, Direction::RecvOnly);
    const SOUND: (MediaKind, Direction) = (MediaKind::Audio, Direction::RecvOnly);

    fn agreed(offer: &str, has_sound: bool) -> Agreed {
        answer(&endpoint(), None, offer, has_sound)
            .map_err(|refused| refused.to_string())
            .unwrap()
    }

    #[tokio::test]
    async fn an_offer_of_h264_is_answered_with_where_to_reach_us() {
        let agreed = agreed(&offer(RtcConfig::new(), &[PICTURES]), true);
        assert_eq!(agreed.sound, None);
        let said = &agreed.answer;
        for line in [
            "a=ice-lite",
            "a=sendonly",
            "H264/90000",
            "playout-delay",
            "transport-wide-cc",
        ] {
            assert!(said.contains(line), "{line} in {said}");
        }
        let candidate = format!("127.0.0.1 {}", agreed.local.port());
        assert!(said.contains(&candidate), "{said}");
        assert!(
            said.contains(&format!("a=ice-ufrag:{}", agreed.name)),
            "{said}"
        );
    }

    #[tokio::test]
    async fn sound_is_of_one_stream_with_the_pictures_where_there_is_any_and_it_is_wanted() {
        // Whichever comes first in the offer.
        for all in [[PICTURES, SOUND], [SOUND, PICTURES]] {
            let agreed = agreed(&offer(RtcConfig::new(), &all), true);
            let said = &agreed.answer;
            assert_eq!(said.matches("a=sendonly").count(), 2, "{said}");
            assert!(said.contains("opus/48000/2"), "{said}");
            let streams = said.lines().filter_map(|line| line.split_once("msid:"));
            let streams: Vec<_> = streams.map(|(_, of)| of.split_once(' ').unwrap()).collect();
            assert!(streams.len() >= 4, "{said}");
            assert!(
                streams.iter().all(|(stream, _)| *stream == STREAM),
                "{said}"
            );
            let tracks = streams.iter().map(|(_, track)| track);
            let tracks: std::collections::HashSet<_> = tracks.collect();
            assert_eq!(tracks.len(), 2, "{said}");
            let sound = agreed.sound.unwrap();
            assert_ne!(sound.mid, agreed.pictures.mid);
        }
        let none = |offer: &str, has_sound: bool| {
            let agreed = agreed(offer, has_sound);
            assert_eq!(agreed.sound, None);
            agreed.answer
        };
        let silent = none(&offer(RtcConfig::new(), &[PICTURES, SOUND]), false);
        assert_eq!(silent.matches("a=sendonly").count(), 1, "{silent}");
        assert_eq!(silent.matches("a=inactive").count(), 1, "{silent}");
        let pcm = RtcConfig::new()
            .enable_opus(false, false)
            .enable_pcmu(true, false);
        let pcm = none(&offer(pcm, &[PICTURES, SOUND]), true);
        assert!(pcm.contains("m=audio 0 UDP/TLS/RTP/SAVPF 0"), "{pcm}");
        // Who only speaks is not heard.
        let speaks = (MediaKind::Audio, Direction::SendOnly);
        let agreed = agreed(&offer(RtcConfig::new(), &[PICTURES, speaks]), true);
        assert_eq!(agreed.sound, None);
    }

    #[tokio::test]
    async fn what_has_nothing_of_ours_is_refused() {
        let endpoint = endpoint();
        let refused = |offer: &str| answer(&endpoint, None, offer, true).err();
        let only = RtcConfig::new().clear_codecs().enable_vp8(true);
        let vp8 = offer(only, &[PICTURES]);
        assert_eq!(refused(&vp8), Some(Refused::NoCodec));
        let sound = offer(RtcConfig::new(), &[SOUND]);
        assert_eq!(refused(&sound), Some(Refused::NoCodec));
        let sends = offer(RtcConfig::new(), &[(MediaKind::Video, Direction::SendOnly)]);
        assert_eq!(refused(&sends), Some(Refused::NoCodec));
        for broken in [
            "",
            "v=0",
            "{}",
            "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n",
        ] {
            assert!(
                matches!(refused(broken), Some(Refused::Unreadable(_))),
                "{broken}"
            );
        }
    }
}
