//! The wire to a client: frame header, the APP segment in every picture, and the JSON messages.
//!
//! Over raw TCP every payload, picture or JSON, is preceded by its length as a `u64`, little-endian.
//! A payload that begins with `FF D8` is a JPEG picture; one that begins with `{` is a [`ToClient`]
//! message, sent only to clients that have sent [`FromClient::Hello`]. Over WebSocket, binary
//! messages are pictures and text messages are the same JSON.

use serde::{Deserialize, Serialize};

/// Bytes of the length that precedes each payload over raw TCP.
pub const LENGTH_BYTES: usize = 8;

/// The largest payload a client may send, in bytes: its messages are small, and a garbled length
/// must not make the server wait for gigabytes.
pub const MAX_FROM_CLIENT: usize = 16 * 1024;

/// The largest payload a client should accept, in bytes: above any JPEG of a 16384-pixel camera.
pub const MAX_TO_CLIENT: usize = 256 * 1024 * 1024;

/// The length that precedes a payload of so many bytes over raw TCP.
pub const fn header(bytes: usize) -> [u8; LENGTH_BYTES] {
    (bytes as u64).to_le_bytes()
}

/// The length of the payload that follows, by the first bytes of `arrived`; `None` while the
/// length is not whole.
///
/// # Errors
/// When it is over `limit`: a garbled length must not make anybody wait for gigabytes.
pub fn announced(arrived: &[u8], limit: usize) -> Result<Option<usize>, TooLong> {
    let Some(length) = arrived.first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    let bytes = u64::from_le_bytes(*length);
    match usize::try_from(bytes) {
        Ok(length) if length <= limit => Ok(Some(length)),
        _ => Err(TooLong { bytes, limit }),
    }
}

/// A payload that is longer than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a payload of {bytes} bytes was announced; up to {limit} are allowed")]
pub struct TooLong {
    /// Its length.
    pub bytes: u64,
    /// What is allowed.
    pub limit: usize,
}

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// A JPEG picture.
    Picture,
    /// A picture in H.264.
    Unit,
    /// A message in JSON.
    Message,
}

impl Payload {
    /// What a payload is by its first two bytes; `None` if it is none of them.
    pub const fn of(start: &[u8]) -> Option<Self> {
        match start {
            [0xFF, 0xD8, ..] => Some(Self::Picture),
            [0, 0, ..] => Some(Self::Unit),
            [b'{', ..] => Some(Self::Message),
            _ => None,
        }
    }
}

/// Name at the start of the APP segment's payload.
pub const APP_NAME: &[u8; 8] = b"streamd\0";

/// Version of the APP segment's layout.
pub const APP_VERSION: u8 = 2;

/// The first segment of every picture, marker included: JFIF 1.01 without units or thumbnail. By
/// it everybody knows that the picture is a JPEG file, and that three components are YCbCr.
pub const JFIF: [u8; 18] = *b"\xFF\xE0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00";

/// The JPEG marker that holds the segment: APP9, which no common format uses.
pub const APP_MARKER: u8 = 0xE9;

/// A second segment, directly after the [`AppSegment`], of a picture that is not the camera's but
/// stands in for it: "no signal". Readers of the first one alone skip it, as a version that they
/// do not know.
pub const STAND_IN: &[u8; 20] = b"\xFF\xE9\x00\x12streamd\0stand-in";

/// Whether a JPEG picture stands in for the camera's own.
pub fn is_stand_in(jpeg: &[u8]) -> bool {
    app_segments(jpeg).any(|segment| segment == &STAND_IN[4..])
}

/// What is in the segments of [`APP_MARKER`] at the start of a JPEG picture, in their order.
fn app_segments(jpeg: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = jpeg.strip_prefix(&[0xFF, 0xD8]).unwrap_or_default();
    let segments = std::iter::from_fn(move || {
        let [0xFF, marker @ (0xE0..=0xEF | 0xFE), high, low, ..] = *rest else {
            return None;
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let body = rest.get(4..2 + length)?;
        rest = &rest[2 + length..];
        Some((marker, body))
    });
    segments
        .filter(|(marker, _)| *marker == APP_MARKER)
        .map(|(_, body)| body)
}

/// Longest camera name, in bytes.
pub const MAX_CAMERA_NAME: usize = 64;

/// What a picture says of itself, in an APP segment directly after [`JFIF`].
///
/// Layout after the marker and its length (big-endian): [`APP_NAME`], version `u8`, sequence and
/// capture time (µs since the epoch) in 16 lower-case hexadecimal digits each, camera name (UTF-8,
/// to the segment's end). Being text, it never holds the byte FF: a reader that looks for `FF D8`
/// and `FF D9` finds only where the picture begins and ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSegment {
    /// The frame's number at the camera.
    pub sequence: u64,
    /// When the camera had it, in µs since the epoch.
    pub captured_us: u64,
    /// The camera's name.
    pub camera: String,
}

