//! The floor of this machine: a server that does nothing but hand the same bytes to every client.
//!
//! One thread, one `send` for each client and frame. It encodes nothing, adapts nothing, and skips
//! a client that has not taken the last frame. What a real server takes more is its own.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd,
    time::{Duration, Instant},
};

use anyhow::Context;
use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};
use streamd_protocol::stream::{AppSegment, header};

use crate::{args, clock, process::Stop};

/// Longest sleep, so that a signal is seen.
const TURN: Duration = Duration::from_millis(50);

/// Serves until somebody wants it to end. The first line of standard output is the address.
pub fn serve(arguments: &args::Floor, stop: &Stop) -> anyhow::Result<()> {
    let listener = TcpListener::bind(arguments.listen)
        .with_context(|| format!("cannot listen at {}", arguments.listen))?;
    listener.set_nonblocking(true)?;
    writeln!(io::stdout(), "{}", listener.local_addr()?)?;
    let interval = Duration::from_secs_f64(1.0 / arguments.fps);
    let mut frame = Frame::new(arguments.size as usize);
    let mut clients: Vec<Client> = Vec::new();
    let mut due = Instant::now() + interval;
    while stop.check().is_ok() {
        wait(
            &listener,
            due.saturating_duration_since(Instant::now()).min(TURN),
        )?;
        while let Ok((socket, _)) = listener.accept() {
            clients.extend(Client::new(socket).ok());
        }
        if Instant::now() >= due {
            due += interval;
            frame.stamp();
            clients.retain_mut(|client| client.send(&frame.bytes).is_ok());
        }
    }
    Ok(())
}

fn wait(listener: &TcpListener, time: Duration) -> nix::Result<()> {
    let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    match ppoll(&mut fds, Some(TimeSpec::from_duration(time)), None) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// The bytes of a frame: length, SOI, the segment that says when, and filling.
struct Frame {
    sequence: u64,
    bytes: Vec<u8>,
}

impl Frame {
    fn new(size: usize) -> Self {
        let mut bytes = header(size).to_vec();
        bytes.extend([0xFF, 0xD8]);
        bytes.resize(bytes.len() + size - 2, 0x55);
        let mut frame = Self { sequence: 0, bytes };
        frame.stamp();
        frame
    }

    /// The next one, of now. What a client has still to take is behind the stamp, and stays.
    fn stamp(&mut self) {
        self.sequence += 1;
        let segment = AppSegment {
            sequence: self.sequence,
            captured_us: clock::real_us(),
            camera: "floor".into(),
        };
        let stamp = segment.head();
        self.bytes[10..10 + stamp.len()].copy_from_slice(&stamp);
    }
}

struct Client {
    socket: TcpStream,
    sent: usize,
}

impl Client {
    fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, sent: 0 })
    }

    /// Sends what is left of the last frame, or else this one.
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        match self.socket.write(&frame[self.sent..]) {
            Ok(count) => self.sent = (self.sent + count) % frame.len(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Where a floor that was just started listens, by its first line.
pub fn address(output: impl Read) -> anyhow::Result<SocketAddr> {
    let mut line = String::new();
    // An address and its port are shorter.
    io::BufRead::read_line(&mut io::BufReader::new(output.take(64)), &mut line)?;
    line.trim().parse().context("the floor did not start")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        args::Protocol,
        framing::{Event, Framing},
    };

    #[test]
    fn a_frame_is_whole_and_says_when_it_was_sent() {
        let mut frame = Frame::new(1000);
        frame.stamp();
        let mut found = Vec::new();
        let mut framing = Framing::new(Protocol::Tcp);
        framing.feed(&frame.bytes, &mut found).unwrap();
        let [Event::Picture(picture)] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(picture.bytes, 1000);
        assert_eq!(picture.segment.as_ref().unwrap().sequence, 2);
    }
}
