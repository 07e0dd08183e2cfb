//! What MJPEG clients asked for when they connected, for `/state`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::http::parameters::StreamParameters;

/// The parameters of the MJPEG clients that are connected, by client number.
#[derive(Debug, Clone, Default)]
pub struct Listing(Arc<Mutex<BTreeMap<u64, StreamParameters>>>);

/// A client's entry. It leaves the listing when it is dropped.
#[derive(Debug)]
pub struct Listed {
    listing: Listing,
    client: u64,
}

impl Listing {
    /// Adds a client.
    pub fn add(&self, client: u64, parameters: StreamParameters) -> Listed {
        self.lock().insert(client, parameters);
        Listed {
            listing: self.clone(),
            client,
        }
    }

    /// What a client asked for; `None` if it is not an MJPEG client.
    pub fn get(&self, client: u64) -> Option<StreamParameters> {
        self.lock().get(&client).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, StreamParameters>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.listing.lock().remove(&self.client);
    }
}
