//! `ListClients`: who is connected.

use streamd_protocol::control::{Error, ListClients, ListClientsReply};

use crate::control::{
    Context,
    method::{Answer, Served, now},
};

impl Served for ListClients {
    fn answer(self, context: &Context) -> Result<Answer, Error> {
        let clients = context.state.stats().clients;
        now(&ListClientsReply { clients })
    }
}
