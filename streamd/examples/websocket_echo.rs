//! Echoes WebSocket messages through streamd's own codec and handshake, for the Autobahn suite:
//! `websocket_echo ADDRESS:PORT`.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
};

use axum::http::{HeaderMap, Method, Version};
use bytes::BytesMut;
use streamd::http::websocket::{
    codec,
    codec::{Incoming, Opcode, Reader},
    handshake,
};

/// Above the largest message of the suite.
const LIMIT: usize = 32 << 20;

fn main() -> io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .ok_or_else(|| io::Error::other("usage: websocket_echo ADDRESS:PORT"))?;
    for connection in TcpListener::bind(address)?.incoming() {
        let connection = connection?;
        std::thread::spawn(move || {
            if let Err(error) = serve(connection) {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

fn serve(mut socket: TcpStream) -> io::Result<()> {
    let mut input = BytesMut::new();
    socket.write_all(answer(&mut socket.try_clone()?, &mut input)?.as_bytes())?;
    let mut reader = Reader::new(LIMIT);
    loop {
        let mut out = Vec::new();
        let more = echo(&mut reader, &mut input, &mut out);
        socket.write_all(&out)?;
        if !more || !receive(&mut socket, &mut input)? {
            return socket.shutdown(std::net::Shutdown::Write);
        }
    }
}

/// Reads the request and gives the head of the answer.
fn answer(socket: &mut TcpStream, input: &mut BytesMut) -> io::Result<String> {
    let end = loop {
        if let Some(at) = input.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        if !receive(socket, input)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = input.split_to(end + 4);
    let lines = std::str::from_utf8(&head).map_err(io::Error::other)?;
    let headers: HeaderMap = lines
        .lines()
        .filter_map(|line| line.split_once(": "))
        .filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)))
        .collect();
    let accept = handshake::accept(&Method::GET, Version::HTTP_11, &headers);
    let accept = accept.map_err(io::Error::other)?;
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ))
}

/// Appends what answers the whole messages in `input`; false when the connection is over.
fn echo(reader: &mut Reader, input: &mut BytesMut, out: &mut Vec<u8>) -> bool {
    loop {
        match reader.read(input) {
            Ok(None) => return true,
            Ok(Some(Incoming::Text(text))) => {
                codec::write_frame(out, Opcode::Text, text.as_bytes())
            }
            Ok(Some(Incoming::Binary(bytes))) => codec::write_frame(out, Opcode::Binary, &bytes),
            Ok(Some(Incoming::Ping(payload))) => codec::write_frame(out, Opcode::Pong, &payload),
            Ok(Some(Incoming::Pong(_))) => {}
            Ok(Some(Incoming::Close(close))) => {
                let payload = close.map(|(code, _)| code.to_be_bytes());
                codec::write_frame(out, Opcode::Close, payload.as_ref().map_or(&[], |c| &c[..]));
                return false;
            }
            Err(broken) => {
                codec::write_close(out, broken.code, broken.reason);
                return false;
            }
        }
    }
}

fn receive(socket: &mut TcpStream, input: &mut BytesMut) -> io::Result<bool> {
    let mut chunk = [0; 65536];
    let got = socket.read(&mut chunk)?;
    input.extend_from_slice(&chunk[..got]);
    Ok(got > 0)
}
