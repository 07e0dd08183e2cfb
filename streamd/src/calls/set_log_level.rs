//! `SetLogLevel`: what is logged from now on.

use std::sync::Arc;

use streamd_protocol::control::{Empty, Error, SetLogLevel};

use crate::{
    calls::method::{Answer, Served, now, out_of_range, refused},
    state::State,
};

/// The longest log filter, in bytes.
const MAX_FILTER: usize = 1024;

impl Served for SetLogLevel {
    const CHANGES: bool = true;

    fn answer(self, state: &Arc<State>) -> Result<Answer, Error> {
        if self.filter.trim().is_empty() || self.filter.len() > MAX_FILTER {
            let message =
                format!("filter: a level or a filter of up to {MAX_FILTER} bytes is needed");
            return Err(out_of_range("filter", message));
        }
        let changed = state.set_log_level(&self.filter);
        changed.map_err(|no| refused(no, "filter"))?;
        now(&Empty {})
    }
}
