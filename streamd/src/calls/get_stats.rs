//! `GetStats`: everything that is counted, once or as a stream.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use streamd_protocol::control::{Error, GetStats, GetStatsReply, INTERVAL_MS};

use crate::{
    calls::method::{Answer, Served, json, out_of_range},
    state::State,
};

impl Served for GetStats {
    fn answer(self, _: &Arc<State>) -> Result<Answer, Error> {
        let ms = self.interval_ms.unwrap_or(1000);
        if !INTERVAL_MS.contains(&ms) {
            let (least, most) = (INTERVAL_MS.start(), INTERVAL_MS.end());
            let message = format!("intervalMs {ms}: {least} to {most} is allowed");
            return Err(out_of_range("intervalMs", message));
        }
        let every = Duration::from_millis(ms.unsigned_abs());
        Ok(Answer::Figures { every })
    }
}

/// One reply's parameters.
pub fn figures(state: &State) -> Value {
    json(&GetStatsReply {
        stats: state.stats(),
    })
}
