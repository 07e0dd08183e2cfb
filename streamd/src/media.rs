//! The two things that travel: [`RawFrame`] from the camera, [`Packet`] to the viewers.

mod colour;
mod format;

use std::{fmt, time::Duration};

use bytes::Bytes;
pub use streamd_protocol::stream::Codec;

pub use colour::{Colour, Matrix, Range};
pub use format::{Corner, Depth, MOST_PLANES, Packing, PixelFormat, Plane};

/// A moment on `CLOCK_MONOTONIC`, the clock V4L2 stamps frames with. Nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The present moment.
    pub fn now() -> Self {
        Self(clock(nix::time::ClockId::CLOCK_MONOTONIC))
    }

    /// From nanoseconds of `CLOCK_MONOTONIC`.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds of `CLOCK_MONOTONIC`.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The same moment on the wall clock, in µs since the epoch, by the clocks' present offset.
    pub fn unix_micros(self) -> u64 {
        (clock(nix::time::ClockId::CLOCK_REALTIME) + self.0)
            .saturating_sub(clock(nix::time::ClockId::CLOCK_MONOTONIC))
            / 1000
    }

    /// The same moment on the wall clock, in the machine's time zone.
    pub fn local(self) -> chrono::DateTime<chrono::Local> {
        let utc = chrono::DateTime::from_timestamp_micros(self.unix_micros() as i64);
        utc.unwrap_or_default().into()
    }

    /// The moment that the wall clock shows as `nanos` since the epoch, by the clocks' present offset.
    pub fn from_unix_nanos(nanos: u64) -> Self {
        let offset = clock(nix::time::ClockId::CLOCK_REALTIME)
            .saturating_sub(clock(nix::time::ClockId::CLOCK_MONOTONIC));
        Self(nanos.saturating_sub(offset))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_nanos() as u64))
    }
}

fn clock(id: nix::time::ClockId) -> u64 {
    let time = nix::time::clock_gettime(id).expect("Linux always has the clock");
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

/// How the bytes of a raw frame are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// What the bytes mean.
    pub format: PixelFormat,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Bytes from one line of the first plane to the next (chroma planes follow V4L2's rules:
    /// NV12 and NV16 the same, NV24 twice, YU12 half of it); 0 for MJPG.
    pub stride: u32,
    /// What the numbers mean; without meaning for MJPG.
    pub colour: Colour,
}

impl Layout {
    /// The planes, one behind the other.
    pub fn planes(self) -> [Plane; MOST_PLANES] {
        self.format.planes(self.width, self.stride, self.height)
    }
}

/// Where a frame's picture comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A camera.
    Camera,
    /// The built-in moving test pattern.
    TestPattern,
    /// The "no signal" picture that stands in for a lost camera.
    Blank,
}

/// A frame as the camera delivered it. The bytes of a V4L2 frame are the driver's own buffer,
/// leased: it goes back to the driver when the frame is dropped.
pub struct RawFrame {
    /// Counts the frames that this camera handed on since the daemon started, paced-out ones left
    /// out: what a client misses in it, it did not get.
    pub sequence: u64,
    /// When the driver had the frame whole.
    pub captured: Timestamp,
    /// How the bytes are laid out.
    pub layout: Layout,
    /// Where the picture comes from.
    pub origin: Origin,
    /// The bytes: a leased driver buffer or an owned picture.
    pub pixels: Box<dyn AsRef<[u8]> + Send + Sync>,
}

impl RawFrame {
    /// The picture's bytes.
    pub fn bytes(&self) -> &[u8] {
        (*self.pixels).as_ref()
    }
}

impl fmt::Debug for RawFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RawFrame({} {:?} {:?})",
            self.sequence, self.layout, self.origin
        )
    }
}

/// By what a picture is smaller than the camera's, in each direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scale {
    /// The camera's own size.
    Full,
    /// Half the width and height, rounded up.
    Half,
    /// A quarter of the width and height, rounded up.
    Quarter,
}

impl Scale {
    /// The divisor: 1, 2 or 4.
    pub const fn divisor(self) -> u32 {
        match self {
            Self::Full => 1,
            Self::Half => 2,
            Self::Quarter => 4,
        }
    }
}

