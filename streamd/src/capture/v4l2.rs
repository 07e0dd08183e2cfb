//! A V4L2 device: asked for what it offers, set to what is wanted of it.

use std::{
    io,
    ops::RangeInclusive,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use v4l::{
    Device, Fraction, frameinterval::FrameIntervalEnum, framesize::FrameSizeEnum, v4l_sys as sys,
    v4l2::vidioc,
};

use crate::{
    capture::{
        Settings, choose,
        choose::{Interval, Offer, Rates, Steps},
        colour::Named,
        descriptor,
        descriptor::{Descriptor, borrow, ioctl},
        enumerate,
        error::DeviceError,
        inputs,
        memory::{Api, Spread},
        timings,
    },
    config::values::{Format, Fps, Size},
    media::{Layout, PixelFormat},
};

/// Pixels that a side of a JPEG picture may have.
const SIDES: RangeInclusive<u32> = 1..=65535;

/// Bytes that a line may have: 16 for each of the most pixels.
const LONGEST_LINE: u32 = 1 << 20;

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
    /// How its buffers hold them.
    pub spread: Spread,
    /// The rate the driver granted; 0 if it does not say.
    pub driver_fps: f64,
    /// The rates at this format and size.
    rates: Rates,
}

/// What was agreed with a driver.
struct Agreed {
    layout: Layout,
    spread: Spread,
    rates: Rates,
}

