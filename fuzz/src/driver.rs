//! Any bytes as what is wrong with the answers of a camera's driver.
//!
//! The driver stands where the kernel does: the C library's `syscall`, by which every ioctl goes, is
//! replaced in this program. Its camera is `/dev/zero`, of which buffers can be mapped, and which
//! can always be read.

use std::{
    ffi::{c_int, c_long, c_void},
    path::PathBuf,
    sync::{
        Arc, Once,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use streamd::{
    capture::{Captures, Orders, Settings, Sink, Start, Status, controls},
    config::values::{Arrangement, Chroma, ControlValue, Controls, Device, Format, Fps, Size},
    encode::jpeg::Encoder,
    media::{Origin, RawFrame, Rendition, Scale},
    supervise::heartbeat::Heartbeats,
};
use streamd_protocol::stats::CameraState;
use v4l::{v4l_sys as sys, v4l2::vidioc as v};

/// The camera.
const PATH: &str = "/dev/zero";

/// How long a run may go on with a driver that has nothing to say.
const LONGEST: Duration = Duration::from_millis(300);

/// Bytes that a buffer has at most: no machine's memory is to be filled.
const LARGEST_BUFFER: u32 = 1 << 22;

/// Errors of drivers.
const ERRORS: [c_int; 8] = [
    libc::EAGAIN,
    libc::EBUSY,
    libc::EINTR,
    libc::EINVAL,
    libc::EIO,
    libc::ENOTTY,
    libc::ENOLINK,
    libc::EPIPE,
];

/// The driver of the run under way. One run at a time.
static DRIVER: Mutex<Option<Driver>> = Mutex::new(None);
static RUN: Mutex<()> = Mutex::new(());
static OVER: Condvar = Condvar::new();
static PANICKED: AtomicBool = AtomicBool::new(false);

/// An honest driver, and what is to be made of its answers.
struct Driver {
    script: Vec<u8>,
    at: usize,
    multi_planar: bool,
    fourcc: u32,
    size: (u32, u32),
    frames: u32,
}

/// Whatever the driver answers, the camera streams, is lost or is refused, and no frame is shorter
/// than its layout says.
pub fn run(bytes: &[u8]) {
    let _alone = RUN.lock();
    let Some((how, script)) = bytes.split_first() else {
        return;
    };
    *DRIVER.lock() = Some(Driver::new(*how, script));
    watch_for_panics();
    if how & 0x80 != 0 {
        ask_for_controls();
    } else {
        stream(*how);
    }
    *DRIVER.lock() = None;
    assert!(!PANICKED.load(Ordering::Relaxed), "a thread has panicked");
}

fn ask_for_controls() {
    let path = PathBuf::from(PATH);
    let Ok(listed) = controls::list(&path) else {
        return;
    };
    for control in &listed {
        // It may refuse.
        let value = ControlValue::Number(control.maximum);
        let _ = controls::set(&path, &[(control.name.clone(), value)]);
    }
}

fn stream(how: u8) {
    let settings = Settings {
        name: "main".into(),
        device: Device::Path(PATH.into()),
        size: Size::new(64, 48),
        format: Format::Auto,
        input: None,
        standard: None,
        edid: None,
        fps: Fps::new(if how & 0x40 != 0 { 240.0 } else { 30.0 }),
        arrangement: Arrangement::default(),
        frame_timeout: None,
        controls: Controls::default(),
    };
    let orders = Orders::new(settings).expect("a descriptor");
    orders.set_watched(true);
    let start = Start {
        orders,
        counters: Arc::default(),
        sink: Box::new(Eye(Encoder::new())),
    };
    let captures = Captures::spawn(vec![start], &Heartbeats::default()).expect("a thread");
    let end = Instant::now() + LONGEST;
    let mut driver = DRIVER.lock();
    while driver.as_ref().is_some_and(|driver| !driver.is_done()) {
        if OVER.wait_until(&mut driver, end).timed_out() {
            break;
        }
    }
    drop(driver);
    drop(captures);
}

/// Looks at all of every picture.
struct Eye(Encoder);

impl Sink for Eye {
    fn frame(&mut self, frame: RawFrame) -> Result<bool, String> {
        if frame.origin != Origin::Camera {
            return Ok(true);
        }
        let bytes = (*frame.pixels).as_ref();
        let planes = frame.layout.planes();
        let need: usize = planes.iter().map(|plane| plane.bytes()).sum();
        assert!(bytes.len() >= need, "{} bytes of {need}", bytes.len());
        if u64::from(frame.layout.width) * u64::from(frame.layout.height) <= 1 << 16 {
            let rendition = Rendition {
                quality: 80,
                scale: Scale::Full,
            };
            let encoded = self.0.encode(&frame, rendition, Chroma::Yuv420, &[]);
            return encoded.map(|_| true).map_err(|error| error.to_string());
        }
        Ok(bytes.iter().fold(0_u8, |all, byte| all ^ byte) == 0)
    }

    /// What is lost is tried again later and later: there is no need to wait for that.
    fn status(&mut self, status: Status) {
        if status.state == CameraState::Lost
            && let Some(driver) = DRIVER.lock().as_mut()
        {
            driver.at = driver.script.len();
            OVER.notify_all();
        }
    }
}

fn watch_for_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICKED.store(true, Ordering::Relaxed);
            before(panic);
        }));
    });
}

