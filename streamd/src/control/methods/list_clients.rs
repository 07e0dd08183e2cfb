//! `ListClients`: who is connected.

use streamd_protocol::control::{Error, ListClients, ListClientsReply};

use crate::control::{
    Shared,
    method::{Answer, Served, now},
};

impl Served for ListClients {
    fn answer(self, shared: &Shared) -> Result<Answer, Error> {
        let clients = shared.state.stats().clients;
        now(&ListClientsReply { clients })
    }
}
