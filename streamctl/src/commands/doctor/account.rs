//! What the user who looks may do: groups, as the system has them and as this login has them.

use nix::unistd::{Gid, Group, User, getegid, geteuid, getgroups};

use super::{finding::Finding, scene::Scene};

const AREA: &str = "permissions";

/// What a group is for.
const GROUPS: [(&str, &str); 2] = [
    ("streamd", "use the control socket of the service"),
    ("video", "run a streamd of one's own with real cameras"),
];

/// Looks at the groups.
pub fn look(scene: &Scene) -> Vec<Finding> {
    if scene.root {
        return vec![Finding::ok(AREA, "root may do everything")];
    }
    let groups = GROUPS
        .iter()
        .filter_map(|(name, what)| group(scene, name, what));
    groups.collect()
}

/// How the user stands to a group; `None` where the system has no such group.
fn group(scene: &Scene, name: &str, what: &str) -> Option<Finding> {
    let group = Group::from_name(name).ok().flatten()?;
    let user = &scene.user;
    if getegid() == group.gid || getgroups().is_ok_and(|all| all.contains(&group.gid)) {
        return Some(Finding::ok(
            AREA,
            format!("{user} is in group {name}: may {what}"),
        ));
    }
    if group.mem.contains(user) || primary() == Some(group.gid) {
        return Some(Finding::warning(
            AREA,
            format!("{user} was put into group {name} after this login"),
            format!("Log out and in again, or for this terminal: newgrp {name}"),
        ));
    }
    // Nobody needs a permission that nothing asks for: a daemon that answers can be reached.
    match scene.daemon {
        Some(_) => None,
        None => Some(Finding::warning(
            AREA,
            format!("{user} is not in group {name}, which is needed to {what}"),
            format!("sudo usermod -aG {name} {user}, then log out and in again"),
        )),
    }
}

fn primary() -> Option<Gid> {
    let user = User::from_uid(geteuid()).ok().flatten();
    user.map(|user| user.gid)
}
