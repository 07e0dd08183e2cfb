//! What a camera answers to each ioctl, as the kernel's documentation of V4L2 has it.

use std::ffi::c_void;

use v4l::{v4l_sys as sys, v4l2::vidioc as v};

use crate::{
    buffers::{Buffers, Filled, memories},
    controls,
    lists::{capabilities, list_input, list_interval, list_size, nearest},
    open::{Format, Open},
    orders::{Call, Fault, Model, When},
};

/// `VIDEO_MAX_FRAME`.
const MOST_BUFFERS: u32 = 32;

/// # Safety
/// The argument is a pointer to the `T` of the request, as the caller of `ioctl` promises.
pub(crate) unsafe fn argument<'a, T>(argument: *mut c_void) -> &'a mut T {
    // SAFETY: by the caller.
    unsafe { &mut *argument.cast() }
}

fn call_of(request: u32) -> Call {
    let known: [(_, Call); 24] = [
        (v::VIDIOC_QUERYCAP, Call::QueryCap),
        (v::VIDIOC_ENUM_FMT, Call::EnumFmt),
        (v::VIDIOC_ENUM_FRAMESIZES, Call::EnumFrameSizes),
        (v::VIDIOC_ENUM_FRAMEINTERVALS, Call::EnumFrameIntervals),
        (v::VIDIOC_G_FMT, Call::GetFmt),
        (v::VIDIOC_S_FMT, Call::SetFmt),
        (v::VIDIOC_TRY_FMT, Call::TryFmt),
        (v::VIDIOC_G_PARM, Call::GetParm),
        (v::VIDIOC_S_PARM, Call::SetParm),
        (v::VIDIOC_ENUMINPUT, Call::EnumInput),
        (v::VIDIOC_G_INPUT, Call::GetInput),
        (v::VIDIOC_S_INPUT, Call::SetInput),
        (v::VIDIOC_REQBUFS, Call::ReqBufs),
        (v::VIDIOC_QUERYBUF, Call::QueryBuf),
        (v::VIDIOC_QBUF, Call::QBuf),
        (v::VIDIOC_DQBUF, Call::DqBuf),
        (v::VIDIOC_STREAMON, Call::StreamOn),
        (v::VIDIOC_STREAMOFF, Call::StreamOff),
        (v::VIDIOC_QUERYCTRL, Call::Controls),
        (v::VIDIOC_QUERY_EXT_CTRL, Call::Controls),
        (v::VIDIOC_QUERYMENU, Call::Controls),
        (v::VIDIOC_G_EXT_CTRLS, Call::Controls),
        (v::VIDIOC_S_EXT_CTRLS, Call::Controls),
        (v::VIDIOC_TRY_EXT_CTRLS, Call::Controls),
    ];
    let found = known.iter().find(|(number, _)| *number as u32 == request);
    found.map_or(Call::Other, |(_, call)| *call)
}

impl Open {
    /// Answers an ioctl.
    ///
    /// # Errors
    /// The errno.
    pub fn ioctl(&self, request: u32, pointer: *mut c_void) -> Result<(), i32> {
        let call = call_of(request);
        self.camera.attempt(call)?;
        if self.is_gone() {
            return Err(libc::ENODEV);
        }
        let orders = self.camera.orders();
        let model = &orders.model;
        if model.encodes {
            // SAFETY: as the caller of `ioctl` promises.
            return unsafe { self.encoder.lock().answer(self, call, request, pointer) };
        }
        // SAFETY: as the caller of `ioctl` promises; the type is that of the request.
        unsafe {
            match call {
                Call::QueryCap => capabilities(model, argument(pointer)),
                Call::EnumFmt => self.list_format(model, argument(pointer)),
                Call::EnumFrameSizes => list_size(model, argument(pointer)),
                Call::EnumFrameIntervals => list_interval(model, argument(pointer)),
                Call::GetFmt => self.get_format(argument(pointer)),
                Call::SetFmt => self.choose_format(model, argument(pointer), true),
                Call::TryFmt => self.choose_format(model, argument(pointer), false),
                Call::GetParm => self.get_interval(model, argument(pointer)),
                Call::SetParm => self.set_interval(model, argument(pointer)),
                Call::EnumInput => list_input(argument(pointer)),
                Call::GetInput => {
                    *argument::<i32>(pointer) = 0;
                    Ok(())
                }
                Call::SetInput => match *argument::<i32>(pointer) {
                    0 => Ok(()),
                    _ => Err(libc::EINVAL),
                },
                Call::ReqBufs => self.request_buffers(argument(pointer)),
                Call::QueryBuf => self.describe_buffer(argument(pointer)),
                Call::QBuf => self.queue(argument(pointer)),
                Call::DqBuf => self.dequeue(argument(pointer)),
                Call::StreamOn => self.stream_on(*argument::<u32>(pointer)),
                Call::StreamOff => {
                    self.stream_off();
                    Ok(())
                }
                Call::Controls => controls::answer(&self.camera, request, pointer),
                _ => Err(libc::ENOTTY),
            }
        }
    }

