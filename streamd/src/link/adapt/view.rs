//! What a rung is decided from, and why a client stands on one.

use std::time::Duration;

use super::Step;
use crate::{
    link::estimate::Forecast,
    media::{Rendition, Timestamp},
};

/// What a decision is made from.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Now.
    pub now: Timestamp,
    /// The rungs, best first.
    pub ladder: &'a [Step],
    /// The rungs that the viewer's limits allow, best first; at least one.
    pub allowed: &'a [usize],
    /// False where the camera's `adapt = false`: then only the limits count.
    pub adapts: bool,
    /// Time between two frames that this client wants; on a rung of fewer frames it gets them more
    /// rarely.
    pub interval: Duration,
    /// What the link is expected to do; `None` while unknown.
    pub forecast: Option<Forecast>,
    /// For how long the frame that goes next has waited already.
    pub late: Duration,
    /// Bytes that the next frame may have, where the congestion control has narrowed its window for
    /// reasons of its own: what is beyond would wait.
    pub room: Option<u32>,
}

impl View<'_> {
    /// That part of the time between two frames of a rung, in seconds.
    pub(super) fn part(&self, rung: usize, part: f64) -> f64 {
        self.interval.as_secs_f64() * f64::from(self.ladder[rung].every) * part
    }

    pub(super) fn best(&self) -> usize {
        self.allowed[0]
    }

    pub(super) fn last(&self) -> usize {
        self.allowed[self.allowed.len() - 1]
    }

    /// The best one of those that are allowed and no better than this.
    pub(super) fn from(&self, rung: usize) -> usize {
        let mut worse = self.allowed.iter().filter(|r| **r >= rung);
        worse.next().copied().unwrap_or(self.last())
    }

    /// The next better one that is allowed.
    pub(super) fn above(&self, rung: usize) -> usize {
        let better = self.allowed.iter().rev().find(|r| **r < rung);
        better.copied().unwrap_or(self.best())
    }
}

/// Why a client stands on a rung.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// It is the best there is.
    Top,
    /// The client's own limit, or one set for it.
    Limit,
    /// The link carries so many bytes a second.
    Link(f64),
    /// It may be sent so many bytes a second, whatever its link carries.
    Bandwidth(f64),
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Top => f.write_str("top"),
            Self::Limit => f.write_str("limit"),
            Self::Link(rate) => write!(f, "link {:.1} Mb/s", rate * 8.0 / 1e6),
            Self::Bandwidth(rate) => write!(f, "max-bandwidth {:.1} Mb/s", rate * 8.0 / 1e6),
        }
    }
}

/// A frame that was sent.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// Its number.
    pub sequence: u64,
    /// What it was encoded as.
    pub rendition: Rendition,
    /// The rung that it was [picked](super::Adapt::pick) for.
    pub rung: usize,
    /// Its bytes.
    pub bytes: usize,
    /// Frames before it that were not sent, because older bytes were on their way.
    pub skipped: u32,
}
