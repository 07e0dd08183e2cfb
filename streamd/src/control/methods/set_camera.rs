//! `SetCamera`: quality and rate of a camera, or of all.

use streamd_protocol::control::{Error, SetCamera, SetCameraReply};

use crate::{
    config::values::{Fps, Quality},
    control::{
        Context,
        method::{Answer, Served, now, out_of_range, refused},
    },
};

impl Served for SetCamera {
    const CHANGES: bool = true;

    fn answer(self, context: &Context) -> Result<Answer, Error> {
        let bad = |name| move |message: String| out_of_range(name, message);
        let quality = self.quality.map(Quality::try_from).transpose();
        let quality = quality.map_err(bad("quality"))?;
        let fps = self.fps.map(Fps::try_from).transpose();
        let fps = fps.map_err(bad("fps"))?;
        if quality.is_none() && fps.is_none() {
            return Err(out_of_range("quality", "quality, fps or both are needed"));
        }
        let changed = context
            .state
            .set_camera(self.camera.as_deref(), quality, fps);
        let cameras = changed.map_err(|no| refused(no, "camera"))?;
        now(&SetCameraReply { cameras })
    }
}
