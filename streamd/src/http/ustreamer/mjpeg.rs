//! MJPEG over HTTP: `multipart/x-mixed-replace`, byte for byte what clients of µStreamer expect.

use std::io::Write as _;

use serde_json::Value;
use streamd_protocol::stats::Transport;

use crate::{
    http::ustreamer::{
        listing::{Listed, Listing},
        parameters::StreamParameters,
    },
    media::{Origin, Packet, Timestamp},
    viewer::framing::{Cut, Framing, Sending},
};

/// What separates the parts.
pub const BOUNDARY: &str = "boundarydonotcross";

/// Headers that keep a live picture out of every cache; shared with snapshots.
pub const NO_CACHE: [(&str, &str); 3] = [
    (
        "Cache-Control",
        "no-store, no-cache, must-revalidate, proxy-revalidate, pre-check=0, post-check=0, max-age=0",
    ),
    ("Pragma", "no-cache"),
    ("Expires", "Mon, 3 Jan 2000 12:34:56 GMT"),
];

/// The multipart side of a viewer.
#[derive(Debug)]
pub struct Multipart {
    parameters: StreamParameters,
    /// The first boundary (and headers) is still to be written.
    first: bool,
    /// Keeps the viewer in `/state`.
    _listed: Listed,
}

impl Multipart {
    /// What follows the head of the response, for a viewer that is `listed`.
    pub const fn new(parameters: StreamParameters, listed: Listed) -> Self {
        Self {
            parameters,
            first: true,
            _listed: listed,
        }
    }

    /// Goes on where another process was, by its [`Framing::state`].
    ///
    /// # Errors
    /// When `state` is none.
    pub fn resumed(state: Value, viewer: u64, listing: &Listing) -> serde_json::Result<Self> {
        let (parameters, first): (StreamParameters, bool) = serde_json::from_value(state)?;
        Ok(Self {
            _listed: listing.add(viewer, parameters.clone()),
            parameters,
            first,
        })
    }

    /// A part's headers in full, blank line included.
    fn part_headers(&self, frame: &Packet, sending: &Sending, out: &mut Vec<u8>) {
        let length = if self.parameters.zero_data {
            0
        } else {
            frame.bytes.len()
        };
        write(
            out,
            format_args!(
                "Content-Type: image/jpeg\r\nContent-Length: {length}\r\nX-Timestamp: {}\r\n",
                Seconds::wall(sending.now),
            ),
        );
        if self.parameters.extra_headers {
            extra_headers(frame, sending, out);
        }
        out.extend_from_slice(b"\r\n");
    }

    /// The headers of a part whose picture is not known yet.
    fn early_headers(sending: &Sending, out: &mut Vec<u8>) {
        write(
            out,
            format_args!(
                "Content-Type: image/jpeg\r\nX-Timestamp: {}\r\n\r\n",
                Seconds::wall(sending.now),
            ),
        );
    }
}

/// The `X-UStreamer-*` lines. A V4L2 driver tells one moment, when it had the frame whole: it
/// stands for the begin and the end of the grab. The exposure is what follows the encoder.
fn extra_headers(frame: &Packet, sending: &Sending, out: &mut Vec<u8>) {
    let grab = Seconds::monotonic(frame.captured);
    let encoded = Seconds::monotonic(frame.encode_end);
    let latency = sending.now.since(frame.captured).as_secs_f64();
    write(
        out,
        format_args!(
            "X-UStreamer-Online: {online}\r\nX-UStreamer-Dropped: {dropped}\r\n\
         X-UStreamer-Width: {width}\r\nX-UStreamer-Height: {height}\r\n\
         X-UStreamer-Client-FPS: {fps:.0}\r\nX-UStreamer-Grab-Time: {grab}\r\n\
         X-UStreamer-Grab-Begin-Time: {grab}\r\nX-UStreamer-Grab-End-Time: {grab}\r\n\
         X-UStreamer-Encode-Begin-Time: {encode}\r\nX-UStreamer-Encode-End-Time: {encoded}\r\n\
         X-UStreamer-Expose-Begin-Time: {encoded}\r\nX-UStreamer-Expose-Cmp-Time: {encoded}\r\n\
         X-UStreamer-Expose-End-Time: {encoded}\r\nX-UStreamer-Send-Time: {send}\r\n\
         X-UStreamer-Latency: {latency:.6}\r\n",
            online = frame.origin != Origin::Blank,
            dropped = sending.dropped,
            width = frame.width,
            height = frame.height,
            fps = sending.fps,
            encode = Seconds::monotonic(frame.encode_begin),
            send = Seconds::monotonic(sending.now),
        ),
    );
}

/// A moment as µStreamer writes it: seconds with six decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds {
    micros: u64,
}

impl Seconds {
    /// On the clock the frames are stamped with.
    pub const fn monotonic(at: Timestamp) -> Self {
        Self {
            micros: at.as_nanos() / 1000,
        }
    }

    /// Since the epoch.
    pub fn wall(at: Timestamp) -> Self {
        Self {
            micros: at.unix_micros(),
        }
    }
}

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}.{:06}",
            self.micros / 1_000_000,
            self.micros % 1_000_000
        )
    }
}

fn write(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text)
        .expect("writing to memory does not fail");
}

impl Framing for Multipart {
    fn transport(&self) -> Transport {
        Transport::Mjpeg
    }

    fn wants_fps(&self) -> bool {
        self.parameters.extra_headers
    }

    fn before(&mut self, frame: &Packet, sending: &Sending, out: &mut Vec<u8>) {
        let first = std::mem::take(&mut self.first);
        if first {
            write(out, format_args!("--{BOUNDARY}\r\n"));
        }
        if !self.parameters.advance_headers {
            self.part_headers(frame, sending, out);
        } else if first {
            Self::early_headers(sending, out);
        }
    }

    fn cuts(&mut self, frame: &Packet, before: usize, out: &mut Vec<Cut>) {
        let length = if self.parameters.zero_data {
            0
        } else {
            frame.bytes.len()
        };
        out.push(Cut {
            own: before,
            picture: 0..length,
        });
    }

    fn after(&mut self, _: &Packet, sending: &Sending, out: &mut Vec<u8>) {
        write(out, format_args!("\r\n--{BOUNDARY}\r\n"));
        if self.parameters.advance_headers {
            Self::early_headers(sending, out);
        }
    }

    fn may_half_close(&self) -> bool {
        true
    }

    fn state(&self) -> Value {
        serde_json::to_value((&self.parameters, self.first)).expect("plain data")
    }
}

#[cfg(test)]
#[path = "mjpeg_tests.rs"]
mod tests;
