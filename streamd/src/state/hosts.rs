//! The machines that are heard of on NATS, and which of their cameras are taken here.

use streamd_protocol::control::{Host, HostCamera};

use super::State;
use crate::{config::values::Device, media::Timestamp};

impl State {
    /// The machines that have been heard of, by name.
    ///
    /// # Errors
    /// Why nobody listens to them here.
    pub fn hosts(&self) -> Result<Vec<Host>, &'static str> {
        let Some(nats) = &self.nats else {
            return Err("there is no connection to NATS ([nats] servers)");
        };
        if !nats.hosts.is_listening() {
            return Err(
                "this machine has cameras for others and takes none: a relay knows the hosts",
            );
        }
        let now = Timestamp::now();
        let all = nats.hosts.all().into_iter().map(|(name, host)| {
            let silent = host.silent(now);
            let cameras = host.cameras.into_iter().map(|(camera, state)| HostCamera {
                taken_as: self.taken_as(&name, &camera),
                name: camera,
                state,
            });
            Host {
                cameras: cameras.collect(),
                heard: silent.is_none(),
                seconds: silent.unwrap_or(now.since(host.since)).as_secs_f64(),
                name,
            }
        });
        Ok(all.collect())
    }

    /// The camera of ours that takes this one.
    fn taken_as(&self, host: &str, camera: &str) -> String {
        let takes = |device: &Device| match device {
            Device::Nats(far) => far.host.as_str() == host && far.camera.as_str() == camera,
            _ => false,
        };
        let mut ours = self.cameras.iter();
        let one = ours.find(|camera| takes(&camera.settings().config.device));
        one.map_or_else(String::new, |camera| camera.name.clone())
    }
}
