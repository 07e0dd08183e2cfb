//! `SetControls`: a camera's own controls, now and at each opening until the next reload.

use std::sync::Arc;

use streamd_protocol::control::{Error, SetControls, SetControlsReply};

use crate::{
    calls::method::{Answer, Served, json, out_of_range, refused},
    state::State,
};

/// Controls in one call: more than any camera has, and few enough to name in the log.
const MOST: usize = 100;

impl Served for SetControls {
    const CHANGES: bool = true;

    fn answer(self, state: &Arc<State>) -> Result<Answer, Error> {
        if !(1..=MOST).contains(&self.controls.len()) {
            let needed = format!("1 to {MOST} controls are needed");
            return Err(out_of_range("controls", needed));
        }
        let assignments = self.controls.into_iter().map(|set| (set.name, set.value));
        let set = state.set_controls(self.camera.as_deref(), assignments.collect());
        let set = set.map_err(|no| refused(no, "camera"))?;
        Ok(Answer::Later(Box::pin(async move {
            let (camera, controls) = set.await.map_err(|no| refused(no, "controls"))?;
            Ok(json(&SetControlsReply { camera, controls }))
        })))
    }
}
