//! `RotateToken`: a new secret for a token.

use streamd_protocol::control::{Error, RotateToken, TokenReply};

use super::tokens_refused;
use crate::control::{
    Context,
    method::{Answer, Served, now},
};

impl Served for RotateToken {
    const CHANGES: bool = true;
    const FOR_ADMINISTRATORS: bool = true;

    fn answer(self, context: &Context) -> Result<Answer, Error> {
        let rotated = context.state.rotate_token(&self.name);
        let token = rotated.map_err(tokens_refused)?;
        now(&TokenReply { token })
    }
}
