//! The cameras that a WebSocket asks for, and the one by which its viewer enters.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};

use crate::{
    access::role::{Action, Identity, may},
    camera::{Camera, Place},
    http::{chosen::named, refusal::Refusal, served::Served},
    viewer::{tcp::log_refused, viewers::Viewers},
};

/// The cameras of `?camera=`, which may name several, or all by `*`, in the order in which the
/// viewer prefers to enter by them; at least one. Of several names those that there are: the viewer
/// is told of the others when it subscribes.
#[derive(Debug)]
pub struct Wanted {
    cameras: Vec<Arc<Camera>>,
    /// None was named: the first one that the viewer may watch is meant, and no other.
    unnamed: bool,
}

impl FromRequestParts<Served> for Wanted {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, served: &Served) -> Result<Self, Refusal> {
        let all = &served.state.cameras;
        let name = named(parts, served).await?;
        let cameras = match name.as_deref() {
            None | Some("*") => all.iter().cloned().collect(),
            Some(names) => {
                let (found, unknown): (Vec<_>, Vec<_>) = names
                    .split(',')
                    .map(|name| all.find(Some(name)))
                    .partition(Result::is_ok);
                let unknown = unknown.into_iter().find_map(Result::err);
                if let Some(error) = unknown.filter(|_| found.is_empty()) {
                    return Err(error.into());
                }
                found.into_iter().flatten().cloned().collect()
            }
        };
        Ok(Self {
            cameras,
            unnamed: name.is_none(),
        })
    }
}

impl Wanted {
    /// The one that is preferred, by its name.
    pub fn first(&self) -> &str {
        &self.cameras[0].name
    }

    /// Whether somebody may watch any of them.
    pub fn has_any_for(&self, who: &Identity) -> bool {
        self.of(who).next().is_some()
    }

    /// A place at the first that somebody may watch and that has one; else why the first has none,
    /// which is logged.
    ///
    /// # Errors
    /// When they may watch none, or none has a place.
    pub fn admit(&self, viewers: &Viewers, who: &Identity, peer: &str) -> Result<Place, Refusal> {
        let meant = if self.unnamed { 1 } else { self.cameras.len() };
        let mut refused = None;
        for camera in self.of(who).take(meant) {
            match viewers.admit(Some(&camera.name), peer) {
                Ok(place) => return Ok(place),
                Err(why) => drop(refused.get_or_insert((why, camera))),
            }
        }
        let (why, camera) = refused.ok_or(Refusal::MayNot)?;
        log_refused(&why, peer, &camera.name);
        Err(Refusal::Unavailable(why.to_string()))
    }

    fn of(&self, who: &Identity) -> impl Iterator<Item = &Arc<Camera>> {
        let cameras = self.cameras.iter();
        cameras.filter(|camera| may(who, Action::Watch, Some(&camera.name)))
    }
}
