//! Processes: the time and the memory they take, and servers that end with this program.

use std::{
    env, fs, io,
    io::Write,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
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

/// How long a server may take until it listens.
const UNTIL_LISTENING: Duration = Duration::from_secs(10);

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

/// Starts a server in the network namespace of this thread, writes `input` to it where its standard
/// input is a pipe, and waits until it listens. What it logs goes into `folder`, and is shown if it
/// does not serve.
pub fn serve(
    name: &str,
    mut command: Command,
    input: &str,
    folder: &Path,
    address: SocketAddr,
    stop: &Stop,
) -> anyhow::Result<Server> {
    let log = folder.join("log");
    let output = fs::File::create(&log)?;
    command.stdout(output.try_clone()?).stderr(output);
    let mut server = Server::start(command).with_context(|| format!("cannot start {name}"))?;
    if let Some(mut stdin) = server.child().stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    if let Err(error) = await_listening(&mut server, address, stop) {
        let said = fs::read_to_string(&log).unwrap_or_default();
        bail!("{name} does not serve: {error}\n{}", said.trim_end());
    }
    Ok(server)
}

fn await_listening(server: &mut Server, address: SocketAddr, stop: &Stop) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        stop.check()?;
        if let Some(status) = server.ended()? {
            bail!("it ended, {status}");
        }
        match TcpStream::connect_timeout(&address, UNTIL_LISTENING) {
            Ok(_) => return Ok(()),
            Err(error) if began.elapsed() > UNTIL_LISTENING => bail!("{address}: {error}"),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// A streamd, at `path` or beside this program, that reads its configuration from a pipe: there is no
/// file to clean up.
///
/// # Errors
/// When it is not there.
pub fn streamd(path: Option<&Path>) -> anyhow::Result<Command> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => beside()?,
    };
    let mut command = Command::new(path);
    command
        .args(["--config", "/dev/stdin"])
        .stdin(Stdio::piped());
    Ok(command)
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
