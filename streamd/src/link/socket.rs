//! A client's socket: what the kernel is asked to do with it, and what it is asked about it.
//!
//! Everything here is a thin, safe wrapper around one system call each.

use std::{
    io::{self, IoSlice},
    mem::{offset_of, size_of, zeroed},
    net::SocketAddr,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    time::Duration,
};

use bytes::BytesMut;

use nix::sys::socket::sockopt;

use crate::{config::values::Congestion, media::Timestamp};

/// Unsent bytes above which the kernel does not report the socket as writable: the rest of a large
/// frame then waits here and not in the kernel, where nothing could be said of it.
const NOTSENT_LOWAT: u32 = 16 * 1024;

/// Bytes asked of the kernel in one read: client messages are small.
const READ_CHUNK: usize = 4 * 1024;

/// BBR's window while it probes for the round trip time, in segments (`bbr_cwnd_min_target`).
const BBR_LEAST_WINDOW: u32 = 4;

/// What stands for the address of a peer at a Unix socket.
pub const UNIX: &str = "unix";

/// What stands for the address of a peer that has reset the connection.
const GONE: &str = "gone";

/// `TCP_CA_Open`: nothing is lost or out of order.
const CA_OPEN: u8 = 0;

/// `TCP_CA_CWR`: the window is being reduced for a mark of congestion; beyond it there is loss.
const CA_CWR: u8 = 2;

/// A connected stream socket, non-blocking, TCP or Unix.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    tcp: bool,
    bbr: bool,
    /// Bytes written since time-stamping began, modulo 2³²: the kernel's key of a stamp.
    written: u32,
}

/// What the kernel knows of a TCP connection (`TCP_INFO`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Info {
    /// Smoothed round trip time.
    pub rtt: Duration,
    /// Smallest round trip time seen.
    pub min_rtt: Duration,
    /// Bytes that the congestion control lets be in flight.
    pub window: u32,
    /// Bytes of a full segment.
    pub segment: u32,
    /// Bytes written that the kernel has not sent yet.
    pub unsent: u32,
    /// Bytes that the peer has beyond a lost one (SACK): sent, not acknowledged, and not on their way.
    pub beyond_loss: u32,
    /// Something is lost, or seems to be, and not yet made good.
    pub losing: bool,
    /// Segments sent again, in all.
    pub sent_again: u32,
    /// BBR has narrowed its window to see the bare round trip time, as it does for 200 ms every ten
    /// seconds: what arrives now says nothing of the link.
    pub probing: bool,
    /// Time that the peer's receive window held us up, in all.
    pub receiver_limited: Duration,
    /// Bytes of the window that the peer advertises; `None` where the kernel does not say (before 5.4).
    pub peer_window: Option<u32>,
}

impl Info {
    /// Nothing is known: a Unix socket, or a connection that was not asked about yet.
    pub const UNKNOWN: Self = Self {
        rtt: Duration::ZERO,
        min_rtt: Duration::ZERO,
        window: u32::MAX,
        segment: 0,
        unsent: 0,
        beyond_loss: 0,
        losing: false,
        sent_again: 0,
        probing: false,
        receiver_limited: Duration::ZERO,
        peer_window: None,
    };
}

/// The moment the peer's kernel acknowledged a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The byte, as [`Socket::written`] counted it, less one.
    pub key: u32,
    /// The moment of the acknowledgement.
    pub at: Timestamp,
}

