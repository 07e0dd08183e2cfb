//! `AddToken`: lets somebody in.

use std::{sync::Arc, time::Duration};

use streamd_protocol::control::{AddToken, Error, TokenReply};

use super::tokens_refused;
use crate::{
    access::role::Role,
    calls::method::{Answer, Served, now, out_of_range},
    state::State,
};

impl Served for AddToken {
    const CHANGES: bool = true;
    const FOR_ADMINISTRATORS: bool = true;

    fn answer(self, state: &Arc<State>) -> Result<Answer, Error> {
        let role = self.role.as_deref().unwrap_or("viewer").parse::<Role>();
        let role = role.map_err(|message| out_of_range("role", message))?;
        let lasts = match self.expires_seconds {
            None => None,
            Some(seconds @ 1..) => Some(Duration::from_secs(seconds as u64)),
            Some(seconds) => {
                let message = format!("expiresSeconds {seconds}: 1 or more is allowed");
                return Err(out_of_range("expiresSeconds", message));
            }
        };
        let added = state.add_token(&self.name, role, self.camera, lasts);
        let token = added.map_err(tokens_refused)?;
        now(&TokenReply { token })
    }
}
