//! What a driver lists: formats, sizes, rates. Each list is bounded and each answer checked, since
//! a driver may list without end, and write anything for a text.

use v4l::{
    Device, FourCC, frameinterval::FrameIntervalEnum, framesize::FrameSizeEnum, v4l_sys as sys,
    v4l2::vidioc,
};

use super::{descriptor::ioctl, memory::Api, v4l2::text};
use crate::config::values::Size;

/// Entries of one list that are looked at; webcams have some dozens.
const MOST: u32 = 256;

/// A pixel format that a driver lists.
pub(super) struct Described {
    /// Its code.
    pub fourcc: FourCC,
    /// The driver's name of it.
    pub description: String,
}

/// The pixel formats.
pub(super) fn formats(device: &Device, api: Api) -> Vec<Described> {
    let entry = |index| {
        // SAFETY: the structure is made of integers, for which zeros are valid.
        let mut raw: sys::v4l2_fmtdesc = unsafe { std::mem::zeroed() };
        (raw.index, raw.type_) = (index, api.buffer_type());
        ioctl(device, vidioc::VIDIOC_ENUM_FMT, &mut raw).ok()?;
        Some(Described {
            fourcc: FourCC::from(raw.pixelformat),
            description: text(&raw.description),
        })
    };
    let mut all: Vec<Described> = Vec::new();
    for described in (0..MOST).map_while(entry) {
        // A driver that lists one format for ever lists nothing more.
        if all.iter().any(|known| known.fourcc == described.fourcc) {
            break;
        }
        all.push(described);
    }
    all
}

/// The sizes of a format.
pub(super) fn sizes(device: &Device, fourcc: FourCC) -> Vec<FrameSizeEnum> {
    let entry = |index| {
        // SAFETY: the structure is made of integers, for which zeros are valid.
        let mut raw: sys::v4l2_frmsizeenum = unsafe { std::mem::zeroed() };
        (raw.index, raw.pixel_format) = (index, fourcc.into());
        ioctl(device, vidioc::VIDIOC_ENUM_FRAMESIZES, &mut raw).ok()?;
        FrameSizeEnum::try_from(raw).ok()
    };
    (0..MOST).map_while(entry).collect()
}

/// The intervals between two frames of a format and size.
pub(super) fn intervals(device: &Device, fourcc: FourCC, size: Size) -> Vec<FrameIntervalEnum> {
    let entry = |index| {
        // SAFETY: the structure is made of integers, for which zeros are valid.
        let mut raw: sys::v4l2_frmivalenum = unsafe { std::mem::zeroed() };
        (raw.index, raw.pixel_format) = (index, fourcc.into());
        (raw.width, raw.height) = (size.width, size.height);
        ioctl(device, vidioc::VIDIOC_ENUM_FRAMEINTERVALS, &mut raw).ok()?;
        FrameIntervalEnum::try_from(raw).ok()
    };
    (0..MOST).map_while(entry).collect()
}
