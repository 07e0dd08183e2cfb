//! mjpg-streamer's spelling: `/?action=stream_1` is `/stream` of the second camera.

use axum::http::{Uri, uri::PathAndQuery};
use streamd_protocol::control::NoSuchCamera;

use crate::{
    camera::Cameras,
    http::{query::Query, refusal::Refusal},
};

/// The address that one with an action stands for; `None` where there is no action in it.
///
/// # Errors
/// When it is no action, or there is no such camera.
pub fn plain(uri: &Uri, cameras: &Cameras) -> Result<Option<Uri>, Refusal> {
    let query = Query::of(uri);
    let Some(action) = query.get("action").filter(|_| uri.path() == "/") else {
        return Ok(None);
    };
    let (verb, number) = read(action).ok_or_else(|| Refusal::BadAction(action.to_owned()))?;
    let camera = match number {
        None => String::new(),
        Some(number) => {
            let names = cameras.names();
            let name = names.get(number).ok_or_else(|| NoSuchCamera {
                name: number.to_string(),
                known: names.clone(),
            })?;
            format!("/{name}")
        }
    };
    let rest = uri.query().unwrap_or_default();
    let plain: PathAndQuery = format!("/{verb}{camera}?{rest}")
        .parse()
        .expect("a camera's name and the query of an address can be in one");
    Ok(Some(plain.into()))
}

/// What is asked for, and the camera's number. What follows these is left alone, since
/// mjpg-streamer does not look at it: dashboards send `stream/`, `stream/frame.mjpg`, `snapshot.jpg`.
fn read(action: &str) -> Option<(&'static str, Option<usize>)> {
    let verb = ["stream", "snapshot"]
        .into_iter()
        .find(|verb| action.starts_with(verb))?;
    let rest = &action[verb.len()..];
    let (number, rest) = match rest.strip_prefix('_') {
        None => (None, rest),
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit());
            let (digits, rest) = rest.split_at(end.unwrap_or(rest.len()));
            (Some(digits.parse().ok()?), rest)
        }
    };
    let over = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    over.then_some((verb, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_action_is_left_alone() {
        for (action, wanted) in [
            ("stream", ("stream", None)),
            ("stream/", ("stream", None)),
            ("stream/frame.mjpg", ("stream", None)),
            ("stream_0", ("stream", Some(0))),
            ("stream_12/", ("stream", Some(12))),
            ("stream ", ("stream", None)),
            ("snapshot", ("snapshot", None)),
            ("snapshot.jpg", ("snapshot", None)),
            ("snapshot_1;n=5", ("snapshot", Some(1))),
        ] {
            assert_eq!(read(action), Some(wanted), "{action}");
        }
        for action in [
            "",
            "command",
            "streams",
            "stream_",
            "stream_x",
            "stream_1x",
            "stream_-1",
            "snapshot_99999999999999999999999",
        ] {
            assert_eq!(read(action), None, "{action}");
        }
    }
}
