//! `RotateToken`: a new secret for a token.

use std::sync::Arc;

use streamd_protocol::control::{Error, RotateToken, TokenReply};

use super::tokens_refused;
use crate::{
    calls::method::{Answer, Served, now},
    state::State,
};

impl Served for RotateToken {
    const CHANGES: bool = true;
    const FOR_ADMINISTRATORS: bool = true;

    fn answer(self, state: &Arc<State>) -> Result<Answer, Error> {
        let rotated = state.rotate_token(&self.name);
        let token = rotated.map_err(tokens_refused)?;
        now(&TokenReply { token })
    }
}
