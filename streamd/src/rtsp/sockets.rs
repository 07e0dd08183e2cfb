//! The sockets of one session, and a picture in datagrams.

use std::{
    io::{self, IoSlice},
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::AsRawFd,
};

use nix::{
    errno::Errno,
    sys::socket::{ControlMessage, MsgFlags, sendmsg},
};
use tokio::io::Interest;

use super::{payload::Pieces, rtp::Stream};
use crate::media::Packet;

/// Tries to find two ports side by side.
const TRIES: usize = 32;

/// Where a connection comes from, as far as datagrams can be sent there.
#[derive(Debug, Clone, Copy)]
pub struct Hosts {
    /// This machine, as the client calls it.
    pub here: IpAddr,
    /// The client.
    pub there: IpAddr,
}

/// Two sockets, of pictures and of reports, that exchange datagrams with one client only.
#[derive(Debug)]
pub struct Pair {
    /// Of pictures.
    pub rtp: tokio::net::UdpSocket,
    /// Of reports.
    pub rtcp: tokio::net::UdpSocket,
    ports: (u16, u16),
}

impl Pair {
    /// Takes two ports side by side, the first an even one (RFC 3550, section 11), for these ports
    /// of the client.
    ///
    /// # Errors
    /// The kernel has no ports or descriptors to spare.
    pub fn bind(hosts: Hosts, (rtp, rtcp): (u16, u16)) -> io::Result<Self> {
        let (one, other) = side_by_side(hosts.here)?;
        let ports = (one.local_addr()?.port(), other.local_addr()?.port());
        let connected = |socket: UdpSocket, port: u16| {
            // From here on the kernel drops what comes from elsewhere.
            socket.connect(SocketAddr::new(hosts.there, port))?;
            socket.set_nonblocking(true)?;
            tokio::net::UdpSocket::from_std(socket)
        };
        Ok(Self {
            rtp: connected(one, rtp)?,
            rtcp: connected(other, rtcp)?,
            ports,
        })
    }

    /// The ports.
    pub const fn ports(&self) -> (u16, u16) {
        self.ports
    }
}