    /// The first fault that `which` picks.
    pub fn fault<T>(&self, which: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        self.camera
            .find(|fault| which(fault).map(|found| (found, When::Always)))
    }

    /// Whether this is wrong with it.
    pub fn has(&self, wrong: &Fault) -> bool {
        self.fault(|fault| (fault == wrong).then_some(())).is_some()
    }

    fn get_format(&self, to: &mut sys::v4l2_format) -> Result<(), i32> {
        self.describe_format(&self.format(), to)
    }

    fn choose_format(
        &self,
        model: &Model,
        to: &mut sys::v4l2_format,
        set: bool,
    ) -> Result<(), i32> {
        // SAFETY: for this buffer type it is the union's `pix`.
        let asked = unsafe { to.fmt.pix };
        let mut format = nearest(model, asked.pixelformat, (asked.width, asked.height));
        let granted = self.fault(|fault| match fault {
            Fault::Grants(fourcc, width, height) => Some((fourcc.clone(), *width, *height)),
            _ => None,
        });
        if let Some((fourcc, width, height)) = granted {
            format = Format {
                fourcc,
                width,
                height,
            };
        }
        if set {
            if self.buffers.lock().count > 0 {
                return Err(libc::EBUSY);
            }
            self.take()?;
            self.set_format(&format);
            self.let_go();
        }
        self.describe_format(&format, to)
    }

    /// Bytes a line, and in all, of each memory of a buffer, as they are.
    fn bytes(&self, format: &Format) -> Vec<(u32, u32)> {
        let Format {
            fourcc,
            width,
            height,
        } = format;
        let memories = memories(fourcc, *width, *height);
        let bytes = memories.iter().map(|memory| match memory.lines {
            // Of a coded picture, more than it ever needs.
            0 => (0, width * height * 2 + self.data_offset()),
            lines => {
                let line = memory.line + self.padding();
                (line, line * lines + self.data_offset())
            }
        });
        bytes.collect()
    }

    fn describe_format(&self, format: &Format, to: &mut sys::v4l2_format) -> Result<(), i32> {
        if to.type_ != self.buffer_type() {
            return Err(libc::EINVAL);
        }
        let bytes = self.bytes(format);
        let said_line = self.fault(|fault| match fault {
            Fault::LineBytes(bytes) => Some(*bytes),
            _ => None,
        });
        let said_image = self.fault(|fault| match fault {
            Fault::ImageBytes(bytes) => Some(*bytes),
            _ => None,
        });
        // As JPEG has it: what comes out is to be what went in.
        let colorspace = sys::v4l2_colorspace_V4L2_COLORSPACE_JPEG;
        let quantization = sys::v4l2_quantization_V4L2_QUANTIZATION_FULL_RANGE;
        // SAFETY: zeros are valid for a structure of integers.
        to.fmt = unsafe { std::mem::zeroed() };
        if self.is_multi_planar() {
            // SAFETY: it was just written.
            let pix = unsafe { &mut to.fmt.pix_mp };
            (pix.width, pix.height) = (format.width, format.height);
            pix.pixelformat = code(&format.fourcc);
            pix.field = sys::v4l2_field_V4L2_FIELD_NONE;
            (pix.colorspace, pix.quantization) = (colorspace, quantization as u8);
            pix.num_planes = self.memories(bytes.len()) as u8;
            for (plane, (line, image)) in bytes.into_iter().enumerate() {
                pix.plane_fmt[plane].bytesperline = said_line.unwrap_or(line);
                pix.plane_fmt[plane].sizeimage = said_image.unwrap_or(image);
            }
            return Ok(());
        }
        // SAFETY: it was just written.
        let pix = unsafe { &mut to.fmt.pix };
        (pix.width, pix.height) = (format.width, format.height);
        pix.pixelformat = code(&format.fourcc);
        pix.field = sys::v4l2_field_V4L2_FIELD_NONE;
        let (line, image) = bytes[0];
        pix.bytesperline = said_line.unwrap_or(line);
        pix.sizeimage = said_image.unwrap_or(image);
        (pix.colorspace, pix.quantization) = (colorspace, quantization);
        Ok(())
    }

