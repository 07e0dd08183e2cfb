//! Tells when something happens to a device's path, by inotify: its node appears, vanishes, or
//! changes its permissions, and the same for the links that lead to it.

use std::{
    ffi::OsString,
    fs, io,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor},
};

/// Links are followed as far as the kernel would, more or less; by-id and by-path are one link.
const LINKS: usize = 8;

/// Times the watches are looked over again because directories changed while they were set.
const ROUNDS: usize = 8;

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WatchFor {
    /// This path, or a link to it.
    Path(PathBuf),
    /// Any `videoN` in the directory.
    AnyVideo(PathBuf),
}

/// A directory to watch, and the names in it that matter.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Point {
    directory: PathBuf,
    name: Name,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Is(OsString),
    BeginsWithVideo,
}

impl Name {
    fn matches(&self, name: &OsString) -> bool {
        match self {
            Self::Is(this) => this == name,
            Self::BeginsWithVideo => name.as_encoded_bytes().starts_with(b"video"),
        }
    }
}

/// The watches of one camera.
#[derive(Debug)]
pub(super) struct Hotplug {
    inotify: Inotify,
    target: Option<WatchFor>,
    watches: Vec<(WatchDescriptor, Name)>,
}

impl Hotplug {
    /// Watches nothing yet.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            inotify: Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?,
            target: None,
            watches: Vec::new(),
        })
    }

    /// Watches `target` and nothing else. What happens from here on is not missed: look at the
    /// device after this call.
    pub fn watch(&mut self, target: Option<WatchFor>) {
        self.target = target;
        self.arm();
    }

    /// Reads what has happened; true if it may concern the device, which then is to be looked at.
    pub fn drain(&mut self) -> bool {
        let mut concerned = false;
        loop {
            match self.inotify.read_events() {
                Ok(events) => concerned |= events.iter().any(|event| self.concerns(event)),
                Err(Errno::EINTR) => {}
                Err(_) => break,
            }
        }
        if concerned {
            // A directory nearer to the path may be there now, or gone.
            self.arm();
        }
        concerned
    }

    fn concerns(&self, event: &InotifyEvent) -> bool {
        let gone =
            AddWatchFlags::IN_IGNORED | AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF;
        let mut here = self.watches.iter().filter(|(wd, _)| *wd == event.wd);
        event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW)
            || here.any(|(_, pattern)| {
                let named = event
                    .name
                    .as_ref()
                    .is_some_and(|name| pattern.matches(name));
                named || event.mask.intersects(gone)
            })
    }

    fn arm(&mut self) {
        let points = |target: &Option<WatchFor>| target.as_ref().map(points_of).unwrap_or_default();
        let mut watched = points(&self.target);
        for _ in 0..ROUNDS {
            self.watch_all(&watched);
            let now = points(&self.target);
            if now == watched {
                return;
            }
            watched = now;
        }
    }

    fn watch_all(&mut self, points: &[Point]) {
        let events = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        let mut watches = Vec::new();
        for point in points {
            // A directory already watched gives the descriptor it has.
            match self.inotify.add_watch(&point.directory, events) {
                Ok(wd) => watches.push((wd, point.name.clone())),
                Err(error) => {
                    tracing::debug!(directory = %point.directory.display(), %error, "not watched");
                }
            }
        }
        for (old, _) in std::mem::replace(&mut self.watches, watches) {
            if !self.watches.iter().any(|(wd, _)| *wd == old) {
                // Fails when the directory is gone, and the watch with it.
                let _ = self.inotify.rm_watch(old);
            }
        }
    }
}

impl AsFd for Hotplug {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

/// The directories in which something must happen before the target can be opened.
fn points_of(target: &WatchFor) -> Vec<Point> {
    let mut path = match target {
        WatchFor::Path(path) => path.clone(),
        WatchFor::AnyVideo(directory) => {
            return vec![Point {
                directory: directory.clone(),
                name: Name::BeginsWithVideo,
            }];
        }
    };
    let mut points = Vec::new();
    for _ in 0..LINKS {
        points.extend(nearest(&path));
        let (Ok(link), Some(parent)) = (fs::read_link(&path), path.parent()) else {
            break;
        };
        path = parent.join(link);
    }
    points
}

/// The nearest directory above `path` that exists, and the name in it that leads on.
fn nearest(path: &Path) -> Option<Point> {
    let mut path = path;
    loop {
        let directory = path.parent()?;
        if directory.is_dir() {
            return Some(Point {
                directory: directory.into(),
                name: Name::Is(path.file_name()?.into()),
            });
        }
        path = directory;
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::symlink, time::Duration};

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    /// Whether something that concerns the device happens within `limit`.
    fn hears(hotplug: &mut Hotplug, limit: Duration) -> bool {
        let timeout = PollTimeout::try_from(limit).expect("short");
        let mut fds = [PollFd::new(hotplug.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, timeout).expect("poll") > 0 && hotplug.drain()
    }

    const SOON: Duration = Duration::from_secs(10);
    const NEVER: Duration = Duration::ZERO;

    fn watching(path: &Path) -> Hotplug {
        let mut hotplug = Hotplug::new().expect("inotify");
        hotplug.watch(Some(WatchFor::Path(path.into())));
        hotplug
    }

    #[test]
    fn a_node_that_appears_changes_or_vanishes_is_heard_and_others_are_not() {
        let dev = tempfile::tempdir().expect("a directory");
        let node = dev.path().join("video0");
        let mut hotplug = watching(&node);
        fs::write(dev.path().join("video1"), "").expect("written");
        assert!(!hears(&mut hotplug, NEVER));
        fs::write(&node, "").expect("written");
        assert!(hears(&mut hotplug, SOON), "created");
        let mut access = fs::metadata(&node).expect("there").permissions();
        access.set_readonly(true);
        fs::set_permissions(&node, access).expect("set");
        assert!(hears(&mut hotplug, SOON), "permissions");
        fs::remove_file(&node).expect("removed");
        assert!(hears(&mut hotplug, SOON), "removed");
    }

    #[test]
    fn directories_that_are_missing_are_waited_for_one_after_the_other() {
        let dev = tempfile::tempdir().expect("a directory");
        let link = dev.path().join("v4l/by-id/usb-camera");
        let mut hotplug = watching(&link);
        fs::create_dir_all(link.parent().expect("has one")).expect("made");
        assert!(hears(&mut hotplug, SOON), "v4l");
        symlink("../../video0", &link).expect("linked");
        assert!(hears(&mut hotplug, SOON), "the link");
        fs::write(dev.path().join("video0"), "").expect("written");
        assert!(hears(&mut hotplug, SOON), "the node the link leads to");
        fs::remove_dir_all(dev.path().join("v4l")).expect("removed");
        assert!(hears(&mut hotplug, SOON), "all of it gone");
        fs::create_dir_all(link.parent().expect("has one")).expect("made");
        assert!(hears(&mut hotplug, SOON), "and there again");
    }

    #[test]
    fn any_camera_is_heard_when_none_is_named() {
        let dev = tempfile::tempdir().expect("a directory");
        let mut hotplug = Hotplug::new().expect("inotify");
        hotplug.watch(Some(WatchFor::AnyVideo(dev.path().into())));
        fs::write(dev.path().join("tty7"), "").expect("written");
        assert!(!hears(&mut hotplug, NEVER));
        fs::write(dev.path().join("video7"), "").expect("written");
        assert!(hears(&mut hotplug, SOON));
        hotplug.watch(None);
        hotplug.drain();
        fs::write(dev.path().join("video8"), "").expect("written");
        assert!(!hears(&mut hotplug, NEVER), "no longer watched");
    }
}
