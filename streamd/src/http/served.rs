//! What the answers to requests are made of.

use std::sync::Arc;

use super::{refusal::Refusal, ustreamer::listing::Listing};
use crate::{
    camera::{Camera, Place},
    state::State,
    viewer::tcp,
};

/// The daemon as its pages show it.
#[derive(Clone)]
pub struct Served {
    /// Cameras, viewers and settings.
    pub state: Arc<State>,
    /// The MJPEG viewers.
    pub listing: Listing,
    /// The port of WebRTC, where there is one.
    #[cfg(feature = "whep")]
    pub webrtc: Option<Arc<crate::whep::endpoint::Endpoint>>,
}

impl Served {
    /// Nobody watches yet.
    pub fn new(state: Arc<State>) -> Self {
        Self {
            state,
            listing: Listing::default(),
            #[cfg(feature = "whep")]
            webrtc: None,
        }
    }

    /// Whether offers of WebRTC are answered.
    pub const fn has_webrtc(&self) -> bool {
        #[cfg(feature = "whep")]
        {
            self.webrtc.is_some()
        }
        #[cfg(not(feature = "whep"))]
        {
            false
        }
    }

    /// A place for one more viewer at a camera; else why there is none, which is logged.
    ///
    /// # Errors
    /// When the camera is full.
    pub fn admit(&self, camera: &Camera, peer: &str) -> Result<Place, Refusal> {
        let place = self.state.viewers.admit(Some(&camera.name), peer);
        place.map_err(|refused| {
            tcp::log_refused(&refused, peer, &camera.name);
            Refusal::Unavailable(refused.to_string())
        })
    }
}
