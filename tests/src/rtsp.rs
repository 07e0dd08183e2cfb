//! A client of RTSP, just good enough to see whether the server is. A read that gets nothing for
//! [`PATIENCE`] is a failure.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
};

use mozjpeg::Decompress;

use crate::PATIENCE;

/// Bytes of an RTP header without anything more.
const RTP_HEAD: usize = 12;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The lines of its head.
    pub head: Vec<String>,
    /// Its body.
    pub body: String,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// A packet of RTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Its number.
    pub sequence: u16,
    /// The time of its picture, 90 kHz.
    pub clock: u32,
    /// It is the last of its picture.
    pub is_last: bool,
    /// How it is packed.
    pub kind: u8,
    /// What is in it.
    pub payload: Vec<u8>,
}

impl Packet {
    /// Takes a packet apart.
    ///
    /// # Panics
    /// If it is none.
    #[track_caller]
    pub fn read(bytes: &[u8]) -> Self {
        let (head, payload) = bytes.split_at(RTP_HEAD);
        assert_eq!(head[0], 0x80, "version 2, and nothing more");
        Self {
            sequence: u16::from_be_bytes([head[2], head[3]]),
            clock: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            is_last: head[1] & 0x80 > 0,
            kind: head[1] & 0x7F,
            payload: payload.to_vec(),
        }
    }
}

/// The byte stream of a picture in H.264, of all its packets (RFC 6184).
///
/// # Panics
/// If they are not all there, or packed in another way.
#[track_caller]
pub fn units(packets: &[Packet]) -> Vec<u8> {
    const FRAGMENT: u8 = 28;
    let mut out = Vec::new();
    for packet in packets {
        assert_eq!((packet.kind, packet.clock), (96, packets[0].clock));
        let [first, rest @ ..] = &packet.payload[..] else {
            panic!("an empty packet");
        };
        if first & 0x1F != FRAGMENT {
            out.extend([0, 0, 0, 1, *first]);
            out.extend(rest);
            continue;
        }
        if rest[0] & 0x80 > 0 {
            out.extend([0, 0, 0, 1, first & 0xE0 | rest[0] & 0x1F]);
        }
        out.extend(&rest[1..]);
    }
    out
}

/// A picture that came as RTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The JPEG file that was made of it.
    pub bytes: Vec<u8>,
    /// Its time, 90 kHz.
    pub clock: u32,
    /// The number of its last packet.
    pub sequence: u16,
}

impl Picture {
    /// Makes a file of all packets of a picture, RFC 2435 appendix B.
    ///
    /// # Panics
    /// If they are not all there, or say what they may not.
    #[track_caller]
    pub fn of(packets: &[Packet]) -> Self {
        let last = packets.last().expect("a picture has packets");
        let mut data = Vec::new();
        let mut head = Vec::new();
        for (n, packet) in (1..).zip(packets) {
            assert_eq!(packet.kind, 26);
            assert_eq!(packet.clock, last.clock);
            assert_eq!(packet.is_last, n == packets.len());
            let (fixed, mut rest) = packet.payload.split_at(8);
            let offset = u32::from_be_bytes([0, fixed[1], fixed[2], fixed[3]]);
            assert_eq!(offset as usize, data.len(), "a packet is missing");
            let [kind, quality, width, height] = [fixed[4], fixed[5], fixed[6], fixed[7]];
            assert!(kind < 2 && quality == 255, "{fixed:?}");
            if offset == 0 {
                assert_eq!(rest[..4], [0, 0, 0, 128]);
                let tables = &rest[4..132];
                head = header(kind, [width, height], tables);
                rest = &rest[132..];
            }
            data.extend_from_slice(rest);
        }
        let bytes = [&head[..], &data, &[0xFF, 0xD9]].concat();
        Self {
            bytes,
            clock: last.clock,
            sequence: last.sequence,
        }
    }

    /// Its width and height, and pixels: it must decode without a fault.
    ///
    /// # Panics
    /// If it can't be decoded.
    #[track_caller]
    pub fn decode(&self) -> (usize, usize, Vec<[u8; 3]>) {
        let header = Decompress::new_mem(&self.bytes).expect("a header that can be read");
        let size = header.size();
        let mut lines = header.rgb().expect("a coding that is known");
        let pixels = lines.read_scanlines().expect("pixel data that is whole");
        (size.0, size.1, pixels)
    }
}

