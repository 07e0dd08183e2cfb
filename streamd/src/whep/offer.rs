//! From an offer to an answer, and to a session that has not been connected yet.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use str0m::{
    Candidate, IceCreds, Rtc, RtcConfig,
    change::SdpOffer,
    media::{Mid, Pt},
    rtp::Extension,
};

use super::endpoint::Endpoint;

/// Packets that are kept to be sent again: some seconds of a stream.
const KEPT: usize = 1024;

/// The number of the extension that tells a browser not to hold pictures back, where we choose it.
const PLAYOUT_DELAY: u8 = 5;

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
    /// What the pictures are sent by.
    pub mid: Mid,
    /// ... and as.
    pub payload: Pt,
}

/// Answers the offer of a client at this address.
///
/// # Errors
/// What is wrong with it.
pub fn answer(
    endpoint: &Arc<Endpoint>,
    peer: Option<IpAddr>,
    text: &str,
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
    let (mid, payload) = video(&mut rtc, text).ok_or(Refused::NoCodec)?;
    Ok(Agreed {
        rtc,
        answer: answer.to_sdp_string(),
        local,
        name,
        mid,
        payload,
    })
}

/// Of what the offer wants, the first video that can be sent.
fn video(rtc: &mut Rtc, offer: &str) -> Option<(Mid, Pt)> {
    // Each section of media begins with its kind.
    let sections = offer.split("\nm=").skip(1);
    let videos = sections.filter(|section| section.starts_with("video "));
    let names = videos.filter_map(|section| {
        let mut lines = section.lines().map(str::trim_end);
        lines.find_map(|line| line.strip_prefix("a=mid:"))
    });
    names.map(Mid::from).find_map(|mid| {
        let sends = rtc.media(mid)?.direction().is_sending();
        let writer = rtc.writer(mid).filter(|_| sends)?;
        let mut all = writer.payload_params();
        let payload = all.find(|one| one.spec().format.packetization_mode == Some(1));
        payload.map(|one| (mid, one.pt()))
    })
}

#[cfg(test)]
mod tests {
    use str0m::media::{Direction, MediaKind};

    use super::*;

    fn endpoint() -> Arc<Endpoint> {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        Endpoint::new(socket, None, Arc::default()).unwrap()
    }

    fn offer(config: RtcConfig, kind: MediaKind, direction: Direction) -> String {
        let config = config.set_extension(PLAYOUT_DELAY, Extension::PlayoutDelay);
        let mut rtc = config.build(Instant::now());
        let mut api = rtc.sdp_api();
        api.add_media(kind, direction, None, None, None);
        api.apply().unwrap().0.to_sdp_string()
    }

    #[tokio::test]
    async fn an_offer_of_h264_is_answered_with_where_to_reach_us() {
        let endpoint = endpoint();
        let offer = offer(RtcConfig::new(), MediaKind::Video, Direction::RecvOnly);
        let agreed = answer(&endpoint, None, &offer)
            .map_err(|e| e.to_string())
            .unwrap();
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
    async fn what_has_nothing_of_ours_is_refused() {
        let endpoint = endpoint();
        let refused = |offer: &str| answer(&endpoint, None, offer).err();
        let only = RtcConfig::new().clear_codecs().enable_vp8(true);
        let vp8 = offer(only, MediaKind::Video, Direction::RecvOnly);
        assert_eq!(refused(&vp8), Some(Refused::NoCodec));
        let sound = offer(RtcConfig::new(), MediaKind::Audio, Direction::RecvOnly);
        assert_eq!(refused(&sound), Some(Refused::NoCodec));
        let sends = offer(RtcConfig::new(), MediaKind::Video, Direction::SendOnly);
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