impl Driver {
    fn new(how: u8, script: &[u8]) -> Self {
        let formats = [
            b"YUYV", b"MJPG", b"NV12", b"YU12", b"GREY", b"NV24", b"RGB3", b"BA81",
        ];
        Self {
            script: script.to_vec(),
            at: 0,
            multi_planar: how & 0x08 != 0,
            fourcc: u32::from_le_bytes(*formats[usize::from(how & 0x07)]),
            size: (64, 48),
            frames: 0,
        }
    }

    fn is_done(&self) -> bool {
        self.at >= self.script.len()
    }

    fn next(&mut self) -> u8 {
        let byte = self.script.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        byte
    }

    fn word(&mut self) -> u32 {
        u32::from_le_bytes(std::array::from_fn(|_| self.next()))
    }

    /// Answers an ioctl, and makes of the answer what the script says.
    ///
    /// # Safety
    /// The argument is that of the request.
    unsafe fn ioctl(&mut self, request: u32, argument: *mut c_void) -> Result<(), c_int> {
        if self.is_done() {
            return Err(libc::ENODEV);
        }
        let order = self.next();
        // SAFETY: by the caller.
        let answered = unsafe { self.answer(request, argument) };
        let size = (request >> 16 & 0x3fff) as usize;
        // SAFETY: an argument is as long as its request says.
        let answer = unsafe { std::slice::from_raw_parts_mut(argument.cast::<u8>(), size) };
        let before = answer.to_vec();
        match order {
            0..=0x7f => answered?,
            0x80..=0xbf => {
                answered?;
                let (at, word) = (usize::from(self.next()) * 4, self.word());
                if let Some(place) = answer
                    .get_mut(at % size.max(4)..)
                    .filter(|to| to.len() >= 4)
                {
                    place[..4].copy_from_slice(&word.to_le_bytes());
                }
            }
            0xc0..=0xdf => answer.iter_mut().for_each(|byte| *byte = self.next()),
            _ => return Err(ERRORS[usize::from(order & 7)]),
        }
        // SAFETY: as above.
        unsafe { self.keep_what_is_the_callers(request, argument, &before) };
        Ok(())
    }

    /// The kernel lets no driver change where the caller's memory is, and no buffer is endless here.
    unsafe fn keep_what_is_the_callers(
        &mut self,
        request: u32,
        argument: *mut c_void,
        before: &[u8],
    ) {
        if [v::VIDIOC_QUERYBUF, v::VIDIOC_QBUF, v::VIDIOC_DQBUF].contains(&request.into()) {
            // SAFETY: these are asked with this structure.
            let (buffer, was) = unsafe {
                (
                    &mut *argument.cast::<sys::v4l2_buffer>(),
                    before.as_ptr().cast::<sys::v4l2_buffer>().read_unaligned(),
                )
            };
            if was.type_ == sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE {
                buffer.m = was.m;
                // SAFETY: so many planes as `answer` has found room for.
                let planes = unsafe { planes_of(buffer) };
                let (which, word) = (usize::from(self.next()), self.word());
                if which & 0x80 != 0 {
                    let plane = &mut planes[which % 4];
                    match which >> 2 & 3 {
                        0 => plane.bytesused = word,
                        1 => plane.data_offset = word,
                        _ => plane.length = word,
                    }
                }
                planes.iter_mut().for_each(|plane| {
                    plane.length = plane.length.min(LARGEST_BUFFER);
                });
            } else if request == v::VIDIOC_QUERYBUF as u32 {
                buffer.length = buffer.length.min(LARGEST_BUFFER);
                // The kernel maps no other place than one that the driver has.
                buffer.m.offset = 0;
            }
        }
        let lists = [v::VIDIOC_G_EXT_CTRLS, v::VIDIOC_S_EXT_CTRLS];
        if lists.contains(&request.into()) {
            // SAFETY: these are asked with this structure.
            let (list, was) = unsafe {
                (
                    &mut *argument.cast::<sys::v4l2_ext_controls>(),
                    before
                        .as_ptr()
                        .cast::<sys::v4l2_ext_controls>()
                        .read_unaligned(),
                )
            };
            (list.controls, list.count) = (was.controls, was.count);
        }
    }

