//! The owner of the capture threads.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Start, claims::Claims, driver::Alarm, post::Post, watch::Watch};
use crate::supervise::heartbeat::Heartbeats;

/// How long a device may take to be closed when the daemon stops.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// The capture threads of all cameras. Dropped, it stops them and waits until they have ended, and
/// with them the devices are closed; a thread whose driver does not answer is left.
pub struct Captures {
    watch: Option<Watch>,
    posts: Vec<Arc<Post>>,
}

impl Captures {
    /// Starts the threads `capture-NAME`, and the one that watches them. Each opens its device,
    /// reports its status, and streams once somebody watches. A device that is absent or unusable
    /// is a status, not an error.
    ///
    /// # Errors
    /// When the kernel has no descriptor (an inotify instance) or thread to spare.
    pub fn spawn(starts: Vec<Start>, heartbeats: &Heartbeats) -> io::Result<Self> {
        let alarm = Arc::<Alarm>::default();
        let claims = Arc::<Claims>::default();
        let post = |start| {
            let (alarm, claims) = (Arc::clone(&alarm), Arc::clone(&claims));
            Post::new(start, heartbeats.clone(), alarm, claims)
        };
        // All are made before the first begins, so that it knows the devices of the others.
        let posts: Vec<_> = starts.into_iter().map(post).collect();
        let watch = Watch::spawn(posts.clone(), alarm, heartbeats.clone())?;
        let captures = Self {
            watch: Some(watch),
            posts,
        };
        captures.posts.iter().try_for_each(Post::begin)?;
        Ok(captures)
    }
}

impl Drop for Captures {
    fn drop(&mut self) {
        // First, so that no thread takes the place of another any more.
        self.watch.take();
        self.posts.iter().for_each(|post| post.orders.stop());
        let limit = Instant::now() + STOP_WITHIN;
        self.posts.iter().for_each(|post| post.wait_for_end(limit));
    }
}
