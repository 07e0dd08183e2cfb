//! `ListRecordings`: what there is of a camera's past.

use std::sync::Arc;

use streamd_protocol::control::{Error, ListRecordings};

use crate::{
    calls::method::{Answer, Served, json, out_of_range},
    media::Timestamp,
    record::Recorder,
    state::State,
};

/// What is listed where the caller does not say from when on: a day.
const USUAL: f64 = 86_400.0;

/// The recorder of a camera, the first one where none is named.
pub fn recorder(state: &State, camera: Option<&str>) -> Result<Arc<Recorder>, Error> {
    let camera = state.cameras.find(camera).map_err(Error::NoSuchCamera)?;
    let recorder = state.recorders.of(&camera.name).map(Arc::clone);
    recorder.ok_or_else(|| Error::RecordingUnavailable {
        camera: camera.name.clone(),
        message: "this streamd was built without recordings".into(),
    })
}

impl Served for ListRecordings {
    fn answer(self, state: &Arc<State>) -> Result<Answer, Error> {
        let recorder = recorder(state, self.camera.as_deref())?;
        let to = self
            .to
            .unwrap_or(Timestamp::now().unix_micros() as f64 / 1e6);
        let from = self.from.unwrap_or(to - USUAL);
        // Seconds of which ms can be made, and days.
        let is_time = |time: f64| (0.0..=4e9).contains(&time);
        if !is_time(from) || !is_time(to) || from > to {
            let message = format!(
                "from {from}, to {to}: seconds since the epoch are allowed, from before to"
            );
            return Err(out_of_range("from", message));
        }
        let ms = |seconds: f64| (seconds * 1e3) as i64;
        let list = tokio::task::spawn_blocking(move || recorder.list(ms(from), ms(to)));
        Ok(Answer::Later(Box::pin(async move {
            let reply = list.await.map_err(|_| Error::RecordingUnavailable {
                camera: String::new(),
                message: "the list could not be made".into(),
            })?;
            Ok(json(&reply))
        })))
    }
}
