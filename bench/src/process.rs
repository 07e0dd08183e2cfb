//! Processes: the time and the memory they take, and servers that end with this program.

use std::{
    env, fs, io,
    path::PathBuf,
    process::{Child, Command},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::kernel;

/// Units of the CPU times in /proc; `USER_HZ` is 100 on every architecture that we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// How long a server may take to end.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a process has used until now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// CPU time of all its threads, in seconds.
    pub cpu_s: f64,
    /// Resident memory, in MiB.
    pub rss_mib: f64,
}

impl Usage {
    /// Of this process.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let read = |name| {
            let path = format!("/proc/{pid}/{name}");
            fs::read_to_string(&path).with_context(|| format!("process {pid}: {path}"))
        };
        parse(&read("stat")?, &read("status")?)
            .with_context(|| format!("process {pid}: /proc/{pid}/stat can't be read"))
    }
}

fn parse(stat: &str, status: &str) -> Option<Usage> {
    // The name of the program, in parentheses, may have blanks and parentheses of its own.
    let (_, fields) = stat.rsplit_once(')')?;
    let times = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = times.map_while(|time| time.parse::<u64>().ok()).sum();
    let rss = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = rss.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(Usage {
        cpu_s: ticks as f64 / TICKS_PER_SECOND,
        rss_mib: kib / 1024.0,
    })
}

/// A server that ends when this is dropped, and when this program ends in any way.
#[derive(Debug)]
pub struct Server(Child);

impl Server {
    /// Starts it. The thread that calls this must live as long as the server is to live.
    pub fn start(mut command: Command) -> io::Result<Self> {
        kernel::die_with_parent(&mut command);
        command.spawn().map(Self)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// The process, to write to or read from.
    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> io::Result<Option<std::process::ExitStatus>> {
        self.0.try_wait()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let asked = Instant::now();
        // If it has ended already there is nobody to ask, and it is reaped below.
        let _ = kill(Pid::from_raw(self.0.id() as i32), Signal::SIGTERM);
        while asked.elapsed() < PATIENCE {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The daemon beside this program.
///
/// # Errors
/// When it is not there.
pub fn beside() -> anyhow::Result<PathBuf> {
    let path = env::current_exe()?.with_file_name("streamd");
    anyhow::ensure!(
        path.exists(),
        "{} is not there: build it (cargo build --release), or name the daemon with --streamd",
        path.display()
    );
    Ok(path)
}

/// Whether somebody wants this program to end.
#[derive(Debug, Clone)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Watches SIGINT and SIGTERM.
    pub fn on_signals() -> io::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, flag.clone())?;
        }
        Ok(Self(flag))
    }

    /// An error if it is to end.
    pub fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(!self.0.load(Ordering::Relaxed), "interrupted");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_come_after_the_name_whatever_it_is() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194304 9 0 0 0 150 50 0 0 20 0 1 0";
        let status = "Name:\ta\nVmRSS:\t    2048 kB\nThreads:\t1\n";
        let usage = Usage {
            cpu_s: 2.0,
            rss_mib: 2.0,
        };
        assert_eq!(parse(stat, status), Some(usage));
        assert_eq!(parse("7 (a", status), None);
        assert!(Usage::of(std::process::id()).is_ok());
    }
}