/// What a driver made of the format that was asked for.
struct Granted {
    fourcc: [u8; 4],
    width: u32,
    height: u32,
    /// Bytes a line of each memory of a buffer.
    strides: Vec<u32>,
    named: Named,
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
        let api = identity.require_capture(path)?;
        let Agreed {
            layout,
            spread,
            rates,
        } = negotiate(device, api, path, settings)?;
        let mut camera = Self {
            device: Arc::new(descriptor),
            path: path.into(),
            card: identity.card,
            driver: identity.driver,
            layout,
            spread,
            driver_fps: 0.0,
            rates,
        };
        camera.ask_for_rate(settings);
        Ok(camera)
    }

    /// Sets it up again, since another program may have used it meanwhile.
    pub fn set_up(&mut self, settings: &Settings) -> Result<(), DeviceError> {
        let agreed = negotiate(self.device.device(), self.spread.api, &self.path, settings)?;
        (self.layout, self.spread, self.rates) = (agreed.layout, agreed.spread, agreed.rates);
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
        let (device, api) = (self.device.device(), self.spread.api);
        let result = interval(device, api, vidioc::VIDIOC_S_PARM, Some(wanted));
        let granted = interval(device, api, vidioc::VIDIOC_G_PARM, None);
        self.driver_fps = granted.map_or(0.0, Interval::fps);
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
    fn require_capture(&self, path: &Path) -> Result<Api, DeviceError> {
        let lacks = match (self.captures(), Api::of(self.capabilities)) {
            (Some(api), _) => return Ok(api),
            (None, Some(_)) => "stream",
            (None, None) => "capture video",
        };
        let (path, card) = (path.to_path_buf(), self.card.clone());
        Err(DeviceError::Incapable { path, card, lacks })
    }

    /// By which API frames can be had from it, if they can.
    pub fn captures(&self) -> Option<Api> {
        let streams = self.capabilities & sys::V4L2_CAP_STREAMING != 0;
        Api::of(self.capabilities).filter(|_| streams)
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
    api: Api,
    path: &Path,
    settings: &Settings,
) -> Result<Agreed, DeviceError> {
    let input = inputs::select(device, path, settings)?;
    timings::adopt(device, path, input.as_ref(), settings)?;
    let (offers, codes) = offers(device, api, settings.size);
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
    let granted = set_format(device, api, fourcc, size)
        .map_err(|e| DeviceError::of(path, "VIDIOC_S_FMT", &e))?;
    let Granted { width, height, .. } = granted;
    if ![width, height].iter().all(|side| SIDES.contains(side)) {
        let path = path.to_path_buf();
        return Err(DeviceError::Size {
            path,
            width,
            height,
        });
    }
    let got = || String::from_utf8_lossy(&granted.fourcc).into_owned();
    let format = PixelFormat::from_fourcc(granted.fourcc)
        .filter(|got| settings.format == Format::Auto || settings.format == Format::Fixed(*got))
        .ok_or_else(|| refused(got()))?;
    if let Some(line) = granted.strides.iter().find(|line| **line > LONGEST_LINE) {
        return Err(refused(format!("{} in lines of {line} bytes", got())));
    }
    let stride = granted.strides.first().copied().unwrap_or(0);
    let layout = Layout {
        format,
        width,
        height,
        stride: match format {
            format if format.is_coded() => 0,
            _ => stride.max(format.min_stride(width)),
        },
        colour: granted.named.colour(format),
    };
    let spread = Spread::new(api, layout, &granted.strides)
        .ok_or_else(|| refused(format!("{} in {} memories", got(), granted.strides.len())))?;
    Ok(Agreed {
        layout,
        spread,
        rates,
    })
}

/// `VIDIOC_S_FMT`; returns what the driver made of it.
fn set_format(device: &Device, api: Api, fourcc: [u8; 4], size: Size) -> io::Result<Granted> {
    let Size { width, height } = size;
    let pixelformat = u32::from_le_bytes(fourcc);
    // SAFETY: the structure is made of integers, for which zeros are valid.
    let mut raw: sys::v4l2_format = unsafe { std::mem::zeroed() };
    raw.type_ = api.buffer_type();
    match api {
        Api::SinglePlanar => {
            raw.fmt.pix = sys::v4l2_pix_format {
                width,
                height,
                pixelformat,
                // SAFETY: as above.
                ..unsafe { std::mem::zeroed() }
            }
        }
        Api::MultiPlanar => {
            raw.fmt.pix_mp = sys::v4l2_pix_format_mplane {
                width,
                height,
                pixelformat,
                // SAFETY: as above.
                ..unsafe { std::mem::zeroed() }
            }
        }
    }
    ioctl(device, vidioc::VIDIOC_S_FMT, &mut raw)?;
    Ok(match api {
        // SAFETY: for this buffer type the kernel fills in the union's `pix`.
        Api::SinglePlanar => Granted::single(unsafe { &raw.fmt.pix }),
        // SAFETY: for this buffer type the kernel fills in the union's `pix_mp`.
        Api::MultiPlanar => Granted::multi(unsafe { &raw.fmt.pix_mp }),
    })
}

impl Granted {
    fn single(pix: &sys::v4l2_pix_format) -> Self {
        Self {
            fourcc: pix.pixelformat.to_le_bytes(),
            width: pix.width,
            height: pix.height,
            strides: vec![pix.bytesperline],
            // SAFETY: both fields of the union are the same integer.
            named: Named::of(pix, unsafe { pix.__bindgen_anon_1.ycbcr_enc }),
        }
    }

    fn multi(pix: &sys::v4l2_pix_format_mplane) -> Self {
        let planes = pix.plane_fmt;
        let planes = planes.iter().take(pix.num_planes.into());
        Self {
            fourcc: pix.pixelformat.to_le_bytes(),
            width: pix.width,
            height: pix.height,
            strides: planes.map(|plane| plane.bytesperline).collect(),
            named: Named {
                colorspace: pix.colorspace,
                // SAFETY: both fields of the union are the same integer.
                encoding: unsafe { pix.__bindgen_anon_1.ycbcr_enc }.into(),
                quantization: pix.quantization.into(),
                transfer: pix.xfer_func.into(),
            },
        }
    }
}

/// `VIDIOC_S_PARM` with an interval, or `VIDIOC_G_PARM`; returns the one that the driver has.
fn interval(
    device: &Device,
    api: Api,
    request: vidioc::_IOC_TYPE,
    wanted: Option<Interval>,
) -> io::Result<Interval> {
    // SAFETY: the structure is made of integers, for which zeros are valid.
    let mut raw: sys::v4l2_streamparm = unsafe { std::mem::zeroed() };
    raw.type_ = api.buffer_type();
    if let Some(wanted) = wanted {
        raw.parm.capture.timeperframe = sys::v4l2_fract {
            numerator: wanted.numerator,
            denominator: wanted.denominator,
        };
    }
    ioctl(device, request, &mut raw)?;
    // SAFETY: for these buffer types the kernel fills in the union's `capture`.
    let granted = unsafe { raw.parm.capture.timeperframe };
    Ok(Interval {
        numerator: granted.numerator,
        denominator: granted.denominator,
    })
}

/// What the driver offers that we understand, and the codes of everything it offers.
fn offers(device: &Device, api: Api, wanted: Size) -> (Vec<Offer>, Vec<String>) {
    let descriptions = enumerate::formats(device, api);
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
