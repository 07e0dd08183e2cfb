//! An encoder for H.264 in the place of a camera: a memory-to-memory device of V4L2, by the kernel's
//! "Stateful Video Encoder Interface". Each open descriptor is a stream of its own. What it makes
//! comes from openh264; what was set last, of any stream, is in the file `videoN.controls`.

use std::{collections::VecDeque, ffi::c_void, os::unix::fs::FileExt, sync::atomic::Ordering};

use openh264::{
    OpenH264API,
    encoder::{BitRate, Encoder as Coder, EncoderConfig, FrameRate, RateControlMode},
    formats::YUVSlices,
};
use openh264_sys2::{ENCODER_OPTION_BITRATE, SBitrateInfo, SPATIAL_LAYER_ALL};
use v4l::{v4l_sys as sys, v4l2::vidioc as v};

use crate::{
    answers::{argument, code},
    buffers::{Memory, memories},
    camera::Camera,
    lists,
    open::{Format, Open},
    orders::{Call, Fault, Frames, Model, Stamp},
};

/// `VIDIOC_S_SELECTION`.
const S_SELECTION: u32 = 0xC040_565F;

/// Where the memory of coded pictures begins; that of pixels begins at 0.
const CODED: u32 = 0x1000_0000;

/// Bits a second that it can do.
const BIT_RATES: std::ops::RangeInclusive<i32> = 25_000..=25_000_000;

/// A stream of the device.
#[derive(Default)]
pub(crate) struct Encoder {
    pixels: Side,
    coded: Side,
    /// What of a picture is one; all of it, if nobody said.
    crop: Option<(u32, u32)>,
    bit_rate: i32,
    fps: f32,
    key: bool,
    coder: Option<Coder>,
}

/// One of its queues.
#[derive(Default)]
struct Side {
    format: Option<Format>,
    /// Bytes of each memory of a buffer.
    lengths: Vec<u32>,
    count: u32,
    streaming: bool,
    /// With the stamp that came with each.
    queued: VecDeque<(u32, sys::timeval)>,
    done: VecDeque<Done>,
}

/// A buffer that goes back.
struct Done {
    index: u32,
    bytes: u32,
    flags: u32,
    stamp: sys::timeval,
}

/// Which of the queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Pixels,
    Coded,
}

fn set<T>(to: &mut T, value: T) -> Result<(), i32> {
    *to = value;
    Ok(())
}

impl Encoder {
    /// Answers an ioctl.
    ///
    /// # Safety
    /// The argument is a pointer to the type of the request.
    pub unsafe fn answer(
        &mut self,
        open: &Open,
        call: Call,
        request: u32,
        pointer: *mut c_void,
    ) -> Result<(), i32> {
        let orders = open.camera.orders();
        let model = &orders.model;
        // SAFETY: by the caller.
        unsafe {
            match call {
                Call::QueryCap => {
                    lists::capabilities(model, argument(pointer))?;
                    let to: &mut sys::v4l2_capability = argument(pointer);
                    to.device_caps = sys::V4L2_CAP_STREAMING
                        | match model.multi_planar {
                            true => sys::V4L2_CAP_VIDEO_M2M_MPLANE,
                            false => sys::V4L2_CAP_VIDEO_M2M,
                        };
                    set(
                        &mut to.capabilities,
                        to.device_caps | sys::V4L2_CAP_DEVICE_CAPS,
                    )
                }
                Call::SetFmt => self.set_format(open, model, argument(pointer)),
                Call::SetParm => {
                    let to: &mut sys::v4l2_streamparm = argument(pointer);
                    let every = to.parm.output.timeperframe;
                    open.camera
                        .note("Interval", every.denominator / every.numerator.max(1));
                    set(
                        &mut self.fps,
                        every.denominator as f32 / every.numerator as f32,
                    )
                }
                Call::ReqBufs => self.request(open, model, argument(pointer)),
                Call::QueryBuf => self.describe(model, argument(pointer)),
                Call::QBuf => {
                    self.queue(model, argument(pointer))?;
                    self.work(open);
                    Ok(())
                }
                Call::DqBuf => self.dequeue(open, model, argument(pointer)),
                Call::StreamOn => {
                    let way = way(model, *argument(pointer))?;
                    set(&mut self.side(way).streaming, true)
                }
                Call::StreamOff => {
                    let way = way(model, *argument(pointer))?;
                    self.stop(open, way);
                    Ok(())
                }
                Call::Controls => self.control(open, request, pointer),
                Call::Other if request == S_SELECTION => {
                    let to: &mut sys::v4l2_selection = argument(pointer);
                    set(&mut self.crop, Some((to.r.width, to.r.height)))
                }
                _ => Err(libc::ENOTTY),
            }
        }
    }

