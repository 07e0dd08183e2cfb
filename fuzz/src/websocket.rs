//! Any bytes as what a WebSocket client sends.

use bytes::BytesMut;
use streamd::http::websocket::codec::Broken;
use streamd::http::websocket::codec::Incoming;
use streamd::http::websocket::codec::MAX_CONTROL;
use streamd::http::websocket::codec::Opcode;
use streamd::http::websocket::codec::Reader;
use streamd::http::websocket::codec::write_frame;

/// Bytes of a message at most: small, so that the fuzzer finds the way beyond it.
const LIMIT: usize = 512;

/// The same messages however the bytes arrive. The first byte says in how large pieces.
pub fn run(bytes: &[u8]) {
    let Some((piece, bytes)) = bytes.split_first() else {
        return;
    };
    let whole = read(bytes, bytes.len().max(1));
    assert_eq!(whole, read(bytes, usize::from(*piece).max(1)));
    for incoming in &whole.0 {
        assert!(length(incoming) <= LIMIT);
    }
    if let Some((mask, payload)) = bytes.split_first_chunk() {
        let payload = &payload[..payload.len().min(LIMIT)];
        check_frame(Opcode::Binary, *mask, payload);
        check_frame(
            Opcode::Ping,
            *mask,
            &payload[..payload.len().min(MAX_CONTROL)],
        );
    }
}

/// What is read when the bytes arrive in pieces of this size, and how the protocol was broken.
fn read(bytes: &[u8], piece: usize) -> (Vec<Incoming>, Option<Broken>) {
    let (mut reader, mut input) = (Reader::new(LIMIT), BytesMut::new());
    let mut all = Vec::new();
    for piece in bytes.chunks(piece) {
        input.extend_from_slice(piece);
        loop {
            match reader.read(&mut input) {
                Ok(Some(incoming)) => all.push(incoming),
                Ok(None) => break,
                Err(broken) => return (all, Some(broken)),
            }
        }
    }
    (all, None)
}

fn length(incoming: &Incoming) -> usize {
    match incoming {
        Incoming::Text(text) => text.len(),
        Incoming::Binary(bytes) | Incoming::Ping(bytes) | Incoming::Pong(bytes) => bytes.len(),
        Incoming::Close(None) => 0,
        Incoming::Close(Some((_, reason))) => reason.len(),
    }
}

/// A frame as we write it, masked as a client must, is read as what it is.
fn check_frame(opcode: Opcode, mask: [u8; 4], payload: &[u8]) {
    let mut frame = Vec::new();
    write_frame(&mut frame, opcode, payload);
    let head = frame.len() - payload.len();
    frame[1] |= 0x80;
    let masked = frame.split_off(head);
    frame.extend(mask);
    let keys = mask.iter().cycle();
    frame.extend(masked.iter().zip(keys).map(|(byte, key)| byte ^ key));
    let (read, broken) = read(&frame, frame.len());
    assert_eq!(broken, None);
    let [Incoming::Binary(got) | Incoming::Ping(got)] = &read[..] else {
        panic!("{read:?}");
    };
    assert_eq!(&got[..], payload);
}
