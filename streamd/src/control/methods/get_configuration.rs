//! `GetConfiguration`: all values in force.

use streamd_protocol::control::{Error, GetConfiguration, GetConfigurationReply};

use crate::control::{
    Shared,
    method::{Answer, Served, now},
};

impl Served for GetConfiguration {
    fn answer(self, shared: &Shared) -> Result<Answer, Error> {
        let toml = shared.state.configuration().to_toml();
        now(&GetConfigurationReply { toml })
    }
}
