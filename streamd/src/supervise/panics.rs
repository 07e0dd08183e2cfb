//! What a panic ends: a client's task ends its client alone, a thread that frames pass ends the
//! daemon, so that the service manager starts it anew instead of supervising a daemon without eyes.

use std::{backtrace::Backtrace, panic, process, thread};

use crate::events;

/// Threads of which each serves many: tokio confines a panic in a task of theirs to that task.
const CONFINED: [&str; 3] = ["serve", "control", "control-devices"];

/// Takes over what happens at a panic, for the whole process.
pub fn take_over() {
    panic::set_hook(Box::new(|info| {
        let current = thread::current();
        let name = current.name().unwrap_or("unnamed");
        let trace = Backtrace::force_capture();
        tracing::error!(
            message_id = events::PANICKED,
            "thread {name} panicked: {info}\n{trace}"
        );
        if !CONFINED.contains(&name) {
            process::abort();
        }
    }));
}
