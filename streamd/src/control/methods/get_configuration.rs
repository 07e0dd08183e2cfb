//! `GetConfiguration`: all values in force.

use streamd_protocol::control::{Error, GetConfiguration, GetConfigurationReply};

use crate::control::{
    Context,
    method::{Answer, Served, now},
};

impl Served for GetConfiguration {
    fn answer(self, context: &Context) -> Result<Answer, Error> {
        let toml = context.state.configuration().to_toml();
        let file = context.state.file().display().to_string();
        now(&GetConfigurationReply { toml, file })
    }
}