    fn is_multi_planar(&self) -> bool {
        self.camera.orders().model.multi_planar
    }

    /// The type of its buffers.
    pub fn buffer_type(&self) -> u32 {
        match self.is_multi_planar() {
            true => sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE,
            false => sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE,
        }
    }

    /// How many memories it says that a buffer has.
    fn memories(&self, has: usize) -> usize {
        let said = self.fault(|fault| match fault {
            Fault::Memories(count) => Some(*count as usize),
            _ => None,
        });
        said.unwrap_or(has)
    }

    fn get_interval(&self, model: &Model, to: &mut sys::v4l2_streamparm) -> Result<(), i32> {
        let said = self.fault(|fault| match fault {
            Fault::Interval(numerator, denominator) => Some((*numerator, *denominator)),
            _ => None,
        });
        let fps = match self.buffers.lock().fps {
            0 => model.fps[0],
            fps => fps,
        };
        let (numerator, denominator) = said.unwrap_or((1, fps));
        if to.type_ != self.buffer_type() {
            return Err(libc::EINVAL);
        }
        // SAFETY: zeros are valid for a structure of integers.
        to.parm.capture = unsafe { std::mem::zeroed() };
        // SAFETY: it was just written.
        let capture = unsafe { &mut to.parm.capture };
        capture.capability = sys::V4L2_CAP_TIMEPERFRAME;
        capture.timeperframe = sys::v4l2_fract {
            numerator,
            denominator,
        };
        Ok(())
    }

    fn set_interval(&self, model: &Model, to: &mut sys::v4l2_streamparm) -> Result<(), i32> {
        // SAFETY: for this buffer type it is the union's `capture`.
        let asked = unsafe { to.parm.capture.timeperframe };
        let fits = |fps: &&u32| {
            u64::from(asked.numerator) * u64::from(**fps) == u64::from(asked.denominator)
        };
        let fps = *model.fps.iter().find(fits).unwrap_or(&model.fps[0]);
        self.buffers.lock().fps = fps;
        self.get_interval(model, to)
    }

    fn request_buffers(&self, to: &mut sys::v4l2_requestbuffers) -> Result<(), i32> {
        if to.memory != sys::v4l2_memory_V4L2_MEMORY_MMAP || to.type_ != self.buffer_type() {
            return Err(libc::EINVAL);
        }
        self.take()?;
        if self.buffers.lock().streaming {
            return Err(libc::EBUSY);
        }
        let most = self.fault(|fault| match fault {
            Fault::Buffers(count) => Some(*count),
            _ => None,
        });
        let small = self.fault(|fault| match fault {
            Fault::BufferBytes(bytes) => Some(*bytes),
            _ => None,
        });
        let lengths = self.bytes(&self.format()).into_iter();
        let lengths = lengths.map(|(_, bytes)| small.unwrap_or(bytes)).collect();
        to.count = to.count.min(most.unwrap_or(MOST_BUFFERS));
        let mut buffers = self.buffers.lock();
        let fps = buffers.fps;
        // What the program still has mapped stays with it.
        *buffers = Buffers::none().map_err(|_| libc::ENOMEM)?;
        buffers.fps = fps;
        buffers
            .allocate(to.count, lengths)
            .map_err(|_| libc::ENOMEM)?;
        if to.count == 0 {
            self.let_go();
        }
        Ok(())
    }

