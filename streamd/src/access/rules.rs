//! The rules in force: the tokens there are, and what who shows none may.

use std::{path::PathBuf, sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::{
    proxies::{BadSecret, Proxies},
    role::{Identity, Proof, Role},
    token::Key,
    tokens::{Broken, Refused, Token, Tokens},
};
use crate::config::{self, values::Anonymous};

/// Without rules, this is what everybody may who comes through a proxy.
const WATCH: [Role; 2] = [Role::Viewer, Role::Metrics];

/// Without rules, this is what everybody may: they are on this machine.
const ALL: [Role; 3] = [Role::Viewer, Role::Metrics, Role::Operator];

/// The roles of everybody, as the configuration says.
fn roles(anonymous: &[Anonymous]) -> Vec<Role> {
    let role = |anonymous: &Anonymous| match anonymous {
        Anonymous::None => None,
        Anonymous::Viewer => Some(Role::Viewer),
        Anonymous::Metrics => Some(Role::Metrics),
    };
    anonymous.iter().filter_map(role).collect()
}

/// Rules that can't be used. It never means that there are none.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The file of tokens.
    #[error(transparent)]
    Tokens(#[from] Broken),
    /// The secret of the proxies.
    #[error(transparent)]
    Secret(#[from] BadSecret),
}

impl Unusable {
    /// Whether this user may not read them, which says nothing of them.
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Tokens(broken) => broken.is_denied(),
            Self::Secret(bad) => bad.is_denied(),
        }
    }
}

/// The rules of the daemon.
#[derive(Debug, Default)]
pub struct Rules {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// `None` while no token has ever been made.
    tokens: Option<Tokens>,
    /// What the configuration lets everybody do; `None` where it says nothing.
    anonymous: Option<Vec<Role>>,
    in_query: bool,
    proxies: Arc<Proxies>,
}

impl Inner {
    /// What everybody may.
    fn anybody(&self) -> Vec<Role> {
        let has_users = self.proxies.have_users();
        match (&self.anonymous, &self.tokens) {
            (Some(anonymous), _) => anonymous.clone(),
            (None, Some(_)) => Vec::new(),
            (None, None) if has_users => Vec::new(),
            (None, None) if self.proxies.are_there() => WATCH.into(),
            (None, None) => ALL.into(),
        }
    }
}

impl Rules {
    /// By the configuration and the file of tokens that it names.
    ///
    /// # Errors
    /// When that file is there and can't be used, or that of the proxies' secret.
    pub fn load(config: &config::Access) -> Result<Self, Unusable> {
        let path = config.token_file();
        let tokens = Tokens::read(&path)?;
        let rules = Self {
            path,
            inner: Mutex::new(Inner {
                tokens,
                ..Inner::default()
            }),
        };
        rules.change(config)?;
        Ok(rules)
    }

    /// Puts what the configuration says in force.
    ///
    /// # Errors
    /// When the proxies' secret can't be read; nothing is changed then.
    pub fn change(&self, config: &config::Access) -> Result<(), BadSecret> {
        let proxies = Arc::new(Proxies::new(config)?);
        let mut inner = self.inner.lock();
        inner.anonymous = config.anonymous.as_deref().map(roles);
        inner.in_query = config.token_in_query;
        inner.proxies = proxies;
        Ok(())
    }

    /// Whether there are any: a listener that the network reaches may only be opened then.
    pub fn are_there(&self) -> bool {
        let inner = self.inner.lock();
        inner.tokens.is_some() || inner.anonymous.is_some() || inner.proxies.have_users()
    }

    /// Whether a token was ever made.
    pub fn have_tokens(&self) -> bool {
        self.inner.lock().tokens.is_some()
    }

    /// Whether a token may stand in an address.
    pub fn in_query(&self) -> bool {
        self.inner.lock().in_query
    }

    /// The proxies whose word on whom they serve counts.
    pub fn proxies(&self) -> Arc<Proxies> {
        Arc::clone(&self.inner.lock().proxies)
    }

    /// Who shows this token; `None` if it is none, or none any more.
    pub fn known(&self, token: &str) -> Option<Identity> {
        let who = self.identity(Some(&Proof::Token(Key::of(token))));
        (!who.is_outsider()).then_some(who)
    }

    /// What somebody may now who came with this proof, or without one.
    pub fn identity(&self, proof: Option<&Proof>) -> Identity {
        let inner = self.inner.lock();
        let key = match proof {
            None => {
                return Identity {
                    roles: inner.anybody(),
                    ..Identity::default()
                };
            }
            Some(Proof::User(name)) => return inner.proxies.identity(name),
            Some(Proof::Token(key)) => key,
        };
        let token = inner.tokens.as_ref().and_then(|tokens| tokens.find(key));
        token.map_or_else(Identity::default, |token| Identity {
            name: Arc::from(&*token.name),
            proof: proof.cloned(),
            roles: vec![token.role],
            camera: token.camera.clone(),
        })
    }

