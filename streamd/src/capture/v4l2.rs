//! A V4L2 device: asked for what it offers, set to what is wanted of it.

use std::{
    io,
    ops::RangeInclusive,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use v4l::{
    Device, Fraction,
    buffer::Type,
    frameinterval::FrameIntervalEnum,
    framesize::FrameSizeEnum,
    v4l_sys as sys,
    v4l2::vidioc,
    video::{Capture as _, capture::Parameters},
};

use crate::{
    capture::{
        Settings, choose,
        choose::{Interval, Offer, Rates, Steps},
        colour::Named,
        descriptor,
        descriptor::{Descriptor, borrow, ioctl},
        driver, enumerate,
        error::DeviceError,
        inputs, timings,
    },
    config::values::{Format, Fps, Size},
    media::{Layout, PixelFormat},
};

/// Pixels that a side of a JPEG picture may have.
const SIDES: RangeInclusive<u32> = 1..=65535;

/// An open device, set up and ready to stream.
pub(super) struct Camera {
    device: Arc<Descriptor>,
    /// The path it was opened by.
    pub path: PathBuf,
    /// The driver's name of the device.
    pub card: String,
    /// The driver's name.
    pub driver: String,
    /// What the driver's frames are like.
    pub layout: Layout,
    /// The rate the driver granted; 0 if it does not say.
    pub driver_fps: f64,
    /// The rates at this format and size.
    rates: Rates,
}

/// What a device says of itself.
#[derive(Debug)]
pub(super) struct Identity {
    pub card: String,
    pub driver: String,
    pub bus: String,
    /// `V4L2_CAP_…` of this node.
    pub capabilities: u32,
}

impl Camera {
    /// Opens the device at `path` and sets it to what comes nearest to `settings`.
    pub fn open(path: &Path, settings: &Settings) -> Result<Self, DeviceError> {
        let descriptor = Descriptor::new(descriptor::open(path)?);
        let device = descriptor.device();
        let identity =
            identify(device).map_err(|e| DeviceError::of(path, "VIDIOC_QUERYCAP", &e))?;
        identity.require_capture(path)?;
        let (layout, rates) = negotiate(device, path, settings)?;
        let mut camera = Self {
            device: Arc::new(descriptor),
            path: path.into(),
            card: identity.card,
            driver: identity.driver,
            layout,
            driver_fps: 0.0,
            rates,
        };
        camera.ask_for_rate(settings);
        Ok(camera)
    }

    /// Sets it up again, since another program may have used it meanwhile.
    pub fn set_up(&mut self, settings: &Settings) -> Result<(), DeviceError> {
        (self.layout, self.rates) = negotiate(self.device.device(), &self.path, settings)?;
        self.ask_for_rate(settings);
        Ok(())
    }

    /// A driver without a choice of rates refuses; frames are paced whatever it delivers.
    fn ask_for_rate(&mut self, settings: &Settings) {
        if let Err(error) = self.request_fps(settings.fps) {
            tracing::debug!(camera = settings.name, %error, "the driver takes no frame rate");
        }
    }

    /// Asks the driver for the rate it has that serves `fps` best.
    pub fn request_fps(&mut self, fps: Fps) -> io::Result<()> {
        let wanted = self.rates.interval_for(fps);
        let interval = Fraction::new(wanted.numerator, wanted.denominator);
        let device = self.device.device();
        let result = driver::call("VIDIOC_S_PARM", || {
            device.set_params(&Parameters::new(interval))
        });
        let granted = driver::call("VIDIOC_G_PARM", || device.params());
        self.driver_fps = granted.map_or(0.0, |granted| {
            Interval {
                numerator: granted.interval.numerator,
                denominator: granted.interval.denominator,
            }
            .fps()
        });
        result.map(drop)
    }

    /// Whether the driver could be made to deliver markedly faster than now, and that is wanted.
    pub fn is_too_slow_for(&self, fps: Fps) -> bool {
        self.driver_fps > 0.0 && self.rates.interval_for(fps).fps() > self.driver_fps * 1.01
    }

    /// Whether the device is still there.
    pub fn check(&self) -> Result<(), DeviceError> {
        identify(self.device.device())
            .map(drop)
            .map_err(|e| DeviceError::of(&self.path, "VIDIOC_QUERYCAP", &e))
    }

    /// To ask and set what is no part of the stream.
    pub fn device(&self) -> &Device {
        self.device.device()
    }

    /// What keeps the device open.
    pub fn descriptor(&self) -> Arc<Descriptor> {
        Arc::clone(&self.device)
    }

    /// To poll it.
    pub fn fd(&self) -> BorrowedFd<'_> {
        borrow(self.device.device())
    }
}