    fn describe_buffer(&self, to: &mut sys::v4l2_buffer) -> Result<(), i32> {
        let buffers = self.buffers.lock();
        if to.index >= buffers.count {
            return Err(libc::EINVAL);
        }
        to.flags = sys::V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
        if to.type_ != self.buffer_type() {
            return Err(libc::EINVAL);
        }
        if self.is_multi_planar() {
            let index = to.index;
            let planes = self.planes(to, buffers.lengths.len())?;
            for (memory, plane) in planes.iter_mut().enumerate() {
                plane.length = buffers.lengths[memory];
                plane.m.mem_offset = buffers.offset(index, memory);
            }
            return Ok(());
        }
        to.length = buffers.lengths[0];
        to.m.offset = buffers.offset(to.index, 0);
        Ok(())
    }

    /// The planes that the program has room for in its question, as many as a buffer has memories.
    fn planes<'a>(
        &self,
        to: &'a mut sys::v4l2_buffer,
        memories: usize,
    ) -> Result<&'a mut [sys::v4l2_plane], i32> {
        if (to.length as usize) < memories {
            return Err(libc::EINVAL);
        }
        to.length = self.memories(memories) as u32;
        // SAFETY: by V4L2, this is where the program's planes are, so many as `length` said.
        Ok(unsafe { std::slice::from_raw_parts_mut(to.m.planes, memories) })
    }

    fn queue(&self, from: &mut sys::v4l2_buffer) -> Result<(), i32> {
        let mut buffers = self.buffers.lock();
        let is_filled = buffers
            .filled
            .iter()
            .any(|filled| filled.index == from.index);
        if from.type_ != self.buffer_type() {
            return Err(libc::EINVAL);
        }
        if self.is_multi_planar() {
            self.planes(from, buffers.lengths.len())?;
        }
        if from.index >= buffers.count || is_filled || buffers.queued.contains(&from.index) {
            return Err(libc::EINVAL);
        }
        buffers.queued.push_back(from.index);
        Ok(())
    }

    fn dequeue(&self, to: &mut sys::v4l2_buffer) -> Result<(), i32> {
        let mut buffers = self.buffers.lock();
        if !buffers.streaming || to.type_ != self.buffer_type() {
            return Err(libc::EINVAL);
        }
        let filled = buffers.filled.pop_front().ok_or(libc::EAGAIN)?;
        self.withdraw();
        to.index = filled.index;
        to.sequence = filled.number;
        to.timestamp.tv_sec = filled.stamp / 1_000_000;
        to.timestamp.tv_usec = filled.stamp % 1_000_000;
        to.field = sys::v4l2_field_V4L2_FIELD_NONE;
        to.flags = sys::V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
        if filled.damaged {
            to.flags |= sys::V4L2_BUF_FLAG_ERROR;
        }
        if self.is_multi_planar() {
            return self.describe_planes(&filled, &buffers, to);
        }
        to.bytesused = filled.bytes;
        to.length = buffers.lengths[0];
        Ok(())
    }

    fn describe_planes(
        &self,
        filled: &Filled,
        buffers: &Buffers,
        to: &mut sys::v4l2_buffer,
    ) -> Result<(), i32> {
        let before = filled.before;
        let mut rest = filled.bytes;
        for (memory, plane) in self
            .planes(to, buffers.lengths.len())?
            .iter_mut()
            .enumerate()
        {
            plane.length = buffers.lengths[memory];
            let bytes = rest.min(plane.length.saturating_sub(before));
            rest -= bytes;
            (plane.data_offset, plane.bytesused) = (before, bytes + before);
        }
        Ok(())
    }

    fn stream_on(&self, buffer_type: u32) -> Result<(), i32> {
        let mut buffers = self.buffers.lock();
        if buffers.count == 0 || buffer_type != self.buffer_type() {
            return Err(libc::EINVAL);
        }
        if !buffers.streaming {
            buffers.begin();
        }
        Ok(())
    }

    fn stream_off(&self) {
        let mut buffers = self.buffers.lock();
        buffers.streaming = false;
        buffers.queued.clear();
        for _ in 0..std::mem::take(&mut buffers.filled).len() {
            self.withdraw();
        }
    }
}

pub(crate) fn code(fourcc: &str) -> u32 {
    fourcc
        .bytes()
        .take(4)
        .rev()
        .fold(0, |code, byte| code << 8 | u32::from(byte))
}

/// A text as drivers have it: cut, and with a zero byte at its end.
pub(crate) fn text<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let length = text.len().min(N - 1);
    bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
    bytes
}
