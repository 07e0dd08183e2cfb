//! What can be wrong with a device, in words that say what to do about it.

use std::{
    io,
    mem::{Discriminant, discriminant},
    path::{Path, PathBuf},
};

use nix::errno::Errno;

/// Why a device does not deliver frames. Each names the path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// Nothing is at the path, or what was there is unplugged.
    #[error("{}: no such device: is the camera plugged in?", path.display())]
    Absent {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Several devices have the name that was given.
    #[error("{device}: several cameras have this serial number: name one by its port: {}", ports.join(", "))]
    Ambiguous {
        /// The name.
        device: String,
        /// Names that tell them apart.
        ports: Vec<String>,
    },
    /// The device was there and went away.
    #[error("{}: unplugged", path.display())]
    Unplugged {
        /// Where it was.
        path: PathBuf,
    },
    /// The daemon's user may not open it.
    #[error("{}: permission denied: the daemon's user must be in the group `video`", path.display())]
    Permission {
        /// The device.
        path: PathBuf,
    },
    /// The path is a file or device that knows no V4L2.
    #[error("{}: not a camera: it does not answer VIDIOC_QUERYCAP (`streamctl devices` lists the cameras there are)", path.display())]
    NotACamera {
        /// What was opened.
        path: PathBuf,
    },
    /// A V4L2 device of another kind: output, metadata, codec, radio.
    #[error("{}: {card} does not {lacks} (`streamctl devices` lists the cameras there are)", path.display())]
    Incapable {
        /// The device.
        path: PathBuf,
        /// The driver's name of it.
        card: String,
        /// What it can't do: `capture video`, `stream`.
        lacks: &'static str,
    },
    /// Another program holds it, or another camera of this one.
    #[error("{}: in use by {}", path.display(), holder.clone().unwrap_or_else(|| format!("another program (`fuser -v {}` shows which)", path.display())))]
    Busy {
        /// The device.
        path: PathBuf,
        /// Who, where that can be seen.
        holder: Option<String>,
    },
    /// A call of the driver does not return.
    #[error("{}: the driver does not answer ({step})", path.display())]
    NoAnswer {
        /// The device.
        path: PathBuf,
        /// The call, for instance `VIDIOC_DQBUF`.
        step: &'static str,
    },
    /// No pixel format in common, or not the one that was asked for.
    #[error("{}: no {wanted}: the device offers {offered}", path.display())]
    Format {
        /// The device.
        path: PathBuf,
        /// What was asked for.
        wanted: String,
        /// What there is.
        offered: String,
    },
    /// The driver set a size that no picture has.
    #[error("{}: the driver set a size of {width}x{height}, which no picture has", path.display())]
    Size {
        /// The device.
        path: PathBuf,
        /// Width it set, pixels.
        width: u32,
        /// Height it set, pixels.
        height: u32,
    },
    /// A picture does not fit into the driver's buffers.
    #[error("{}: the driver's buffers have {have} bytes, and a picture has {need}", path.display())]
    Buffers {
        /// The device.
        path: PathBuf,
        /// Bytes of the smallest buffer.
        have: usize,
        /// Bytes of a picture, by the format that the driver set.
        need: usize,
    },
    /// `STREAMON` found no room on the bus.
    #[error("{}: not enough USB bandwidth: choose a smaller size, a lower rate or MJPG, or another USB port", path.display())]
    Bandwidth {
        /// The device.
        path: PathBuf,
    },
    /// The stream is on, but nothing comes.
    #[error("{}: no frames for {seconds} s", path.display())]
    Silent {
        /// The device.
        path: PathBuf,
        /// For how long, s.
        seconds: u64,
    },
    /// Frames come, and none is a whole picture.
    #[error("{}: the camera sends broken pictures: {what}", path.display())]
    Broken {
        /// The device.
        path: PathBuf,
        /// What is wrong with them.
        what: String,
    },
    /// An input brings nothing that is a picture.
    #[error("{}: input {input:?}: {why}", path.display())]
    NoPicture {
        /// The device.
        path: PathBuf,
        /// The driver's name of the input.
        input: String,
        /// What there is instead.
        why: &'static str,
    },
    /// What comes in has other timings than before, or none.
    #[error("{}: the source has changed", path.display())]
    SourceChanged {
        /// The device.
        path: PathBuf,
    },
    /// The configured EDID can't be offered.
    #[error("{}: edid {}: {why}", path.display(), file.display())]
    Edid {
        /// The device.
        path: PathBuf,
        /// The file.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// A camera of another machine of which nothing is known.
    #[error("{host} has not been heard of for {seconds} s")]
    Unheard {
        /// The machine.
        host: String,
        /// For how long, s.
        seconds: u64,
    },
    /// A camera of another machine that is lost there, or is not to be had.
    #[error("{host}: {why}")]
    Elsewhere {
        /// The machine.
        host: String,
        /// What it says.
        why: String,
    },
    /// What brings the cameras of other machines does not.
    #[error("NATS: {why}")]
    Engine {
        /// Why.
        why: String,
    },
    /// Anything else the kernel says.
    #[error("{}: {step}: {}", path.display(), errno.desc())]
    Io {
        /// The device.
        path: PathBuf,
        /// What was being done, for instance `VIDIOC_STREAMON`.
        step: &'static str,
        /// What the kernel said.
        errno: Errno,
    },
}

/// A kind of error, whatever its words: by its variant, and for what the kernel says by the call.
pub(super) type Kind = (Discriminant<DeviceError>, &'static str);

impl DeviceError {
    /// Its kind.
    pub(super) fn kind(&self) -> Kind {
        let step = match self {
            Self::Io { step, .. } => step,
            _ => "",
        };
        (discriminant(self), step)
    }

    /// Classes what `open` or an ioctl returned at `step`.
    pub(super) fn of(path: &Path, step: &'static str, error: &io::Error) -> Self {
        let path = path.to_path_buf();
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32));
        match (errno, step) {
            (Errno::ENOENT | Errno::ENXIO | Errno::ENOTDIR | Errno::ELOOP, "open") => {
                Self::Absent { path }
            }
            (Errno::ENODEV, "open") => Self::Absent { path },
            (Errno::ENODEV, _) => Self::Unplugged { path },
            (Errno::EACCES | Errno::EPERM | Errno::EROFS, "open") => Self::Permission { path },
            (Errno::EISDIR, "open") | (Errno::ENOTTY | Errno::EINVAL, "VIDIOC_QUERYCAP") => {
                Self::NotACamera { path }
            }
            (Errno::EBUSY, _) => Self::Busy { path, holder: None },
            (Errno::ENOSPC, "VIDIOC_STREAMON") => Self::Bandwidth { path },
            (errno, step) => Self::Io { path, step, errno },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(step: &'static str, errno: Errno) -> String {
        let error = io::Error::from_raw_os_error(errno as i32);
        DeviceError::of(Path::new("/dev/video0"), step, &error).to_string()
    }

    #[test]
    fn every_errno_becomes_advice_that_names_the_path() {
        for (step, errno, part) in [
            ("open", Errno::ENOENT, "plugged in"),
            ("open", Errno::EACCES, "group `video`"),
            ("open", Errno::EISDIR, "not a camera"),
            ("VIDIOC_QUERYCAP", Errno::ENOTTY, "not a camera"),
            ("VIDIOC_QUERYCAP", Errno::ENODEV, "unplugged"),
            ("VIDIOC_S_FMT", Errno::EBUSY, "another program"),
            ("VIDIOC_STREAMON", Errno::ENOSPC, "USB bandwidth"),
            ("VIDIOC_QBUF", Errno::ENOSPC, "VIDIOC_QBUF: No space left"),
        ] {
            let text = words(step, errno);
            assert!(text.starts_with("/dev/video0: "), "{text}");
            assert!(text.contains(part), "{text}");
        }
    }
}
