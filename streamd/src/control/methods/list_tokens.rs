//! `ListTokens`: who may come in.

use streamd_protocol::control::{Error, ListTokens, ListTokensReply, TokenInfo};

use crate::control::{
    Context,
    method::{Answer, Served, now},
};

impl Served for ListTokens {
    const FOR_ADMINISTRATORS: bool = true;

    fn answer(self, context: &Context) -> Result<Answer, Error> {
        let tokens = context.state.tokens().into_iter();
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
