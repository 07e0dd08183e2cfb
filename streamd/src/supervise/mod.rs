//! The daemon under systemd: readiness, watchdog, status, reload, signals, socket activation, journal.

pub mod heartbeat;
