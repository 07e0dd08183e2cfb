//! What is counted of a viewer, and of each camera that it watches.

use std::time::Duration;

use streamd_protocol::stats::{DroppedStats, FeedStats};

use super::feed::{Change, LeftOut};
use crate::{
    media::Timestamp,
    meters::{LatencyWindow, RateMeter},
};

/// What is counted of a viewer. Its own task writes it, a frame at a time.
#[derive(Debug, Default)]
pub struct Figures {
    /// The name it gave.
    pub name: String,
    /// By the cameras that it watches, in its order.
    pub feeds: Vec<FeedFigures>,
    /// Smoothed round trip time.
    pub rtt: Duration,
    /// Bytes a second that the link carries; 0 while unknown.
    pub link_rate: f64,
    /// Bytes not acknowledged.
    pub backlog: u32,
    /// Bad messages from it.
    pub errors: u64,
}

/// What is counted of one camera's pictures on their way to one viewer.
#[derive(Debug, Default)]
pub struct FeedFigures {
    /// The feed's number.
    pub id: u32,
    /// The camera.
    pub camera: String,
    /// Since when it is watched.
    pub since: Timestamp,
    /// Frames sent.
    pub frames: u64,
    /// Bytes sent.
    pub bytes: u64,
    /// When frames were sent.
    pub rate: RateMeter,
    /// Capture to delivery.
    pub latency: LatencyWindow,
    /// Frames not sent, by reason.
    pub dropped: DroppedStats,
    /// What it gets; `None` before the first frame.
    pub gets: Option<Change>,
    /// Changes of rendition.
    pub changes: u64,
}

impl Figures {
    /// The figures of a feed; `None` when it is watched no more.
    pub fn feed(&mut self, id: u32) -> Option<&mut FeedFigures> {
        self.feeds.iter_mut().find(|feed| feed.id == id)
    }

    /// The names of the cameras that it watches, for the log.
    pub fn cameras(&self) -> String {
        self.camera_names().join(",")
    }

    /// The names of the cameras that it watches.
    pub fn camera_names(&self) -> Vec<String> {
        self.feeds.iter().map(|feed| feed.camera.clone()).collect()
    }
}

impl FeedFigures {
    /// A frame of so many bytes has been sent, and this was left out before it.
    pub fn sent(&mut self, bytes: usize, is_frame: bool, left_out: &LeftOut, now: Timestamp) {
        self.bytes += bytes as u64;
        if is_frame {
            self.frames += 1;
            self.rate.add(now);
        }
        left_out.add_to(&mut self.dropped);
    }

    pub(super) fn stats(&self, now: Timestamp) -> FeedStats {
        let seconds = now.since(self.since).as_secs_f64();
        let gets = self.gets.as_ref();
        FeedStats {
            camera: self.camera.clone(),
            frames: self.frames as i64,
            bytes: self.bytes as i64,
            average_fps: if seconds > 0.0 {
                self.frames as f64 / seconds
            } else {
                0.0
            },
            fps: self.rate.rate(now),
            latency: self.latency.stats(),
            dropped: self.dropped.clone(),
            codec: gets.map_or_else(Default::default, |gets| gets.track.codec()),
            quality: gets.map_or(0, |gets| gets.track.quality().into()),
            bit_rate: gets.map_or(0, |gets| gets.bit_rate.into()),
            width: gets.map_or(0, |gets| gets.width.into()),
            height: gets.map_or(0, |gets| gets.height.into()),
            reason: gets.map_or_else(String::new, |gets| gets.reason.to_string()),
            rendition_changes: self.changes as i64,
        }
    }
}
