//! What a stateful encoder is told beside its formats: bit rate, keys, profile and level.

use std::io;

use v4l::{v4l_sys as sys, v4l2::vidioc};

use crate::capture::descriptor::{Descriptor, ioctl};

/// Frames from one key to the next where nobody asks for one, as far as the driver counts: a key
/// costs all who watch some quality, and who needs one gets it.
const SELDOM: i32 = 3600;

/// Sets a control.
///
/// # Errors
/// What the kernel said; `EINVAL` where there is no such control.
pub(super) fn set(device: &Descriptor, id: u32, value: i32) -> io::Result<()> {
    // SAFETY: the structure is made of integers and a pointer, for which zeros are valid.
    let mut control: sys::v4l2_ext_control = unsafe { std::mem::zeroed() };
    control.id = id;
    control.__bindgen_anon_1.value = value;
    // SAFETY: as above.
    let mut list: sys::v4l2_ext_controls = unsafe { std::mem::zeroed() };
    list.count = 1;
    list.controls = &raw mut control;
    match ioctl(device.device(), vidioc::VIDIOC_S_EXT_CTRLS, &mut list) {
        Err(error) if error.raw_os_error() == Some(libc::ENOTTY) => {
            let mut old = sys::v4l2_control { id, value };
            ioctl(device.device(), vidioc::VIDIOC_S_CTRL, &mut old)
        }
        result => result,
    }
}

/// The nearest value that a control may have; the value itself where the driver does not say.
fn within(device: &Descriptor, id: u32, value: i32) -> i32 {
    // SAFETY: the structure is made of integers, for which zeros are valid.
    let mut query: sys::v4l2_queryctrl = unsafe { std::mem::zeroed() };
    query.id = id;
    match ioctl(device.device(), vidioc::VIDIOC_QUERYCTRL, &mut query) {
        Ok(()) if query.minimum < query.maximum => value.clamp(query.minimum, query.maximum),
        _ => value,
    }
}

/// Sets the bit rate, as far as the driver goes.
pub(super) fn set_bit_rate(device: &Descriptor, bits: u32) -> io::Result<()> {
    let id = sys::V4L2_CID_MPEG_VIDEO_BITRATE;
    let bits = i32::try_from(bits).unwrap_or(i32::MAX);
    set(device, id, within(device, id, bits))
}

/// Asks for a key.
pub(super) fn force_key(device: &Descriptor) -> io::Result<()> {
    set(device, sys::V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME, 1)
}

/// Sets all that stays for a stream. A driver may have any part of it, or none: what it makes then is
/// looked at when it comes.
pub(super) fn prepare(device: &Descriptor, level: i32) {
    let cbr = sys::v4l2_mpeg_video_bitrate_mode_V4L2_MPEG_VIDEO_BITRATE_MODE_CBR as i32;
    let joined =
        sys::v4l2_mpeg_video_header_mode_V4L2_MPEG_VIDEO_HEADER_MODE_JOINED_WITH_1ST_FRAME as i32;
    let baseline =
        sys::v4l2_mpeg_video_h264_profile_V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE as i32;
    for (id, value) in [
        (sys::V4L2_CID_MPEG_VIDEO_FRAME_RC_ENABLE, 1),
        (sys::V4L2_CID_MPEG_VIDEO_BITRATE_MODE, cbr),
        (sys::V4L2_CID_MPEG_VIDEO_B_FRAMES, 0),
        (sys::V4L2_CID_MPEG_VIDEO_GOP_SIZE, SELDOM),
        (sys::V4L2_CID_MPEG_VIDEO_H264_I_PERIOD, SELDOM),
        (sys::V4L2_CID_MPEG_VIDEO_H264_PROFILE, baseline),
        (sys::V4L2_CID_MPEG_VIDEO_H264_LEVEL, level),
        (sys::V4L2_CID_MPEG_VIDEO_HEADER_MODE, joined),
        (sys::V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER, 1),
    ] {
        let value = within(device, id, value);
        if let Err(error) = set(device, id, value) {
            tracing::debug!(%error, "the encoder has not control {id:#x} = {value}");
        }
    }
}

/// The kernel's number of the least level (ITU-T H.264, table A-1) that has room for this stream.
pub(super) fn level((width, height): (u32, u32), fps: f64, bit_rate: u32) -> i32 {
    /// The number; macroblocks a second, macroblocks of a picture, and kb/s at most.
    const LEVELS: [(i32, f64, u32, u32); 15] = [
        (0, 1_485.0, 99, 64),
        (2, 3_000.0, 396, 192),
        (3, 6_000.0, 396, 384),
        (4, 11_880.0, 396, 768),
        (5, 11_880.0, 396, 2_000),
        (6, 19_800.0, 792, 4_000),
        (7, 20_250.0, 1_620, 4_000),
        (8, 40_500.0, 1_620, 10_000),
        (9, 108_000.0, 3_600, 14_000),
        (10, 216_000.0, 5_120, 20_000),
        (11, 245_760.0, 8_192, 20_000),
        (12, 245_760.0, 8_192, 50_000),
        (13, 522_240.0, 8_704, 50_000),
        (14, 589_824.0, 22_080, 135_000),
        (15, 983_040.0, 36_864, 240_000),
    ];
    let blocks = width.div_ceil(16) * height.div_ceil(16);
    let fits = |(_, a_second, a_picture, kilobits): &&(i32, f64, u32, u32)| {
        f64::from(blocks) * fps <= *a_second
            && blocks <= *a_picture
            && bit_rate <= kilobits.saturating_mul(1000)
    };
    let [.., last] = LEVELS;
    LEVELS.iter().find(fits).unwrap_or(&last).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_the_least_that_has_room() {
        use sys::*;
        let is = |size, fps, bits, number: u32| assert_eq!(level(size, fps, bits), number as i32);
        is(
            (640, 480),
            30.0,
            2_500_000,
            v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_3_0,
        );
        is(
            (1280, 720),
            30.0,
            6_000_000,
            v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_3_1,
        );
        is(
            (1920, 1080),
            30.0,
            9_000_000,
            v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_4_0,
        );
        is(
            (1920, 1080),
            30.0,
            25_000_000,
            v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_4_1,
        );
        is(
            (1920, 1080),
            60.0,
            9_000_000,
            v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_4_2,
        );
        is(
            (8000, 8000),
            60.0,
            9_000_000,
            v4l2_mpeg_video_h264_level_V4L2_MPEG_VIDEO_H264_LEVEL_5_1,
        );
    }
}
