//! What a viewer's bytes go through: a socket, or TLS on a socket.
//!
//! With TLS, each byte is encrypted once, and nothing else is done to it: rustls takes a frame's
//! parts where they are, 64 KiB at a time, and hands what it has made of them to the same system
//! call that plain bytes go by, so that the kernel stamps and counts what is really sent.

use std::{
    io::{self, IoSlice, Read, Write},
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
};

use bytes::BytesMut;
use rustls::ServerConnection;

use super::socket::Socket;

/// Encrypted bytes that wait for the socket at most. Beyond it, the rest of a frame waits plain,
/// where it is shared with the other viewers.
const MAX_ENCRYPTED: usize = 64 * 1024;

/// Parts that are taken at once; what is in more of them waits for the next call.
pub const MAX_PARTS: usize = 16;

/// Bytes read out of a TLS session at a time.
const CHUNK: usize = 4 * 1024;

/// A viewer's channel.
pub enum Channel {
    /// Bytes go as they are.
    Plain(Socket),
    /// Bytes are encrypted.
    Tls(Box<Tls>),
}

/// A TLS session whose handshake is over, and its socket.
pub struct Tls {
    socket: Socket,
    session: ServerConnection,
    /// The kernel is to stamp the last of the encrypted bytes.
    stamp: bool,
}

/// What came of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// So many bytes from the network. They need not hold any content.
    Bytes(usize),
    /// The peer sends nothing more.
    End,
}

impl From<Socket> for Channel {
    fn from(socket: Socket) -> Self {
        Self::Plain(socket)
    }
}

impl Channel {
    /// Goes on with a TLS session. What it has received already is appended to `input`.
    ///
    /// # Errors
    /// If the session is over.
    pub fn secure(
        socket: Socket,
        mut session: ServerConnection,
        input: &mut BytesMut,
    ) -> io::Result<Self> {
        session.set_buffer_limit(Some(MAX_ENCRYPTED));
        let mut tls = Tls {
            socket,
            session,
            stamp: false,
        };
        tls.take_content(input)?;
        Ok(Self::Tls(Box::new(tls)))
    }

    /// Whether what goes through it is encrypted.
    pub const fn is_secure(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// The socket.
    pub fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &tls.socket,
        }
    }

    /// The same, to set something of it.
    pub fn socket_mut(&mut self) -> &mut Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &mut tls.socket,
        }
    }

    /// The socket alone. What was encrypted and is not with the kernel yet is lost.
    pub fn into_socket(self) -> Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => tls.socket,
        }
    }

    /// Takes what it can of `parts`, one after another. With `stamp`, the kernel will say when the
    /// last byte was acknowledged. What was taken may wait, encrypted, until [`flush`](Self::flush).
    ///
    /// # Errors
    /// `WouldBlock` if it takes nothing now; else the connection has failed.
    pub fn send(&mut self, parts: &[&[u8]], stamp: bool) -> io::Result<usize> {
        let count = parts.len().min(MAX_PARTS);
        let all = parts.iter().map(|part| part.len()).sum();
        let mut slices = [IoSlice::new(&[]); MAX_PARTS];
        for (slice, part) in slices.iter_mut().zip(parts) {
            *slice = IoSlice::new(part);
        }
        match self {
            Self::Plain(socket) => socket.send(&slices[..count], stamp),
            Self::Tls(tls) => tls.send(&slices[..count], all, stamp),
        }
    }

    /// Whether all that was taken is with the kernel.
    pub fn is_flushed(&self) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Tls(tls) => !tls.session.wants_write(),
        }
    }

    /// Hands what was taken to the kernel.
    ///
    /// # Errors
    /// `WouldBlock` if that takes not all of it; else the connection has failed.
    pub fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(tls) => tls.flush(),
        }
    }

    /// Reads once, and appends to `input` what the peer has said.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing; else the connection has failed.
    pub fn receive(&mut self, input: &mut BytesMut) -> io::Result<Received> {
        match self {
            Self::Plain(socket) => Ok(match socket.receive(input)? {
                0 => Received::End,
                bytes => Received::Bytes(bytes),
            }),
            Self::Tls(tls) => tls.receive(input),
        }
    }

    /// Says that nothing more will be sent.
    pub fn say_end(&mut self) {
        if let Self::Tls(tls) = self {
            tls.session.send_close_notify();
            // A peer that takes nothing is not waited for.
            let _ = tls.flush();
        }
    }
}

impl Tls {
    fn send(&mut self, parts: &[IoSlice<'_>], all: usize, stamp: bool) -> io::Result<usize> {
        // What is older goes first; while it waits, nothing more is encrypted.
        self.flush()?;
        let taken = self.session.writer().write_vectored(parts)?;
        self.stamp = stamp && taken == all;
        match self.flush() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(&mut Encrypted {
                socket: &mut self.socket,
                stamp: self.stamp,
            })?;
        }
        Ok(())
    }

