//! In place of a camera's own stream, in a build without H.264.

use super::Camera;
use crate::{encode, media::RawFrame};

/// None.
#[derive(Default)]
pub struct OwnStream(());

impl OwnStream {
    /// What is not H.264 comes back as it is.
    ///
    /// # Errors
    /// What is.
    pub fn take(&mut self, _: &Camera, raw: RawFrame) -> Result<Option<RawFrame>, encode::Error> {
        match raw.layout.format.is_stream() {
            true => Err(encode::Error::Library("this build has no H.264".into())),
            false => Ok(Some(raw)),
        }
    }
}
