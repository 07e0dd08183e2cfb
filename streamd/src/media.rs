//! The two things that travel: [`RawFrame`] from the camera, [`Packet`] to the viewers.

mod colour;
mod format;

use std::{fmt, time::Duration};

use bytes::Bytes;

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

/// How pictures are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// A JPEG file per picture.
    Jpeg,
    /// H.264: pictures build on those before, back to the last key.
    H264,
}

/// How much of a track is kept for those who want it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// The newest packet: each stands alone.
    Newest,
    /// All packets from the last key on.
    FromKey,
}

impl Codec {
    /// What must be kept of a track in this coding.
    pub const fn keeping(self) -> Keeping {
        match self {
            Self::Jpeg => Keeping::Newest,
            Self::H264 => Keeping::FromKey,
        }
    }
}

/// One coding of a camera's pictures, in one quality and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Track {
    /// How they are coded.
    pub codec: Codec,
    /// In which quality and size.
    pub rendition: Rendition,
}

impl Track {
    /// JPEG pictures in this rendition.
    pub const fn jpeg(rendition: Rendition) -> Self {
        Self {
            codec: Codec::Jpeg,
            rendition,
        }
    }

    /// Whether each of its packets is a whole picture.
    pub fn stands_alone(self) -> bool {
        self.codec.keeping() == Keeping::Newest
    }

    /// Whether it is worth encoding before `other`: larger, then of higher quality.
    pub fn is_better_than(self, other: Self) -> bool {
        let (a, b) = (self.rendition, other.rendition);
        (b.scale, a.quality) > (a.scale, b.quality)
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
    /// The coded picture; of JPEG the whole file, APP segment included.
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
