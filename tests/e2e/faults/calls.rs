//! Calls of the driver that fail, or whose answers are wrong.

use nix::libc::{
    EACCES, EAGAIN, EBUSY, EINTR, EINVAL, EIO, ENODEV, ENOMEM, ENOSPC, ENOTTY, EPROTO, POLLERR,
    POLLIN,
};
use streamd_tests::device::orders::{Call, Fault, Frames, Model, When};

use super::{Case, all};

/// Always.
pub(super) fn fails(call: Call, errno: i32) -> Fault {
    Fault::Fails(call, errno, When::Always)
}

#[test]
fn a_camera_that_fails_while_it_streams_is_lost_until_it_works() {
    let missing = Fault::Frames(Frames::Missing, When::Always);
    all(vec![
        Case::lost(
            "DQBUF: EIO",
            &[fails(Call::DqBuf, EIO)],
            &["VIDIOC_DQBUF", "I/O error"],
        ),
        Case::lost(
            "DQBUF: ENODEV",
            &[fails(Call::DqBuf, ENODEV)],
            &["unplugged"],
        ),
        Case::lost(
            "DQBUF: EPROTO",
            &[fails(Call::DqBuf, EPROTO)],
            &["VIDIOC_DQBUF"],
        ),
        Case::lost(
            "QBUF: EIO",
            &[fails(Call::QBuf, EIO)],
            &["VIDIOC_QBUF", "I/O error"],
        ),
        Case::lost(
            "QBUF: EINVAL",
            &[fails(Call::QBuf, EINVAL)],
            &["VIDIOC_QBUF"],
        ),
        Case::lost(
            "DQBUF: EAGAIN though it is readable",
            &[fails(Call::DqBuf, EAGAIN)],
            &["no frames"],
        ),
        Case::lost(
            "DQBUF: EINTR without end",
            &[fails(Call::DqBuf, EINTR)],
            &["VIDIOC_DQBUF", "nterrupted"],
        ),
        Case::lost(
            "poll: POLLERR without end",
            &[missing.clone(), Fault::Polls(POLLERR)],
            &[],
        ),
        Case::lost(
            "poll: POLLIN without end",
            &[missing, Fault::Polls(POLLIN)],
            &["no frames"],
        ),
        Case::flows("poll: EINTR each time", &[fails(Call::Poll, EINTR)]),
        Case::lost(
            "the driver is gone, the node is not",
            &[Fault::Gone],
            &["unplugged"],
        ),
        Case::flows(
            "DQBUF: EIO once",
            &[Fault::Fails(Call::DqBuf, EIO, When::First(1))],
        ),
        Case::flows(
            "DQBUF: EINTR each 3rd time",
            &[Fault::Fails(Call::DqBuf, EINTR, When::Each(3))],
        ),
        Case::flows("STREAMOFF: EIO", &[fails(Call::StreamOff, EIO)]),
    ]);
}

#[test]
fn a_camera_that_can_not_be_started_is_lost_until_it_can() {
    let early = |name, call, errno, reason| Case::lost(name, &[fails(call, errno)], reason).early();
    all(vec![
        early(
            "open: EACCES",
            Call::Open,
            EACCES,
            &["permission denied", "group `video`"],
        ),
        early("open: EBUSY", Call::Open, EBUSY, &["in use by"]),
        early("open: EIO", Call::Open, EIO, &["open", "I/O error"]),
        early(
            "QUERYCAP: EIO",
            Call::QueryCap,
            EIO,
            &["VIDIOC_QUERYCAP", "I/O error"],
        ),
        early(
            "QUERYCAP: ENOTTY",
            Call::QueryCap,
            ENOTTY,
            &["not a camera"],
        ),
        early(
            "S_FMT: EIO",
            Call::SetFmt,
            EIO,
            &["VIDIOC_S_FMT", "I/O error"],
        ),
        early("S_FMT: EBUSY", Call::SetFmt, EBUSY, &["in use by"]),
        early("REQBUFS: EBUSY", Call::ReqBufs, EBUSY, &["in use by"]),
        early(
            "REQBUFS: ENOMEM",
            Call::ReqBufs,
            ENOMEM,
            &["VIDIOC_REQBUFS"],
        ),
        early(
            "QUERYBUF: EINVAL",
            Call::QueryBuf,
            EINVAL,
            &["VIDIOC_QUERYBUF"],
        ),
        early("mmap: ENOMEM", Call::Mmap, ENOMEM, &["mmap"]),
        early(
            "STREAMON: ENOSPC",
            Call::StreamOn,
            ENOSPC,
            &["not enough USB bandwidth"],
        ),
        early(
            "STREAMON: EPROTO",
            Call::StreamOn,
            EPROTO,
            &["VIDIOC_STREAMON"],
        ),
    ]);
}

#[test]
fn a_driver_that_lists_nothing_or_nonsense_is_served() {
    let early = |name, fault| Case::flows(name, &[fault]).early();
    all(vec![
        early("ENUM_FMT: EINVAL", fails(Call::EnumFmt, EINVAL)),
        early(
            "ENUM_FRAMESIZES: ENOTTY",
            fails(Call::EnumFrameSizes, ENOTTY),
        ),
        early(
            "ENUM_FRAMEINTERVALS: ENOTTY",
            fails(Call::EnumFrameIntervals, ENOTTY),
        ),
        early("G_INPUT: ENOTTY", fails(Call::GetInput, ENOTTY)),
        early("G_PARM: ENOTTY", fails(Call::GetParm, ENOTTY)),
        early("S_PARM: ENOTTY", fails(Call::SetParm, ENOTTY)),
        early("an interval of 0/0", Fault::Interval(0, 0)),
        early("an interval of 1/0", Fault::Interval(1, 0)),
        early("an interval of 0/30", Fault::Interval(0, 30)),
        early("a list of formats without end", Fault::Endless),
        early("a description in Latin-1", Fault::Latin1),
        early("a description in Latin-1, of JPEG", Fault::Latin1).of(Model::mjpg()),
    ]);
}

#[test]
fn what_the_driver_made_of_the_format_is_what_counts() {
    let early = |name, fault| Case::flows(name, &[fault]).early();
    let grants = |fourcc: &str, width, height| Fault::Grants(fourcc.into(), width, height);
    let mut both = Model::mjpg();
    both.formats.extend(Model::yuyv().formats);
    all(vec![
        early("another size", grants("YUYV", 320, 240)),
        early("another format", grants("YUYV", 160, 120)).of(both),
        early("lines with padding", Fault::Padding(64)),
        early("0 bytes a line", Fault::LineBytes(0)),
        early("too few bytes a line", Fault::LineBytes(100)),
        early("0 bytes an image", Fault::ImageBytes(0)),
        Case::lost(
            "a format that nobody knows",
            &[grants("HEVC", 160, 120)],
            &["HEVC"],
        )
        .early(),
        Case::lost("0x0", &[grants("YUYV", 0, 0)], &["0x0"]).early(),
        Case::lost("too many bytes a line", &[Fault::LineBytes(u32::MAX)], &[]).early(),
        Case::lost(
            "buffers that are too small",
            &[Fault::BufferBytes(4096)],
            &["4096 bytes", "38400"],
        )
        .early(),
    ]);
}
