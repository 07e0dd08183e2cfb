//! `RevokeToken`: somebody may not watch any more.

use std::sync::Arc;

use streamd_protocol::control::{Error, RevokeToken, RevokeTokenReply};

use super::tokens_refused;
use crate::{
    calls::method::{Answer, Served, now},
    state::State,
};

impl Served for RevokeToken {
    const CHANGES: bool = true;
    const FOR_ADMINISTRATORS: bool = true;

    fn answer(self, state: &Arc<State>) -> Result<Answer, Error> {
        let revoked = state.revoke_token(&self.name);
        let disconnected = revoked.map_err(tokens_refused)? as i64;
        now(&RevokeTokenReply { disconnected })
    }
}
