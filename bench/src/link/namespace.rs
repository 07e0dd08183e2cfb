//! Network namespaces without names: each ends with the last descriptor, thread and process in it,
//! so that nothing is left behind however this program ends.

use std::{fs, fs::File, io, thread};

use anyhow::Context;
use nix::sched::{CloneFlags, setns, unshare};

use crate::kernel;

/// The namespace of whoever asks.
const OWN: &str = "/proc/thread-self/ns/net";

const CONGESTION: &str = "/proc/sys/net/ipv4/tcp_congestion_control";

/// A network namespace.
#[derive(Debug)]
pub struct Namespace(File);

impl Namespace {
    /// A new one, with nothing in it but a loopback that is up.
    pub fn new() -> anyhow::Result<Self> {
        let create = || -> io::Result<File> {
            unshare(CloneFlags::CLONE_NEWNET)?;
            kernel::up("lo")?;
            File::open(OWN)
        };
        // The namespace is a thread's: a thread of its own leaves the caller where it is.
        let created = thread::spawn(create).join();
        created
            .expect("the thread does not panic")
            .map(Self)
            .context("cannot make a network namespace: this needs root")
    }

    /// From now on this thread and the processes it starts are in this namespace.
    pub fn enter(&self) -> anyhow::Result<()> {
        setns(&self.0, CloneFlags::CLONE_NEWNET).context("cannot enter a network namespace")
    }
}

/// The congestion control of new connections, in the namespace of this thread.
pub fn set_congestion(name: &str) -> anyhow::Result<()> {
    fs::write(CONGESTION, name).with_context(|| {
        format!(
            "no congestion control {name:?} in this kernel; available are: {}",
            available().unwrap_or_default()
        )
    })
}

fn available() -> io::Result<String> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control")?;
    Ok(text.trim().into())
}
