//! The functions of the C library that a program reaches a camera by. What is no camera is passed on.

use std::{
    ffi::{CStr, CString, OsStr},
    os::unix::ffi::OsStrExt,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use libc::{
    c_char, c_int, c_long, c_uint, c_ulong, c_void, fd_set, mode_t, nfds_t, off_t, pollfd,
    sigset_t, size_t, timespec, timeval,
};

use crate::{camera, open, orders::Call};

/// The function of this name that would be called without this library.
macro_rules! real {
    ($name:ident: fn($($argument:ty),*) -> $result:ty) => {{
        static FOUND: AtomicUsize = AtomicUsize::new(0);
        let mut at = FOUND.load(Ordering::Relaxed);
        if at == 0 {
            let name = concat!(stringify!($name), "\0");
            // SAFETY: the name ends with a zero byte.
            at = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr().cast()) } as usize;
            assert_ne!(at, 0, "the C library has {}", stringify!($name));
            FOUND.store(at, Ordering::Relaxed);
        }
        // SAFETY: the C library's function of this name takes these arguments.
        unsafe { std::mem::transmute::<usize, unsafe extern "C" fn($($argument),*) -> $result>(at) }
    }};
}

fn fail(errno: i32) -> c_int {
    // SAFETY: each thread has its errno.
    unsafe { *libc::__errno_location() = errno };
    -1
}

fn returned(result: Result<(), i32>) -> c_int {
    result.map_or_else(fail, |()| 0)
}

/// # Safety
/// `path` is null or ends with a zero byte.
unsafe fn path_of<'p>(path: *const c_char) -> &'p Path {
    if path.is_null() {
        return Path::new("");
    }
    // SAFETY: by the caller.
    Path::new(OsStr::from_bytes(
        unsafe { CStr::from_ptr(path) }.to_bytes(),
    ))
}

/// Opens a camera; `None` for what is none, which then is opened by the path that is returned.
unsafe fn open_camera(path: *const c_char, flags: c_int) -> Result<c_int, Option<CString>> {
    // SAFETY: as the caller of `open` promises.
    let path = unsafe { path_of(path) };
    let Some(real) = camera::redirected(path) else {
        return Err(None);
    };
    match camera::at(&real) {
        Some(camera) => Ok(open::open(&camera, flags).unwrap_or_else(fail)),
        None => Err(CString::new(real.as_os_str().as_bytes()).ok()),
    }
}

/// Opens a node itself.
pub(crate) fn open_really(path: &CStr, flags: c_int) -> c_int {
    let real = real!(open: fn(*const c_char, c_int, mode_t) -> c_int);
    // SAFETY: the path ends with a zero byte.
    unsafe { real(path.as_ptr(), flags, 0) }
}

macro_rules! opens {
    ($name:ident($($before:ident: $type:ty)?; path, flags; $($mode:ident: $mode_type:ty)?)) => {
        /// # Safety
        /// As of the C library's.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            $($before: $type,)?
            path: *const c_char,
            flags: c_int,
            $($mode: $mode_type,)?
        ) -> c_int {
            // SAFETY: as the caller promises.
            match unsafe { open_camera(path, flags) } {
                Ok(fd) => fd,
                Err(other) => {
                    let path = other.as_ref().map_or(path, |other| other.as_ptr());
                    let real = real!($name: fn($($type,)? *const c_char, c_int $(, $mode_type)?) -> c_int);
                    // SAFETY: as the caller promises.
                    unsafe { real($($before,)? path, flags $(, $mode)?) }
                }
            }
        }
    };
}

opens!(open(; path, flags; mode: mode_t));
opens!(open64(; path, flags; mode: mode_t));
opens!(openat(at: c_int; path, flags; mode: mode_t));
opens!(openat64(at: c_int; path, flags; mode: mode_t));
opens!(__open_2(; path, flags; ));
opens!(__open64_2(; path, flags; ));

/// # Safety
/// As of the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opendir(path: *const c_char) -> *mut c_void {
    // SAFETY: as the caller promises.
    let other = camera::redirected(unsafe { path_of(path) });
    let other = other.and_then(|other| CString::new(other.as_os_str().as_bytes()).ok());
    let path = other.as_ref().map_or(path, |other| other.as_ptr());
    let real = real!(opendir: fn(*const c_char) -> *mut c_void);
    // SAFETY: as the caller promises.
    unsafe { real(path) }
}

