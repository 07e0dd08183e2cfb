//! `Reload`: reads the configuration file again.

use std::sync::Arc;

use streamd_protocol::control::{Error, Reload, ReloadReply};

use crate::{
    calls::method::{Answer, Served, now, refused},
    state::State,
};

impl Served for Reload {
    const CHANGES: bool = true;

    fn answer(self, state: &Arc<State>) -> Result<Answer, Error> {
        let reloaded = state.reload();
        let reloaded = reloaded.map_err(|no| refused(no, "configuration"))?;
        now(&ReloadReply {
            applied: reloaded.applied,
            needs_restart: reloaded.needs_restart,
        })
    }
}
