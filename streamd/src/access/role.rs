//! Who may what. Every door asks [`may`], and nothing else decides.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::token::Key;

/// What somebody may do, in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read the metrics.
    Metrics,
    /// Watch, and limit oneself.
    Viewer,
    /// Both.
    Operator,
}

/// All roles, and their words.
const ROLES: [(&str, Role); 3] = [
    ("viewer", Role::Viewer),
    ("operator", Role::Operator),
    ("metrics", Role::Metrics),
];

impl FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let role = ROLES.iter().find(|(word, _)| *word == text);
        role.map(|(_, role)| *role)
            .ok_or_else(|| format!("role {text:?}: viewer, operator or metrics is allowed"))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = ROLES.iter().find(|(_, role)| role == self);
        f.write_str(role.map_or("", |(word, _)| word))
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// To show a token: the one thing that everybody may.
    LogIn,
    /// The page's files.
    Page,
    /// Pictures, over any transport.
    Watch,
    /// What a camera and its clients do.
    State,
    /// All figures.
    Metrics,
    /// To change pictures for everybody, and to see and disconnect who watches.
    Operate,
}

/// What proves who somebody is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// A token, by what is kept of it.
    Token(Key),
    /// The word of a trusted proxy, by the user's name.
    User(String),
}

/// Who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The name of the token, or of the proxy's user; empty for who shows nothing.
    pub name: Arc<str>,
    /// What it is known by.
    pub proof: Option<Proof>,
    /// None for who may nothing.
    pub roles: Vec<Role>,
    /// The one camera that it is for.
    pub camera: Option<String>,
}

impl Identity {
    /// Whether it may nothing but show a token.
    pub fn is_outsider(&self) -> bool {
        self.roles.is_empty()
    }
}

/// What is kept of somebody while they are here: what they may is asked anew each time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shown {
    /// What they are known by.
    pub proof: Option<Proof>,
    /// Their name; empty for who shows nothing.
    pub name: String,
}

impl Shown {
    /// Of somebody who is here.
    pub fn of(who: &Identity) -> Self {
        Self {
            proof: who.proof.clone(),
            name: who.name.to_string(),
        }
    }
}

/// Whether somebody may do something, at a camera where it is about one.
pub fn may(who: &Identity, action: Action, camera: Option<&str>) -> bool {
    let is_its_own = match (&who.camera, camera) {
        (Some(own), Some(asked)) => own == asked,
        _ => true,
    };
    let allows = |role: &Role| match action {
        Action::LogIn => true,
        Action::Page | Action::Watch | Action::State => {
            matches!(role, Role::Viewer | Role::Operator)
        }
        Action::Operate => *role == Role::Operator,
        Action::Metrics => matches!(role, Role::Metrics | Role::Operator),
    };
    action == Action::LogIn || (is_its_own && who.roles.iter().any(allows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_it_is_for() {
        use Action::*;
        for (roles, allowed) in [
            (vec![], vec![LogIn]),
            (vec![Role::Metrics], vec![LogIn, Metrics]),
            (vec![Role::Viewer], vec![LogIn, Page, Watch, State]),
            (
                vec![Role::Operator],
                vec![LogIn, Page, Watch, State, Metrics, Operate],
            ),
        ] {
            let who = Identity {
                roles,
                ..Identity::default()
            };
            for action in [LogIn, Page, Watch, State, Metrics, Operate] {
                assert_eq!(may(&who, action, Some("front")), allowed.contains(&action));
            }
        }
    }

    #[test]
    fn a_token_for_one_camera_is_for_no_other() {
        let who = Identity {
            roles: vec![Role::Operator],
            camera: Some("front".into()),
            ..Identity::default()
        };
        assert!(may(&who, Action::Watch, Some("front")) && may(&who, Action::Page, None));
        assert!(!may(&who, Action::Watch, Some("rear")));
    }

    #[test]
    fn roles_are_read_as_they_are_written() {
        for (word, role) in ROLES {
            assert_eq!((word.parse(), role.to_string().as_str()), (Ok(role), word));
        }
        assert!(
            "root"
                .parse::<Role>()
                .unwrap_err()
                .contains("viewer, operator or metrics")
        );
    }
}
