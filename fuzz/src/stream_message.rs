//! Any bytes as what a client of raw TCP sends.

use bytes::BytesMut;
use streamd::viewer::framing::Framing;
use streamd::viewer::framing::Received;
use streamd::viewer::framing::Violation;
use streamd::viewer::tcp::Tcp;
use streamd_protocol::stream::FromClient;

/// The same messages however the bytes arrive; each is the same after writing. The first byte says in
/// how large pieces.
pub fn run(bytes: &[u8]) {
    let Some((piece, bytes)) = bytes.split_first() else {
        return;
    };
    // As one message, without the framing that the fuzzer would have to guess.
    if let Ok(message) = serde_json::from_slice(bytes) {
        check(&message);
    }
    let whole = receive(bytes, bytes.len().max(1));
    assert_eq!(whole, receive(bytes, usize::from(*piece).max(1)));
    for received in whole.0 {
        if let Received::Message(message) = received {
            check(&message);
        }
    }
}

/// What is understood when the bytes arrive in pieces of this size, and how the framing was lost.
fn receive(bytes: &[u8], piece: usize) -> (Vec<Received>, Option<Violation>) {
    let (mut framing, mut input, mut reply) = (Tcp, BytesMut::new(), Vec::new());
    let mut understood = Vec::new();
    for piece in bytes.chunks(piece) {
        input.extend_from_slice(piece);
        loop {
            match framing.receive(&mut input, &mut reply) {
                Ok(Some(received)) => understood.push(received),
                Ok(None) => break,
                Err(violation) => return (understood, Some(violation)),
            }
        }
    }
    (understood, None)
}

/// Written and read again, it is the same.
fn check(message: &FromClient) {
    let json = serde_json::to_vec(message).expect("a message can be written");
    let again: FromClient = serde_json::from_slice(&json).expect("what was written can be read");
    assert_eq!(*message, again);
}
