//! What each address asks of who comes: no route without an action.

use axum::{
    Extension,
    extract::Request,
    http::{Method, Uri},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::MethodRouter,
};

use super::{login, refusal::Refusal, visitor::Visitor};
use crate::access::role::{Action, may};

/// What is answered at an address, and what it takes to be answered.
pub struct Route<S> {
    /// As axum writes it: `/stream/{camera}`.
    pub path: String,
    /// What who asks must be allowed.
    pub action: Action,
    /// The methods.
    pub methods: MethodRouter<S>,
}

/// Makes a router of a table. A route gets in here only, and so with its action.
pub fn router<S>(routes: Vec<Route<S>>) -> axum::Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let add = |router: axum::Router<S>, route: Route<S>| {
        let action = route.action;
        let check = from_fn(move |request, next| check(action, request, next));
        router.route(&route.path, route.methods.layer(check))
    };
    routes.into_iter().fold(axum::Router::new(), add)
}

/// The answer at an address where nothing is.
pub async fn nothing(Extension(visitor): Extension<Visitor>, uri: Uri) -> Response {
    hidden(&visitor, Refusal::NotFound(uri.path().to_owned()))
}

/// An answer that an outsider is not to get.
pub fn hidden(visitor: &Visitor, answer: impl IntoResponse) -> Response {
    match visitor.who.is_outsider() {
        true => Refusal::Unauthorized.into_response(),
        false => answer.into_response(),
    }
}

async fn check(action: Action, mut request: Request, next: Next) -> Response {
    let visitor = request.extensions().get::<Visitor>();
    let allowed = visitor.is_some_and(|visitor| may(&visitor.who, action, None));
    // A preflight says only which methods there are; whoever sends it may send no token.
    if allowed || request.method() == Method::OPTIONS {
        request.extensions_mut().insert(action);
        return next.run(request).await;
    }
    match visitor.is_none_or(|visitor| visitor.who.is_outsider()) {
        true if action == Action::Page => login::wanted(request.uri()),
        true => Refusal::Unauthorized.into_response(),
        false => Refusal::MayNot.into_response(),
    }
}
