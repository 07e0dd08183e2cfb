//! `ListAudit`: who came in, who was refused, and who changed what.

use std::sync::Arc;

use streamd_protocol::control::{AuditEntry, Error, ListAudit, ListAuditReply};

use crate::{
    calls::method::{Answer, Served, now, out_of_range},
    state::State,
};

/// Entries where the caller says no number.
const USUAL: i64 = 50;

impl Served for ListAudit {
    const FOR_ADMINISTRATORS: bool = true;

    fn answer(self, state: &Arc<State>) -> Result<Answer, Error> {
        let count = self.count.unwrap_or(USUAL);
        let most = usize::try_from(count)
            .ok()
            .filter(|most| *most > 0)
            .ok_or_else(|| out_of_range("count", format!("count {count}: 1 or more is allowed")))?;
        let entries = state.audit(most).into_iter();
        let entries = entries.map(|entry| AuditEntry {
            at: entry.at as i64,
            kind: entry.kind.to_string(),
            who: entry.who,
            from: entry.from,
            what: entry.what,
        });
        now(&ListAuditReply {
            entries: entries.collect(),
        })
    }
}
