//! `ListClients`: who is connected.

use std::sync::Arc;

use streamd_protocol::control::{Error, ListClients, ListClientsReply};

use crate::{
    calls::method::{Answer, Served, now},
    state::State,
};

impl Served for ListClients {
    fn answer(self, state: &Arc<State>) -> Result<Answer, Error> {
        let clients = state.stats().clients;
        now(&ListClientsReply { clients })
    }
}