impl Socket {
    /// Takes a connected socket and makes it non-blocking.
    ///
    /// # Errors
    /// If it is not a stream socket of the Internet or Unix family.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        use nix::{
            fcntl::{FcntlArg, OFlag, fcntl},
            sys::socket::{AddressFamily, SockaddrLike, SockaddrStorage, getsockname},
        };
        let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
        fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        let address: SockaddrStorage = getsockname(fd.as_raw_fd())?;
        let tcp = match address.family() {
            Some(AddressFamily::Inet | AddressFamily::Inet6) => true,
            Some(AddressFamily::Unix) => false,
            _ => return Err(io::Error::other("the socket is neither TCP nor Unix")),
        };
        Ok(Self {
            fd,
            tcp,
            bbr: false,
            written: 0,
        })
    }

    /// Sets what live video wants of a connection. What an older kernel doesn't know is left out.
    /// `timeout`: how long sent data may stay unacknowledged before the kernel gives up.
    pub fn prepare(&mut self, congestion: Congestion, timeout: Duration) {
        if !self.tcp {
            return;
        }
        let millis = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        self.set(libc::IPPROTO_TCP, libc::TCP_NODELAY, &1i32);
        self.set(libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, &NOTSENT_LOWAT);
        self.set(libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, &millis);
        self.set(libc::SOL_SOCKET, libc::SO_KEEPALIVE, &1i32);
        self.set(libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, &30i32);
        let name: Option<&[u8; 5]> = match congestion {
            Congestion::System => None,
            Congestion::Cubic => Some(b"cubic"),
            Congestion::Bbr => Some(b"bbr\0\0"),
        };
        if let Some(name) = name
            && !self.set(libc::IPPROTO_TCP, libc::TCP_CONGESTION, name)
        {
            tracing::warn!(
                ?congestion,
                "the kernel does not offer this congestion control here"
            );
        }
        self.bbr = nix::sys::socket::getsockopt(&self.fd, sockopt::TcpCongestion)
            .is_ok_and(|name| name.to_string_lossy().starts_with("bbr"));
        self.begin_stamps();
    }

    /// Has the kernel number bytes from here on: it counts from the first byte that is not yet
    /// acknowledged when stamping is switched on. Stamps that another process asked for are gone.
    fn begin_stamps(&mut self) {
        let stamps = libc::SOF_TIMESTAMPING_SOFTWARE
            | libc::SOF_TIMESTAMPING_OPT_ID
            | libc::SOF_TIMESTAMPING_OPT_TSONLY;
        // Once more, should bytes have been acknowledged meanwhile.
        for _ in 0..16 {
            self.set(libc::SOL_SOCKET, libc::SO_TIMESTAMPING, &0i32);
            while self.take_stamp().is_some() {}
            self.written = self.unacknowledged();
            self.set(libc::SOL_SOCKET, libc::SO_TIMESTAMPING, &stamps);
            if self.unacknowledged() == self.written {
                break;
            }
        }
    }

    /// The peer's address as people write it; `unix` for a Unix socket.
    pub fn peer(&self) -> String {
        use nix::sys::socket::{SockaddrStorage, getpeername};
        if !self.tcp {
            return UNIX.into();
        }
        let Ok(address) = getpeername::<SockaddrStorage>(self.fd.as_raw_fd()) else {
            return GONE.into();
        };
        let address = address
            .as_sockaddr_in()
            .map(|a| SocketAddr::from(*a))
            .or_else(|| address.as_sockaddr_in6().map(|a| SocketAddr::from(*a)));
        match address {
            // An IPv4 client of an IPv6 listener reads better as what it is.
            Some(a) => SocketAddr::new(a.ip().to_canonical(), a.port()).to_string(),
            None => GONE.into(),
        }
    }

    /// The address of this end; `None` for a Unix socket, or one that is gone.
    pub fn local(&self) -> Option<SocketAddr> {
        use nix::sys::socket::{SockaddrStorage, getsockname};
        let address: SockaddrStorage = getsockname(self.fd.as_raw_fd()).ok()?;
        let v4 = address.as_sockaddr_in().map(|a| SocketAddr::from(*a));
        v4.or_else(|| address.as_sockaddr_in6().map(|a| SocketAddr::from(*a)))
    }

    /// Whether the peer has reset the connection before it was served.
    pub fn is_gone(&self) -> bool {
        self.peer() == GONE
    }

    /// Whether the kernel time-stamps acknowledgements and knows a [`Info`].
    pub fn is_tcp(&self) -> bool {
        self.tcp
    }

    /// Bytes written so far, modulo 2³².
    pub fn written(&self) -> u32 {
        self.written
    }

    /// Writes what the socket takes of `parts`, one after another. With `stamp`, the kernel will
    /// say when the last byte written was acknowledged.
    pub fn send(&mut self, parts: &[IoSlice<'_>], stamp: bool) -> io::Result<usize> {
        // A control message of one u32, aligned as the kernel wants it.
        #[repr(C, align(8))]
        struct ControlMessage([u8; 32]);
        let mut control = ControlMessage([0; 32]);
        // SAFETY: an all-zero msghdr is a valid one.
        let mut message: libc::msghdr = unsafe { zeroed() };
        // An IoSlice is laid out as an iovec.
        message.msg_iov = parts.as_ptr().cast_mut().cast();
        message.msg_iovlen = parts.len() as _;
        let mut flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        if stamp && self.tcp {
            // No later byte may join the segment whose last byte is stamped.
            flags |= libc::MSG_EOR;
            message.msg_control = control.0.as_mut_ptr().cast();
            // SAFETY: CMSG_SPACE/LEN only compute; the buffer holds CMSG_SPACE(4) = 24 bytes, so
            // FIRSTHDR is non-null and DATA has room for the u32.
            unsafe {
                message.msg_controllen = libc::CMSG_SPACE(4) as _;
                let header = libc::CMSG_FIRSTHDR(&message);
                (*header).cmsg_level = libc::SOL_SOCKET;
                (*header).cmsg_type = libc::SO_TIMESTAMPING;
                (*header).cmsg_len = libc::CMSG_LEN(4) as _;
                libc::CMSG_DATA(header)
                    .cast::<u32>()
                    .write_unaligned(libc::SOF_TIMESTAMPING_TX_ACK);
            }
        }
        // SAFETY: the iovecs point into `parts`, which outlive the call, and are only read.
        let sent = check(unsafe { libc::sendmsg(self.fd.as_raw_fd(), &message, flags) })?;
        self.written = self.written.wrapping_add(sent as u32);
        Ok(sent)
    }

    /// Reads what is there into `input`; 0 at the peer's end of stream.
    pub fn receive(&self, input: &mut BytesMut) -> io::Result<usize> {
        let old = input.len();
        input.resize(old + READ_CHUNK, 0);
        let got = self.receive_into(&mut input[old..]);
        input.truncate(old + *got.as_ref().unwrap_or(&0));
        got
    }

    /// Reads what is there, as far as there is room; 0 at the peer's end of stream.
    pub fn receive_into(&self, room: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the buffer is `room`, writable for its whole length.
        check(unsafe {
            libc::recv(
                self.fd.as_raw_fd(),
                room.as_mut_ptr().cast(),
                room.len(),
                libc::MSG_DONTWAIT,
            )
        })
    }

    /// Bytes sent that the peer's kernel (on a Unix socket: the peer) has not taken yet.
    pub fn unacknowledged(&self) -> u32 {
        let mut bytes: libc::c_int = 0;
        // SAFETY: TIOCOUTQ (SIOCOUTQ) writes one int.
        let result = unsafe { libc::ioctl(self.fd.as_raw_fd(), libc::TIOCOUTQ, &mut bytes) };
        if result < 0 { 0 } else { bytes.max(0) as u32 }
    }

    /// What the kernel knows of the connection; `None` on a Unix socket.
    pub fn info(&self) -> Option<Info> {
        if !self.tcp {
            return None;
        }
        // SAFETY: all-zero is a valid TcpInfo: it holds integers only.
        let mut info: TcpInfo = unsafe { zeroed() };
        let mut length = size_of::<TcpInfo>() as libc::socklen_t;
        // SAFETY: the kernel writes at most `length` bytes into `info`.
        let result = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                (&raw mut info).cast(),
                &mut length,
            )
        };
        (result == 0).then(|| Info {
            rtt: Duration::from_micros(info.rtt.into()),
            // The kernel says all ones before the first sample.
            min_rtt: match info.min_rtt {
                u32::MAX => Duration::ZERO,
                micros => Duration::from_micros(micros.into()),
            },
            segment: info.snd_mss,
            unsent: info.notsent_bytes,
            losing: info.state[1] > CA_CWR || info.sacked > 0,
            sent_again: info.total_retrans,
            beyond_loss: info.sacked.saturating_mul(info.snd_mss),
            window: info.snd_cwnd.saturating_mul(info.snd_mss),
            probing: self.bbr && info.state[1] == CA_OPEN && info.snd_cwnd <= BBR_LEAST_WINDOW,
            receiver_limited: Duration::from_micros(info.rwnd_limited),
            peer_window: (length as usize >= offset_of!(TcpInfo, snd_wnd) + size_of::<u32>())
                .then_some(info.snd_wnd),
        })
    }

    /// The next time stamp from the socket's error queue; `None` when there is none.
    pub fn take_stamp(&self) -> Option<Stamp> {
        #[repr(C, align(8))]
        struct ControlMessage([u8; 256]);
        let mut control = ControlMessage([0; 256]);
        // SAFETY: an all-zero msghdr is a valid one.
        let mut message: libc::msghdr = unsafe { zeroed() };
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = control.0.len() as _;
        let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
        // SAFETY: no data buffer; the control buffer is as long as said.
        check(unsafe { libc::recvmsg(self.fd.as_raw_fd(), &mut message, flags) }).ok()?;
        let (mut at, mut key) = (None, None);
        // SAFETY: the kernel has filled the control buffer with whole messages; the CMSG macros
        // stay inside it; the payloads are read unaligned at their documented types.
        unsafe {
            let mut header = libc::CMSG_FIRSTHDR(&message);
            while !header.is_null() {
                let payload = libc::CMSG_DATA(header);
                match ((*header).cmsg_level, (*header).cmsg_type) {
                    (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING) => {
                        let time = payload.cast::<libc::timespec>().read_unaligned();
                        let nanos = time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64;
                        at = Some(Timestamp::from_unix_nanos(nanos));
                    }
                    (libc::SOL_IP, libc::IP_RECVERR) | (libc::SOL_IPV6, libc::IPV6_RECVERR) => {
                        let error = payload.cast::<libc::sock_extended_err>().read_unaligned();
                        if error.ee_origin == libc::SO_EE_ORIGIN_TIMESTAMPING {
                            key = Some(error.ee_data);
                        }
                    }
                    _ => {}
                }
                header = libc::CMSG_NXTHDR(&message, header);
            }
        }
        Some(Stamp { key: key?, at: at? })
    }

    /// The socket's error, if it has one (`SO_ERROR`).
    pub fn error(&self) -> Option<io::Error> {
        nix::sys::socket::getsockopt(&self.fd, sockopt::SocketError)
            .ok()
            .filter(|errno| *errno != 0)
            .map(io::Error::from_raw_os_error)
    }

    fn set<T>(&self, level: i32, option: i32, value: &T) -> bool {
        // SAFETY: the kernel reads size_of::<T>() bytes of a plain value.
        let result = unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                level,
                option,
                std::ptr::from_ref(value).cast(),
                size_of::<T>() as libc::socklen_t,
            )
        };
        result == 0
    }
}

