//! Many clients in one epoll loop: who connects, for how long, and what came of it.

use std::{
    io,
    time::{Duration, Instant},
};

use anyhow::Context;
use nix::sys::{
    epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
    resource::{Resource, getrlimit, setrlimit},
};

use crate::{
    client::{Client, SKIP, Target},
    clock,
    figures::Arrival,
    process::{Stop, Usage},
};

/// How often slow clients read: their rate comes in small pieces, as over a slow link.
const SLOW_TURN: Duration = Duration::from_millis(5);

/// Longest sleep, so that the end and a signal are seen.
const TURN: Duration = Duration::from_millis(50);

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server.
    pub target: Target,
    /// Clients that read as fast as they can.
    pub clients: u32,
    /// Clients that read slowly.
    pub slow: u32,
    /// Bytes a second of those.
    pub rate: u32,
    /// Time before the measurement.
    pub warm: Duration,
    /// Time of the measurement.
    pub secs: Duration,
    /// The server's process.
    pub pid: Option<u32>,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Those that had a connection; their frames are those of the measurement.
    pub clients: Vec<Client>,
    /// Clients that got no connection, and clients that were cut off before their first frame.
    pub refused: u32,
    /// Why the first of the refused and the dead are no more.
    pub reason: Option<String>,
    /// When the measurement began and ended, in µs since the epoch.
    pub from_us: u64,
    /// See `from_us`.
    pub to_us: u64,
    /// What the server took for the measurement: CPU in percent of a core, memory at its end.
    pub server: Option<Cost>,
    /// CPU that this program took itself, in percent of a core.
    pub own_cpu: f64,
}

/// What a process took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Percent of a core.
    pub cpu: f64,
    /// MiB resident.
    pub rss_mib: f64,
}

impl Outcome {
    /// Clients that read as fast as they can, or the slow ones.
    pub fn of(&self, slow: bool) -> impl Iterator<Item = &Client> {
        self.clients.iter().filter(move |c| c.is_slow() == slow)
    }

    /// Clients whose connection ended before the measurement did.
    pub fn dead(&self) -> usize {
        self.clients.iter().filter(|c| c.ended.is_some()).count()
    }
}

/// Runs a plan. `begin` is called when the measurement begins.
pub fn run(plan: &Plan, stop: &Stop, begin: &mut dyn FnMut()) -> anyhow::Result<Outcome> {
    raise_descriptors(plan.clients + plan.slow)?;
    let mut crowd = Crowd::connect(plan)?;
    crowd.read_for(plan.warm, stop)?;
    begin();
    let from_us = clock::real_us();
    let own = Usage::of(std::process::id())?;
    let server = plan.pid.map(Usage::of).transpose()?;
    crowd.read_for(plan.secs, stop)?;
    let to_us = clock::real_us();
    let seconds = (to_us - from_us).max(1) as f64 / 1e6;
    let percent = |after: Usage, before: Usage| (after.cpu_s - before.cpu_s) / seconds * 100.0;
    let cost = match (plan.pid, server) {
        (Some(pid), Some(before)) => {
            let after = Usage::of(pid)?;
            Some(Cost {
                cpu: percent(after, before),
                rss_mib: after.rss_mib,
            })
        }
        _ => None,
    };
    let own_cpu = percent(Usage::of(std::process::id())?, own);
    Ok(crowd.outcome(from_us, to_us, cost, own_cpu))
}

/// The clients, and what they wait for.
struct Crowd {
    clients: Vec<Client>,
    epoll: Epoll,
    scratch: Vec<u8>,
    failed: u32,
    reason: Option<String>,
}

impl Crowd {
    fn connect(plan: &Plan) -> anyhow::Result<Self> {
        let mut crowd = Self {
            clients: Vec::new(),
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            scratch: vec![0; SKIP],
            failed: 0,
            reason: None,
        };
        for n in 0..plan.clients + plan.slow {
            let rate = (n >= plan.clients).then_some(plan.rate);
            match Client::connect(&plan.target, rate) {
                Ok(client) => crowd.add(client)?,
                Err(error) => {
                    crowd.failed += 1;
                    crowd.reason.get_or_insert(error.to_string());
                }
            }
        }
        anyhow::ensure!(
            !crowd.clients.is_empty(),
            "{}: {}",
            plan.target.address,
            crowd.reason.unwrap_or("no client to connect".into())
        );
        Ok(crowd)
    }

