//! Streams of every protocol, cut anywhere.

use proptest::prelude::*;

use super::*;

fn segment(sequence: u64) -> AppSegment {
    AppSegment {
        sequence,
        captured_us: 1_700_000_000_000_000 + sequence,
        camera: "main".into(),
    }
}

fn jpeg(sequence: u64, bytes: usize) -> Vec<u8> {
    let mut picture = vec![0xFF, 0xD8];
    picture.extend(segment(sequence).head());
    picture.resize(picture.len().max(bytes), 0x55);
    picture
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        short @ 0..126 => out.push(short as u8),
        middle @ 126..65536 => {
            out.push(126);
            out.extend((middle as u16).to_be_bytes());
        }
        long => {
            out.push(127);
            out.extend((long as u64).to_be_bytes());
        }
    }
    out.extend(payload);
    out
}

/// A stream of pictures of these sizes, and what is to be found in it.
fn stream(protocol: Protocol, sizes: &[usize], keeps: bool) -> (Vec<u8>, Vec<Event>) {
    let mut out = Vec::new();
    let mut events = Vec::new();
    match protocol {
        Protocol::Tcp => {}
        Protocol::Http => out.extend(b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n"),
        Protocol::Ws => out.extend(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
        Protocol::Whep => unreachable!("it is no stream"),
    }
    for (n, size) in (0..).zip(sizes) {
        let picture = jpeg(n, *size);
        let mut grabbed = None;
        match protocol {
            Protocol::Tcp => {
                out.extend(9u64.to_le_bytes());
                out.extend(br#"{"a":"b"}"#);
                events.push(Event::Message(br#"{"a":"b"}"#.to_vec()));
                out.extend((picture.len() as u64).to_le_bytes());
                out.extend(&picture);
            }
            Protocol::Http => {
                let length = picture.len();
                out.extend(format!("--b\r\nContent-Type: image/jpeg\r\ncontent-length: {length}\r\nX-UStreamer-Grab-Begin-Time: {n}.5\r\n\r\n").bytes());
                out.extend(&picture);
                out.extend(b"\r\n");
                grabbed = Some(n as f64 + 0.5);
            }
            Protocol::Ws => {
                let (one, two) = picture.split_at(picture.len() / 2);
                out.extend(frame(0x02, one));
                out.extend(frame(0x89, b"hi"));
                events.push(Event::Ping(b"hi".to_vec()));
                out.extend(frame(0x80, two));
            }
            Protocol::Whep => unreachable!("it is no stream"),
        }
        events.push(Event::Picture(Picture {
            bytes: picture.len(),
            segment: Some(segment(n)),
            grabbed,
            data: if keeps { picture } else { Vec::new() },
        }));
    }
    (out, events)
}

fn protocols() -> impl Strategy<Value = Protocol> {
    prop_oneof![
        Just(Protocol::Tcp),
        Just(Protocol::Http),
        Just(Protocol::Ws)
    ]
}

proptest! {
    #[test]
    fn wherever_it_is_cut_and_skipped_the_same_is_found(
        protocol in protocols(),
        sizes in prop::collection::vec(300usize..70_000, 1..5),
        cuts in prop::collection::vec(1usize..3000, 1..50),
        skips: bool,
        keeps: bool,
    ) {
        let (bytes, expected) = stream(protocol, &sizes, keeps);
        let mut framing = if keeps { Framing::keeping(protocol) } else { Framing::new(protocol) };
        let mut found = Vec::new();
        let mut rest = bytes.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let skippable = framing.skippable().min(*cut);
            let (now, later) = rest.split_at(if skips && skippable > 0 { skippable } else { *cut.min(&rest.len()) });
            if skips && skippable > 0 {
                framing.skip(now.len(), &mut found).unwrap();
            } else {
                framing.feed(now, &mut found).unwrap();
            }
            rest = later;
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn no_bytes_are_a_panic(protocol in protocols(), bytes: Vec<u8>) {
        let mut framing = Framing::new(protocol);
        framing.opened = true;
        let _ = framing.feed(&bytes, &mut Vec::new());
    }
}

#[test]
fn what_is_no_such_stream_is_said() {
    let said = |protocol, bytes: &[u8]| {
        Framing::new(protocol)
            .feed(bytes, &mut Vec::new())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        said(Protocol::Http, b"HTTP/1.1 503 Busy\r\n\r\n"),
        "the server answers: HTTP/1.1 503 Busy"
    );
    assert_eq!(
        said(Protocol::Tcp, b"HTTP/1.1 400"),
        "a payload of over 256 MiB"
    );
    assert_eq!(
        said(
            Protocol::Http,
            b"HTTP/1.0 200 OK\r\n\r\n--b\r\nA: b\r\n\r\n"
        ),
        "a part without Content-Length"
    );
    assert_eq!(said(Protocol::Ws, &[b'x'; 20_000]), "the head has no end");
    let mut text = 4u64.to_le_bytes().to_vec();
    text.extend(b"text");
    assert_eq!(
        said(Protocol::Tcp, &text),
        "neither a picture nor a message"
    );
}
