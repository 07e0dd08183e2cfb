//! Tells when something happens to a device's path, by inotify: its node appears, vanishes, or
//! changes its permissions, and the same for the links that lead to it.
//!
//! All cameras share one inotify instance, since a user may have only 128
//! (`fs.inotify.max_user_instances`); a thread reads it and wakes the cameras that an event concerns.

use std::{
    ffi::OsString,
    fs, io,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use nix::{
    errno::Errno,
    sys::{
        eventfd::{EfdFlags, EventFd},
        inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor},
    },
};
use parking_lot::Mutex;

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

/// The process's inotify instance, once a camera has needed it.
static SHARED: Mutex<Option<Arc<Shared>>> = Mutex::new(None);

/// One inotify instance, and who is told of what.
struct Shared {
    inotify: Inotify,
    /// Held for a look through a few paths, and for the system calls that change them.
    watchers: Mutex<Vec<Watcher>>,
}

/// What one camera watches.
struct Watcher {
    wake: Arc<EventFd>,
    watches: Vec<(WatchDescriptor, Name)>,
}

impl Shared {
    /// The instance, which is made for the first one who asks.
    fn get() -> io::Result<Arc<Self>> {
        let mut shared = SHARED.lock();
        if let Some(shared) = &*shared {
            return Ok(Arc::clone(shared));
        }
        let new = Arc::new(Self {
            inotify: Inotify::init(InitFlags::IN_CLOEXEC)?,
            watchers: Mutex::default(),
        });
        let reads = Arc::clone(&new);
        let thread = thread::Builder::new().name("hotplug".into());
        thread.spawn(move || reads.run())?;
        *shared = Some(Arc::clone(&new));
        Ok(new)
    }

    /// Reads events for ever and wakes whom they concern.
    fn run(&self) {
        loop {
            match self.inotify.read_events() {
                Ok(events) => self.wake(&events),
                Err(Errno::EINTR) => {}
                Err(error) => {
                    tracing::error!(%error, "cameras that return are no longer noticed");
                    return;
                }
            }
        }
    }

    fn wake(&self, events: &[InotifyEvent]) {
        for watcher in self.watchers.lock().iter() {
            if events.iter().any(|event| watcher.is_concerned(event)) {
                // Fails only when it is awake already.
                let _ = watcher.wake.write(1);
            }
        }
    }

    /// Has `wake` told of these points, and of nothing else.
    fn watch(&self, wake: &Arc<EventFd>, points: &[Point]) {
        let events = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        // Under the lock, so that an event is not read before it is known whom it concerns.
        let mut watchers = self.watchers.lock();
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
        let is_it = |watcher: &Watcher| Arc::ptr_eq(&watcher.wake, wake);
        let before = watchers.iter().position(is_it);
        let before = before.map(|at| watchers.swap_remove(at).watches);
        if !watches.is_empty() {
            let wake = Arc::clone(wake);
            watchers.push(Watcher { wake, watches });
        }
        for (old, _) in before.unwrap_or_default() {
            let mut used = watchers.iter().flat_map(|watcher| &watcher.watches);
            if !used.any(|(wd, _)| *wd == old) {
                // Fails when the directory is gone, and the watch with it.
                let _ = self.inotify.rm_watch(old);
            }
        }
    }
}

impl Watcher {
    fn is_concerned(&self, event: &InotifyEvent) -> bool {
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
}

/// The watches of one camera.
pub(super) struct Hotplug {
    shared: Arc<Shared>,
    wake: Arc<EventFd>,
    target: Option<WatchFor>,
}

impl Hotplug {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// When the kernel has no descriptor or thread to spare.
    pub fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self {
            shared: Shared::get()?,
            wake: Arc::new(EventFd::from_flags(flags)?),
            target: None,
        })
    }

    /// Watches `target` and nothing else. What happens from here on is not missed: look at the
    /// device after this call.
    pub fn watch(&mut self, target: Option<WatchFor>) {
        self.target = target;
        self.arm();
    }

    /// Whether something has happened that may concern the device, which then is to be looked at.
    pub fn drain(&mut self) -> bool {
        // Fails when nothing has happened since the last time.
        let concerned = self.wake.read().is_ok();
        if concerned {
            // A directory nearer to the path may be there now, or gone.
            self.arm();
        }
        concerned
    }

    fn arm(&mut self) {
        let points = |target: &Option<WatchFor>| target.as_ref().map(points_of).unwrap_or_default();
        let mut watched = points(&self.target);
        for _ in 0..ROUNDS {
            self.shared.watch(&self.wake, &watched);
            let now = points(&self.target);
            if now == watched {
                return;
            }
            watched = now;
        }
    }
}

impl Drop for Hotplug {
    fn drop(&mut self) {
        self.shared.watch(&self.wake, &[]);
    }
}

impl AsFd for Hotplug {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
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

    /// A user may have 128 inotify instances.
    #[test]
    fn more_cameras_than_there_are_inotify_instances_are_watched() {
        let dev = tempfile::tempdir().expect("a directory");
        let path = |n: usize| dev.path().join(format!("video{n}"));
        let mut all: Vec<_> = (0..200).map(|n| watching(&path(n))).collect();
        fs::write(path(150), "").expect("written");
        assert!(hears(&mut all[150], SOON));
        assert!(!hears(&mut all[151], NEVER));
        all.truncate(10);
        fs::write(path(7), "").expect("written");
        assert!(
            hears(&mut all[7], SOON),
            "others that go take nothing along"
        );
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
