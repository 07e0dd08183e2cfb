//! A client of HTTP, just good enough to see whether the server is.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
};

use crate::PATIENCE;

/// Bytes of a head or of a part that are more than any server of ours sends.
const TOO_LONG: usize = 16 * 1024 * 1024;

/// A response: its head is read, its body is not.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    head: Vec<String>,
    rest: BufReader<TcpStream>,
}

/// Asks for a path, with header lines besides the usual.
///
/// # Panics
/// If there is no answer.
#[track_caller]
pub fn get(server: SocketAddr, path: &str, headers: &[&str]) -> Response {
    ask(server, "GET", path, headers, "")
}

/// Asks by another method, and sends this.
///
/// # Panics
/// If there is no answer.
#[track_caller]
pub fn send(
    server: SocketAddr,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> Response {
    let length = format!("Content-Length: {}", body.len());
    ask(server, method, path, &[headers, &[&*length]].concat(), body)
}

#[track_caller]
fn ask(server: SocketAddr, method: &str, path: &str, headers: &[&str], body: &str) -> Response {
    let connected = TcpStream::connect_timeout(&server, PATIENCE);
    let mut socket = connected.unwrap_or_else(|error| panic!("{server}: {error}"));
    let timeout = socket.set_read_timeout(Some(PATIENCE));
    timeout.expect("a time-out that is not zero");
    let extra: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {server}\r\n{extra}\r\n{body}");
    let sent = socket.write_all(request.as_bytes());
    sent.expect("a connection that takes a request");
    let mut rest = BufReader::new(socket);
    let head = read_head(&mut rest);
    let status = head[0].split(' ').nth(1).and_then(|code| code.parse().ok());
    Response {
        status: status.unwrap_or_else(|| panic!("a status line: {head:?}")),
        head,
        rest,
    }
}

#[track_caller]
fn read_head(from: &mut impl BufRead) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        let read = from.read_line(&mut line).expect("a head that is text");
        assert!(read > 0, "the connection ended in the head {lines:?}");
        match line.trim_end() {
            "" => return lines,
            line => lines.push(line.to_owned()),
        }
    }
}

fn find<'h>(head: &'h [String], name: &str) -> Option<&'h str> {
    head.iter().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

impl Response {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.head, name)
    }

    /// The whole body, as long as the head says.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn body(mut self) -> Vec<u8> {
        let length = length(&self.head);
        self.take(length)
    }

    /// All that comes until the connection is closed.
    ///
    /// # Panics
    /// If it does not end.
    #[track_caller]
    pub fn rest(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let read = self.rest.read_to_end(&mut bytes);
        read.expect("a body that ends");
        bytes
    }

    /// The next part of a multipart stream, which begins with `boundary`.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn part(&mut self, boundary: &str) -> Vec<u8> {
        let mut head = read_head(&mut self.rest);
        while head.is_empty() {
            head = read_head(&mut self.rest);
        }
        assert_eq!(head[0], format!("--{boundary}"), "{head:?}");
        self.take(length(&head))
    }

    /// The next line of the body, without its end; `None` at the end.
    ///
    /// # Panics
    /// If neither comes.
    #[track_caller]
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.rest.read_line(&mut line).expect("text");
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// Sends bytes, where the connection has become one of both directions.
    ///
    /// # Panics
    /// If it takes none.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        let sent = self.rest.get_mut().write_all(bytes);
        sent.expect("an open connection");
    }

    /// The next bytes of the body.
    ///
    /// # Panics
    /// If they do not come.
    #[track_caller]
    pub fn take(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let read = self.rest.read_exact(&mut bytes);
        read.unwrap_or_else(|error| panic!("{length} bytes after {:?}: {error}", self.head));
        bytes
    }
}

#[track_caller]
fn length(head: &[String]) -> usize {
    let length = find(head, "Content-Length").and_then(|value| value.parse().ok());
    let length = length.unwrap_or_else(|| panic!("a Content-Length in {head:?}"));
    assert!(length < TOO_LONG, "{length} bytes");
    length
}
