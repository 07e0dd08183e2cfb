//! Signals, as a stream of what they ask for.
//!
//! A second SIGTERM or SIGINT ends at once, like this: the first one makes [`Signals::next`] return
//! [`Signal::Stop`], and the daemon drains. While it drains it keeps waiting for [`Signals::next`] beside
//! the drain; a further [`Signal::Stop`] gives the drain up, and main returns. Should the runtime itself
//! be stuck, so that nobody waits, [`FORCED`] such signals end the process from within the signal handler.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::StreamExt;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    low_level,
};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGTERM or SIGINT: drain and end; the second time, end at once.
    Stop,
}

/// So many SIGTERM or SIGINT end the process even if nobody takes them from the stream: one to drain,
/// one to give the drain up, and one that shows that neither was heard.
pub const FORCED: usize = 3;

/// The signals of the process, from here on.
pub struct Signals(signal_hook_tokio::Signals);

impl Signals {
    /// Takes the signals over. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The kernel refuses the handlers or the socket pair behind the stream.
    pub fn take() -> io::Result<Self> {
        // The stream first: of a signal that comes in between, it has to hear.
        let stream = signal_hook_tokio::Signals::new([SIGHUP, SIGTERM, SIGINT])?;
        let seen = Arc::new(AtomicUsize::new(0));
        for (signal, code) in [(SIGTERM, 128 + SIGTERM), (SIGINT, 128 + SIGINT)] {
            let seen = Arc::clone(&seen);
            // SAFETY: the action adds to an atomic and calls _exit, both async-signal-safe.
            unsafe {
                low_level::register(signal, move || {
                    if seen.fetch_add(1, Ordering::Relaxed) + 1 >= FORCED {
                        low_level::exit(code);
                    }
                })?;
            }
        }
        Ok(Self(stream))
    }

    /// The next signal. Signals of one kind that come faster than they are taken count once.
    pub async fn next(&mut self) -> Signal {
        match self.0.next().await {
            Some(SIGHUP) => Signal::Reload,
            Some(_) => Signal::Stop,
            // The stream ends only when its handle is closed, and nobody has one.
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::process::ExitStatusExt,
        process::{Command, Stdio},
        time::Duration,
    };

    use super::*;

    /// Not a test: the process that [`the_third_stop_ends_a_stuck_process`] sends signals to.
    #[test]
    #[ignore = "started by another test"]
    fn stuck_process() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let _inside = runtime.enter();
        let _signals = Signals::take().unwrap();
        for _ in 0..FORCED {
            low_level::raise(SIGTERM).unwrap();
        }
        unreachable!("the process has ended");
    }

    #[test]
    fn the_third_stop_ends_a_stuck_process() {
        let status = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "supervise::signals::tests::stuck_process",
                "--ignored",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(128 + SIGTERM), "{:?}", status.signal());
    }

    #[tokio::test]
    async fn signals_arrive_as_what_they_ask_for() {
        let mut signals = Signals::take().unwrap();
        for (raised, asked) in [(SIGHUP, Signal::Reload), (SIGTERM, Signal::Stop)] {
            low_level::raise(raised).unwrap();
            let next = tokio::time::timeout(Duration::from_secs(10), signals.next());
            assert_eq!(next.await.unwrap(), asked);
        }
    }
}
