//! By which way pictures come, as a client offers it in the header `Transport` (RFC 2326, 12.39).

/// The way that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// In blocks of the connection, on these channels.
    Interleaved {
        /// Pictures.
        rtp: u8,
        /// Reports.
        rtcp: u8,
    },
    /// In datagrams to these ports of the client.
    Datagrams {
        /// Pictures.
        rtp: u16,
        /// Reports.
        rtcp: u16,
    },
}

/// Takes the first of the ways in `header` that can be gone; `peer` is the host that the
/// connection comes from, where datagrams can be sent there.
pub fn choose(header: &str, peer: Option<&str>) -> Option<Way> {
    header.split(',').find_map(|way| read(way, peer))
}

fn read(way: &str, peer: Option<&str>) -> Option<Way> {
    let mut parts = way.trim().split(';').map(str::trim);
    let kind = parts.next()?.to_ascii_uppercase();
    let parts: Vec<_> = parts.collect();
    let value = |name: &str| {
        let mut pairs = parts.iter().filter_map(|part| part.split_once('='));
        let found = pairs.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().trim_matches('"'))
    };
    let says = |word: &str| parts.iter().any(|part| part.eq_ignore_ascii_case(word));
    if says("multicast") || value("mode").is_some_and(|mode| !mode.eq_ignore_ascii_case("play")) {
        return None;
    }
    match kind.as_str() {
        "RTP/AVP/TCP" | "RTP/AVPF/TCP" => {
            let (rtp, rtcp) = match value("interleaved") {
                Some(channels) => pair(channels, 1)?,
                None => (0, 1),
            };
            Some(Way::Interleaved {
                rtp: u8::try_from(rtp).ok()?,
                rtcp: u8::try_from(rtcp)
                    .ok()
                    .filter(|rtcp| u16::from(*rtcp) != rtp)?,
            })
        }
        "RTP/AVP" | "RTP/AVP/UDP" | "RTP/AVPF" | "RTP/AVPF/UDP" => {
            // Nobody is sent anything who has not asked for it.
            let peer = peer?;
            if value("destination").is_some_and(|other| other != peer) {
                return None;
            }
            let (rtp, rtcp) = pair(value("client_port")?, 1)?;
            (rtp > 0 && rtcp > 0 && rtp != rtcp).then_some(Way::Datagrams { rtp, rtcp })
        }
        _ => None,
    }
}

/// `5000-5001`, or `5000` and the one `step` above it.
fn pair(text: &str, step: u16) -> Option<(u16, u16)> {
    match text.split_once('-') {
        Some((first, second)) => Some((first.trim().parse().ok()?, second.trim().parse().ok()?)),
        None => {
            let first: u16 = text.parse().ok()?;
            Some((first, first.checked_add(step)?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_way_that_can_be_gone_is_taken() {
        let interleaved = |rtp, rtcp| Some(Way::Interleaved { rtp, rtcp });
        let datagrams = |rtp, rtcp| Some(Way::Datagrams { rtp, rtcp });
        for (header, way) in [
            ("RTP/AVP/TCP;unicast;interleaved=0-1", interleaved(0, 1)),
            ("RTP/AVP/TCP;unicast;interleaved=4", interleaved(4, 5)),
            ("RTP/AVP/TCP;unicast", interleaved(0, 1)),
            (
                "RTP/AVP;unicast;client_port=5000-5001",
                datagrams(5000, 5001),
            ),
            (
                "RTP/AVP/UDP;unicast;client_port=5000-5001;mode=\"PLAY\"",
                datagrams(5000, 5001),
            ),
            (
                "rtp/avp;unicast;destination=192.0.2.7;client_port=5000-5001",
                datagrams(5000, 5001),
            ),
            (
                "RTP/SAVP;unicast;client_port=1-2, RTP/AVP;multicast;port=1-2,RTP/AVP/TCP;interleaved=2-3",
                interleaved(2, 3),
            ),
            ("RTP/AVP;multicast;port=5000-5001", None),
            ("RTP/AVP;unicast", None),
            ("RTP/AVP;unicast;client_port=0-1", None),
            ("RTP/AVP;unicast;client_port=5000-5000", None),
            ("RTP/AVP;unicast;client_port=70000-70001", None),
            ("RTP/AVP;unicast;client_port=65535", None),
            ("RTP/AVP;unicast;client_port=a-b", None),
            ("RTP/AVP/TCP;interleaved=255-256", None),
            ("RTP/AVP/TCP;interleaved=1-1", None),
            ("RTP/AVP;unicast;client_port=1-2;mode=record", None),
            ("RTP/AVP;destination=192.0.2.8;client_port=1-2", None),
            ("", None),
        ] {
            assert_eq!(choose(header, Some("192.0.2.7")), way, "{header}");
        }
        let udp = "RTP/AVP;unicast;client_port=5000-5001";
        assert_eq!(choose(udp, None), None);
    }
}
