//! A device's descriptor: opened, asked by ioctl, closed. Each is a call of the driver.

use std::{
    io,
    os::{fd::BorrowedFd, unix::ffi::OsStrExt},
    path::Path,
};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use v4l::{Device, v4l2::vidioc};

use super::{driver, error::DeviceError};

/// An open device, shared by all that may still need it; the last one closes it.
pub(crate) struct Descriptor(Option<Device>);

impl Descriptor {
    /// Takes a device.
    pub fn new(device: Device) -> Self {
        Self(Some(device))
    }

    /// The device.
    pub fn device(&self) -> &Device {
        self.0.as_ref().expect("it is taken out at the end only")
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        driver::call("close", || drop(self.0.take()));
    }
}

/// Opens whatever answers to `path`, for reading and writing, without blocking.
pub(crate) fn open(path: &Path) -> Result<Device, DeviceError> {
    if path.as_os_str().as_bytes().contains(&0) {
        return Err(DeviceError::Absent { path: path.into() });
    }
    let failed = |error: io::Error| DeviceError::of(path, "open", &error);
    driver::concerns(path);
    let device = driver::call("open", || Device::with_path(path)).map_err(failed)?;
    fcntl(borrow(&device), FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map_err(|e| failed(e.into()))?;
    Ok(device)
}

/// Its descriptor.
pub(crate) fn borrow(device: &Device) -> BorrowedFd<'_> {
    let fd = device.handle().fd();
    // SAFETY: the descriptor stays open as long as `device`, which the result borrows.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// How often a call that a signal interrupts is repeated: a driver that always says so must not
/// keep the thread.
const INTERRUPTIONS: u32 = 16;

/// An ioctl whose argument is a `T`, repeated when a signal interrupts it.
pub(crate) fn ioctl<T>(
    device: &Device,
    request: vidioc::_IOC_TYPE,
    argument: &mut T,
) -> io::Result<()> {
    // asm-generic/ioctl.h: the size of the argument stands in 14 bits from bit 16 on.
    let size = request as usize >> 16 & 0x3fff;
    assert_eq!(size, size_of::<T>(), "the request takes another type");
    let fd = device.handle().fd();
    for _ in 0..INTERRUPTIONS {
        if driver::is_relieved() {
            return Err(io::Error::from_raw_os_error(libc::ENODEV));
        }
        let pointer = std::ptr::from_mut(argument).cast();
        // SAFETY: `argument` is valid for reads and writes of the size that the request encodes.
        let ask = || unsafe { v4l::v4l2::ioctl(fd, request, pointer) };
        match driver::call(driver::name(request), ask) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
    Err(io::Error::from_raw_os_error(libc::EINTR))
}
