//! Who may watch: tokens are made and taken away, and who came with one that is gone is closed.

use std::time::Duration;

use super::State;
use crate::{
    access::{
        role::Role,
        tokens::{Refused, Token},
    },
    supervise::audit,
};

impl State {
    /// Makes a token; returns what is to be shown, once.
    ///
    /// # Errors
    /// See [`Refused`]; also for a camera that is not there.
    pub fn add_token(
        &self,
        name: &str,
        role: Role,
        camera: Option<String>,
        lasts: Option<Duration>,
    ) -> Result<String, Refused> {
        let known = self.cameras.find(camera.as_deref());
        known.map_err(|no| Refused::BadName(no.to_string()))?;
        let token = self.viewers.rules.add(name, role, camera, lasts)?;
        // With the first one, others may not watch any more.
        self.viewers.look_over();
        Ok(token)
    }

    /// Makes a new secret for a token; returns it.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn rotate_token(&self, name: &str) -> Result<String, Refused> {
        self.viewers.rules.rotate(name)
    }

    /// Takes a token away and disconnects who came with it; returns how many.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn revoke_token(&self, name: &str) -> Result<usize, Refused> {
        self.viewers.rules.revoke(name)?;
        Ok(self.viewers.look_over())
    }

    /// Who came in, who was refused and who changed what: the last ones, the oldest first.
    pub fn audit(&self, most: usize) -> Vec<audit::Entry> {
        self.log.audit.last(most)
    }

    /// All tokens.
    pub fn tokens(&self) -> Vec<Token> {
        self.viewers.rules.tokens()
    }
}
