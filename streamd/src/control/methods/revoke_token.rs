//! `RevokeToken`: somebody may not watch any more.

use streamd_protocol::control::{Error, RevokeToken, RevokeTokenReply};

use super::tokens_refused;
use crate::control::{
    Context,
    method::{Answer, Served, now},
};

impl Served for RevokeToken {
    const CHANGES: bool = true;
    const FOR_ADMINISTRATORS: bool = true;

    fn answer(self, context: &Context) -> Result<Answer, Error> {
        let revoked = context.state.revoke_token(&self.name);
        let disconnected = revoked.map_err(tokens_refused)? as i64;
        now(&RevokeTokenReply { disconnected })
    }
}