    unsafe fn answer(&mut self, request: u32, argument: *mut c_void) -> Result<(), c_int> {
        let kind = match self.multi_planar {
            true => sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE,
            false => sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE,
        };
        let (width, height) = self.size;
        macro_rules! to {
            ($type:ty) => {
                // SAFETY: by the caller.
                unsafe { &mut *argument.cast::<$type>() }
            };
        }
        match v::_IOC_TYPE::from(request) {
            v::VIDIOC_QUERYCAP => {
                let to = to!(sys::v4l2_capability);
                to.card[..4].copy_from_slice(b"card");
                let captures = match self.multi_planar {
                    true => sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE,
                    false => sys::V4L2_CAP_VIDEO_CAPTURE,
                };
                to.device_caps = captures | sys::V4L2_CAP_STREAMING;
                to.capabilities = to.device_caps | sys::V4L2_CAP_DEVICE_CAPS;
            }
            v::VIDIOC_ENUM_FMT => {
                let to = to!(sys::v4l2_fmtdesc);
                if to.index > 0 {
                    return Err(libc::EINVAL);
                }
                to.pixelformat = self.fourcc;
            }
            v::VIDIOC_ENUM_FRAMESIZES => {
                let to = to!(sys::v4l2_frmsizeenum);
                if to.index > 0 {
                    return Err(libc::EINVAL);
                }
                to.type_ = sys::v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE;
                to.__bindgen_anon_1.discrete = sys::v4l2_frmsize_discrete { width, height };
            }
            v::VIDIOC_ENUM_FRAMEINTERVALS => {
                let to = to!(sys::v4l2_frmivalenum);
                if to.index > 0 {
                    return Err(libc::EINVAL);
                }
                to.type_ = sys::v4l2_frmivaltypes_V4L2_FRMIVAL_TYPE_DISCRETE;
                to.__bindgen_anon_1.discrete = sys::v4l2_fract {
                    numerator: 1,
                    denominator: 240,
                };
            }
            v::VIDIOC_ENUMINPUT => {
                let to = to!(sys::v4l2_input);
                if to.index > 0 {
                    return Err(libc::EINVAL);
                }
                to.type_ = sys::V4L2_INPUT_TYPE_CAMERA;
            }
            v::VIDIOC_G_INPUT => *to!(c_int) = 0,
            v::VIDIOC_S_FMT => {
                let to = to!(sys::v4l2_format);
                let planes: u8 = match &self.fourcc.to_le_bytes() {
                    b"NV12" | b"NV24" => 2,
                    b"YU12" => 3,
                    _ => 1,
                };
                if self.multi_planar {
                    // SAFETY: for this buffer type it is the union's `pix_mp`.
                    let pix = unsafe { &mut to.fmt.pix_mp };
                    (pix.width, pix.height, pix.pixelformat) = (width, height, self.fourcc);
                    pix.num_planes = planes;
                } else {
                    // SAFETY: for this buffer type it is the union's `pix`.
                    let pix = unsafe { &mut to.fmt.pix };
                    (pix.width, pix.height, pix.pixelformat) = (width, height, self.fourcc);
                }
            }
            v::VIDIOC_S_PARM | v::VIDIOC_G_PARM => {
                to!(sys::v4l2_streamparm).parm.capture.timeperframe = sys::v4l2_fract {
                    numerator: 1,
                    denominator: 240,
                };
            }
            v::VIDIOC_REQBUFS => {
                let to = to!(sys::v4l2_requestbuffers);
                to.count = to.count.min(5);
            }
            v::VIDIOC_QUERYBUF | v::VIDIOC_QBUF | v::VIDIOC_DQBUF => {
                let to = to!(sys::v4l2_buffer);
                if to.type_ != kind {
                    return Err(libc::EINVAL);
                }
                // More than a picture of any of the formats needs.
                let bytes = width * height * 4;
                if request == v::VIDIOC_DQBUF as u32 {
                    to.index = self.frames % 5;
                    to.sequence = self.frames;
                    self.frames += 1;
                }
                if self.multi_planar {
                    // SAFETY: by the caller, who has room for as many as it says.
                    for plane in unsafe { planes_of(to) } {
                        (plane.length, plane.bytesused) = (bytes, bytes);
                        (plane.data_offset, plane.m.mem_offset) = (0, 0);
                    }
                    to.length = match &self.fourcc.to_le_bytes() {
                        b"NV12" | b"NV24" => 2,
                        b"YU12" => 3,
                        _ => 1,
                    };
                } else {
                    (to.length, to.bytesused, to.m.offset) = (bytes, bytes, 0);
                }
            }
            v::VIDIOC_STREAMON | v::VIDIOC_STREAMOFF => {}
            v::VIDIOC_QUERY_EXT_CTRL => {
                let to = to!(sys::v4l2_query_ext_ctrl);
                let next = sys::V4L2_CTRL_FLAG_NEXT_CTRL | sys::V4L2_CTRL_FLAG_NEXT_COMPOUND;
                let asked = to.id & !next;
                let kinds = [
                    sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER,
                    sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_MENU,
                    sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_STRING,
                    sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_BITMASK,
                ];
                let at = match to.id & next {
                    0 => asked.wrapping_sub(sys::V4L2_CID_BRIGHTNESS) as usize,
                    _ if asked < sys::V4L2_CID_BRIGHTNESS => 0,
                    _ => (asked - sys::V4L2_CID_BRIGHTNESS) as usize + 1,
                };
                let kind = kinds.get(at).ok_or(libc::EINVAL)?;
                to.id = sys::V4L2_CID_BRIGHTNESS + at as u32;
                to.type_ = *kind;
                to.name[0] = b'a' as _;
                (to.minimum, to.maximum, to.step) = (0, 7, 1);
                (to.elem_size, to.elems) = (8, 1);
            }
            v::VIDIOC_QUERYMENU => {
                let to = to!(sys::v4l2_querymenu);
                // SAFETY: all of the union is bytes.
                unsafe { to.__bindgen_anon_1.name[0] = b'x' };
            }
            v::VIDIOC_G_EXT_CTRLS | v::VIDIOC_S_EXT_CTRLS => {}
            _ => return Err(libc::ENOTTY),
        }
        Ok(())
    }
}

