//! `GetConfiguration`: all values in force.

use std::sync::Arc;

use streamd_protocol::control::{Error, GetConfiguration, GetConfigurationReply};

use crate::{
    calls::method::{Answer, Served, now},
    state::State,
};

impl Served for GetConfiguration {
    fn answer(self, state: &Arc<State>) -> Result<Answer, Error> {
        let toml = state.configuration().to_toml();
        let file = state.file().display().to_string();
        now(&GetConfigurationReply { toml, file })
    }
}