fn side_by_side(here: IpAddr) -> io::Result<(UdpSocket, UdpSocket)> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let any = UdpSocket::bind((here, 0))?;
        let port = any.local_addr()?.port();
        match UdpSocket::bind((here, port ^ 1)) {
            Ok(other) if port.is_multiple_of(2) => return Ok((any, other)),
            Ok(other) => return Ok((other, any)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A picture in datagrams, and how many of them have gone.
#[derive(Debug, Default)]
pub struct Datagrams {
    /// One behind the other.
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
    sent: usize,
}

impl Datagrams {
    /// Those of a picture that is cut in these pieces.
    pub fn new(packet: &Packet, pieces: &Pieces, stream: &mut Stream) -> Self {
        let mut all = Self::default();
        for (n, piece) in pieces.all.iter().enumerate() {
            let is_last = n + 1 == pieces.all.len();
            let head = stream.head(packet.captured, is_last, piece.length());
            all.bytes.extend(head);
            all.bytes.extend(&pieces.heads[piece.head.clone()]);
            all.bytes.extend(&packet.bytes[piece.picture.clone()]);
            all.ends.push(all.bytes.len());
        }
        all
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all of them.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// All have gone.
    pub fn is_sent(&self) -> bool {
        self.sent == self.ends.len()
    }

    /// Gives up the next one.
    pub fn skip(&mut self) {
        self.sent += 1;
    }

    /// Hands the kernel the next datagrams, `most` of them at most, those of one length in one
    /// call; says how many it took.
    ///
    /// # Errors
    /// Those of sendmsg(2); `WouldBlock` when it takes none now.
    pub fn send(&mut self, socket: &tokio::net::UdpSocket, most: usize) -> io::Result<usize> {
        let start = self.sent.checked_sub(1).map_or(0, |last| self.ends[last]);
        let rest = &self.ends[self.sent..];
        let Some(first) = rest.first() else {
            return Ok(0);
        };
        let size = first - start;
        let ends = rest.iter().take(most);
        let of_one_length = |(n, end): &(usize, &usize)| **end == start + size * (n + 1);
        let mut count = ends.enumerate().take_while(of_one_length).count();
        // The last one may be shorter.
        let next = rest.get(count).filter(|_| count < most);
        if next.is_some_and(|end| *end < start + size * (count + 1)) {
            count += 1;
        }
        let bytes = &self.bytes[start..rest[count - 1]];
        socket.try_io(Interest::WRITABLE, || send_many(socket, bytes, size))?;
        self.sent += count;
        Ok(count)
    }
}

/// Sends datagrams of `size` bytes each, the last of which may be shorter.
fn send_many(socket: &tokio::net::UdpSocket, bytes: &[u8], size: usize) -> io::Result<()> {
    let segment = size as u16;
    let parts = [IoSlice::new(bytes)];
    let segments = [ControlMessage::UdpGsoSegments(&segment)];
    let control = if bytes.len() > size {
        &segments[..]
    } else {
        &[]
    };
    let (fd, flags) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
    match sendmsg::<()>(fd, &parts, control, flags, None) {
        // A device or kernel that can't part them.
        Err(Errno::EIO | Errno::EINVAL | Errno::EOPNOTSUPP) if bytes.len() > size => {
            bytes.chunks(size).try_for_each(|datagram| {
                let sent = sendmsg::<()>(fd, &[IoSlice::new(datagram)], &[], flags, None);
                sent.map(|_| ()).map_err(io::Error::from)
            })
        }
        sent => sent.map(|_| ()).map_err(io::Error::from),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::{fixtures, rtsp::rtp};

    #[tokio::test]
    async fn datagrams_of_any_lengths_go_as_they_are_to_one_client_alone() {
        let here = IpAddr::from(Ipv4Addr::LOCALHOST);
        let client = UdpSocket::bind((here, 0)).unwrap();
        let port = client.local_addr().unwrap().port();
        let hosts = Hosts { here, there: here };
        let pair = Pair::bind(hosts, (port, port ^ 1)).unwrap();
        let (rtp, rtcp) = pair.ports();
        assert!(rtp % 2 == 0 && rtcp == rtp + 1);
        let packet = Packet {
            bytes: (0..5000).map(|n| n as u8).collect(),
            ..fixtures::frame(1)
        };
        let mut pieces = Pieces::default();
        let lengths = [100, 100, 100, 40, 7, 300, 300, 300, 300, 1000];
        let mut start = 0;
        for length in lengths {
            pieces.push(b"head", start..start + length);
            start += length;
        }
        let mut stream = Stream::new(26, rtp::PICTURES).unwrap();
        for most in [1, 3, 100] {
            let mut all = Datagrams::new(&packet, &pieces, &mut stream);
            let mut taken = 0;
            while !all.is_sent() {
                pair.rtp.writable().await.unwrap();
                let count = all.send(&pair.rtp, most).unwrap();
                assert!((1..=most).contains(&count));
                taken += count;
            }
            assert_eq!(taken, lengths.len());
            assert_eq!(all.send(&pair.rtp, most).unwrap(), 0);
            let mut start = 0;
            for (n, length) in lengths.into_iter().enumerate() {
                let mut got = [0; 2000];
                let (bytes, from) = client.recv_from(&mut got).unwrap();
                assert_eq!(from.port(), rtp);
                assert_eq!(bytes, 12 + 4 + length);
                assert_eq!(got[1] & 0x80 > 0, n + 1 == lengths.len(), "the last one");
                assert_eq!(got[12..16], *b"head");
                assert_eq!(got[16..bytes], packet.bytes[start..start + length]);
                start += length;
            }
        }
    }
}
