//! Frames one after the other: a new MJPEG file, or a pipe into another program.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::{errno::Errno, unistd};

use super::{
    save::Error,
    steering::{Steering, Woken},
};

/// A pipe that is said to be writable takes this much without blocking (PIPE_BUF).
const PIPE_BYTES: usize = 4096;

/// A reader that does not read is asked about the wakeups this often at least.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where frames are written one after the other.
#[derive(Debug)]
pub enum Output {
    /// A new file.
    File(PathBuf, File),
    /// Standard output.
    Pipe(OwnedFd),
}

/// What became of a frame that was to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It has been.
    Whole,
    /// The reader has gone away, which is its right, or the watch is to end.
    Enough,
}

impl Output {
    /// Makes a new file, or takes standard output for `-`.
    ///
    /// # Errors
    /// When the file exists or cannot be made.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let error = |source| Error::new(path, source);
        if path == Path::new("-") {
            let fd = io::stdout().as_fd().try_clone_to_owned();
            return fd.map(Self::Pipe).map_err(error);
        }
        let file = File::create_new(path).map_err(error)?;
        Ok(Self::File(path.to_owned(), file))
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// When it cannot be written, for instance to a full disk.
    pub fn write(&mut self, jpeg: &[u8], steering: &Steering) -> Result<Written, Error> {
        match self {
            Self::File(path, file) => match file.write_all(jpeg) {
                Ok(()) => Ok(Written::Whole),
                Err(source) => Err(Error::new(path, source)),
            },
            Self::Pipe(fd) => write_pipe(fd.as_fd(), jpeg, steering)
                .map_err(|source| Error::new(Path::new("standard output"), source)),
        }
    }
}

/// Writes so that a reader that does not read can be left.
fn write_pipe(fd: BorrowedFd<'_>, mut bytes: &[u8], steering: &Steering) -> io::Result<Written> {
    while !bytes.is_empty() {
        match steering.wait_writable(fd, Instant::now() + PATIENCE)? {
            Woken::Ready => {}
            _ if steering.stop() => return Ok(Written::Enough),
            _ => continue,
        }
        match unistd::write(fd, &bytes[..bytes.len().min(PIPE_BYTES)]) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::EPIPE) => return Ok(Written::Enough),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(Written::Whole)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn an_existing_file_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.mjpeg");
        std::fs::write(&path, b"precious").unwrap();
        let error = Output::open(&path).unwrap_err();
        assert!(error.to_string().contains("exists"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn a_pipe_gets_every_byte_and_may_be_closed() {
        let (mut reader, writer) = io::pipe().unwrap();
        let steering = Steering::by_hand().unwrap();
        let mut output = Output::Pipe(writer.into());
        let frame = vec![7; 300_000];
        let copy = frame.clone();
        let read = std::thread::spawn(move || {
            let mut got = vec![0; copy.len()];
            reader.read_exact(&mut got).unwrap();
            assert!(got == copy);
        });
        assert_eq!(output.write(&frame, &steering).unwrap(), Written::Whole);
        read.join().unwrap();
        assert_eq!(output.write(&frame, &steering).unwrap(), Written::Enough);
    }

    #[test]
    fn a_pipe_that_nobody_reads_can_be_left() {
        let (_reader, writer) = io::pipe().unwrap();
        let steering = Steering::by_hand().unwrap();
        steering.end().unwrap();
        let mut output = Output::Pipe(writer.into());
        let frame = vec![7; 3_000_000];
        assert_eq!(output.write(&frame, &steering).unwrap(), Written::Enough);
    }
}