impl From<Socket> for OwnedFd {
    fn from(socket: Socket) -> Self {
        socket.fd
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

fn check(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// `struct tcp_info` of linux/tcp.h, up to the last field read here. Kernels fill what they know.
#[repr(C)]
struct TcpInfo {
    state: [u8; 7],
    flags: u8,
    rto_ato: [u32; 2],
    snd_mss: u32,
    rcv_mss: u32,
    unacked: u32,
    sacked: u32,
    counts: [u32; 3],
    times: [u32; 4],
    pmtu: u32,
    rcv_ssthresh: u32,
    rtt: u32,
    rttvar: u32,
    snd_ssthresh: u32,
    snd_cwnd: u32,
    advmss: u32,
    reordering: u32,
    rcv: [u32; 2],
    total_retrans: u32,
    pacing: [u64; 2],
    bytes_acked: u64,
    bytes_received: u64,
    segments: [u32; 2],
    notsent_bytes: u32,
    min_rtt: u32,
    data_segments: [u32; 2],
    delivery_rate: u64,
    busy_time: u64,
    rwnd_limited: u64,
    sndbuf_limited: u64,
    delivered: [u32; 2],
    bytes_sent: u64,
    bytes_retrans: u64,
    dsack_dups: u32,
    reord_seen: u32,
    rcv_ooopack: u32,
    snd_wnd: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
    };

    fn pair() -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let mut socket = Socket::new(server.into()).unwrap();
        socket.prepare(Congestion::System, Duration::from_secs(10));
        (socket, client)
    }

    #[test]
    fn layout_of_tcp_info_is_the_kernels() {
        assert_eq!(offset_of!(TcpInfo, sacked), 28);
        assert_eq!(offset_of!(TcpInfo, rtt), 68);
        assert_eq!(offset_of!(TcpInfo, bytes_acked), 120);
        assert_eq!(offset_of!(TcpInfo, min_rtt), 148);
        assert_eq!(offset_of!(TcpInfo, delivery_rate), 160);
        assert_eq!(offset_of!(TcpInfo, rwnd_limited), 176);
        assert_eq!(offset_of!(TcpInfo, snd_wnd), 228);
    }

    #[test]
    fn sends_parts_and_is_told_when_they_arrived() {
        let (mut socket, mut client) = pair();
        let before = Timestamp::now();
        assert_eq!(
            socket
                .send(&[b"ab".as_slice(), b"cde", b"f"].map(IoSlice::new), true)
                .unwrap(),
            6
        );
        let mut got = [0; 6];
        client.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"abcdef");
        let stamp = loop {
            match socket.take_stamp() {
                Some(stamp) => break stamp,
                None => std::thread::yield_now(),
            }
        };
        assert_eq!(stamp.key, 5);
        assert!(
            stamp.at.since(before) < Duration::from_secs(5),
            "{stamp:?} {before:?}"
        );
        assert_eq!(socket.unacknowledged(), 0);
        assert!(socket.info().unwrap().window > 0);
    }

    #[test]
    fn reads_and_reports_the_end() {
        let (socket, mut client) = pair();
        let mut input = BytesMut::new();
        assert_eq!(
            socket.receive(&mut input).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        assert!(input.is_empty());
        client.write_all(b"hi").unwrap();
        while input.is_empty() {
            let _ = socket.receive(&mut input);
        }
        assert_eq!(&input[..], b"hi");
        drop(client);
        let end = loop {
            match socket.receive(&mut input) {
                Ok(n) => break n,
                Err(e) => assert_eq!(e.kind(), io::ErrorKind::WouldBlock),
            }
        };
        assert_eq!(end, 0);
    }
}