    fn side(&mut self, way: Way) -> &mut Side {
        match way {
            Way::Pixels => &mut self.pixels,
            Way::Coded => &mut self.coded,
        }
    }

    fn set_format(
        &mut self,
        open: &Open,
        model: &Model,
        to: &mut sys::v4l2_format,
    ) -> Result<(), i32> {
        let way = way(model, to.type_)?;
        // SAFETY: the unions' members are made of integers; which of them it is says the type.
        let (asked, mut width, mut height, bytes) = unsafe {
            match model.multi_planar {
                true => {
                    let pix = to.fmt.pix_mp;
                    let bytes = pix.plane_fmt[0].sizeimage;
                    (pix.pixelformat, pix.width, pix.height, bytes)
                }
                false => {
                    let pix = to.fmt.pix;
                    (pix.pixelformat, pix.width, pix.height, pix.sizeimage)
                }
            }
        };
        let names: Vec<&str> = model.formats.iter().map(|offer| &*offer.fourcc).collect();
        let taken = names.iter().find(|name| code(name) == asked);
        let fourcc = match way {
            Way::Coded if open.has(&Fault::OtherCodec) => "HEVC",
            Way::Coded => "H264",
            Way::Pixels => taken.unwrap_or(&names[0]),
        };
        let granted = open.fault(|fault| match fault {
            Fault::Grants(_, width, height) => Some((*width, *height)),
            _ => None,
        });
        if way == Way::Pixels {
            (width, height) = granted.unwrap_or((width, height));
            let rows = open.fault(|fault| match fault {
                Fault::Rows(rows) => Some(*rows),
                _ => None,
            });
            height = height.next_multiple_of(rows.unwrap_or(2));
        }
        let format = Format {
            fourcc: fourcc.into(),
            width,
            height,
        };
        let lines = lines(&format, open.padding());
        let side = self.side(way);
        side.lengths = lines.iter().map(|line| line.line * line.lines).collect();
        if way == Way::Coded {
            side.lengths = vec![bytes.max(65_536)];
        }
        let planes = lines.iter().map(|line| line.line).zip(side.lengths.clone());
        // SAFETY: zeros are valid for integers.
        to.fmt = unsafe { std::mem::zeroed() };
        // SAFETY: it was just written.
        unsafe {
            if model.multi_planar {
                let pix = &mut to.fmt.pix_mp;
                (pix.width, pix.height, pix.pixelformat) = (width, height, code(fourcc));
                pix.num_planes = side.lengths.len() as u8;
                for (n, (line, length)) in planes.enumerate() {
                    pix.plane_fmt[n].bytesperline = line;
                    pix.plane_fmt[n].sizeimage = length;
                }
            } else {
                let pix = &mut to.fmt.pix;
                (pix.width, pix.height, pix.pixelformat) = (width, height, code(fourcc));
                (pix.bytesperline, pix.sizeimage) = (lines[0].line, side.lengths[0]);
            }
        }
        set(&mut side.format, Some(format))
    }

    fn request(
        &mut self,
        open: &Open,
        model: &Model,
        to: &mut sys::v4l2_requestbuffers,
    ) -> Result<(), i32> {
        let way = way(model, to.type_)?;
        let most = open.fault(|fault| match fault {
            Fault::Instances(most) => Some(*most),
            _ => None,
        });
        let in_use = &open.camera.instances;
        let side = self.side(way);
        if way == Way::Pixels && side.count == 0 && to.count > 0 {
            if most.is_some_and(|most| in_use.load(Ordering::SeqCst) >= most) {
                return Err(libc::EBUSY);
            }
            in_use.fetch_add(1, Ordering::SeqCst);
        } else if way == Way::Pixels && side.count > 0 && to.count == 0 {
            in_use.fetch_sub(1, Ordering::SeqCst);
        }
        side.count = to.count.min(8);
        to.count = side.count;
        let end = offset(side, way, side.count, 0);
        let memory = &open.buffers.lock().memory;
        let has = memory.metadata().map_or(0, |memory| memory.len());
        memory
            .set_len(has.max(end.into()))
            .map_err(|_| libc::ENOMEM)
    }

