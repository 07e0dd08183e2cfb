//! The description of a stream (SDP, RFC 8866).

use std::net::IpAddr;

use super::{
    address::{SOUND, TRACK},
    h264, payload,
};
use crate::media::{Codec, Packet};

/// What is described.
pub struct Described<'a> {
    /// The camera.
    pub camera: &'a str,
    /// In which coding.
    pub codec: Codec,
    /// Frames a second.
    pub fps: f64,
    /// A picture of it, a key, if one was had.
    pub picture: Option<&'a Packet>,
    /// Channels of its sound, if it has any.
    pub channels: Option<usize>,
    /// The address of this machine that the client has come to.
    pub host: IpAddr,
}

/// Writes it.
pub fn write(described: &Described<'_>) -> String {
    let Described {
        camera,
        codec,
        fps,
        picture,
        channels,
        host,
    } = described;
    let family = if host.is_ipv4() { "IP4" } else { "IP6" };
    let anywhere = if host.is_ipv4() { "0.0.0.0" } else { "::" };
    let kind = payload::kind(*codec);
    let (name, format) = match codec {
        Codec::Jpeg => ("JPEG", String::new()),
        Codec::H264 => {
            let parameters = picture.map(|key| h264::parameters(&key.bytes));
            let parameters = parameters.unwrap_or_else(|| h264::parameters(&[]));
            ("H264", format!("a=fmtp:{kind} {parameters}\r\n"))
        }
    };
    // Two channels always (RFC 7587, section 7): how many there are is in each packet.
    let sound = channels.map(|channels| {
        let (kind, stereo) = (payload::OPUS, u8::from(channels > 1));
        format!(
            "m=audio 0 RTP/AVP {kind}\r\na=rtpmap:{kind} opus/48000/2\r\n\
             a=fmtp:{kind} sprop-stereo={stereo}\r\na=ptime:20\r\na=control:{SOUND}\r\n"
        )
    });
    let sound = sound.unwrap_or_default();
    format!(
        "v=0\r\no=- 0 0 IN {family} {host}\r\ns={camera}\r\nc=IN {family} {anywhere}\r\nt=0 0\r\n\
         a=tool:streamd\r\na=control:*\r\nm=video 0 RTP/AVP {kind}\r\na=rtpmap:{kind} {name}/90000\r\n\
         {format}a=framerate:{fps}\r\na=control:{TRACK}\r\n{sound}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_of_jpeg_is_described() {
        let text = write(&Described {
            camera: "main",
            codec: Codec::Jpeg,
            fps: 12.5,
            picture: None,
            channels: None,
            host: "127.0.0.1".parse().unwrap(),
        });
        let wanted = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=main\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n\
            a=tool:streamd\r\na=control:*\r\nm=video 0 RTP/AVP 26\r\na=rtpmap:26 JPEG/90000\r\n\
            a=framerate:12.5\r\na=control:trackID=0\r\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn a_stream_of_h264_has_its_parameters() {
        let key = [
            &[0, 0, 0, 1, 0x67, 0x42, 0xC0, 0x1F, 0, 0, 0, 1, 0x68, 0xCE][..],
            &[0, 0, 0, 1, 0x65, 1],
        ];
        let key = Packet {
            bytes: key.concat().into(),
            ..crate::fixtures::frame(1)
        };
        let text = write(&Described {
            camera: "main",
            codec: Codec::H264,
            fps: 30.0,
            picture: Some(&key),
            channels: Some(1),
            host: "::1".parse().unwrap(),
        });
        for line in [
            "o=- 0 0 IN IP6 ::1",
            "c=IN IP6 ::",
            "m=audio 0 RTP/AVP 97",
            "a=rtpmap:97 opus/48000/2",
            "a=fmtp:97 sprop-stereo=0",
            "a=control:trackID=1",
            "m=video 0 RTP/AVP 96",
            "a=rtpmap:96 H264/90000",
            "a=fmtp:96 packetization-mode=1;profile-level-id=42C01F;sprop-parameter-sets=Z0LAHw==,aM4=",
        ] {
            assert!(text.contains(&format!("{line}\r\n")), "{line}: {text}");
        }
    }
}