/// The quality and size in which a frame is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rendition {
    /// JPEG quality, 1–100.
    pub quality: u8,
    /// Size against the camera's.
    pub scale: Scale,
}

/// The codecs that this build has.
pub const CODECS: &[Codec] = if cfg!(feature = "h264") {
    &Codec::ALL
} else {
    &[Codec::Jpeg]
};

/// How much of a track is kept for those who want it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// The newest packet: each stands alone.
    Newest,
    /// The last packets without a gap: those who get them need each, back to a key.
    FromKey,
}

/// One of the streams that a camera's pictures are encoded into by a codec with a bit rate. The bit
/// rate itself moves within the level, with those who watch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The camera's own size, up to its whole bit rate.
    High,
    /// The camera's own size, at a lower bit rate.
    Medium,
    /// Half the width and height, for narrow links.
    Low,
    /// For recordings: the camera's own size, at a bit rate of their own, which no viewer's link
    /// lowers; and with keys as often as recordings need them, which cost no viewer anything.
    Archive,
}

impl Level {
    /// Those that viewers get, best first.
    pub const ALL: [Self; 3] = [Self::High, Self::Medium, Self::Low];

    /// Size against the camera's.
    pub const fn scale(self) -> Scale {
        match self {
            Self::High | Self::Medium | Self::Archive => Scale::Full,
            Self::Low => Scale::Half,
        }
    }

    /// The most of the camera's bit rate that it has. Recordings have their own.
    pub const fn share(self) -> f64 {
        match self {
            Self::High | Self::Archive => 1.0,
            Self::Medium => 0.4,
            Self::Low => 0.16,
        }
    }
}

/// One coding of a camera's pictures, in one quality and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Track {
    /// JPEG pictures in this rendition.
    Jpeg(Rendition),
    /// H.264 of this level.
    H264(Level),
}

impl Track {
    /// How it is coded.
    pub const fn codec(self) -> Codec {
        match self {
            Self::Jpeg(_) => Codec::Jpeg,
            Self::H264(_) => Codec::H264,
        }
    }

    /// JPEG quality, 1–100; 0 where there is none.
    pub const fn quality(self) -> u8 {
        match self {
            Self::Jpeg(rendition) => rendition.quality,
            Self::H264(_) => 0,
        }
    }

    /// Its size against the camera's.
    pub const fn scale(self) -> Scale {
        match self {
            Self::Jpeg(rendition) => rendition.scale,
            Self::H264(level) => level.scale(),
        }
    }

    /// What must be kept of it.
    pub const fn keeping(self) -> Keeping {
        match self {
            Self::Jpeg(_) => Keeping::Newest,
            Self::H264(_) => Keeping::FromKey,
        }
    }

    /// Whether each of its packets is a whole picture.
    pub fn stands_alone(self) -> bool {
        self.keeping() == Keeping::Newest
    }

    /// Whether it is worth encoding before `other`, where each of both stands alone: larger, then of
    /// higher quality.
    pub fn is_better_than(self, other: Self) -> bool {
        match (self, other) {
            (Self::Jpeg(a), Self::Jpeg(b)) => (b.scale, a.quality) > (a.scale, b.quality),
            (a, b) => b.scale() > a.scale(),
        }
    }
}

/// An encoded picture, as viewers get it.
#[derive(Debug, Clone)]
pub struct Packet {
    /// In which coding, quality and size.
    pub track: Track,
    /// [`RawFrame::sequence`].
    pub sequence: u64,
    /// [`RawFrame::captured`].
    pub captured: Timestamp,
    /// It needs no packet before it. Always so for JPEG.
    pub key: bool,
    /// No packet after it needs it: who is late may leave it out. Never so for JPEG, where that goes
    /// without saying.
    pub droppable: bool,
    /// The coded picture: of JPEG the whole file, APP segment included; of H.264 an access unit in
    /// the byte stream format (ITU-T H.264, Annex B), a key with its parameter sets.
    pub bytes: Bytes,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Where the picture comes from.
    pub origin: Origin,
    /// When encoding began.
    pub encode_begin: Timestamp,
    /// When encoding ended.
    pub encode_end: Timestamp,
}
