//! Any bytes as what a client of RTSP sends, over its connection and in datagrams.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use streamd::rtsp::address::Address;
use streamd::rtsp::request::{Broken, Said, take};
use streamd::rtsp::rtcp;
use streamd::rtsp::transport::choose;

fuzz_target!(|input: (u8, u32, &[u8])| {
    let (piece, ssrc, bytes) = input;
    let whole = read(bytes, bytes.len().max(1));
    assert_eq!(whole, read(bytes, usize::from(piece).max(1)));
    for said in &whole.0 {
        let Said::Request(request) = said else {
            continue;
        };
        let _ = Address::read(&request.uri);
        if let Some(ways) = request.header("transport") {
            let _ = choose(ways, Some("192.0.2.7"));
        }
    }
    if let Ok(heard) = rtcp::read(bytes, ssrc) {
        let round_trip = heard.report.and_then(|report| report.round_trip(1 << 50));
        assert!(round_trip.is_none_or(|time| time.as_secs() < 1 << 15));
    }
});

/// What is said when the bytes arrive in pieces of this size, and how the protocol was broken.
fn read(bytes: &[u8], piece: usize) -> (Vec<Said>, Option<Broken>) {
    let (mut input, mut all) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        input.extend_from_slice(piece);
        loop {
            match take(&mut input) {
                Ok(Some(said)) => all.push(said),
                Ok(None) => break,
                Err(broken) => return (all, Some(broken)),
            }
        }
    }
    (all, None)
}