/// # Safety
/// As of the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn inotify_add_watch(fd: c_int, path: *const c_char, mask: u32) -> c_int {
    // SAFETY: as the caller promises.
    let other = camera::redirected(unsafe { path_of(path) });
    let other = other.and_then(|other| CString::new(other.as_os_str().as_bytes()).ok());
    let path = other.as_ref().map_or(path, |other| other.as_ptr());
    let real = real!(inotify_add_watch: fn(c_int, *const c_char, u32) -> c_int);
    // SAFETY: as the caller promises.
    unsafe { real(fd, path, mask) }
}

/// # Safety
/// As of the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn close(fd: c_int) -> c_int {
    open::close(fd);
    let real = real!(close: fn(c_int) -> c_int);
    // SAFETY: as the caller promises.
    unsafe { real(fd) }
}

/// # Safety
/// As of the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioctl(fd: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    if let Some(open) = open::of(fd) {
        return returned(open.ioctl(request as u32, argument));
    }
    let real = real!(ioctl: fn(c_int, c_ulong, *mut c_void) -> c_int);
    // SAFETY: as the caller promises.
    unsafe { real(fd, request, argument) }
}

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
    if number == libc::SYS_ioctl
        && let Some(open) = open::of(a as c_int)
    {
        return returned(open.ioctl(b as u32, c as *mut c_void)).into();
    }
    type Word = c_long;
    let real = real!(syscall: fn(Word, Word, Word, Word, Word, Word, Word) -> Word);
    // SAFETY: as the caller promises.
    unsafe { real(number, a, b, c, d, e, f) }
}

macro_rules! maps {
    ($name:ident) => {
        /// # Safety
        /// As of the C library's.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            start: *mut c_void,
            bytes: size_t,
            access: c_int,
            flags: c_int,
            mut fd: c_int,
            offset: off_t,
        ) -> *mut c_void {
            if let Some(open) = open::of(fd) {
                match open.memory() {
                    Ok(memory) => fd = memory,
                    Err(errno) => {
                        fail(errno);
                        return libc::MAP_FAILED;
                    }
                }
            }
            let real = real!($name: fn(*mut c_void, size_t, c_int, c_int, c_int, off_t) -> *mut c_void);
            // SAFETY: as the caller promises.
            unsafe { real(start, bytes, access, flags, fd, offset) }
        }
    };
}

maps!(mmap);
maps!(mmap64);

/// What a camera among these descriptors makes of the call; `None` if it is to be passed on.
fn polled(fds: &mut [pollfd]) -> Option<c_int> {
    let (at, open) = fds
        .iter()
        .enumerate()
        .find_map(|(n, poll)| open::of(poll.fd).map(|open| (n, open)))?;
    if let Err(errno) = open.camera.attempt(Call::Poll) {
        return Some(fail(errno));
    }
    let events = open.camera.polled()?;
    fds.iter_mut().for_each(|poll| poll.revents = 0);
    fds[at].revents = events;
    Some(1)
}

/// # Safety
/// As of the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ppoll(
    fds: *mut pollfd,
    count: nfds_t,
    timeout: *const timespec,
    mask: *const sigset_t,
) -> c_int {
    if !fds.is_null() {
        // SAFETY: as the caller promises.
        let given = unsafe { std::slice::from_raw_parts_mut(fds, count as usize) };
        if let Some(result) = polled(given) {
            return result;
        }
    }
    let real = real!(ppoll: fn(*mut pollfd, nfds_t, *const timespec, *const sigset_t) -> c_int);
    // SAFETY: as the caller promises.
    unsafe { real(fds, count, timeout, mask) }
}

/// # Safety
/// As of the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn poll(fds: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int {
    let milliseconds = c_uint::try_from(timeout).ok();
    let timeout = milliseconds.map(|ms| timespec {
        tv_sec: (ms / 1000).into(),
        tv_nsec: c_long::from(ms % 1000) * 1_000_000,
    });
    let timeout = timeout
        .as_ref()
        .map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: as the caller promises.
    unsafe { ppoll(fds, count, timeout, std::ptr::null()) }
}

/// Nothing can be written to a camera; to the end of a pair of sockets it always can.
///
/// # Safety
/// As of the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn select(
    count: c_int,
    readable: *mut fd_set,
    writable: *mut fd_set,
    exceptional: *mut fd_set,
    timeout: *mut timeval,
) -> c_int {
    let cameras = (0..count).filter(|fd| open::of(*fd).is_some());
    for fd in cameras.filter(|_| !writable.is_null()) {
        // SAFETY: as the caller promises, it is a set of descriptors below `count`.
        unsafe { libc::FD_CLR(fd, writable) };
    }
    type Set = *mut fd_set;
    let real = real!(select: fn(c_int, Set, Set, Set, *mut timeval) -> c_int);
    // SAFETY: as the caller promises.
    unsafe { real(count, readable, writable, exceptional, timeout) }
}