impl AppSegment {
    /// The segment's whole bytes, marker included. A name over [`MAX_CAMERA_NAME`] bytes is cut.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut end = self.camera.len().min(MAX_CAMERA_NAME);
        while !self.camera.is_char_boundary(end) {
            end -= 1;
        }
        let name = &self.camera.as_bytes()[..end];
        let length = 2 + APP_NAME.len() + 1 + 2 * HEX_DIGITS + name.len();
        let mut out = Vec::with_capacity(length + 2);
        out.extend_from_slice(&[0xFF, APP_MARKER]);
        out.extend_from_slice(&(length as u16).to_be_bytes());
        out.extend_from_slice(APP_NAME);
        out.push(APP_VERSION);
        push_hex(&mut out, self.sequence);
        push_hex(&mut out, self.captured_us);
        out.extend_from_slice(name);
        out
    }

    /// All that stands between SOI and the picture itself: [`JFIF`], then this segment.
    pub fn head(&self) -> Vec<u8> {
        [&JFIF[..], &self.to_bytes()].concat()
    }

    /// The same for a picture in H.264: a NAL unit of supplemental information (SEI, unregistered
    /// user data: [`SEI_UUID`], then the segment's bytes from [`APP_NAME`] on), start code included.
    /// It goes before the picture's own units; decoders skip it.
    pub fn to_sei(&self) -> Vec<u8> {
        // Marker and length are those of JPEG.
        sei(&self.to_bytes()[4..])
    }

    /// Reads what [`to_sei`](Self::to_sei) has written, from a picture in H.264 that it goes
    /// before, in the byte stream format; `None` if there is none that we understand.
    pub fn find_in_h264(unit: &[u8]) -> Option<Self> {
        sei_bodies(unit).find_map(Self::parse)
    }

    /// Reads the segment from a JPEG picture; `None` if it has none that we understand.
    pub fn find(jpeg: &[u8]) -> Option<Self> {
        app_segments(jpeg).find_map(Self::parse)
    }

    fn parse(body: &[u8]) -> Option<Self> {
        let body = body.strip_prefix(APP_NAME)?.strip_prefix(&[APP_VERSION])?;
        let (sequence, body) = body.split_first_chunk::<HEX_DIGITS>()?;
        let (captured, name) = body.split_first_chunk::<HEX_DIGITS>()?;
        Some(Self {
            sequence: read_hex(sequence)?,
            captured_us: read_hex(captured)?,
            camera: std::str::from_utf8(name).ok()?.to_owned(),
        })
    }
}

/// NAL unit type of supplemental information; nothing refers to it.
const SEI: u8 = 6;

/// Payload type: unregistered user data, which begins with a UUID.
const SEI_USER_DATA: u8 = 5;

/// Says whose user data it is: a random UUID, `8f1d4c6e-5b7a-4e93-a2d8-6c3f91b75e24`.
pub const SEI_UUID: &[u8; 16] = b"\x8f\x1d\x4c\x6e\x5b\x7a\x4e\x93\xa2\xd8\x6c\x3f\x91\xb7\x5e\x24";

/// What stands before each NAL unit of ours.
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// A unit of supplemental information with this in it. Being text but for single bytes, it never
/// holds what looks like a start code.
fn sei(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 32);
    out.extend_from_slice(&START_CODE);
    out.extend_from_slice(&[SEI, SEI_USER_DATA, (SEI_UUID.len() + body.len()) as u8]);
    out.extend_from_slice(SEI_UUID);
    out.extend_from_slice(body);
    out.push(0x80);
    out
}

/// What is in the units of ours at the start of a picture in H.264, in their order.
fn sei_bodies(unit: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = unit;
    std::iter::from_fn(move || {
        let head = rest
            .strip_prefix(&START_CODE)?
            .strip_prefix(&[SEI, SEI_USER_DATA])?;
        let (length, data) = head.split_first()?;
        let (data, after) = data.split_at_checked(usize::from(*length))?;
        rest = after.strip_prefix(&[0x80])?;
        data.strip_prefix(SEI_UUID)
    })
}

/// As [`STAND_IN`], of a picture in H.264, behind what [`AppSegment::to_sei`] gives.
pub fn stand_in_sei() -> Vec<u8> {
    sei(&STAND_IN[4..])
}

