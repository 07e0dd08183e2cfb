//! The codec against RFC 6455, rule by rule, and by round trips over any split of the bytes.

use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1 << 17;
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A client's frame: `first` is the first byte.
fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![];
    write_header(&mut out, Opcode::Binary, payload.len());
    out[0] = first;
    out[1] |= 0x80;
    out.extend(MASK);
    let mut masked = payload.to_vec();
    unmask(&mut masked, MASK);
    out.extend(masked);
    out
}

fn read_all(reader: &mut Reader, bytes: &[u8]) -> Result<Vec<Incoming>, Broken> {
    let mut input = BytesMut::from(bytes);
    let mut got = vec![];
    while let Some(incoming) = reader.read(&mut input)? {
        got.push(incoming);
    }
    Ok(got)
}

fn read_one(bytes: &[u8]) -> Result<Incoming, u16> {
    match read_all(&mut Reader::new(LIMIT), bytes) {
        Ok(mut got) => {
            assert_eq!(got.len(), 1, "one frame, one result: {got:?}");
            Ok(got.remove(0))
        }
        Err(broken) => Err(broken.code.get()),
    }
}

#[test]
fn the_examples_of_the_rfc() {
    let hello = [
        0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
    ];
    assert_eq!(read_one(&hello), Ok(Incoming::Text("Hello".into())));
    let mut out = vec![];
    write_frame(&mut out, Opcode::Text, b"Hello");
    assert_eq!(out, [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    out.clear();
    write_header(&mut out, Opcode::Binary, 256);
    assert_eq!(out, [0x82, 0x7E, 0x01, 0x00]);
    out.clear();
    write_header(&mut out, Opcode::Binary, 65536);
    assert_eq!(out, [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0]);
}

#[test]
fn what_breaks_the_protocol_closes_with_its_code() {
    let long_close = [vec![3, 0xE8], vec![b'x'; 124]].concat();
    let cases: &[(&str, Vec<u8>, u16)] = &[
        ("reserved bit", client_frame(0x80 | 0x40 | 1, b""), 1002),
        ("opcode 3", client_frame(0x83, b""), 1002),
        ("opcode 0xB", client_frame(0x8B, b""), 1002),
        ("no mask", vec![0x81, 0x01, b'a'], 1002),
        ("fragmented ping", client_frame(0x09, b""), 1002),
        ("126 byte ping", client_frame(0x89, &[0; 126]), 1002),
        ("continuation of nothing", client_frame(0x80, b"a"), 1002),
        ("length 5 in 16 bits", vec![0x81, 0xFE, 0, 5], 1002),
        (
            "length 5 in 64 bits",
            vec![0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0, 5],
            1002,
        ),
        (
            "length over 63 bits",
            vec![0x82, 0xFF, 255, 0, 0, 0, 0, 0, 0, 0],
            1002,
        ),
        ("too big", vec![0x82, 0xFF, 0, 0, 0, 0, 0, 2, 0, 1], 1009),
        ("text not UTF-8", client_frame(0x81, &[0xFF]), 1007),
        ("text cut in a character", client_frame(0x81, &[0xC3]), 1007),
        ("a surrogate", client_frame(0x81, &[0xED, 0xA0, 0x80]), 1007),
        ("half a close code", client_frame(0x88, &[3]), 1002),
        (
            "close reason not UTF-8",
            client_frame(0x88, &[3, 0xE8, 0xFF]),
            1007,
        ),
        (
            "close over 125 bytes",
            client_frame(0x88, &long_close),
            1002,
        ),
    ];
    for (what, bytes, code) in cases {
        assert_eq!(read_one(bytes), Err(*code), "{what}");
    }
}

#[test]
fn close_codes() {
    for code in [
        1000u16, 1001, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999,
    ] {
        let got = read_one(&client_frame(0x88, &code.to_be_bytes()));
        assert_eq!(
            got,
            Ok(Incoming::Close(Some((code, String::new())))),
            "{code}"
        );
    }
    for code in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        let got = read_one(&client_frame(0x88, &code.to_be_bytes()));
        assert_eq!(got, Err(1002), "{code}");
    }
    assert_eq!(
        read_one(&client_frame(0x88, b"")),
        Ok(Incoming::Close(None))
    );
}

#[test]
fn control_frames_pass_between_fragments() {
    let bytes = [
        client_frame(0x01, "gr".as_bytes()),
        client_frame(0x89, b"now"),
        client_frame(0x00, &[0xC3]),
        client_frame(0x8A, b""),
        client_frame(0x80, &[0xBC, b'n']),
    ]
    .concat();
    assert_eq!(
        read_all(&mut Reader::new(LIMIT), &bytes),
        Ok(vec![
            Incoming::Ping(Bytes::from_static(b"now")),
            Incoming::Pong(Bytes::new()),
            Incoming::Text("grün".into()),
        ])
    );
}

#[test]
fn fragments_are_checked_before_the_last_one_comes() {
    let code = |frames: &[Vec<u8>]| {
        read_all(&mut Reader::new(8), &frames.concat()).map_err(|broken| broken.code.get())
    };
    let (text, more) = (client_frame(0x01, b"12345"), client_frame(0x00, b"6789"));
    assert_eq!(code(&[text.clone(), more]), Err(1009));
    assert_eq!(code(&[text.clone(), client_frame(0x81, b"6")]), Err(1002));
    assert_eq!(code(&[text, client_frame(0x00, &[0xC3, 0x28])]), Err(1007));
}

#[test]
fn a_close_reason_is_cut_at_a_character() {
    let mut out = vec![];
    write_close(&mut out, CloseCode::GOING_AWAY, &"é".repeat(200));
    assert_eq!(usize::from(out[1]), out.len() - 2);
    assert_eq!(std::str::from_utf8(&out[4..]).unwrap(), "é".repeat(61));
}

fn message() -> impl Strategy<Value = Incoming> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
    let control = || prop::collection::vec(any::<u8>(), 0..=MAX_CONTROL).prop_map(Bytes::from);
    prop_oneof![
        ".{0,80}".prop_map(Incoming::Text),
        bytes().prop_map(Incoming::Binary),
        control().prop_map(Incoming::Ping),
        control().prop_map(Incoming::Pong),
        "[a-zé]{0,50}".prop_map(|reason| Incoming::Close(Some((4000, reason)))),
    ]
}

