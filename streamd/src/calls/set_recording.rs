//! `SetRecording`: a camera is recorded from now on, or not any more.

use std::{sync::Arc, time::Duration};

use streamd_protocol::control::{Error, SetRecording, SetRecordingReply};

use super::list_recordings::recorder;
use crate::{
    calls::method::{Answer, Served, now, out_of_range},
    state::State,
};

/// A day: what is recorded for longer is asked for without an end.
const LONGEST: f64 = 86_400.0;

impl Served for SetRecording {
    const CHANGES: bool = true;

    fn answer(self, state: &Arc<State>) -> Result<Answer, Error> {
        let recorder = recorder(state, self.camera.as_deref())?;
        let time = match self.seconds {
            None => None,
            Some(seconds) if (0.1..=LONGEST).contains(&seconds) && self.record => {
                Some(Duration::from_secs_f64(seconds))
            }
            Some(seconds) => {
                let message = format!(
                    "seconds {seconds}: 0.1 to {LONGEST} is allowed, and only where it is recorded"
                );
                return Err(out_of_range("seconds", message));
            }
        };
        match self.record {
            true => recorder.start(time),
            false => recorder.stop(),
        }
        now(&SetRecordingReply {
            camera: recorder.name().into(),
            recording: recorder.stats(),
        })
    }
}
