//! `KickClient`: disconnects one client or all.

use std::sync::Arc;

use streamd_protocol::control::{Error, KickClient, KickClientReply, MAX_REASON};

use crate::{
    calls::method::{Answer, Served, client_id, now, out_of_range, refused},
    state::State,
};

impl Served for KickClient {
    const CHANGES: bool = true;

    fn answer(self, state: &Arc<State>) -> Result<Answer, Error> {
        let reason = self.reason.unwrap_or_else(|| "by an administrator".into());
        if reason.chars().count() > MAX_REASON || reason.chars().any(char::is_control) {
            let message = format!("reason: up to {MAX_REASON} characters on one line are allowed");
            return Err(out_of_range("reason", message));
        }
        let kicked = match (self.id, self.all.unwrap_or(false)) {
            (None, true) => state.kick_all(&reason) as i64,
            (Some(id), false) => {
                let kicked = state.kick(client_id(id)?, &reason);
                kicked.map_err(|no| refused(no, "id"))?;
                1
            }
            _ => {
                let message = "either id or all = true is needed, and not both";
                return Err(out_of_range("id", message));
            }
        };
        now(&KickClientReply { kicked })
    }
}