/// A header with the tables of luma and chroma, and none of Huffman: decoders know these.
fn header(kind: u8, [width, height]: [u8; 2], tables: &[u8]) -> Vec<u8> {
    let mut out = vec![0xFF, 0xD8];
    for (number, table) in tables.chunks(64).enumerate() {
        out.extend([0xFF, 0xDB, 0, 67, number as u8]);
        out.extend(table);
    }
    let luma = if kind == 0 { 0x21 } else { 0x22 };
    out.extend([0xFF, 0xC0, 0, 17, 8]);
    out.extend((u16::from(height) * 8).to_be_bytes());
    out.extend((u16::from(width) * 8).to_be_bytes());
    out.extend([3, 0, luma, 0, 1, 0x11, 1, 2, 0x11, 1]);
    out.extend([0xFF, 0xDA, 0, 12, 3, 0, 0, 1, 0x11, 2, 0x11, 0, 63, 0]);
    out
}

/// A connected client.
#[derive(Debug)]
pub struct Rtsp {
    socket: BufReader<TcpStream>,
    server: SocketAddr,
    number: u32,
    /// The session that it is in.
    pub session: Option<String>,
}

impl Rtsp {
    /// Connects, and says nothing.
    ///
    /// # Panics
    /// If nobody answers.
    #[track_caller]
    pub fn connect(server: SocketAddr) -> Self {
        let connected = TcpStream::connect_timeout(&server, PATIENCE);
        let socket = connected.unwrap_or_else(|error| panic!("{server}: {error}"));
        let timeout = socket.set_read_timeout(Some(PATIENCE));
        timeout.expect("a time-out that is not zero");
        Self {
            socket: BufReader::new(socket),
            server,
            number: 0,
            session: None,
        }
    }

    /// Its address, as the daemon shows it.
    ///
    /// # Panics
    /// If the connection is gone.
    pub fn address(&self) -> String {
        let address = self.socket.get_ref().local_addr();
        address.expect("a connected socket has one").to_string()
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// If the connection takes none.
    #[track_caller]
    pub fn write(&mut self, bytes: &[u8]) {
        let sent = self.socket.get_mut().write_all(bytes);
        sent.expect("a connection that takes bytes");
    }

    /// Asks for a path, with header lines besides the usual; the answer is not read.
    #[track_caller]
    pub fn say(&mut self, method: &str, path: &str, headers: &[&str]) {
        self.number += 1;
        let mut request = format!("{method} rtsp://{}{path} RTSP/1.0\r\n", self.server);
        request += &format!("CSeq: {}\r\nUser-Agent: test/1\r\n", self.number);
        if let Some(session) = &self.session {
            request += &format!("Session: {session}\r\n");
        }
        for header in headers {
            request += &format!("{header}\r\n");
        }
        self.write(format!("{request}\r\n").as_bytes());
    }

    /// The same, and reads the answer, past all pictures.
    #[track_caller]
    pub fn ask(&mut self, method: &str, path: &str, headers: &[&str]) -> Answer {
        self.say(method, path, headers);
        let answer = self.answer();
        let number = self.number.to_string();
        assert_eq!(answer.header("CSeq"), Some(&*number), "{answer:?}");
        if let Some(session) = answer.header("Session") {
            let id = session.split(';').next().unwrap_or_default();
            self.session = Some(id.to_owned());
        }
        answer
    }

    /// The next answer, past all pictures.
    ///
    /// # Panics
    /// If none comes.
    #[track_caller]
    pub fn answer(&mut self) -> Answer {
        while self.peek() == Some(b'$') {
            self.block();
        }
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            let read = self.socket.read_line(&mut line);
            let read = read.expect("an answer that is text");
            assert!(read > 0, "the connection ended in {head:?}");
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        let status = head[0].strip_prefix("RTSP/1.0 ");
        let status = status.and_then(|rest| rest.split(' ').next()?.parse().ok());
        let mut answer = Answer {
            status: status.unwrap_or_else(|| panic!("a status line: {head:?}")),
            head,
            body: String::new(),
        };
        let length = answer.header("Content-Length");
        let length = length.map_or(0, |length| length.parse().expect("a number"));
        let mut body = vec![0; length];
        self.socket.read_exact(&mut body).expect("a whole body");
        answer.body = String::from_utf8(body).expect("a body that is text");
        answer
    }

    /// The next byte, without taking it; `None` at the end.
    fn peek(&mut self) -> Option<u8> {
        let ahead = self.socket.fill_buf();
        ahead.ok().and_then(|ahead| ahead.first()).copied()
    }

    /// Whether the server has closed the connection, once all that came before is read.
    pub fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.socket.read_to_end(&mut rest) {
            Ok(_) => true,
            // By who has not read all that was sent.
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }

    /// The next block: its channel, and what is in it.
    ///
    /// # Panics
    /// If none comes.
    #[track_caller]
    pub fn block(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 4];
        self.socket.read_exact(&mut head).expect("a block");
        assert_eq!(head[0], b'$', "a block, and not {head:?}");
        let mut bytes = vec![0; u16::from_be_bytes([head[2], head[3]]).into()];
        self.socket.read_exact(&mut bytes).expect("a whole block");
        (head[1], bytes)
    }

