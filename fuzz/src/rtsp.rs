//! Any bytes as what a client of RTSP sends, over its connection and in datagrams.

use bytes::BytesMut;
use streamd::rtsp::address::Address;
use streamd::rtsp::request::{Broken, Said, take};
use streamd::rtsp::rtcp;
use streamd::rtsp::transport::choose;

/// The same requests however the bytes arrive. The first byte says in how large pieces, the four
/// behind it whom reports are about.
pub fn run(bytes: &[u8]) {
    let Some(([piece, ssrc @ ..], bytes)) = bytes.split_first_chunk::<5>() else {
        return;
    };
    let ssrc = u32::from_be_bytes(*ssrc);
    let whole = read(bytes, bytes.len().max(1));
    assert_eq!(whole, read(bytes, usize::from(*piece).max(1)));
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
}

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
