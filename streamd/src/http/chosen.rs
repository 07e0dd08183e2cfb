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
        let named = named(parts, served).await?;
        let visitor = parts.extensions.get::<Visitor>();
        let who = visitor
            .map(|visitor| visitor.who.clone())
            .unwrap_or_default();
        // Who names none means its own, where its token is for one.
        let name = named.as_deref().or(who.camera.as_deref());
        let action = parts.extensions.get().copied().unwrap_or(Action::Watch);
        if name.is_some_and(|name| !may(&who, action, Some(name))) {
            return Err(Refusal::MayNot);
        }
        Ok(Self(Arc::clone(served.state.cameras.find(name)?)))
    }
}

/// What stands in a request where a camera is named.
///
/// # Errors
/// When the name in the path is not encoded as it should be.
pub async fn named(parts: &mut Parts, served: &Served) -> Result<Option<String>, Refusal> {
    let path = Option::<Path<String>>::from_request_parts(parts, served).await;
    let in_path = path.map_err(|_| Refusal::BadAddress(parts.uri.to_string()))?;
    let in_query = || Query::of(&parts.uri).get("camera").map(str::to_owned);
    Ok(in_path.map(|Path(name)| name).or_else(in_query))
}
