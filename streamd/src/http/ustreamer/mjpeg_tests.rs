//! The bytes of a stream, against what the clients of µStreamer parse.

use crate::{
    fixtures::frame,
    http::{
        query::Query,
        ustreamer::{listing::Listing, mjpeg::*},
    },
};

fn sending() -> Sending {
    Sending {
        client: 26,
        fps: 29.7,
        dropped: 3,
        now: Timestamp::from_nanos(4_500_000_000),
    }
}

fn multipart(parameters: StreamParameters) -> Multipart {
    let listed = Listing::default().add(26, parameters.clone());
    Multipart::new(parameters, listed)
}

/// What `frames` pictures become; pictures themselves are left in.
fn stream(query: &str, ahead: bool, frames: usize) -> String {
    let mut parameters = StreamParameters::new(&Query::parse(query), "").unwrap();
    parameters.advance_headers = ahead;
    let mut framing = multipart(parameters);
    let mut out = vec![];
    for n in 0..frames {
        let frame = frame(n as u64);
        framing.before(&frame, &sending(), &mut out);
        let mut cuts = vec![];
        framing.cuts(&frame, 7, &mut cuts);
        let [Cut { own: 7, picture }] = &cuts[..] else {
            panic!("{cuts:?}");
        };
        if *picture == (0..frame.bytes.len()) {
            out.extend_from_slice(b"[JPEG]");
        } else {
            assert_eq!(*picture, 0..0);
        }
        framing.after(&frame, &sending(), &mut out);
    }
    let text = String::from_utf8(out).unwrap();
    // The wall clock is the only thing that differs from run to run.
    let stamp = |line: &str| match line.strip_prefix("X-Timestamp: ") {
        Some(seconds) => {
            let (whole, fraction) = seconds.split_once('.').unwrap();
            assert!(whole.parse::<u64>().unwrap() > 1_600_000_000 && fraction.len() == 6);
            "X-Timestamp: T".to_owned()
        }
        None => line.to_owned(),
    };
    text.split("\r\n").map(stamp).collect::<Vec<_>>().join("\n")
}

#[test]
fn parts_have_a_length_and_a_boundary_on_both_sides() {
    let part = "Content-Type: image/jpeg\nContent-Length: 5\nX-Timestamp: T\n\n[JPEG]\n--boundarydonotcross\n";
    assert_eq!(
        stream("", false, 2),
        format!("--boundarydonotcross\n{part}{part}")
    );
}

#[test]
fn headers_ahead_leave_out_the_length_and_come_with_the_picture_before() {
    let headers = "Content-Type: image/jpeg\nX-Timestamp: T\n\n";
    let part = format!("[JPEG]\n--boundarydonotcross\n{headers}");
    assert_eq!(
        stream("", true, 2),
        format!("--boundarydonotcross\n{headers}{part}{part}")
    );
}

#[test]
fn no_pictures_where_none_are_wanted() {
    let text = stream("zero_data=1", false, 1);
    assert!(
        text.contains("Content-Length: 0\n") && !text.contains("[JPEG]"),
        "{text}"
    );
}

#[test]
fn extra_headers_in_full() {
    let text = stream("extra_headers=yes", false, 1);
    let wanted = "X-Timestamp: T
X-UStreamer-Online: true
X-UStreamer-Dropped: 3
X-UStreamer-Width: 640
X-UStreamer-Height: 480
X-UStreamer-Client-FPS: 30
X-UStreamer-Grab-Time: 1.000000
X-UStreamer-Grab-Begin-Time: 1.000000
X-UStreamer-Grab-End-Time: 1.000000
X-UStreamer-Encode-Begin-Time: 2.000000
X-UStreamer-Encode-End-Time: 3.000000
X-UStreamer-Expose-Begin-Time: 3.000000
X-UStreamer-Expose-Cmp-Time: 3.000000
X-UStreamer-Expose-End-Time: 3.000000
X-UStreamer-Send-Time: 4.500000
X-UStreamer-Latency: 3.500000

[JPEG]";
    assert!(text.contains(wanted), "{text}");
}

#[test]
fn what_a_viewer_says_is_dropped() {
    let mut input = bytes::BytesMut::from(&b"GET / HTTP/1.1\r\n\r\n"[..]);
    let mut framing = multipart(StreamParameters::default());
    assert_eq!(framing.receive(&mut input, &mut vec![]), Ok(None));
    assert!(input.is_empty());
}