    fn describe(&mut self, model: &Model, to: &mut sys::v4l2_buffer) -> Result<(), i32> {
        let way = way(model, to.type_)?;
        let side = self.side(way);
        if to.index >= side.count {
            return Err(libc::EINVAL);
        }
        if model.multi_planar {
            let index = to.index;
            for (n, plane) in planes(to, side.lengths.len())?.iter_mut().enumerate() {
                plane.length = side.lengths[n];
                plane.m.mem_offset = offset(side, way, index, n);
            }
            return Ok(());
        }
        to.length = side.lengths[0];
        to.m.offset = offset(side, way, to.index, 0);
        Ok(())
    }

    fn queue(&mut self, model: &Model, from: &mut sys::v4l2_buffer) -> Result<(), i32> {
        let way = way(model, from.type_)?;
        let used = match model.multi_planar {
            true => planes(from, self.side(way).lengths.len())?
                .iter()
                .map(|plane| plane.bytesused)
                .collect(),
            false => vec![from.bytesused],
        };
        let side = self.side(way);
        let is_away = side.queued.iter().any(|(index, _)| *index == from.index)
            || side.done.iter().any(|done| done.index == from.index);
        // A picture is whole, and no longer than its buffer.
        let whole = way == Way::Coded || used == side.lengths;
        if from.index >= side.count || is_away || !whole {
            return Err(libc::EINVAL);
        }
        side.queued.push_back((from.index, from.timestamp));
        Ok(())
    }

    fn dequeue(
        &mut self,
        open: &Open,
        model: &Model,
        to: &mut sys::v4l2_buffer,
    ) -> Result<(), i32> {
        let way = way(model, to.type_)?;
        let side = self.side(way);
        if !side.streaming {
            return Err(libc::EINVAL);
        }
        let done = side.done.pop_front().ok_or(libc::EAGAIN)?;
        if way == Way::Coded {
            open.withdraw();
        }
        to.index = done.index;
        to.timestamp = done.stamp;
        to.flags = done.flags | sys::V4L2_BUF_FLAG_TIMESTAMP_COPY;
        to.bytesused = done.bytes;
        if model.multi_planar {
            planes(to, 1)?[0].bytesused = done.bytes;
        }
        Ok(())
    }

    fn stop(&mut self, open: &Open, way: Way) {
        let side = self.side(way);
        side.streaming = false;
        side.queued.clear();
        for _ in 0..std::mem::take(&mut side.done).len() {
            if way == Way::Coded {
                open.withdraw();
            }
        }
        // What comes after this begins with a key.
        self.coder = None;
    }

    fn control(&mut self, open: &Open, request: u32, pointer: *mut c_void) -> Result<(), i32> {
        if request == v::VIDIOC_QUERYCTRL as u32 {
            // SAFETY: the argument is of this request.
            let to: &mut sys::v4l2_queryctrl = unsafe { argument(pointer) };
            if to.id != sys::V4L2_CID_MPEG_VIDEO_BITRATE {
                return Err(libc::EINVAL);
            }
            (to.minimum, to.maximum) = (*BIT_RATES.start(), *BIT_RATES.end());
            return Ok(());
        }
        if request != v::VIDIOC_S_EXT_CTRLS as u32 {
            return Err(libc::EINVAL);
        }
        // SAFETY: the argument is of this request, and there are so many controls where it says.
        let list: &mut [sys::v4l2_ext_control] = unsafe {
            let list: &mut sys::v4l2_ext_controls = argument(pointer);
            std::slice::from_raw_parts_mut(list.controls, list.count as usize)
        };
        for one in list {
            // SAFETY: all controls of an encoder that we know have 32 bits.
            let value = unsafe { one.__bindgen_anon_1.value };
            match one.id {
                sys::V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME if open.has(&Fault::Keyless) => {
                    return Err(libc::EINVAL);
                }
                sys::V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME => {
                    self.key = !open.has(&Fault::DeafToKeys);
                    open.camera.note("Keys", 1);
                }
                sys::V4L2_CID_MPEG_VIDEO_BITRATE if !BIT_RATES.contains(&value) => {
                    return Err(libc::ERANGE);
                }
                sys::V4L2_CID_MPEG_VIDEO_BITRATE => {
                    self.bit_rate = value;
                    open.camera.note("Bit Rate", value as u32);
                }
                sys::V4L2_CID_MPEG_VIDEO_H264_PROFILE => open.camera.note("Profile", value as u32),
                sys::V4L2_CID_MPEG_VIDEO_H264_LEVEL => open.camera.note("Level", value as u32),
                // As many drivers, it has not all that there is.
                sys::V4L2_CID_MPEG_VIDEO_B_FRAMES => return Err(libc::EINVAL),
                _ => {}
            }
        }
        Ok(())
    }

