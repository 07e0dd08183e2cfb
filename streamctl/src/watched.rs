//! What one client gets of one camera: a row of the tables that list clients.

use streamd_protocol::{
    stats::{ClientStats, FeedStats, LimitStats, Transport},
    stream::Codec,
};

use crate::{table::clean, units};

/// A client and one of its feeds.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The client.
    pub client: ClientStats,
    /// What it gets of one camera.
    pub feed: FeedStats,
    /// Bits a second that it is sent of it; 0 while unknown.
    pub rate: f64,
}

/// A row per client and camera that it watches.
pub fn rows(clients: &[ClientStats]) -> Vec<Watched> {
    let rows = clients.iter().flat_map(|client| {
        client.feeds.iter().map(|feed| Watched {
            client: client.clone(),
            feed: feed.clone(),
            rate: 0.0,
        })
    });
    rows.collect()
}

/// Fills in what each row is sent a second, from the rows of so many seconds before; of a daemon
/// that was started anew, by whose clock that is less than nothing, nothing is known yet.
pub fn rates(rows: &mut [Watched], before: &[Watched], seconds: f64) {
    if seconds <= 0.0 {
        return;
    }
    for row in rows {
        let is_it =
            |old: &&Watched| old.client.id == row.client.id && old.feed.camera == row.feed.camera;
        if let Some(old) = before.iter().find(is_it) {
            let bytes = (row.feed.bytes - old.feed.bytes).max(0);
            row.rate = bytes as f64 * 8.0 / seconds;
        }
    }
}

impl Watched {
    /// The name that the client gave, else its address.
    pub fn who(&self) -> String {
        let names = [&self.client.name, &self.client.peer];
        let name = names.into_iter().find(|name| !name.is_empty());
        units::text(&clean(name.map_or("", String::as_str)))
    }

    /// How it is connected.
    pub fn via(&self) -> String {
        match self.client.transport {
            Transport::Tcp => "tcp",
            Transport::Websocket => "websocket",
            Transport::Mjpeg => "mjpeg",
            Transport::H264 => "h264",
            Transport::Rtsp => "rtsp",
            Transport::Webrtc => "webrtc",
            Transport::Nats => "nats",
        }
        .into()
    }

    /// The rendition: `640x480 q80`, `640x480 h264 2.5 Mb/s`.
    pub fn gets(&self) -> String {
        match units::size(self.feed.width, self.feed.height) {
            size if size == units::UNKNOWN => size,
            size => format!(
                "{size} {}",
                coding(self.feed.codec, self.feed.quality, self.feed.bit_rate)
            ),
        }
    }

    /// Why it gets that.
    pub fn why(&self) -> String {
        match self.client.paused {
            true => "paused".into(),
            false => units::text(&clean(&self.feed.reason)),
        }
    }

    /// Its limits: `own q50 15 fps, set 320 px`.
    pub fn limits(&self) -> String {
        let (own, set) = (limits(&self.client.own), limits(&self.client.set));
        match (own.as_str(), set.as_str()) {
            ("", "") => units::UNKNOWN.into(),
            (own, "") => format!("own {own}"),
            ("", set) => format!("set {set}"),
            (own, set) => format!("own {own}, set {set}"),
        }
    }
}

/// How pictures are coded: `q80`, `h264 2.5 Mb/s`.
pub fn coding(codec: Codec, quality: i64, bit_rate: i64) -> String {
    match codec {
        Codec::Jpeg => format!("q{quality}"),
        Codec::H264 => format!("{} {}", codec.name(), units::rate(bit_rate as f64)),
    }
}

fn limits(limits: &LimitStats) -> String {
    let parts = [
        (limits.quality > 0).then(|| format!("q{}", limits.quality)),
        (limits.fps > 0.0).then(|| format!("{} fps", units::set_fps(limits.fps))),
        (limits.width > 0).then(|| format!("{} px", limits.width)),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    parts.join(" ")
}
