//! What a camera says of itself, and what it offers.

use v4l::v4l_sys as sys;

use crate::{
    answers::{code, text},
    open::{Format, Open},
    orders::{Fault, Model},
};

impl Open {
    /// `VIDIOC_ENUM_FMT`.
    pub fn list_format(&self, model: &Model, to: &mut sys::v4l2_fmtdesc) -> Result<(), i32> {
        if to.type_ != self.buffer_type() {
            return Err(libc::EINVAL);
        }
        let endless = self.fault(|fault| (*fault == Fault::Endless).then_some(()));
        let latin1 = self.fault(|fault| (*fault == Fault::Latin1).then_some(()));
        let index = to.index as usize;
        let offer = match endless {
            Some(()) => model.formats.get(index % model.formats.len()),
            None => model.formats.get(index),
        };
        let offer = offer.ok_or(libc::EINVAL)?;
        to.pixelformat = code(&offer.fourcc);
        if endless.is_some() && index >= model.formats.len() {
            // No two are the same.
            to.pixelformat = 0x4100_0000 + to.index;
        }
        to.description = text(&format!("{} pictures", offer.fourcc));
        if latin1.is_some() {
            to.description[..5].copy_from_slice(b"Gr\xFCn ");
        }
        Ok(())
    }
}

/// `VIDIOC_QUERYCAP`.
pub(crate) fn capabilities(model: &Model, to: &mut sys::v4l2_capability) -> Result<(), i32> {
    // SAFETY: zeros are valid for a structure of integers.
    *to = unsafe { std::mem::zeroed() };
    (to.driver, to.card) = (text("streamd-tests"), text(&model.card));
    to.bus_info = text("tests");
    let captures = match model.multi_planar {
        true => sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE,
        false => sys::V4L2_CAP_VIDEO_CAPTURE,
    };
    to.device_caps = captures | sys::V4L2_CAP_STREAMING;
    to.capabilities = to.device_caps | sys::V4L2_CAP_DEVICE_CAPS;
    Ok(())
}

/// `VIDIOC_ENUM_FRAMESIZES`.
pub(crate) fn list_size(model: &Model, to: &mut sys::v4l2_frmsizeenum) -> Result<(), i32> {
    let offer = model
        .formats
        .iter()
        .find(|offer| code(&offer.fourcc) == to.pixel_format);
    let size = offer.and_then(|offer| offer.sizes.get(to.index as usize));
    let &(width, height) = size.ok_or(libc::EINVAL)?;
    to.type_ = sys::v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE;
    to.__bindgen_anon_1.discrete = sys::v4l2_frmsize_discrete { width, height };
    Ok(())
}

/// `VIDIOC_ENUM_FRAMEINTERVALS`.
pub(crate) fn list_interval(model: &Model, to: &mut sys::v4l2_frmivalenum) -> Result<(), i32> {
    let fps = model.fps.get(to.index as usize).ok_or(libc::EINVAL)?;
    to.type_ = sys::v4l2_frmivaltypes_V4L2_FRMIVAL_TYPE_DISCRETE;
    to.__bindgen_anon_1.discrete = sys::v4l2_fract {
        numerator: 1,
        denominator: *fps,
    };
    Ok(())
}

/// `VIDIOC_ENUMINPUT`.
pub(crate) fn list_input(to: &mut sys::v4l2_input) -> Result<(), i32> {
    if to.index > 0 {
        return Err(libc::EINVAL);
    }
    // SAFETY: zeros are valid for a structure of integers.
    *to = unsafe { std::mem::zeroed() };
    (to.name, to.type_) = (text("Camera 1"), sys::V4L2_INPUT_TYPE_CAMERA);
    Ok(())
}

/// What a driver makes of what it is asked for.
pub(crate) fn nearest(model: &Model, fourcc: u32, size: (u32, u32)) -> Format {
    let asked = model
        .formats
        .iter()
        .find(|offer| code(&offer.fourcc) == fourcc);
    let offer = asked.unwrap_or(&model.formats[0]);
    let distance = |of: &&(u32, u32)| of.0.abs_diff(size.0) + of.1.abs_diff(size.1);
    let &(width, height) = offer
        .sizes
        .iter()
        .min_by_key(distance)
        .expect("in some size");
    let fourcc = offer.fourcc.clone();
    Format {
        fourcc,
        width,
        height,
    }
}
