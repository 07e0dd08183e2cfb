//! What a process has said so far, on its standard error or to its service manager.

use std::{
    collections::BTreeMap,
    io::{BufRead, IoSliceMut, Read},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::net::UnixDatagram,
    },
    sync::Arc,
    time::Instant,
};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use parking_lot::{Condvar, Mutex};

use crate::PATIENCE;

/// Lines or messages in the order in which they came.
#[derive(Debug)]
pub struct Said {
    place: &'static str,
    words: Mutex<Vec<String>>,
    more: Condvar,
}

impl Said {
    fn nothing_yet(place: &'static str) -> Arc<Self> {
        Arc::new(Self {
            place,
            words: Mutex::default(),
            more: Condvar::new(),
        })
    }

    /// Collects the lines of a pipe until it is closed.
    pub fn lines(pipe: impl Read + Send + 'static) -> Arc<Self> {
        let said = Self::nothing_yet("the log");
        let to = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in std::io::BufReader::new(pipe).split(b'\n') {
                let Ok(line) = line else { return };
                to.add(String::from_utf8_lossy(&line).into_owned());
            }
        });
        said
    }

    /// Collects the messages that come to a socket until an empty one comes. Descriptors that come
    /// with them are stored as the messages say (sd_notify(3)).
    pub fn messages(socket: UnixDatagram, store: Arc<Store>) -> Arc<Self> {
        let said = Self::nothing_yet("what the service manager heard");
        let to = Arc::clone(&said);
        std::thread::spawn(move || {
            while let Ok((message, descriptor)) = receive(&socket)
                && !message.is_empty()
            {
                store.hear(&message, descriptor);
                to.add(message.trim_end().to_owned());
            }
        });
        said
    }

    fn add(&self, words: String) {
        self.words.lock().push(words);
        self.more.notify_all();
    }

    /// All of it.
    pub fn all(&self) -> Vec<String> {
        self.words.lock().clone()
    }

    /// How much there is: what comes after is new.
    pub fn count(&self) -> usize {
        self.words.lock().len()
    }

    /// Waits for something that contains all of `parts`, and returns it.
    ///
    /// # Panics
    /// If it does not come.
    #[track_caller]
    pub fn wait_for(&self, parts: &[&str]) -> String {
        self.wait_after(0, parts).1
    }

    /// The same, but what came before the first `from` does not count. Also returns the count just
    /// behind it.
    ///
    /// # Panics
    /// If it does not come.
    #[track_caller]
    pub fn wait_after(&self, from: usize, parts: &[&str]) -> (usize, String) {
        let deadline = Instant::now() + PATIENCE;
        let mut words = self.words.lock();
        loop {
            let fits = |said: &&String| parts.iter().all(|part| said.contains(part));
            if let Some(at) = words.iter().skip(from).position(|said| fits(&said)) {
                return (from + at + 1, words[from + at].clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "{parts:?} is not in {} within {PATIENCE:?}:\n{}",
                self.place,
                words[from.min(words.len())..].join("\n")
            );
            self.more.wait_for(&mut words, left);
        }
    }
}

/// The descriptors that a service manager has stored, by name.
#[derive(Debug, Default)]
pub struct Store(Mutex<BTreeMap<String, OwnedFd>>);

impl Store {
    /// The names of what is stored.
    pub fn names(&self) -> Vec<String> {
        self.0.lock().keys().cloned().collect()
    }

    /// Replaces what is stored by this name.
    pub fn put(&self, name: &str, descriptor: OwnedFd) {
        self.0.lock().insert(name.to_owned(), descriptor);
    }

    /// Duplicates of all that is stored: it stays stored until it is told to be removed.
    pub(crate) fn all(&self) -> Vec<(String, OwnedFd)> {
        let stored = self.0.lock();
        let duplicate = |(name, fd): (&String, &OwnedFd)| {
            let fd = fd.try_clone().expect("a descriptor to spare");
            (name.clone(), fd)
        };
        stored.iter().map(duplicate).collect()
    }

    fn hear(&self, message: &str, descriptor: Option<OwnedFd>) {
        let name = message
            .lines()
            .find_map(|line| line.strip_prefix("FDNAME="));
        let (Some(name), says) = (name, |line| message.lines().any(|l| l == line)) else {
            return;
        };
        if says("FDSTOREREMOVE=1") {
            self.0.lock().remove(name);
        } else if let Some(descriptor) = descriptor.filter(|_| says("FDSTORE=1")) {
            self.put(name, descriptor);
        }
    }
}

/// The next message, and the descriptor that came with it.
fn receive(socket: &UnixDatagram) -> nix::Result<(String, Option<OwnedFd>)> {
    let mut buffer = [0; 4096];
    let mut parts = [IoSliceMut::new(&mut buffer)];
    let mut space = nix::cmsg_space!(RawFd);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let received = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let descriptor = received.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::ScmRights(fds) => fds.first().copied(),
        _ => None,
    });
    // SAFETY: the kernel has just made this descriptor for this process, and it is taken once.
    let descriptor = descriptor.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    let length = received.bytes;
    Ok((
        String::from_utf8_lossy(&buffer[..length]).into_owned(),
        descriptor,
    ))
}