    fn receive(&mut self, input: &mut BytesMut) -> io::Result<Received> {
        let bytes = self.session.read_tls(&mut Incoming(&self.socket))?;
        if bytes == 0 {
            return Ok(Received::End);
        }
        let said = self.session.process_new_packets();
        if let Err(error) = said {
            // The alert that tells the peer why.
            let _ = self.flush();
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        match self.take_content(input)? {
            true => Ok(Received::Bytes(bytes)),
            false => Ok(Received::End),
        }
    }

    /// Appends what has been decrypted; false at the peer's end.
    fn take_content(&mut self, input: &mut BytesMut) -> io::Result<bool> {
        loop {
            let old = input.len();
            input.resize(old + CHUNK, 0);
            let got = self.session.reader().read(&mut input[old..]);
            input.truncate(old + *got.as_ref().unwrap_or(&0));
            match got {
                Ok(0) => return Ok(false),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                // The connection ended without a word of it.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Where a session writes to.
struct Encrypted<'a> {
    socket: &'a mut Socket,
    stamp: bool,
}

impl Write for Encrypted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.socket.send(parts, self.stamp)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where a session reads from.
struct Incoming<'a>(&'a Socket);

impl Read for Incoming<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.0.receive_into(room)
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.socket().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, TcpStream},
        sync::Arc,
        thread,
    };

    use rustls::{
        ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned,
        pki_types::{PrivateKeyDer, ServerName},
    };

    use super::*;
    use crate::config::values::Congestion;

    type Client = StreamOwned<ClientConnection, TcpStream>;

    /// Both ends of a TLS connection over loopback.
    fn connected() -> (Channel, Client) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let server = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let client = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connects = thread::spawn(move || {
            let name = ServerName::try_from("localhost").unwrap();
            let session = ClientConnection::new(Arc::new(client), name).unwrap();
            let mut client = StreamOwned::new(session, TcpStream::connect(address).unwrap());
            client.conn.complete_io(&mut client.sock).unwrap();
            client
        });
        let (mut accepted, _) = listener.accept().unwrap();
        let mut session = ServerConnection::new(Arc::new(server)).unwrap();
        while session.is_handshaking() {
            session.complete_io(&mut accepted).unwrap();
        }
        let client = connects.join().unwrap();
        let mut socket = Socket::new(accepted.into()).unwrap();
        socket.prepare(Congestion::System, std::time::Duration::from_secs(10));
        let channel = Channel::secure(socket, session, &mut BytesMut::new()).unwrap();
        (channel, client)
    }

    fn until_it_takes<T>(mut attempt: impl FnMut() -> io::Result<T>) -> T {
        loop {
            match attempt() {
                Ok(done) => return done,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn read(client: &mut Client, bytes: usize) -> Vec<u8> {
        let mut got = vec![0; bytes];
        client.read_exact(&mut got).unwrap();
        got
    }

    #[test]
    fn what_is_sent_arrives_in_order_however_slowly_it_is_read() {
        let (mut channel, mut client) = connected();
        let picture: Vec<u8> = (0..3_000_000_u32).map(|n| (n ^ n >> 9) as u8).collect();
        let wanted = [b"before".as_slice(), &picture, b"after"].concat();
        let reads = thread::spawn(move || read(&mut client, wanted.len()) == wanted);
        let (mut done, mut blocked) = (0, 0);
        let parts = [b"before".as_slice(), &picture, b"after"];
        while done < 11 + picture.len() {
            let mut skip = done;
            let rest = parts.map(|part| {
                let cut = skip.min(part.len());
                skip -= cut;
                &part[cut..]
            });
            match channel.send(&rest, true) {
                Ok(taken) => done += taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => blocked += 1,
                Err(error) => panic!("{error}"),
            }
        }
        until_it_takes(|| channel.flush());
        assert!(channel.is_flushed());
        assert!(reads.join().unwrap());
        assert!(blocked > 0, "more was sent than the kernel takes at once");
    }

    #[test]
    fn the_kernel_stamps_the_last_encrypted_byte() {
        let (mut channel, mut client) = connected();
        let before = channel.socket().written();
        assert_eq!(channel.send(&[b"a frame"], true).unwrap(), 7);
        assert!(channel.is_flushed());
        let key = channel.socket().written().wrapping_sub(1);
        assert!(key.wrapping_sub(before) > 7, "what is sent is encrypted");
        assert_eq!(read(&mut client, 7), b"a frame");
        let stamp = until_it_takes(|| {
            let stamp = channel.socket().take_stamp();
            stamp.ok_or_else(|| io::ErrorKind::WouldBlock.into())
        });
        assert_eq!(stamp.key, key);
    }

    #[test]
    fn what_the_peer_says_is_read_up_to_its_end() {
        let (mut channel, mut client) = connected();
        client.write_all(b"hello").unwrap();
        client.flush().unwrap();
        let mut input = BytesMut::new();
        while input.len() < 5 {
            until_it_takes(|| channel.receive(&mut input));
        }
        assert_eq!(&input[..], b"hello");
        client.conn.send_close_notify();
        client.flush().unwrap();
        let ended = until_it_takes(|| channel.receive(&mut input));
        assert_eq!(ended, Received::End);
        channel.say_end();
        assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
    }

    #[test]
    fn what_is_no_tls_is_an_error() {
        let (mut channel, mut client) = connected();
        client.sock.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let failed = loop {
            match channel.receive(&mut BytesMut::new()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                got => break got,
            }
        };
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
