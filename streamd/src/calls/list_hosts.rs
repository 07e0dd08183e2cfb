//! `ListHosts`: the other machines that have cameras.

use std::sync::Arc;

use streamd_protocol::control::{Error, ListHosts, ListHostsReply};

use crate::{
    calls::method::{Answer, Served, now},
    state::State,
};

impl Served for ListHosts {
    fn answer(self, state: &Arc<State>) -> Result<Answer, Error> {
        let hosts = state.hosts().map_err(|why| Error::HostsUnavailable {
            message: why.into(),
        })?;
        now(&ListHostsReply { hosts })
    }
}