/// The message in frames of at most `part` bytes.
fn encode(message: &Incoming, part: usize) -> Vec<u8> {
    let fragmented = |opcode: u8, bytes: &[u8]| {
        let parts: Vec<_> = if bytes.is_empty() {
            vec![bytes]
        } else {
            bytes.chunks(part).collect()
        };
        let last = parts.len() - 1;
        let frame = |(n, part): (usize, &&[u8])| {
            let fin = if n == last { 0x80 } else { 0 };
            client_frame(fin | if n == 0 { opcode } else { 0 }, part)
        };
        parts.iter().enumerate().flat_map(frame).collect()
    };
    match message {
        Incoming::Text(text) => fragmented(1, text.as_bytes()),
        Incoming::Binary(bytes) => fragmented(2, bytes),
        Incoming::Ping(bytes) => client_frame(0x89, bytes),
        Incoming::Pong(bytes) => client_frame(0x8A, bytes),
        Incoming::Close(None) => client_frame(0x88, b""),
        Incoming::Close(Some((code, reason))) => {
            client_frame(0x88, &[&code.to_be_bytes(), reason.as_bytes()].concat())
        }
    }
}

proptest! {
    #[test]
    fn messages_survive_any_fragments_and_any_arrival(
        messages in prop::collection::vec((message(), 1usize..400), 1..8),
        cuts in prop::collection::vec(1usize..50, 1..40),
    ) {
        let wire: Vec<u8> = messages.iter().flat_map(|(m, part)| encode(m, *part)).collect();
        let mut reader = Reader::new(LIMIT);
        let mut input = BytesMut::new();
        let mut got = vec![];
        let mut rest = &wire[..];
        for cut in cuts.iter().cycle() {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            input.extend_from_slice(now);
            while let Some(incoming) = reader.read(&mut input).unwrap() {
                got.push(incoming);
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        let sent: Vec<_> = messages.into_iter().map(|(message, _)| message).collect();
        prop_assert_eq!(got, sent);
        prop_assert!(input.is_empty());
    }

    #[test]
    fn any_bytes_are_no_panic_and_stay_within_the_limit(bytes: Vec<u8>) {
        let mut reader = Reader::new(64);
        if let Ok(got) = read_all(&mut reader, &bytes) {
            for incoming in got {
                if let Incoming::Text(text) = incoming {
                    prop_assert!(text.len() <= 64);
                }
            }
        }
    }
}
