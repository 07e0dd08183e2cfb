//! `ListControls`: a camera's own controls, as its driver has them now.

use std::sync::Arc;

use streamd_protocol::control::{Error, ListControls, ListControlsReply};

use crate::{
    calls::method::{Answer, Served, json, refused},
    state::State,
};

impl Served for ListControls {
    fn answer(self, state: &Arc<State>) -> Result<Answer, Error> {
        let listed = state.controls(self.camera.as_deref());
        let listed = listed.map_err(|no| refused(no, "camera"))?;
        Ok(Answer::Later(Box::pin(async move {
            let (camera, controls) = listed.await.map_err(|no| refused(no, "camera"))?;
            Ok(json(&ListControlsReply { camera, controls }))
        })))
    }
}