/// As [`is_stand_in`], of a picture in H.264.
pub fn is_stand_in_h264(unit: &[u8]) -> bool {
    sei_bodies(unit).any(|body| body == &STAND_IN[4..])
}

/// Digits of a number in the segment.
const HEX_DIGITS: usize = 16;

fn push_hex(out: &mut Vec<u8>, number: u64) {
    let digit = |place: usize| number >> (4 * (HEX_DIGITS - 1 - place)) & 0xF;
    out.extend((0..HEX_DIGITS).map(|place| b"0123456789abcdef"[digit(place) as usize]));
}

fn read_hex(digits: &[u8; HEX_DIGITS]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(digit))
    })
}

/// How pictures are coded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// A JPEG file per picture.
    #[default]
    Jpeg,
    /// H.264, in the byte stream format: pictures build on those before, back to the last key.
    H264,
}

impl Codec {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Jpeg, Self::H264];

    /// As it is written on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::H264 => "h264",
        }
    }
}

/// What a client says. Unknown keys are ignored, so that newer clients work with older servers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum FromClient {
    /// Who it is, and what it wants at most. From then on it gets [`ToClient`] messages.
    #[serde(rename_all = "camelCase")]
    Hello {
        /// Shown in `streamctl clients`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// What proves who it is, where the server asks for that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// Its limits.
        #[serde(flatten)]
        want: Want,
    },
    /// Changes its limits; a limit that is left out stays.
    Want(Want),
    /// Watches these cameras from now on, instead of those before; their frames share the
    /// connection and are told apart by their [`AppSegment`]. Answered by a welcome.
    Subscribe {
        /// Names, without repetition; at least one.
        cameras: Vec<String>,
    },
    /// Asks for a [`ToClient::Pong`].
    Ping {
        /// The client's clock, µs.
        t: u64,
    },
    /// Says when it had a frame whole.
    Receipt {
        /// The frame's number.
        sequence: u64,
        /// When, in µs since the epoch, corrected to the server's clock.
        t: u64,
        /// Of which camera; may be left out by a client that watches one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        camera: Option<String>,
    },
}

/// A client's limits: caps on what it is sent. `None` leaves a limit as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Want {
    /// Frames a second at most, above 0; 0 lifts the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fps: Option<f64>,
    /// JPEG quality at most, 1–100; 0 lifts the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<u8>,
    /// Width at most, in pixels; 0 lifts the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_width: Option<u32>,
    /// No pictures while true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// How they are to be coded; `jpeg` unless it says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<Codec>,
}

/// What the server says to a client that talks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum ToClient {
    /// The answer to a hello.
    #[serde(rename_all = "camelCase")]
    Welcome {
        /// The client's number in `streamctl clients`.
        client_id: u64,
        /// The camera's name.
        camera: String,
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// The camera's frames a second.
        fps: f64,
        /// The camera's JPEG quality, 1–100.
        quality: u8,
        /// µs since the epoch.
        server_time: u64,
        /// The names of all cameras.
        cameras: Vec<String>,
        /// The codecs that the server has.
        #[serde(default)]
        codecs: Vec<Codec>,
    },
    /// Coding, quality and size of the frames that follow.
    #[serde(rename_all = "camelCase")]
    Rendition {
        /// The camera's name.
        camera: String,
        /// How they are coded.
        #[serde(default)]
        codec: Codec,
        /// JPEG quality, 1–100; 0 for H.264.
        quality: u8,
        /// Bits a second at most, of H.264; 0 for JPEG.
        #[serde(default)]
        bit_rate: u32,
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// Frames a second at most.
        fps: f64,
        /// Why it changed, for people: `link 7.8 Mb/s`.
        reason: String,
    },
    /// The answer to a ping.
    #[serde(rename_all = "camelCase")]
    Pong {
        /// The ping's `t`.
        t: u64,
        /// µs since the epoch.
        server_time: u64,
    },
    /// Something happened that the client should know.
    Notice {
        /// What.
        event: Event,
        /// The name of the camera, where it is about one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        camera: Option<String>,
        /// Since when, in µs since the epoch, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<u64>,
        /// For people.
        message: String,
    },
}

