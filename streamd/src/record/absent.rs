//! Recordings, in a build without them: there are none.

use std::{path::PathBuf, sync::Arc, time::Duration};

use streamd_protocol::{control::ListRecordingsReply, stats::RecordingStats};

use crate::{camera::Cameras, config::values::RecordMode, news::News};

/// No recorders.
pub struct Recorders(Vec<Arc<Recorder>>);

/// What would record a camera.
#[derive(Debug)]
pub enum Recorder {}

impl Recorders {
    /// None, whichever cameras there are.
    pub fn new(cameras: &Arc<Cameras>, _: &News) -> Self {
        for camera in cameras.iter() {
            if camera.settings().config.record.mode != RecordMode::Off {
                tracing::error!(
                    camera = camera.name,
                    "nothing is recorded: this streamd was built without recordings (the feature `record`)"
                );
            }
        }
        Self(Vec::new())
    }

    /// Starts nothing.
    ///
    /// # Errors
    /// None.
    pub fn spawn(&self) -> std::io::Result<()> {
        Ok(())
    }

    /// There is none.
    pub fn of(&self, camera: &str) -> Option<&Arc<Recorder>> {
        self.0.iter().find(|recorder| recorder.name() == camera)
    }

    /// Nothing changes.
    pub fn look_over(&self) {}

    /// Nothing ends.
    pub fn stop(&self) {}
}

impl Recorder {
    /// The camera's name.
    pub fn name(&self) -> &str {
        match *self {}
    }

    /// Where its recordings would be.
    pub fn folder(&self) -> PathBuf {
        match *self {}
    }

    /// Would record.
    pub fn start(&self, _: Option<Duration>) {
        match *self {}
    }

    /// Would record no more.
    pub fn stop(&self) {
        match *self {}
    }

    /// What would be counted.
    pub fn stats(&self) -> RecordingStats {
        match *self {}
    }

    /// What there would be.
    pub fn list(&self, _: i64, _: i64) -> ListRecordingsReply {
        match *self {}
    }

    /// What would be there.
    ///
    /// # Errors
    /// None.
    pub fn open(&self, _: &str) -> std::io::Result<Option<(std::fs::File, u64)>> {
        match *self {}
    }

    /// What would be wrong.
    pub fn trouble(&self) -> Option<String> {
        match *self {}
    }
}
