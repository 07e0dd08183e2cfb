//! The thread that carries packets between two TUN devices: through the bottleneck one way, with
//! nothing but the delay the other.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read, Write},
    os::fd::AsFd,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};

use super::{bottleneck::Bottleneck, profile::Chance};
use crate::clock::monotonic_ns;

/// A packet is not longer: the devices' MTU.
const MTU: usize = 1500;

/// Packets on their way in one direction: a second of a gigabit link, so that memory has a bound
/// whatever rate and queue are asked for.
const ON_THE_WAY: usize = 100_000;

/// The seed of lost packets: any number, but always the same.
const LOSSES: u64 = 1;

/// Longest sleep, so that the end is seen.
const TURN: Duration = Duration::from_millis(20);

/// What the link has carried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Carried {
    /// Bytes of IP packets, towards the clients.
    pub bytes: u64,
    /// Packets that its queue dropped.
    pub dropped: u64,
    /// Bytes that it could have carried.
    pub capacity: f64,
}

/// A running link. It ends when this is dropped.
#[derive(Debug)]
pub struct Wire {
    state: Arc<Mutex<State>>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    bottleneck: Bottleneck,
    began: u64,
    bytes: u64,
    dropped: u64,
}

impl Wire {
    /// Begins to carry. Packets from the device `near` pass the bottleneck; each direction takes
    /// `delay`, and loses that part of its packets.
    pub fn start(
        near: File,
        far: File,
        bottleneck: Bottleneck,
        (delay, loss): (Duration, f64),
    ) -> io::Result<Self> {
        let state = Arc::new(Mutex::new(State {
            bottleneck,
            began: monotonic_ns(),
            bytes: 0,
            dropped: 0,
        }));
        let end = Arc::new(AtomicBool::new(false));
        let mut carrier = Carrier {
            devices: [near, far],
            ways: [VecDeque::new(), VecDeque::new()],
            state: state.clone(),
            delay: delay.as_nanos() as u64,
            loss,
            chance: Chance(LOSSES),
        };
        let ended = end.clone();
        let run = move || {
            while !ended.load(Ordering::Relaxed) {
                if let Err(error) = carrier.turn() {
                    eprintln!("streamd-bench: the link is broken: {error}");
                    return;
                }
            }
        };
        Ok(Self {
            state,
            end,
            thread: Some(thread::Builder::new().name("link".into()).spawn(run)?),
        })
    }

    /// The profile begins, and so does the count of what is carried.
    pub fn restart(&self) {
        let mut state = lock(&self.state);
        let now = monotonic_ns();
        state.bottleneck.restart(now);
        (state.began, state.bytes, state.dropped) = (now, 0, 0);
    }

    /// Its narrow place, which knows what it will carry, as what it has carried. Its times are of
    /// `CLOCK_MONOTONIC`.
    pub fn bottleneck(&self) -> Bottleneck {
        lock(&self.state).bottleneck.clone()
    }

    /// What was carried since the last restart.
    pub fn carried(&self) -> Carried {
        let state = lock(&self.state);
        Carried {
            bytes: state.bytes,
            dropped: state.dropped,
            capacity: state.bottleneck.capacity(state.began, monotonic_ns()),
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It has said already why it broke.
            let _ = thread.join();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("nobody panics with the state")
}

/// A packet, and when it arrives.
struct Packet {
    due: u64,
    bytes: Vec<u8>,
}

/// The devices, and what is on its way from each of them.
struct Carrier {
    devices: [File; 2],
    ways: [VecDeque<Packet>; 2],
    state: Arc<Mutex<State>>,
    delay: u64,
    loss: f64,
    chance: Chance,
}

impl Carrier {
    fn turn(&mut self) -> io::Result<()> {
        let now = monotonic_ns();
        self.deliver(now);
        let next = self.ways.iter().filter_map(|way| way.front());
        let wake = next.map(|packet| packet.due.saturating_sub(now)).min();
        let wait = wake.map_or(TURN, Duration::from_nanos).min(TURN);
        self.wait(wait)?;
        self.collect(0)?;
        self.collect(1)
    }

    fn deliver(&mut self, now: u64) {
        for (from, way) in self.ways.iter_mut().enumerate() {
            while way.front().is_some_and(|packet| packet.due <= now) {
                let Some(packet) = way.pop_front() else { break };
                if from == 0 {
                    lock(&self.state).bytes += packet.bytes.len() as u64;
                }
                // A device that does not take a packet loses it, as a network does.
                let _ = (&self.devices[1 - from]).write(&packet.bytes);
            }
        }
    }

    fn wait(&self, time: Duration) -> io::Result<()> {
        let watch = |n: usize| PollFd::new(self.devices[n].as_fd(), PollFlags::POLLIN);
        match ppoll(
            &mut [watch(0), watch(1)],
            Some(TimeSpec::from_duration(time)),
            None,
        ) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn collect(&mut self, from: usize) -> io::Result<()> {
        let mut buffer = [0; MTU];
        loop {
            let length = match (&self.devices[from]).read(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            if self.loss > 0.0 && self.chance.next() < self.loss {
                continue;
            }
            let mut state = lock(&self.state);
            let now = monotonic_ns();
            let full = self.ways[from].len() >= ON_THE_WAY;
            let passed = match from {
                _ if full => None,
                0 => state.bottleneck.offer(now, length),
                _ => Some(now),
            };
            match passed {
                Some(passed) => self.ways[from].push_back(Packet {
                    due: passed.saturating_add(self.delay),
                    bytes: buffer[..length].to_vec(),
                }),
                None => state.dropped += 1,
            }
        }
    }
}
