//! `Reload`: reads the configuration file again.

use streamd_protocol::control::{Error, Reload, ReloadReply};

use crate::control::{
    Shared,
    method::{Answer, Served, now, refused},
};

impl Served for Reload {
    const CHANGES: bool = true;

    fn answer(self, shared: &Shared) -> Result<Answer, Error> {
        let reloaded = shared.state.reload();
        let reloaded = reloaded.map_err(|no| refused(no, "configuration"))?;
        now(&ReloadReply {
            applied: reloaded.applied,
            needs_restart: reloaded.needs_restart,
        })
    }
}
