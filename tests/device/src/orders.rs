//! What a camera is, and how it misbehaves. The tests write it to a file as JSON, the preloaded
//! library reads that at each call: both have this module.

use serde::{Deserialize, Serialize};

/// All that a camera is told; a new one replaces the old as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Orders {
    /// Another one each time: with it, calls and frames are counted anew.
    pub generation: u64,
    /// What the camera is.
    pub model: Model,
    /// What is wrong with it now.
    pub faults: Vec<Fault>,
}

/// A camera without faults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The driver's name of it.
    pub card: String,
    /// Frames a second it can do, the preferred rate first.
    pub fps: Vec<u32>,
    /// What it offers, the preferred format first.
    pub formats: Vec<Offer>,
    /// Whether it has the multi-planar API, and not the other one.
    pub multi_planar: bool,
    /// Whether it is no camera, and makes H.264 of what it is given in one of its formats, in any
    /// size.
    #[serde(default)]
    pub encodes: bool,
    /// Whether its film is played by `CLOCK_MONOTONIC`, each picture once in an interval, so that
    /// whoever has the film knows which one is before the camera. Else it begins with the stream.
    pub by_clock: bool,
}

/// A pixel format with its sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// Four characters.
    pub fourcc: String,
    /// Width and height in pixels, the preferred ones first.
    pub sizes: Vec<(u32, u32)>,
}

/// A call of the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "they have the kernel's names")]
pub enum Call {
    Open,
    Mmap,
    Poll,
    QueryCap,
    EnumFmt,
    EnumFrameSizes,
    EnumFrameIntervals,
    GetFmt,
    SetFmt,
    TryFmt,
    GetParm,
    SetParm,
    EnumInput,
    GetInput,
    SetInput,
    ReqBufs,
    QueryBuf,
    QBuf,
    DqBuf,
    StreamOn,
    StreamOff,
    Controls,
    Events,
    /// Any other, which the camera does not know.
    Other,
}

/// Which of the calls or frames are meant, counted from when the fault began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// All.
    Always,
    /// So many.
    First(u32),
    /// The last of so many, again and again.
    Each(u32),
    /// All but the last of so many, again and again.
    AllBut(u32),
}

/// A way to misbehave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Fault {
    /// The call fails with this errno.
    Fails(Call, i32, When),
    /// The call does not return while the fault lasts.
    Hangs(Call),
    /// The call takes so many ms more.
    Delays(Call, u64),
    /// `poll` returns at once with these events, whatever there is.
    Polls(i16),
    /// The driver is gone for whoever has it open, though the node is there.
    Gone,
    /// Something is wrong with frames.
    Frames(Frames, When),
    /// The driver grants at most so many buffers.
    Buffers(u32),
    /// The driver sets this format and size, whatever is asked of it.
    Grants(String, u32, u32),
    /// Each line has so many bytes more than its pixels, and the driver says so.
    Padding(u32),
    /// Each memory of a buffer begins with so many bytes that are no part of the picture, and the
    /// driver says so. By the multi-planar API only.
    DataOffset(u32),
    /// Buffers have so many memories, whatever the format has planes. By the multi-planar API only.
    Memories(u32),
    /// The driver says so many bytes a line, which is not true.
    LineBytes(u32),
    /// The driver says so many bytes an image, which is not true.
    ImageBytes(u32),
    /// Each buffer has only so many bytes.
    BufferBytes(u32),
    /// The list of formats has no end.
    Endless,
    /// The descriptions of formats are in Latin-1.
    Latin1,
    /// Of an encoder: so many streams at a time, and no more.
    Instances(usize),
    /// Of an encoder: pictures have a multiple of so many lines.
    Rows(u32),
    /// Of an encoder: parameter sets come in a buffer of their own.
    HeadsApart,
    /// Of an encoder: it has no control by which a key is asked for.
    Keyless,
    /// Of an encoder: it has that control, and makes no key for it.
    DeafToKeys,
    /// Of an encoder: it makes something else.
    OtherCodec,
    /// The driver says this interval (seconds: numerator, denominator), which is not true.
    Interval(u32, u32),
}

/// What may be wrong with a frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Frames {
    /// It does not come.
    Missing,
    /// It is marked as damaged.
    Flagged,
    /// So many bytes are said to be in it, of however many.
    Bytes(u32),
    /// It ends after the first half of its bytes.
    Half,
    /// It names a buffer that does not exist.
    Index(u32),
    /// Of an encoder: it is empty, and the last one.
    Last,
    /// It comes from this film, one of those that the test has given the camera.
    Film(String),
    /// Its time stamp.
    Stamp(Stamp),
    /// Its number.
    Number(Number),
}

/// Time stamps that are wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stamp {
    /// None.
    Zero,
    /// Of every other frame, 50 ms before the one before it.
    Backwards,
    /// Whole seconds only.
    Coarse,
    /// All the same.
    Same,
    /// An hour ahead.
    Future,
    /// An hour ago.
    Past,
    /// Each is earlier than the one before.
    Reverse,
}

/// Numbers of frames that are wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Number {
    /// All the same.
    Same,
    /// Each a million further.
    Jumps,
    /// Each smaller than the one before.
    Reverse,
    /// About to begin again at 0.
    Wraps,
}
