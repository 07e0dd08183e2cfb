//! `org.varlink.service`: who the daemon is, and what its interfaces look like.

use std::sync::Arc;

use streamd_protocol::control::{
    DESCRIPTION, Error, GetInfo, GetInfoReply, GetInterfaceDescription,
    GetInterfaceDescriptionReply, INTERFACE, SERVICE_DESCRIPTION, SERVICE_INTERFACE,
};

use crate::{
    calls::method::{Answer, Served, now},
    state::State,
};

impl Served for GetInfo {
    fn answer(self, _: &Arc<State>) -> Result<Answer, Error> {
        now(&GetInfoReply {
            vendor: "streamd".into(),
            product: "streamd".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            url: env!("CARGO_PKG_REPOSITORY").into(),
            interfaces: [SERVICE_INTERFACE, INTERFACE].map(Into::into).into(),
        })
    }
}

impl Served for GetInterfaceDescription {
    fn answer(self, _: &Arc<State>) -> Result<Answer, Error> {
        let description = match self.interface.as_str() {
            INTERFACE => DESCRIPTION,
            SERVICE_INTERFACE => SERVICE_DESCRIPTION,
            _ => {
                let interface = self.interface;
                return Err(Error::InterfaceNotFound { interface });
            }
        };
        now(&GetInterfaceDescriptionReply {
            description: description.into(),
        })
    }
}