/// What a [`ToClient::Notice`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Event {
    /// The camera is gone, or gone for another reason; a "no signal" picture follows.
    CameraLost,
    /// The camera is back.
    CameraBack,
    /// A camera that the client asked for is not shown to it.
    CameraRefused,
    /// The client is about to be disconnected by an administrator.
    Kicked,
    /// The server is stopping.
    Stopping,
    /// The client's last message could not be understood or was out of range; nothing changed.
    BadMessage,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn app_segment_round_trips(sequence: u64, captured_us: u64, camera in "[a-z0-9é-]{0,32}") {
            let segment = AppSegment { sequence, captured_us, camera };
            let mut jpeg = vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2];
            jpeg.extend(segment.to_bytes());
            prop_assert_eq!(AppSegment::find(&jpeg), Some(segment));
        }

        #[test]
        fn a_stand_in_says_so_beside_its_segment(sequence: u64, captured_us: u64) {
            let segment = AppSegment { sequence, captured_us, camera: "front".into() };
            let mut jpeg = vec![0xFF, 0xD8];
            jpeg.extend(segment.to_bytes());
            prop_assert!(!is_stand_in(&jpeg));
            jpeg.extend(STAND_IN);
            prop_assert!(is_stand_in(&jpeg));
            prop_assert_eq!(AppSegment::find(&jpeg), Some(segment));
        }

        #[test]
        fn in_h264_it_says_the_same(sequence: u64, captured_us: u64, camera: String, rest: Vec<u8>) {
            let camera: String = camera.chars().take(16).collect();
            let segment = AppSegment { sequence, captured_us, camera };
            let label = segment.to_sei();
            let mut unit = [&label[..], &[0, 0, 0, 1, 0x65], &rest].concat();
            prop_assert!(!is_stand_in_h264(&unit));
            prop_assert_eq!(AppSegment::find_in_h264(&unit), Some(segment.clone()));
            unit.splice(label.len()..label.len(), stand_in_sei());
            prop_assert!(is_stand_in_h264(&unit));
            prop_assert_eq!(AppSegment::find_in_h264(&unit), Some(segment));
            AppSegment::find_in_h264(&rest);
        }

        #[test]
        fn no_value_looks_like_a_start_code(sequence: u64, captured_us: u64) {
            let camera = "main".into();
            let label = AppSegment { sequence, captured_us, camera }.to_sei();
            let inside = &label[4..];
            prop_assert!(!inside.windows(3).any(|at| matches!(at, [0, 0, 0..=3])));
        }

        #[test]
        fn no_value_looks_like_a_marker(sequence: u64, captured_us: u64, camera: String) {
            let head = AppSegment { sequence, captured_us, camera }.head();
            let starts: Vec<_> = (0..head.len()).filter(|at| head[*at] == 0xFF).collect();
            prop_assert_eq!(starts, [0, JFIF.len()]);
            prop_assert_eq!((head[1], head[JFIF.len() + 1]), (0xE0, APP_MARKER));
        }

        #[test]
        fn any_bytes_are_no_panic(bytes: Vec<u8>) {
            let mut jpeg = vec![0xFF, 0xD8, 0xFF, APP_MARKER];
            jpeg.extend(bytes);
            AppSegment::find(&jpeg);
            is_stand_in(&jpeg);
        }
    }

    #[test]
    fn a_length_is_taken_when_it_is_whole_and_allowed() {
        let framed = header(300);
        for cut in 0..LENGTH_BYTES {
            assert_eq!(announced(&framed[..cut], 300), Ok(None));
        }
        assert_eq!(announced(&framed, 300), Ok(Some(300)));
        let error = announced(&framed, 299).unwrap_err();
        assert_eq!((error.bytes, error.limit), (300, 299));
        assert!(announced(&[0xFF; 9], MAX_TO_CLIENT).is_err());
        assert_eq!(Payload::of(b"\xFF\xD8\xFF"), Some(Payload::Picture));
        assert_eq!(
            (Payload::of(b"{}"), Payload::of(b"GE")),
            (Some(Payload::Message), None)
        );
    }

    #[test]
    fn hello_is_flat_json() {
        let hello: FromClient = serde_json::from_str(
            r#"{"type":"hello","name":"robot","fps":15,"maxWidth":320,"later":1}"#,
        )
        .unwrap();
        assert_eq!(
            hello,
            FromClient::Hello {
                name: Some("robot".into()),
                token: None,
                want: Want {
                    fps: Some(15.0),
                    max_width: Some(320),
                    ..Want::default()
                }
            }
        );
        let notice = ToClient::Notice {
            event: Event::CameraLost,
            camera: Some("front".into()),
            since: None,
            message: "unplugged".into(),
        };
        assert_eq!(
            serde_json::to_string(&notice).unwrap(),
            r#"{"type":"notice","event":"cameraLost","camera":"front","message":"unplugged"}"#
        );
    }
}