impl Identity {
    fn require_capture(&self, path: &Path) -> Result<(), DeviceError> {
        let (path, card) = (path.to_path_buf(), self.card.clone());
        let has = |capability| self.capabilities & capability != 0;
        if !has(sys::V4L2_CAP_VIDEO_CAPTURE) {
            return Err(if has(sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE) {
                DeviceError::MultiPlanar { path, card }
            } else {
                let lacks = "capture video";
                DeviceError::Incapable { path, card, lacks }
            });
        }
        if !has(sys::V4L2_CAP_STREAMING) {
            let lacks = "stream";
            return Err(DeviceError::Incapable { path, card, lacks });
        }
        Ok(())
    }

    /// Whether frames can be had from it.
    pub fn captures(&self) -> bool {
        self.require_capture(Path::new("")).is_ok()
    }
}

/// `VIDIOC_QUERYCAP`. Names that are no UTF-8 (the kernel cuts them at 32 bytes) are mended.
pub(super) fn identify(device: &Device) -> io::Result<Identity> {
    // SAFETY: the structure is made of integers, for which zeros are valid.
    let mut raw: sys::v4l2_capability = unsafe { std::mem::zeroed() };
    ioctl(device, vidioc::VIDIOC_QUERYCAP, &mut raw)?;
    Ok(Identity {
        card: text(&raw.card),
        driver: text(&raw.driver),
        bus: text(&raw.bus_info),
        capabilities: if raw.capabilities & sys::V4L2_CAP_DEVICE_CAPS != 0 {
            raw.device_caps
        } else {
            raw.capabilities
        },
    })
}

/// A text of the driver, without what no text should hold.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(&bytes[..end]);
    text.chars().filter(|c| !c.is_control()).collect()
}

/// The code of a format as people write it.
pub(super) fn code(fourcc: v4l::FourCC) -> String {
    text(&fourcc.repr)
}

/// Chooses an input, a format and a size, and sets them. What the driver makes of it is what counts.
fn negotiate(
    device: &Device,
    path: &Path,
    settings: &Settings,
) -> Result<(Layout, Rates), DeviceError> {
    let input = inputs::select(device, path, settings)?;
    timings::adopt(device, path, input.as_ref(), settings)?;
    let (offers, codes) = offers(device, settings.size);
    let refused = |offered: String| DeviceError::Format {
        path: path.into(),
        wanted: match settings.format {
            Format::Auto => "usable pixel format".into(),
            format => format!("pixel format {format}"),
        },
        offered,
    };
    let chosen = choose::choose(&offers, settings.size, settings.format, settings.fps);
    let (fourcc, size, rates) = match (chosen, settings.format) {
        (Some(offer), _) => (offer.fourcc, offer.size, offer.rates.clone()),
        (None, _) if !codes.is_empty() => return Err(refused(codes.join(", "))),
        // A driver that lists nothing is asked outright; what it answers counts.
        (None, Format::Fixed(format)) => (format.fourcc(), settings.size, Rates::Unknown),
        (None, Format::Auto) => (PixelFormat::Yuyv.fourcc(), settings.size, Rates::Unknown),
    };
    let granted =
        set_format(device, fourcc, size).map_err(|e| DeviceError::of(path, "VIDIOC_S_FMT", &e))?;
    let (width, height) = (granted.width, granted.height);
    if ![width, height].iter().all(|side| SIDES.contains(side)) {
        let path = path.to_path_buf();
        return Err(DeviceError::Size {
            path,
            width,
            height,
        });
    }
    let code = granted.pixelformat.to_le_bytes();
    let format = PixelFormat::from_fourcc(code)
        .filter(|got| settings.format == Format::Auto || settings.format == Format::Fixed(*got))
        .ok_or_else(|| refused(String::from_utf8_lossy(&code).into_owned()))?;
    let layout = Layout {
        format,
        width,
        height,
        stride: match format {
            PixelFormat::Mjpg => 0,
            _ => granted.bytesperline.max(format.min_stride(width)),
        },
        // SAFETY: both fields of the union are the same integer.
        colour: Named::of(&granted, unsafe { granted.__bindgen_anon_1.ycbcr_enc }).colour(format),
    };
    Ok((layout, rates))
}