    /// Encodes what is queued, as long as there is room for it.
    fn work(&mut self, open: &Open) {
        while self.pixels.streaming
            && self.coded.streaming
            && !self.pixels.queued.is_empty()
            && self.coded.queued.len() > 1
            && let Some((index, stamp)) = self.pixels.queued.pop_front()
        {
            let packet = self.encode(open, index);
            self.pixels.done.push_back(Done {
                index,
                bytes: 0,
                flags: 0,
                stamp,
            });
            let wrong = open.camera.next_frame();
            if wrong.contains(&Frames::Missing) {
                continue;
            }
            let split = packet.windows(5).position(|at| at == [0, 0, 0, 1, 0x65]);
            match split.filter(|_| open.has(&Fault::HeadsApart)) {
                Some(at) => {
                    self.put(open, &packet[..at], stamp, &[]);
                    self.put(open, &packet[at..], stamp, &wrong);
                }
                None => self.put(open, &packet, stamp, &wrong),
            }
        }
    }

    /// Hands a packet out.
    fn put(&mut self, open: &Open, packet: &[u8], mut stamp: sys::timeval, wrong: &[Frames]) {
        let Some((index, _)) = self.coded.queued.pop_front() else {
            return;
        };
        let at = offset(&self.coded, Way::Coded, index, 0);
        let room = self.coded.lengths[0] as usize;
        let packet = &packet[..packet.len().min(room)];
        let memory = &open.buffers.lock().memory;
        memory
            .write_all_at(packet, at.into())
            .expect("memory can be written to");
        let mut done = Done {
            index,
            bytes: packet.len() as u32,
            flags: 0,
            stamp,
        };
        for wrong in wrong {
            match wrong {
                Frames::Flagged => done.flags |= sys::V4L2_BUF_FLAG_ERROR,
                Frames::Bytes(bytes) => done.bytes = *bytes,
                Frames::Last => {
                    (done.bytes, done.flags) = (0, sys::V4L2_BUF_FLAG_LAST);
                }
                Frames::Index(index) => done.index = *index,
                Frames::Stamp(Stamp::Past) => {
                    stamp.tv_sec -= 1;
                    done.stamp = stamp;
                }
                _ => {}
            }
        }
        self.coded.done.push_back(done);
        open.announce();
    }