    /// All tokens.
    pub fn tokens(&self) -> Vec<Token> {
        let inner = self.inner.lock();
        let tokens = inner.tokens.as_ref().map(Tokens::all);
        tokens.unwrap_or_default().to_vec()
    }

    /// Makes a token; returns what is to be shown, once. From the first one on, who shows none may
    /// what the configuration says, and nothing where it does not.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn add(
        &self,
        name: &str,
        role: Role,
        camera: Option<String>,
        lasts: Option<Duration>,
    ) -> Result<String, Refused> {
        self.write(|tokens, path| tokens.add(path, name, role, camera, lasts))
    }

    /// Takes a token away.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn revoke(&self, name: &str) -> Result<(), Refused> {
        self.write(|tokens, path| tokens.revoke(path, name))
    }

    /// Makes a new secret for a token; returns it. The old one is good for another hour.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn rotate(&self, name: &str) -> Result<String, Refused> {
        self.write(|tokens, path| tokens.rotate(path, name))
    }

    fn write<T>(
        &self,
        change: impl FnOnce(&mut Tokens, &std::path::Path) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let mut inner = self.inner.lock();
        let mut tokens = inner.tokens.clone().unwrap_or_default();
        let changed = change(&mut tokens, &self.path)?;
        inner.tokens = Some(tokens);
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::role::{Action, may};

    #[test]
    fn without_rules_all_operate_but_who_comes_through_a_proxy() {
        let folder = tempfile::tempdir().unwrap();
        let operates = |keys| {
            let who = rules(keys, &folder).identity(None);
            who.roles.contains(&Role::Operator)
        };
        assert!(operates(""));
        assert!(!operates("trusted-proxies = [\"127.0.0.1\"]"));
        assert!(!operates("anonymous = \"viewer\""));
    }

    fn rules(toml: &str, folder: &tempfile::TempDir) -> Rules {
        let path = folder.path().join("tokens.json");
        let text = format!("[access]\ntoken-file = {path:?}\n{toml}");
        Rules::load(&config::parse(&text, "test").unwrap().access).unwrap()
    }

    fn watches(rules: &Rules, key: Option<&Key>) -> bool {
        let proof = key.copied().map(Proof::Token);
        may(&rules.identity(proof.as_ref()), Action::Watch, Some("main"))
    }

    #[test]
    fn from_the_first_token_on_nobody_watches_without_one_even_when_it_is_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let first = rules("", &folder);
        assert!(watches(&first, None) && !first.are_there());
        let secret = first.add("phone", Role::Viewer, None, None).unwrap();
        assert!(first.are_there() && !watches(&first, None));
        assert!(watches(&first, Some(&Key::of(&secret))));
        assert_eq!(&*first.known(&secret).unwrap().name, "phone");
        first.revoke("phone").unwrap();
        assert!(first.known(&secret).is_none() && !watches(&first, None));
        let after_a_restart = rules("", &folder);
        assert!(after_a_restart.are_there() && !watches(&after_a_restart, None));
    }

    #[test]
    fn users_of_a_proxy_are_a_rule_for_all_others_too() {
        let folder = tempfile::tempdir().unwrap();
        let keys = "trusted-proxies = [\"unix\"]\nuser-header = \"X-User\"\noperators = [\"anna\"]";
        let rules = rules(keys, &folder);
        assert!(rules.are_there() && !watches(&rules, None));
        let roles = |name: &str| rules.identity(Some(&Proof::User(name.into()))).roles;
        assert_eq!(roles("anna"), [Role::Operator]);
        assert_eq!(roles("ben"), [Role::Viewer]);
        let without = "[access]\ntrusted-proxies = [\"unix\"]";
        let without = config::parse(without, "test").unwrap();
        rules.change(&without.access).unwrap();
        assert_eq!(roles("anna"), [], "the header is believed no more");
    }

    #[test]
    fn the_configuration_may_let_everybody_watch_or_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let open = rules("anonymous = \"viewer\"", &folder);
        open.add("x", Role::Operator, None, None).unwrap();
        assert!(watches(&open, None));
        let metrics = |rules: &Rules| may(&rules.identity(None), Action::Metrics, None);
        assert!(!metrics(&open));
        assert!(metrics(&rules(
            "anonymous = [\"viewer\", \"metrics\"]",
            &folder
        )));
        let closed = rules("anonymous = \"none\"", &folder);
        assert!(closed.are_there() && !watches(&closed, None));
    }
}