    /// Begins to watch, in blocks of the connection on the channels 0 and 1.
    ///
    /// # Panics
    /// If the server refuses it.
    #[track_caller]
    pub fn play(&mut self, path: &str) {
        let track = format!("{path}/trackID=0");
        let transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1";
        for (method, path, header) in [
            ("DESCRIBE", path, "Accept: application/sdp"),
            ("SETUP", &track, transport),
            ("PLAY", path, "Range: npt=0.000-"),
        ] {
            let answer = self.ask(method, path, &[header]);
            assert_eq!(answer.status, 200, "{method}: {answer:?}");
        }
    }

    /// The next picture in blocks, and all reports before its end.
    #[track_caller]
    pub fn picture(&mut self) -> (Picture, Vec<Vec<u8>>) {
        let (packets, reports) = self.packets();
        (Picture::of(&packets), reports)
    }

    /// The same in packets.
    #[track_caller]
    pub fn packets(&mut self) -> (Vec<Packet>, Vec<Vec<u8>>) {
        let (mut packets, mut reports) = (Vec::new(), Vec::new());
        loop {
            match self.block() {
                (0, bytes) => packets.push(Packet::read(&bytes)),
                (_, bytes) => reports.push(bytes),
            }
            if packets.last().is_some_and(|packet| packet.is_last) {
                return (packets, reports);
            }
        }
    }
}

/// Two sockets side by side, for datagrams.
#[derive(Debug)]
pub struct Ports {
    /// Of pictures.
    pub rtp: UdpSocket,
    /// Of reports.
    pub rtcp: UdpSocket,
}

impl Ports {
    /// Takes two on this machine.
    ///
    /// # Panics
    /// If there are none.
    #[track_caller]
    pub fn bind() -> Self {
        let bind = |port: u16| {
            let socket = UdpSocket::bind(("127.0.0.1", port)).ok()?;
            socket.set_read_timeout(Some(PATIENCE)).ok()?;
            Some(socket)
        };
        let pair = || {
            let rtp = bind(0)?;
            let port = rtp.local_addr().ok()?.port();
            let rtcp = bind(port.checked_add(1)?)?;
            Some(Self { rtp, rtcp })
        };
        (0..100).find_map(|_| pair()).expect("two free ports")
    }

    /// The header that asks for datagrams to them.
    ///
    /// # Panics
    /// If they are gone.
    pub fn transport(&self) -> String {
        let port = self.rtp.local_addr().expect("a bound socket").port();
        format!("Transport: RTP/AVP;unicast;client_port={port}-{}", port + 1)
    }

    /// The next whole picture.
    ///
    /// # Panics
    /// If none comes.
    #[track_caller]
    pub fn picture(&self) -> Picture {
        Picture::of(&self.packets())
    }

    /// The same in packets: none is missing.
    ///
    /// # Panics
    /// If none comes.
    #[track_caller]
    pub fn packets(&self) -> Vec<Packet> {
        let mut packets: Vec<Packet> = Vec::new();
        let mut bytes = [0; 2048];
        loop {
            let length = self.rtp.recv(&mut bytes).expect("a datagram");
            let packet = Packet::read(&bytes[..length]);
            let follows = packets
                .last()
                .is_none_or(|last| last.sequence.wrapping_add(1) == packet.sequence);
            if !follows {
                packets.clear();
            }
            packets.push(packet);
            if !packets[packets.len() - 1].is_last {
                continue;
            }
            // A first picture may be met in its midst: a part of a JPEG, or of a unit.
            let first = &packets[0];
            let begins = match first.kind {
                26 => first.payload[1..4] == [0, 0, 0],
                _ => first.payload[0] & 0x1F != 28,
            };
            match begins {
                true => return packets,
                false => packets.clear(),
            }
        }
    }
}
