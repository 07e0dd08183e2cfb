//! `Reload`: reads the configuration file again.

use streamd_protocol::control::{Error, Reload, ReloadReply};

use crate::control::{
    Context,
    method::{Answer, Served, now, refused},
};

impl Served for Reload {
    const CHANGES: bool = true;

    fn answer(self, context: &Context) -> Result<Answer, Error> {
        let reloaded = context.state.reload();
        let reloaded = reloaded.map_err(|no| refused(no, "configuration"))?;
        now(&ReloadReply {
            applied: reloaded.applied,
            needs_restart: reloaded.needs_restart,
        })
    }
}
