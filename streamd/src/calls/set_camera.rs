//! `SetCamera`: quality, rate, turn and flip of a camera, or of all.

use std::sync::Arc;

use streamd_protocol::control::{Error, SetCamera, SetCameraReply};

use crate::{
    calls::method::{Answer, Served, now, out_of_range, refused},
    config::values::{Flip, Fps, Quality, Rotate},
    state::CameraChange,
    state::State,
};

impl Served for SetCamera {
    const CHANGES: bool = true;

    fn answer(self, state: &Arc<State>) -> Result<Answer, Error> {
        let bad = |name| move |message: String| out_of_range(name, message);
        let quality = self.quality.map(Quality::try_from).transpose();
        let fps = self.fps.map(Fps::try_from).transpose();
        let rotate = self.rotate.map(Rotate::try_from).transpose();
        let flip = self.flip.map(|flip| flip.parse::<Flip>()).transpose();
        let change = CameraChange {
            quality: quality.map_err(bad("quality"))?,
            fps: fps.map_err(bad("fps"))?,
            rotate: rotate.map_err(bad("rotate"))?,
            flip: flip.map_err(bad("flip"))?,
        };
        if change == CameraChange::default() {
            let message = "one of quality, fps, rotate and flip is needed";
            return Err(out_of_range("quality", message));
        }
        let changed = state.set_camera(self.camera.as_deref(), &change);
        let cameras = changed.map_err(|no| refused(no, "camera"))?;
        now(&SetCameraReply { cameras })
    }
}
