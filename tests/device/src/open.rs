//! An open descriptor of a camera. To the program it is one end of a pair of sockets: a byte in it
//! for each filled buffer makes it readable, and hanging up the other end says that the camera is gone.

use std::{
    ffi::CString,
    fs::File,
    os::{
        fd::{AsRawFd, FromRawFd, IntoRawFd, RawFd},
        unix::{
            ffi::OsStrExt,
            fs::{FileExt, MetadataExt},
            net::UnixStream,
        },
    },
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use parking_lot::Mutex;

use crate::{
    buffers::Buffers,
    camera::Camera,
    encoder::Encoder,
    orders::{Call, Fault},
    symbols,
};

/// Descriptors that can be a camera's.
const DESCRIPTORS: usize = 4096;

/// Which descriptors are cameras': asked for each call, from any thread.
static IS_CAMERA: [AtomicBool; DESCRIPTORS] = [const { AtomicBool::new(false) }; DESCRIPTORS];

/// The open cameras by descriptor.
static ALL: Mutex<Vec<(RawFd, Arc<Open>)>> = Mutex::new(Vec::new());

/// A camera that is open.
pub(crate) struct Open {
    pub camera: Arc<Camera>,
    /// The node: its content is the format, its lock is who has the buffers.
    node: File,
    /// The program's end.
    fd: RawFd,
    /// Our end; none once the camera is gone.
    peer: Mutex<Option<UnixStream>>,
    pub buffers: Mutex<Buffers>,
    /// Of a device that encodes.
    pub encoder: Mutex<Encoder>,
}

/// A format that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Format {
    pub fourcc: String,
    pub width: u32,
    pub height: u32,
}

/// Opens a camera for the program.
pub(crate) fn open(camera: &Arc<Camera>, flags: i32) -> Result<RawFd, i32> {
    camera.attempt(Call::Open)?;
    let path = CString::new(camera.path.as_os_str().as_bytes()).map_err(|_| libc::ENOENT)?;
    let node = symbols::open_really(&path, libc::O_RDWR | libc::O_CLOEXEC);
    if node < 0 {
        return Err(std::io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or(libc::EIO));
    }
    // SAFETY: it was just opened, and is nobody else's.
    let node = unsafe { File::from_raw_fd(node) };
    let (ours, programs) = UnixStream::pair().map_err(|_| libc::EMFILE)?;
    let nonblocking = flags & libc::O_NONBLOCK != 0;
    programs
        .set_nonblocking(nonblocking)
        .map_err(|_| libc::EIO)?;
    let fd = programs.into_raw_fd();
    let open = Arc::new(Open {
        camera: Arc::clone(camera),
        node,
        fd,
        peer: Mutex::new(Some(ours)),
        buffers: Mutex::new(Buffers::none().map_err(|_| libc::ENOMEM)?),
        encoder: Mutex::default(),
    });
    let films = Arc::downgrade(&open);
    thread::spawn(move || {
        while let Some(interval) = films.upgrade().and_then(|open| open.tick()) {
            thread::sleep(interval);
        }
    });
    ALL.lock().push((fd, open));
    IS_CAMERA
        .get(fd as usize)
        .ok_or(libc::EMFILE)?
        .store(true, Ordering::Release);
    Ok(fd)
}

/// The camera that this descriptor is of.
pub(crate) fn of(fd: RawFd) -> Option<Arc<Open>> {
    let known = IS_CAMERA.get(usize::try_from(fd).ok()?)?;
    if !known.load(Ordering::Acquire) {
        return None;
    }
    let all = ALL.lock();
    all.iter()
        .find(|(of, _)| *of == fd)
        .map(|(_, open)| Arc::clone(open))
}

/// The program closes this descriptor.
pub(crate) fn close(fd: RawFd) {
    let Some(open) = of(fd) else { return };
    IS_CAMERA[fd as usize].store(false, Ordering::Release);
    ALL.lock().retain(|(of, _)| *of != fd);
    open.buffers.lock().streaming = false;
    open.encoder.lock().ends(&open.camera);
    open.peer.lock().take();
    open.let_go();
}

impl Open {
    /// Whether the node is no longer there, or what was behind it. Once gone, it stays so.
    pub fn is_gone(&self) -> bool {
        let mut peer = self.peer.lock();
        let unplugged = || self.node.metadata().is_ok_and(|node| node.nlink() == 0);
        if unplugged() || self.camera.orders().faults.contains(&Fault::Gone) {
            peer.take();
        }
        peer.is_none()
    }

    /// Makes the descriptor readable for one more buffer.
    pub fn announce(&self) {
        use std::io::Write;
        if let Some(peer) = &mut *self.peer.lock() {
            // The program has closed its end, or will look at its buffers anyway.
            let _ = peer.write(&[0]);
        }
    }

    /// Takes that back.
    pub fn withdraw(&self) {
        let mut byte = 0u8;
        // SAFETY: one byte is written at most.
        unsafe { libc::recv(self.fd, (&raw mut byte).cast(), 1, libc::MSG_DONTWAIT) };
    }

    /// The descriptor with the buffers' memory, to be mapped.
    pub fn memory(&self) -> Result<RawFd, i32> {
        self.camera.attempt(Call::Mmap)?;
        if self.is_gone() {
            return Err(libc::ENODEV);
        }
        Ok(self.buffers.lock().memory.as_raw_fd())
    }

    /// Becomes the one who has the buffers; somebody else has them: `EBUSY`.
    pub fn take(&self) -> Result<(), i32> {
        // SAFETY: a call about a descriptor that is open.
        match unsafe { libc::flock(self.node.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } {
            0 => Ok(()),
            _ => Err(libc::EBUSY),
        }
    }

    /// Lets others have the buffers.
    pub fn let_go(&self) {
        // SAFETY: a call about a descriptor that is open.
        unsafe { libc::flock(self.node.as_raw_fd(), libc::LOCK_UN) };
    }

    /// The format that is set, by whatever program.
    pub fn format(&self) -> Format {
        let mut text = [0; 64];
        let read = self.node.read_at(&mut text, 0).unwrap_or(0);
        let text = String::from_utf8_lossy(&text[..read]).into_owned();
        let words: Vec<_> = text.split_whitespace().collect();
        if let [fourcc, width, height] = words[..]
            && let (Ok(width), Ok(height)) = (width.parse(), height.parse())
        {
            let fourcc = fourcc.into();
            return Format {
                fourcc,
                width,
                height,
            };
        }
        let orders = self.camera.orders();
        let first = orders
            .model
            .formats
            .first()
            .expect("a camera offers something");
        let (width, height) = *first.sizes.first().expect("in some size");
        let fourcc = first.fourcc.clone();
        Format {
            fourcc,
            width,
            height,
        }
    }

    /// Sets it.
    pub fn set_format(&self, format: &Format) {
        let Format {
            fourcc,
            width,
            height,
        } = format;
        let text = format!("{:64}", format!("{fourcc} {width} {height}"));
        // A node that is being removed takes it as well.
        let _ = self.node.write_all_at(text.as_bytes(), 0);
    }
}
