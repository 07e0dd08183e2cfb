//! The owner of a capture thread.

use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle},
};

use super::{Start, orders::Orders, thread::Worker};

/// A camera's capture thread. Dropped, it stops the thread and waits until that has ended, and
/// with it the device is closed.
pub struct Capture {
    orders: Arc<Orders>,
    thread: Option<JoinHandle<()>>,
}

impl Capture {
    /// Starts the thread `capture-NAME`. It opens the device, reports its status, and streams once
    /// somebody watches. A device that is absent or unusable is a status, not an error.
    ///
    /// # Errors
    /// When the kernel has no descriptor (an inotify instance) or thread to spare.
    pub fn spawn(start: Start) -> io::Result<Self> {
        let orders = Arc::clone(&start.orders);
        let worker = Worker::new(start)?;
        let name = format!("capture-{}", worker.name());
        let thread = thread::Builder::new().name(name).spawn(|| worker.run())?;
        Ok(Self {
            orders,
            thread: Some(thread),
        })
    }

    /// Ends the thread, without waiting for it.
    pub fn stop(&self) {
        self.orders.stop();
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a capture thread panicked");
        }
    }
}
