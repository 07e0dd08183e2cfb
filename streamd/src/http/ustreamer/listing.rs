//! What MJPEG viewers asked for when they connected, for `/state`.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

use super::parameters::StreamParameters;

/// The parameters of the MJPEG viewers that are connected, by number.
#[derive(Debug, Clone, Default)]
pub struct Listing(Arc<Mutex<BTreeMap<u64, StreamParameters>>>);

/// A viewer's entry. It leaves the listing when it is dropped.
#[derive(Debug)]
pub struct Listed {
    listing: Listing,
    viewer: u64,
}

impl Listing {
    /// Adds a viewer.
    pub fn add(&self, viewer: u64, parameters: StreamParameters) -> Listed {
        self.0.lock().insert(viewer, parameters);
        Listed {
            listing: self.clone(),
            viewer,
        }
    }

    /// What a viewer asked for; `None` if it is not an MJPEG viewer.
    pub fn get(&self, viewer: u64) -> Option<StreamParameters> {
        self.0.lock().get(&viewer).cloned()
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.listing.0.lock().remove(&self.viewer);
    }
}