    fn add(&mut self, client: Client) -> io::Result<()> {
        if !client.is_slow() {
            let event = EpollEvent::new(EpollFlags::EPOLLIN, self.clients.len() as u64);
            self.epoll.add(client.socket(), event)?;
        }
        self.clients.push(client);
        Ok(())
    }

    fn read_for(&mut self, time: Duration, stop: &Stop) -> anyhow::Result<()> {
        let end = Instant::now() + time;
        let slow = self.clients.iter().any(Client::is_slow);
        let mut slow_turn = Instant::now();
        let mut events = [EpollEvent::empty(); 256];
        loop {
            stop.check()?;
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            if slow && now >= slow_turn {
                slow_turn = now + SLOW_TURN;
                self.read_slow();
            }
            let wake = if slow { slow_turn.min(end) } else { end };
            let wake = self.wake(now)?.map_or(wake, |next| next.min(wake));
            let wait = wake.duration_since(now).min(TURN);
            // Rounded up: to wake early is to spin.
            let wait = EpollTimeout::try_from(wait + Duration::from_micros(999))
                .expect("50 ms are a time-out");
            let ready = match self.epoll.wait(&mut events, wait) {
                Ok(ready) => ready,
                Err(nix::errno::Errno::EINTR) => 0,
                Err(errno) => return Err(errno.into()),
            };
            for event in &events[..ready] {
                self.read(event.data() as usize)?;
            }
        }
    }

    /// Reads the clients whose time has come, and gives the next one's.
    fn wake(&mut self, now: Instant) -> io::Result<Option<Instant>> {
        for n in 0..self.clients.len() {
            if self.clients[n].wake().is_some_and(|wake| wake <= now) {
                self.read(n)?;
            }
        }
        Ok(self.clients.iter().filter_map(Client::wake).min())
    }

    fn read(&mut self, n: usize) -> io::Result<()> {
        let client = &mut self.clients[n];
        client.read(&mut self.scratch);
        if client.ended.is_some() {
            self.epoll.delete(client.socket())?;
        }
        Ok(())
    }

    fn read_slow(&mut self) {
        let slow = |client: &&mut Client| client.is_slow() && client.ended.is_none();
        for client in self.clients.iter_mut().filter(slow) {
            client.read(&mut self.scratch);
        }
    }

    fn outcome(self, from_us: u64, to_us: u64, server: Option<Cost>, own_cpu: f64) -> Outcome {
        let refused = |c: &Client| c.ended.is_some() && c.arrivals.is_empty();
        let mut reason = self.reason;
        if let Some(ended) = self.clients.iter().find_map(|c| c.ended.as_ref()) {
            reason.get_or_insert(ended.to_string());
        }
        let (cut, mut clients): (Vec<_>, Vec<_>) = self.clients.into_iter().partition(refused);
        for client in &mut clients {
            keep(&mut client.arrivals, from_us, to_us);
        }
        Outcome {
            clients,
            refused: self.failed + cut.len() as u32,
            reason,
            from_us,
            to_us,
            server,
            own_cpu,
        }
    }
}

/// Keeps the frames of the measurement, and the one before it: its age counts at the beginning.
fn keep(arrivals: &mut Vec<Arrival>, from_us: u64, to_us: u64) {
    let first = arrivals.partition_point(|arrival| arrival.at_us < from_us);
    arrivals.drain(..first.saturating_sub(1));
    arrivals.retain(|arrival| arrival.at_us < to_us);
}

/// A client is a descriptor; the soft limit is often 1024.
pub fn raise_descriptors(clients: u32) -> anyhow::Result<()> {
    // The program's own.
    let needed = u64::from(clients) + 64;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft >= needed {
        return Ok(());
    }
    anyhow::ensure!(
        hard >= needed,
        "{clients} clients need {needed} file descriptors, the limit is {hard}: raise it (ulimit -Hn)"
    );
    setrlimit(Resource::RLIMIT_NOFILE, needed, hard)
        .context("cannot raise the limit of descriptors")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_the_measurement_and_the_one_before_are_kept() {
        let mut arrivals: Vec<Arrival> = (1..=6)
            .map(|n| Arrival {
                at_us: n * 10,
                captured_us: None,
                sequence: None,
                bytes: 1,
            })
            .collect();
        keep(&mut arrivals, 30, 50);
        let times: Vec<u64> = arrivals.iter().map(|arrival| arrival.at_us).collect();
        assert_eq!(times, [20, 30, 40]);
    }
}
