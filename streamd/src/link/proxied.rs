//! The PROXY protocol, versions 1 and 2: with the first bytes of a connection, a proxy says whose it
//! is. By the specification of HAProxy, <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::OwnedFd,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    net::{TcpStream, UnixStream},
};

use super::socket::Socket;

/// For the header, from the connection on: a proxy sends it at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// Begins a header of version 2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Begins a header of version 1.
const WORD: &[u8] = b"PROXY ";

/// Bytes of a line of version 1 at least (`PROXY UNKNOWN`) and at most, its end included.
const LINE: (usize, usize) = (15, 107);

/// Bytes of version 2 before the addresses.
const FIXED: usize = 16;

/// Bytes that may follow them: addresses and what else proxies like to tell.
const MAX_REST: usize = 1024;

/// What is known of a header by its first bytes.
#[derive(Debug, PartialEq, Eq)]
enum Header {
    /// At least so many bytes of it are still to come.
    More(usize),
    /// It ends after `length` bytes.
    Whole {
        /// Bytes of the header.
        length: usize,
        /// Whose connection it is; `None` where the proxy speaks for itself.
        client: Option<SocketAddr>,
    },
}

/// The bytes begin with no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection does not begin with a header of the PROXY protocol, version 1 or 2")]
pub struct NoHeader;

/// Takes the header off a connection, and no byte more. Returns the connection, and whose it is;
/// `None` where the proxy speaks for itself.
///
/// # Errors
/// When there is none in time.
pub async fn client(connection: Socket) -> io::Result<(OwnedFd, Option<SocketAddr>)> {
    let is_tcp = connection.is_tcp();
    let connection = OwnedFd::from(connection);
    if is_tcp {
        let mut stream = TcpStream::from_std(connection.into())?;
        let client = take(&mut stream).await?;
        Ok((stream.into_std()?.into(), client))
    } else {
        let mut stream = UnixStream::from_std(connection.into())?;
        let client = take(&mut stream).await?;
        Ok((stream.into_std()?.into(), client))
    }
}

/// The same of any stream.
///
/// # Errors
/// When there is none in time.
pub async fn take(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut bytes = Vec::new();
    let taken = tokio::time::timeout(PATIENCE, async {
        loop {
            match read(&bytes).map_err(io::Error::other)? {
                Header::Whole { client, .. } => return Ok(client),
                Header::More(more) => {
                    let known = bytes.len();
                    bytes.resize(known + more, 0);
                    stream.read_exact(&mut bytes[known..]).await?;
                }
            }
        }
    });
    taken
        .await
        .unwrap_or_else(|_| Err(io::Error::other(NoHeader)))
}

/// Reads a header from the first bytes of a connection.
///
/// # Errors
/// They are none.
fn read(bytes: &[u8]) -> Result<Header, NoHeader> {
    let begins = |word: &[u8]| word.starts_with(&bytes[..bytes.len().min(word.len())]);
    if bytes.is_empty() {
        Ok(Header::More(LINE.0))
    } else if begins(SIGNATURE) {
        version_2(bytes)
    } else if begins(WORD) {
        version_1(bytes)
    } else {
        Err(NoHeader)
    }
}

fn version_1(bytes: &[u8]) -> Result<Header, NoHeader> {
    let start = &bytes[..bytes.len().min(LINE.1)];
    let Some(end) = start.iter().position(|byte| *byte == b'\n') else {
        return match start.len() {
            length if length < LINE.0 => Ok(Header::More(LINE.0 - length)),
            length if length < LINE.1 => Ok(Header::More(1)),
            _ => Err(NoHeader),
        };
    };
    let line = str::from_utf8(&start[..end]).map_err(|_| NoHeader)?;
    let line = line.strip_suffix('\r').ok_or(NoHeader)?;
    let words: Vec<_> = line.split(' ').collect();
    let client = match words[..] {
        ["PROXY", "UNKNOWN", ..] => None,
        ["PROXY", kind @ ("TCP4" | "TCP6"), from, to, port, to_port] => {
            let ip: IpAddr = from.parse().map_err(|_| NoHeader)?;
            let to: IpAddr = to.parse().map_err(|_| NoHeader)?;
            let port: u16 = port.parse().map_err(|_| NoHeader)?;
            let _: u16 = to_port.parse().map_err(|_| NoHeader)?;
            let is_4 = kind == "TCP4";
            if ip.is_ipv4() != is_4 || to.is_ipv4() != is_4 {
                return Err(NoHeader);
            }
            Some(SocketAddr::new(ip, port))
        }
        _ => return Err(NoHeader),
    };
    Ok(Header::Whole {
        length: end + 1,
        client,
    })
}

