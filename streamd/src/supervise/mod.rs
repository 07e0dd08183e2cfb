//! The daemon under systemd: readiness, watchdog, status, reload, signals, socket activation, journal.
//!
//! Everything here does nothing, or the plain equivalent, when systemd is not there: no
//! `NOTIFY_SOCKET`, no `LISTEN_FDS`, no `JOURNAL_STREAM`.

pub mod audit;
pub mod flood;
pub mod heartbeat;
pub mod inherited;
pub mod limits;
pub mod log;
pub mod memory;
pub mod notify;
pub mod panics;
pub mod signals;
pub mod store;
pub mod watchdog;
