//! The camera that a request means: `/stream/NAME`, `/stream?camera=NAME`, else the first one.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};

use super::{query::Query, refusal::Refusal, served::Served, visitor::Visitor};
use crate::{
    access::role::{Action, may},
    camera::Camera,
};

/// That camera.
pub struct Chosen(pub Arc<Camera>);

impl FromRequestParts<Served> for Chosen {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, served: &Served) -> Result<Self, Refusal> {
        let path = Option::<Path<String>>::from_request_parts(parts, served).await;
        let in_path = path.map_err(|_| Refusal::BadAddress(parts.uri.to_string()))?;
        let query = Query::of(&parts.uri);
        let name = match &in_path {
            Some(Path(name)) => Some(name.as_str()),
            None => query.get("camera"),
        };
        let visitor = parts.extensions.get::<Visitor>();
        let who = visitor
            .map(|visitor| visitor.who.clone())
            .unwrap_or_default();
        // Who names none means its own, where its token is for one.
        let name = name.or(who.camera.as_deref());
        let action = parts.extensions.get().copied().unwrap_or(Action::Watch);
        if name.is_some_and(|name| !may(&who, action, Some(name))) {
            return Err(Refusal::MayNot);
        }
        Ok(Self(Arc::clone(served.state.cameras.find(name)?)))
    }
}