fn version_2(bytes: &[u8]) -> Result<Header, NoHeader> {
    if bytes.len() < FIXED {
        return Ok(Header::More(FIXED - bytes.len()));
    }
    let rest = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if rest > MAX_REST {
        return Err(NoHeader);
    }
    let length = FIXED + rest;
    if bytes.len() < length {
        return Ok(Header::More(length - bytes.len()));
    }
    let addresses = &bytes[FIXED..length];
    let client = match (bytes[12], bytes[13]) {
        // LOCAL: a proxy that looks whether we are there.
        (0x20, _) => None,
        // PROXY, over TCP.
        (0x21, 0x11) => Some(source::<4>(addresses, 8)?),
        (0x21, 0x21) => Some(source::<16>(addresses, 32)?),
        // PROXY, over something without addresses.
        (0x21, _) => None,
        _ => return Err(NoHeader),
    };
    Ok(Header::Whole { length, client })
}

/// The source: its address of `N` bytes stands first, its port at `port`, after both addresses.
fn source<const N: usize>(addresses: &[u8], port: usize) -> Result<SocketAddr, NoHeader> {
    // The destination's port ends them.
    let addresses = addresses.get(..port + 4).ok_or(NoHeader)?;
    let (ip, port) = (&addresses[..N], &addresses[port..port + 2]);
    let ip = match ip.try_into() {
        Ok::<[u8; 4], _>(v4) => IpAddr::V4(Ipv4Addr::from(v4)),
        Err(_) => {
            let v6: [u8; 16] = ip.try_into().map_err(|_| NoHeader)?;
            IpAddr::V6(Ipv6Addr::from(v6))
        }
    };
    let port = u16::from_be_bytes([port[0], port[1]]);
    Ok(SocketAddr::new(ip.to_canonical(), port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(bytes: &[u8]) -> Option<(usize, String)> {
        match read(bytes) {
            Ok(Header::Whole { length, client }) => {
                let client = client.map_or_else(|| "itself".into(), |c| c.to_string());
                Some((length, client))
            }
            _ => None,
        }
    }

    fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family][..], &length, addresses].concat()
    }

    #[test]
    fn headers_say_whose_the_connection_is() {
        let v4 = [192, 0, 2, 7, 10, 0, 0, 1, 0x13, 0x88, 0, 80];
        let with_more = [&v4[..], &[4, 0, 1, 9]].concat();
        let mut v6 = [0; 36];
        v6[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
        v6[15] = 7;
        v6[32..34].copy_from_slice(&[0x13, 0x88]);
        for (bytes, client) in [
            (
                b"PROXY TCP4 192.0.2.7 10.0.0.1 5000 80\r\n".to_vec(),
                "192.0.2.7:5000",
            ),
            (
                b"PROXY TCP6 2001:db8::7 ::1 5000 80\r\n".to_vec(),
                "[2001:db8::7]:5000",
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), "itself"),
            (b"PROXY UNKNOWN ffff:: ffff:: 1 2\r\n".to_vec(), "itself"),
            (v2(0x21, 0x11, &v4), "192.0.2.7:5000"),
            (v2(0x21, 0x11, &with_more), "192.0.2.7:5000"),
            (v2(0x21, 0x21, &v6), "[2001:db8::7]:5000"),
            (v2(0x20, 0, &[]), "itself"),
            (v2(0x21, 0, &[1, 2, 3]), "itself"),
        ] {
            let length = bytes.len();
            let more = [&bytes[..], b"GET / HTTP/1.1\r\n"].concat();
            assert_eq!(whole(&more), Some((length, client.into())));
            // Whatever part has come, no more is asked for than there is.
            for cut in 0..length {
                match read(&bytes[..cut]) {
                    Ok(Header::More(n)) => assert!(n > 0 && cut + n <= length, "{cut} {n}"),
                    other => panic!("{cut} of {length}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn what_is_none_is_refused_at_once() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PROXX",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 5000\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 5000 80\n",
            b"PROXY TCP4 2001:db8::7 ::1 5000 80\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 70000 80\r\n",
            b"PROXY UDP4 192.0.2.7 10.0.0.1 5000 80\r\n",
            b"\r\n\r\nGET /",
            &[b'A'; 200],
            &[b"PROXY ", &[b'A'; 200][..]].concat(),
            &v2(0x31, 0x11, &[0; 12]),
            &v2(0x21, 0x11, &[0; 11]),
            &v2(0x21, 0x11, &[0; 2000]),
        ] {
            assert_eq!(read(bytes), Err(NoHeader), "{bytes:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_follows_the_header_stays_in_the_connection() {
        for header in [
            b"PROXY TCP4 192.0.2.7 10.0.0.1 5000 80\r\n".to_vec(),
            v2(0x21, 0x11, &[192, 0, 2, 7, 10, 0, 0, 1, 0x13, 0x88, 0, 80]),
        ] {
            let bytes = [&header[..], b"GET /"].concat();
            let mut rest = &bytes[..];
            let client = take(&mut rest).await.unwrap();
            assert_eq!(client, Some("192.0.2.7:5000".parse().unwrap()));
            assert_eq!(rest, b"GET /");
        }
        let (mut silent, _other_end) = tokio::io::duplex(10);
        assert!(take(&mut silent).await.is_err(), "not in time");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(version in 0..3_u8, bytes: Vec<u8>) {
            let start: &[u8] = [&b""[..], WORD, SIGNATURE][usize::from(version)];
            let bytes = [start, &bytes].concat();
            if let Ok(Header::Whole { length, .. }) = read(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
