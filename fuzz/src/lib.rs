//! What is done with arbitrary bytes, one way into streamd after the other: by the programs beside this,
//! which make them up, and by a test of the workspace, which takes those that are kept in `corpus/`.

pub mod app_segment;
pub mod config;
pub mod driver;
pub mod http;
pub mod mjpeg_check;
pub mod proxied;
pub mod rtsp;
pub mod stream_message;
pub mod varlink;
pub mod websocket;

/// What is done with some bytes.
pub type Target = fn(&[u8]);

/// All of them, by name.
pub const TARGETS: [(&str, Target); 10] = [
    ("app_segment", app_segment::run),
    ("config", config::run),
    ("driver", driver::run),
    ("http", http::run),
    ("mjpeg_check", mjpeg_check::run),
    ("proxied", proxied::run),
    ("rtsp", rtsp::run),
    ("stream_message", stream_message::run),
    ("varlink", varlink::run),
    ("websocket", websocket::run),
];
