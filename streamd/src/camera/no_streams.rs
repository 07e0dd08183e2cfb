//! In place of a camera's streams, in a build without H.264.

use streamd_protocol::stream::AppSegment;

use super::{Camera, Maker};
use crate::{
    config, encode,
    media::{Level, RawFrame},
};

/// None.
pub struct Streams(());

impl Streams {
    /// There are none.
    pub(super) fn new(_: &str, _: &config::Camera) -> Self {
        Self(())
    }

    /// Nothing makes them.
    pub(super) fn have_hardware(&self) -> bool {
        false
    }

    /// Nothing makes them.
    pub fn maker(&self, _: Level) -> Maker {
        Maker::default()
    }

    /// Nothing has failed.
    pub fn faults(&self) -> u64 {
        0
    }

    /// Never asked for: no viewer is given a track of H.264 in this build.
    pub(super) fn encode(
        &self,
        _: &Camera,
        _: &RawFrame,
        _: Level,
        _: &AppSegment,
    ) -> Result<encode::Picture, encode::Error> {
        Err(encode::Error::Library("this build has no H.264".into()))
    }

    /// There is nothing to let go.
    pub(super) fn clear(&self) {}
}
