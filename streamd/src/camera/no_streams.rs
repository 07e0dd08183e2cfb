//! In place of a camera's streams, in a build without H.264.

use streamd_protocol::stream::AppSegment;

use super::Camera;
use crate::{
    encode,
    media::{Level, RawFrame},
};

/// None.
#[derive(Default)]
pub struct Streams(());

impl Streams {
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
