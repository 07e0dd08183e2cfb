//! `ListTokens`: who may come in.

use std::sync::Arc;

use streamd_protocol::control::{Error, ListTokens, ListTokensReply, TokenInfo};

use crate::{
    calls::method::{Answer, Served, now},
    state::State,
};

impl Served for ListTokens {
    const FOR_ADMINISTRATORS: bool = true;

    fn answer(self, state: &Arc<State>) -> Result<Answer, Error> {
        let tokens = state.tokens().into_iter();
        let info = tokens.map(|token| TokenInfo {
            name: token.name,
            role: token.role.to_string(),
            camera: token.camera.unwrap_or_default(),
            created: token.created as i64,
            expires: token.expires.map_or(0, |at| at as i64),
        });
        now(&ListTokensReply {
            tokens: info.collect(),
        })
    }
}
