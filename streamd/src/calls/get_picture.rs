//! `GetPicture`: the next frame of a camera.

use std::{sync::Arc, time::Duration};

use streamd_protocol::control::{self, Error, GetPicture, GetPictureReply};

use crate::{
    calls::method::{Answer, Served, json},
    media::{Origin, Packet, Timestamp},
    state::State,
};

/// Above the time that a camera takes to be switched on.
const PATIENCE: Duration = Duration::from_secs(5);

impl Served for GetPicture {
    fn answer(self, state: &Arc<State>) -> Result<Answer, Error> {
        let picture = state.picture(self.camera.as_deref(), Timestamp::now());
        let (camera, picture) = picture.map_err(Error::NoSuchCamera)?;
        Ok(Answer::Later(Box::pin(async move {
            match tokio::time::timeout(PATIENCE, picture).await {
                Ok(packet) => Ok(json(&reply(camera, &packet))),
                Err(_) => Err(Error::CameraTimeout {
                    camera,
                    seconds: PATIENCE.as_secs_f64(),
                }),
            }
        })))
    }
}

fn reply(camera: String, packet: &Packet) -> GetPictureReply {
    GetPictureReply {
        camera,
        jpeg: packet.bytes.to_vec(),
        sequence: packet.sequence as i64,
        captured_us: packet.captured.unix_micros() as i64,
        width: packet.width.into(),
        height: packet.height.into(),
        origin: match packet.origin {
            Origin::Camera => control::Origin::Camera,
            Origin::TestPattern => control::Origin::TestPattern,
            Origin::Blank => control::Origin::Blank,
        },
    }
}