/// `VIDIOC_S_FMT`; returns what the driver made of it.
fn set_format(device: &Device, fourcc: [u8; 4], size: Size) -> io::Result<sys::v4l2_pix_format> {
    // SAFETY: the structure is made of integers, for which zeros are valid.
    let mut raw: sys::v4l2_format = unsafe { std::mem::zeroed() };
    raw.type_ = Type::VideoCapture as u32;
    raw.fmt.pix = sys::v4l2_pix_format {
        width: size.width,
        height: size.height,
        pixelformat: u32::from_le_bytes(fourcc),
        // SAFETY: as above.
        ..unsafe { std::mem::zeroed() }
    };
    ioctl(device, vidioc::VIDIOC_S_FMT, &mut raw)?;
    // SAFETY: for this buffer type the kernel fills in the union's `pix`.
    Ok(unsafe { raw.fmt.pix })
}

/// What the driver offers that we understand, and the codes of everything it offers.
fn offers(device: &Device, wanted: Size) -> (Vec<Offer>, Vec<String>) {
    let descriptions = enumerate::formats(device);
    let codes = descriptions.iter().map(|d| code(d.fourcc)).collect();
    let mut offers = Vec::new();
    for fourcc in descriptions.iter().map(|d| d.fourcc) {
        let Some(format) = PixelFormat::from_fourcc(fourcc.repr) else {
            continue;
        };
        let sizes = enumerate::sizes(device, fourcc);
        let mut sizes: Vec<Size> = sizes.iter().map(|size| nearest(size, wanted)).collect();
        if sizes.is_empty() {
            // The driver lists no sizes: it takes the wanted one, or makes its own of it.
            sizes.push(wanted);
        }
        offers.extend(sizes.into_iter().map(|size| Offer {
            fourcc: fourcc.repr,
            format,
            size,
            rates: rates(device, fourcc, size),
        }));
    }
    (offers, codes)
}

fn nearest(offered: &FrameSizeEnum, wanted: Size) -> Size {
    match offered {
        FrameSizeEnum::Discrete(size) => Size::new(size.width, size.height),
        FrameSizeEnum::Stepwise(s) => steps(s).nearest(wanted),
    }
}

/// The crate's structure as ours.
pub(super) fn steps(s: &v4l::framesize::Stepwise) -> Steps {
    Steps {
        min: Size::new(s.min_width, s.min_height),
        max: Size::new(s.max_width, s.max_height),
        step: Size::new(s.step_width, s.step_height),
    }
}

/// The rates of one format and size.
pub(super) fn rates(device: &Device, fourcc: v4l::FourCC, size: Size) -> Rates {
    let listed = enumerate::intervals(device, fourcc, size);
    let interval = |fraction: Fraction| Interval {
        numerator: fraction.numerator,
        denominator: fraction.denominator,
    };
    if let Some(FrameIntervalEnum::Stepwise(range)) = listed.first() {
        return Rates::Range {
            fastest: interval(range.min),
            slowest: interval(range.max),
        };
    }
    let discrete: Vec<_> = listed
        .iter()
        .filter_map(|listed| match listed {
            FrameIntervalEnum::Discrete(fraction) => Some(interval(*fraction)),
            FrameIntervalEnum::Stepwise(_) => None,
        })
        .collect();
    if discrete.is_empty() {
        Rates::Unknown
    } else {
        Rates::Discrete(discrete)
    }
}

impl AsFd for Camera {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd()
    }
}
