//! All cameras, in the configuration's order.

use std::sync::Arc;

use streamd_protocol::control::NoSuchCamera;

use super::{Camera, NoPlace, Place};
use crate::access::address::Address;

/// The cameras of the daemon; never empty.
#[derive(Debug)]
pub struct Cameras(Vec<Arc<Camera>>);

/// Why a viewer gets no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No camera of this name.
    #[error(transparent)]
    NoCamera(#[from] NoSuchCamera),
    /// `max-clients` have a place.
    #[error("camera {name} has its {limit} clients (max-clients)")]
    Full {
        /// The camera.
        name: String,
        /// Its `max-clients`.
        limit: u32,
    },
    /// Clients of the same address have all places that it may have.
    #[error("camera {name} has {limit} clients of this address, which is its share")]
    FullForAddress {
        /// The camera.
        name: String,
        /// The most that one address may have.
        limit: u32,
    },
}

impl Cameras {
    /// These cameras; at least one.
    pub fn new(cameras: Vec<Arc<Camera>>) -> Self {
        assert!(!cameras.is_empty(), "a configuration has a camera");
        Self(cameras)
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Arc<Camera>> {
        self.0.iter()
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        self.iter().map(|camera| camera.name.clone()).collect()
    }

    /// The camera of this name; the first one where `name` is `None`.
    ///
    /// # Errors
    /// When there is no such camera.
    pub fn find(&self, name: Option<&str>) -> Result<&Arc<Camera>, NoSuchCamera> {
        match name {
            None => Ok(&self.0[0]),
            Some(name) => self
                .iter()
                .find(|c| c.name == name)
                .ok_or_else(|| NoSuchCamera {
                    name: name.into(),
                    known: self.names(),
                }),
        }
    }

    /// The camera of this name, or all where `name` is `None`.
    ///
    /// # Errors
    /// When there is no such camera.
    pub fn select(&self, name: Option<&str>) -> Result<&[Arc<Camera>], NoSuchCamera> {
        match name {
            None => Ok(&self.0),
            Some(_) => self.find(name).map(std::slice::from_ref),
        }
    }

    /// Takes a place for a viewer at a camera, the first one where `name` is `None`. Of its address
    /// there may be `most`.
    ///
    /// # Errors
    /// When there is no such camera, or it has no place for it.
    pub fn admit(&self, name: Option<&str>, address: Address, most: u32) -> Result<Place, Refused> {
        let camera = self.find(name)?;
        camera.admit(address, most).map_err(|no| {
            let name = camera.name.clone();
            match no {
                NoPlace::Full(limit) => Refused::Full { name, limit },
                NoPlace::FullForAddress(limit) => Refused::FullForAddress { name, limit },
            }
        })
    }
}