/// # Safety
/// The caller of the ioctl has room for `VIDEO_MAX_PLANES` there.
unsafe fn planes_of(buffer: &mut sys::v4l2_buffer) -> &mut [sys::v4l2_plane] {
    // SAFETY: by the caller.
    unsafe { std::slice::from_raw_parts_mut(buffer.m.planes, sys::VIDEO_MAX_PLANES as usize) }
}

/// The C library's, but for what is asked of a camera.
///
/// # Safety
/// As of the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syscall(
    number: c_long,
    a: c_long,
    b: c_long,
    c: c_long,
    d: c_long,
    e: c_long,
    f: c_long,
) -> c_long {
    // asm-generic/ioctl.h: the letter of V4L2 stands in 8 bits from bit 8 on.
    if number == libc::SYS_ioctl && b >> 8 & 0xff == c_long::from(b'V') {
        let mut driver = DRIVER.lock();
        let result = match driver.as_mut() {
            // SAFETY: as the caller promises.
            Some(driver) => unsafe { driver.ioctl(b as u32, c as *mut c_void) },
            None => Err(libc::ENODEV),
        };
        if driver.as_ref().is_none_or(Driver::is_done) {
            OVER.notify_all();
        }
        drop(driver);
        return match result {
            Ok(()) => 0,
            Err(errno) => {
                // SAFETY: each thread has its errno.
                unsafe { *libc::__errno_location() = errno };
                -1
            }
        };
    }
    type Word = c_long;
    type Call = unsafe extern "C" fn(Word, Word, Word, Word, Word, Word, Word) -> Word;
    static FOUND: AtomicUsize = AtomicUsize::new(0);
    let mut at = FOUND.load(Ordering::Relaxed);
    if at == 0 {
        // SAFETY: the name ends with a zero byte.
        at = unsafe { libc::dlsym(libc::RTLD_NEXT, c"syscall".as_ptr()) } as usize;
        assert_ne!(at, 0, "the C library has syscall");
        FOUND.store(at, Ordering::Relaxed);
    }
    // SAFETY: the C library's function of this name takes these arguments.
    let real = unsafe { std::mem::transmute::<usize, Call>(at) };
    // SAFETY: as the caller promises.
    unsafe { real(number, a, b, c, d, e, f) }
}