    /// A picture in H.264, with parameter sets if it is a key.
    fn encode(&mut self, open: &Open, index: u32) -> Vec<u8> {
        let format = self.pixels.format.clone().expect("buffers have a format");
        let lengths = &self.pixels.lengths;
        let memory = &open.buffers.lock().memory;
        let read = |(n, length): (usize, &u32)| {
            let mut bytes = vec![0; *length as usize];
            let at = offset(&self.pixels, Way::Pixels, index, n);
            memory
                .read_exact_at(&mut bytes, at.into())
                .expect("it is mapped");
            bytes
        };
        let bytes: Vec<u8> = lengths.iter().enumerate().flat_map(read).collect();
        let stride = (format.width + open.padding()) as usize;
        let (y, u, v, chroma_stride) = planes_of(&format, stride, &bytes);
        let (width, height) = self.crop.unwrap_or((format.width, format.height));
        let (lines, chroma_lines) = (height as usize, height as usize / 2);
        let source = YUVSlices::new(
            (
                &y[..lines * stride],
                &u[..chroma_lines * chroma_stride],
                &v[..chroma_lines * chroma_stride],
            ),
            (width as usize, lines),
            (stride, chroma_stride, chroma_stride),
        );
        let bit_rate = self.bit_rate;
        let coder = self.coder.get_or_insert_with(|| {
            let config = EncoderConfig::new()
                .bitrate(BitRate::from_bps(bit_rate as u32))
                .max_frame_rate(FrameRate::from_hz(self.fps))
                .rate_control_mode(RateControlMode::Bitrate)
                .skip_frames(false);
            Coder::with_api_config(OpenH264API::from_source(), config).expect("an encoder")
        });
        let mut rate = SBitrateInfo {
            iLayer: SPATIAL_LAYER_ALL,
            iBitrate: bit_rate,
        };
        // SAFETY: the option's type is the one that the library expects for it. Before the first
        // picture it refuses, and was given the rate when it was made.
        unsafe {
            let option = (&raw mut rate).cast();
            coder.raw_api().set_option(ENCODER_OPTION_BITRATE, option);
        }
        if std::mem::take(&mut self.key) {
            coder.force_intra_frame();
        }
        coder.encode(&source).expect("a picture").to_vec()
    }
}

/// Luma and chroma of a buffer, with the bytes from line to line of the latter.
fn planes_of(format: &Format, stride: usize, bytes: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<u8>, usize) {
    let (luma, chroma) = bytes.split_at(stride * format.height as usize);
    if format.fourcc.starts_with('N') {
        let of = |n| chroma.iter().skip(n).step_by(2).copied().collect();
        return (luma.into(), of(0), of(1), stride / 2);
    }
    let (u, v) = chroma.split_at(chroma.len() / 2);
    (
        luma.into(),
        u.into(),
        v.into(),
        u.len() * 2 / format.height as usize,
    )
}

/// The memories of a buffer, with the padding of their lines.
fn lines(format: &Format, padding: u32) -> Vec<Memory> {
    let Format {
        fourcc,
        width,
        height,
    } = format;
    let mut all = match fourcc.as_str() {
        "YU12" => vec![Memory {
            line: *width,
            lines: height * 3 / 2,
        }],
        other => memories(other, *width, *height),
    };
    for (n, memory) in all.iter_mut().enumerate() {
        memory.line += match fourcc.as_str() {
            "YM12" if n > 0 => padding / 2,
            _ => padding,
        };
    }
    all
}

/// Which queue a type of buffers is.
fn way(model: &Model, buffer_type: u32) -> Result<Way, i32> {
    let [pixels, coded] = match model.multi_planar {
        true => [
            sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE,
            sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE,
        ],
        false => [
            sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_OUTPUT,
            sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE,
        ],
    };
    match buffer_type {
        this if this == pixels => Ok(Way::Pixels),
        this if this == coded => Ok(Way::Coded),
        _ => Err(libc::EINVAL),
    }
}

/// Where a memory of a buffer begins: at a page.
fn offset(side: &Side, way: Way, index: u32, memory: usize) -> u32 {
    let pages = |lengths: &[u32]| -> u32 {
        let lengths = lengths.iter();
        lengths.map(|length| length.next_multiple_of(4096)).sum()
    };
    let begin = match way {
        Way::Pixels => 0,
        Way::Coded => CODED,
    };
    begin + index * pages(&side.lengths) + pages(&side.lengths[..memory])
}

/// The planes that the program has room for, so many as a buffer has memories.
fn planes(to: &mut sys::v4l2_buffer, memories: usize) -> Result<&mut [sys::v4l2_plane], i32> {
    if (to.length as usize) < memories {
        return Err(libc::EINVAL);
    }
    to.length = memories as u32;
    // SAFETY: by V4L2, this is where the program's planes are, so many as `length` said.
    Ok(unsafe { std::slice::from_raw_parts_mut(to.m.planes, memories) })
}

impl Encoder {
    /// The descriptor is closed.
    pub fn ends(&mut self, camera: &Camera) {
        if std::mem::take(&mut self.pixels.count) > 0 {
            camera.instances.fetch_sub(1, Ordering::SeqCst);
        }
    }
}
