//! The bytes of a stream, against what the clients of µStreamer parse.

use crate::{fixtures::frame, http::ustreamer::mjpeg::*};

fn sending() -> Sending {
    Sending {
        client: 26,
        fps: 29.7,
        dropped: 3,
        now: Timestamp::from_nanos(4_500_000_000),
    }
}

/// What `frames` pictures become; pictures themselves are left in.
fn stream(query: &str, ahead: bool, frames: usize) -> String {
    let mut parameters = crate::http::parameters::Query::parse(query)
        .stream()
        .unwrap();
    parameters.advance_headers = Some(ahead);
    let mut framing = Multipart::new(parameters, None, Listing::default());
    let mut out = vec![];
    for n in 0..frames {
        let frame = frame(n as u64);
        framing.before(&frame, &sending(), &mut out);
        if framing.carries_pictures() {
            out.extend_from_slice(b"[JPEG]");
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
fn the_greeting_is_the_head_of_the_response_and_enters_the_client() {
    let listing = Listing::default();
    let parameters = StreamParameters {
        key: Some("panel".into()),
        ..StreamParameters::default()
    };
    let mut framing = Multipart::new(parameters, Some("https://panel.example"), listing.clone());
    let mut out = vec![];
    framing.greeting(26, &mut out);
    let head = String::from_utf8(out).unwrap();
    assert!(head.starts_with("HTTP/1.0 200 OK\r\n") && head.ends_with("\r\n\r\n"));
    for line in [
        "Content-Type: multipart/x-mixed-replace;boundary=boundarydonotcross",
        "Set-Cookie: stream_client=panel/1a; path=/; max-age=30",
        "Access-Control-Allow-Origin: https://panel.example",
        "Pragma: no-cache",
    ] {
        assert!(
            head.split("\r\n").any(|l| l == line),
            "{line} is missing in {head}"
        );
    }
    assert_eq!(
        listing.get(26).and_then(|p| p.key).as_deref(),
        Some("panel")
    );
    drop(framing);
    assert_eq!(listing.get(26), None);
}

#[test]
fn a_client_without_a_key_has_key_0() {
    let mut framing = Multipart::new(StreamParameters::default(), None, Listing::default());
    let mut out = vec![];
    framing.greeting(255, &mut out);
    let head = String::from_utf8(out).unwrap();
    assert!(head.contains("Set-Cookie: stream_client=0/ff; ") && !head.contains("Access-Control"));
}

#[test]
fn who_needs_headers_ahead() {
    const CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                          Chrome/130.0.0.0 Safari/537.36";
    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0";
    for (query, agent, ahead) in [
        ("", CHROME, true),
        ("", FIREFOX, false),
        ("", "VLC/3.0.18 LibVLC/3.0.18", false),
        ("", "", false),
        ("advance_headers=1", FIREFOX, true),
        ("advance_headers=0", CHROME, false),
        ("extra_headers=1", CHROME, false),
        ("extra_headers=1&advance_headers=1", CHROME, true),
    ] {
        let parameters = crate::http::parameters::Query::parse(query)
            .stream()
            .unwrap();
        assert_eq!(
            needs_headers_ahead(&parameters, agent),
            ahead,
            "{query} {agent}"
        );
    }
}

#[test]
fn what_a_viewer_says_is_dropped() {
    let mut input = BytesMut::from(&b"GET / HTTP/1.1\r\n\r\n"[..]);
    let mut framing = Multipart::new(StreamParameters::default(), None, Listing::default());
    assert_eq!(framing.receive(&mut input, &mut vec![]), Ok(None));
    assert!(input.is_empty());
}
