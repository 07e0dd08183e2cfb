//! The control socket: Varlink over a Unix socket, on a thread and a runtime of its own.
//!
//! [`socket`] accepts, [`session`] is one connection's life, [`codec`] the framing,
//! [`access`] who may call; what each call does is in [`crate::calls`].

mod access;
mod codec;
mod places;
mod session;
mod socket;

use std::{io, os::unix::net::UnixListener, sync::Arc, thread::JoinHandle};

use tokio::runtime;
use tokio_util::sync::CancellationToken;

use self::places::Places;
use crate::{calls, state::State, supervise::heartbeat::Heartbeat};

pub use self::places::MAX_CONNECTIONS;

/// The control plane, running. Dropped, it stops.
#[derive(Debug)]
pub struct Control {
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// What all connections share.
struct Context {
    state: Arc<State>,
    heartbeat: Heartbeat,
    places: Arc<Places>,
    /// The group whose members only read.
    read_only: Option<u32>,
}

impl Context {
    /// Marks that a call of [`State`] is under way, which must end within moments, until dropped.
    fn working(&self) -> Working<'_> {
        self.heartbeat.beat();
        Working(&self.heartbeat)
    }
}

/// A call that is under way.
struct Working<'a>(&'a Heartbeat);

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.idle();
    }
}

/// Starts the thread `control`, which serves `listeners`.
///
/// # Errors
/// When a listener can't be watched, or there can be no more threads.
pub fn spawn(
    listeners: Vec<UnixListener>,
    state: Arc<State>,
    heartbeat: Heartbeat,
) -> io::Result<Control> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name("control-devices")
        .max_blocking_threads(calls::MAX_LISTINGS)
        .build()?;
    let group = state.general(|config| config.control.read_only_group.clone());
    let read_only = match group.map(|name| nix::unistd::Group::from_name(&name)) {
        Some(Ok(Some(group))) => Some(group.gid.as_raw()),
        Some(_) => return Err(io::Error::other("read-only-group is no group any more")),
        None => None,
    };
    let context = Arc::new(Context {
        state,
        heartbeat,
        places: Arc::default(),
        read_only,
    });
    for listener in listeners {
        listener.set_nonblocking(true)?;
        let _entered = runtime.enter();
        let listener = tokio::net::UnixListener::from_std(listener)?;
        runtime.spawn(socket::serve(listener, Arc::clone(&context)));
    }
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let thread = std::thread::Builder::new()
        .name("control".into())
        .spawn(move || {
            runtime.block_on(stopped.cancelled());
            // A driver that hangs in a listing of devices must not hold up the stop.
            runtime.shutdown_background();
        })?;
    Ok(Control {
        stop,
        thread: Some(thread),
    })
}

impl Control {
    /// Ends all connections and the thread.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the control thread panicked");
        }
    }
}
