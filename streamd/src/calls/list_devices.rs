//! `ListDevices`: the V4L2 devices of the machine. Drivers are asked on threads of their own.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use streamd_protocol::control::{Error, ListDevices, ListDevicesReply};

use crate::{
    calls::method::{Answer, Served, json},
    state::State,
};

/// For the devices to be opened and asked.
const PATIENCE: Duration = Duration::from_secs(5);

/// Listings at a time, so that drivers that hang can't use up threads.
pub const MAX_LISTINGS: usize = 2;

impl Served for ListDevices {
    fn answer(self, state: &Arc<State>) -> Result<Answer, Error> {
        let listed = listed(Arc::clone(state));
        Ok(Answer::Later(Box::pin(listed)))
    }
}

async fn listed(state: Arc<State>) -> Result<Value, Error> {
    let listing = tokio::task::spawn_blocking(move || state.devices());
    let message = match tokio::time::timeout(PATIENCE, listing).await {
        Ok(Ok(devices)) => return Ok(json(&ListDevicesReply { devices })),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("a driver did not answer for {} s", PATIENCE.as_secs()),
    };
    Err(Error::DevicesUnavailable { message })
}
