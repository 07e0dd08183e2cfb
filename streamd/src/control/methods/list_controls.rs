//! `ListControls`: a camera's own controls, as its driver has them now.

use streamd_protocol::control::{Error, ListControls, ListControlsReply};

use crate::control::{
    Context,
    method::{Answer, Served, json, refused},
};

impl Served for ListControls {
    fn answer(self, context: &Context) -> Result<Answer, Error> {
        let listed = context.state.controls(self.camera.as_deref());
        let listed = listed.map_err(|no| refused(no, "camera"))?;
        Ok(Answer::Later(Box::pin(async move {
            let (camera, controls) = listed.await.map_err(|no| refused(no, "camera"))?;
            Ok(json(&ListControlsReply { camera, controls }))
        })))
    }
}
