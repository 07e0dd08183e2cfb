//! What of it somebody may know and change whose token is for one camera: that camera, and who
//! watches no other.

use streamd_protocol::{
    control::{Error, Event},
    stats::{CameraStats, ClientStats, Stats},
};

use crate::access::role::{Action, Identity, may};

/// Takes out of the figures what somebody may not know.
pub fn narrow(stats: &mut Stats, who: &Identity, action: Action) {
    let seen = |camera: &CameraStats| may(who, action, Some(&camera.name));
    stats.cameras.retain(seen);
    stats.clients.retain(|client| is_of(client, who));
}

/// Whether somebody may be told of this: what is about no camera is about all of them.
pub fn tells(event: &Event, who: &Identity) -> bool {
    let mut cameras = event.cameras.iter();
    let about_all = event.cameras.is_empty() && who.camera.is_some();
    !about_all && cameras.all(|camera| may(who, Action::Operate, Some(camera)))
}

/// Finds a client that somebody may limit and disconnect.
///
/// # Errors
/// When there is none of this number, as far as they may know.
pub fn client(stats: &Stats, id: &str, who: &Identity) -> Result<i64, Error> {
    let number = id.parse().map_err(|_| Error::InvalidParameter {
        parameter: "id".into(),
    })?;
    let found = stats.clients.iter().find(|client| client.id == number);
    match found.filter(|client| is_of(client, who)) {
        Some(client) => Ok(client.id),
        None => Err(Error::NoSuchClient { id: number }),
    }
}

fn is_of(client: &ClientStats, who: &Identity) -> bool {
    let mut feeds = client.feeds.iter();
    feeds.all(|feed| may(who, Action::Operate, Some(&feed.camera)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{access::role::Role, fixtures};

    fn operator(camera: Option<&str>) -> Identity {
        Identity {
            roles: vec![Role::Operator],
            camera: camera.map(str::to_owned),
            ..Identity::default()
        }
    }

    /// Two clients, of whom the second one watches another camera besides.
    fn stats() -> Stats {
        let mut stats = fixtures::stats();
        let mut other = stats.clients[1].feeds[0].clone();
        other.camera = "side".into();
        stats.clients[1].feeds.push(other);
        stats
    }

    #[test]
    fn a_client_is_of_who_may_change_all_that_it_watches() {
        let front = stats().clients[0].feeds[0].camera.clone();
        for (camera, expected) in [
            (None, vec![26, 27]),
            (Some(&*front), vec![26]),
            (Some("side"), vec![]),
        ] {
            let who = operator(camera);
            let mut seen = stats();
            narrow(&mut seen, &who, Action::Operate);
            let ids: Vec<_> = seen.clients.iter().map(|client| client.id).collect();
            assert_eq!(ids, expected, "{camera:?}");
            assert_eq!(seen.cameras.len(), if camera.is_some() { 1 } else { 2 });
            for id in [26, 27, 28] {
                let found = client(&stats(), &id.to_string(), &who);
                assert_eq!(found.is_ok(), expected.contains(&id), "{camera:?}, {id}");
            }
        }
    }

    #[test]
    fn what_is_no_number_is_named() {
        let error = client(&stats(), "x", &operator(None)).unwrap_err();
        assert!(matches!(error, Error::InvalidParameter { parameter } if parameter == "id"));
    }
}
