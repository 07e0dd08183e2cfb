//! What of it somebody may know and change whose token is for one camera: that camera, and who
//! watches no other.

use streamd_protocol::{
    control::Error,
    stats::{CameraStats, ClientStats, Stats},
};

use crate::access::role::{Action, Identity, may};

/// Takes out of the figures what somebody may not know.
pub fn narrow(stats: &mut Stats, who: &Identity, action: Action) {
    let seen = |camera: &CameraStats| may(who, action, Some(&camera.name));
    stats.cameras.retain(seen);
    stats.clients.retain(|client| is_of(client, who));
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
