//! Cameras from host to host, on NATS.
//!
//! ```text
//! hub ──Packet──▶ outlet ──▶ publish ══▶ stream of the server ══▶ take ──▶ capture thread ──▶ hub
//!                 a camera    one link   newest only      pulls of one     as a camera's own JPEG
//! ```
//!
//! A machine that has cameras publishes their pictures ([`publish`]), each only while another one
//! wants it ([`wants`]); the server acknowledges each, and that is the credit of the next. Another
//! machine takes them over ([`take`]): it pulls picture after picture, and its capture thread hands
//! them on as if a camera were there. The stream in between holds the newest picture of each camera
//! and nothing else, so that none of the three is ever late by itself.

mod clocks;
mod engine;
mod hosts;
mod name;
mod outlet;
mod publish;
mod pulls;
mod service;
mod stream;
mod subject;
mod take;
mod wants;
mod words;

use std::{fmt::Write, sync::Arc};

use tokio::task::JoinSet;

use crate::{
    camera::{Camera, Cameras},
    config::{Nats, values::Device},
    meters::{NatsMeters, NatsTopic},
    viewer::viewers::Viewers,
};

use self::{engine::Engine, publish::Publisher, take::Taker};

/// Connects, and starts what publishes and what takes.
///
/// # Errors
/// When the credentials can't be used.
pub async fn start(
    config: &Nats,
    viewers: &Arc<Viewers>,
    meters: Arc<NatsMeters>,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    let engine = Engine::connect(config, meters).await?;
    let id = id()?;
    tasks.spawn(watch(engine.clone()));
    if let Some(host) = &config.host
        && !config.publish.is_empty()
    {
        let cameras = published(config, &viewers.cameras);
        let viewers = Arc::clone(viewers);
        let publisher = Publisher::new(engine.clone(), host.clone(), id.clone(), viewers, cameras);
        tasks.spawn(publisher.run());
    }
    let takes = |camera: &Arc<Camera>| matches!(camera.settings().config.device, Device::Nats(_));
    // Who only has cameras for others may not hear of other machines, where each has its own subjects.
    if config.publish.is_empty() || viewers.cameras.iter().any(takes) {
        tasks.spawn(hosts::listen(engine.clone()));
    }
    for camera in viewers.cameras.iter() {
        let taker = Taker::new(engine.clone(), id.clone(), Arc::clone(camera));
        tasks.spawn(taker.run());
    }
    Ok(())
}

fn published(config: &Nats, cameras: &Cameras) -> Vec<Arc<Camera>> {
    let is = |name: &str| {
        config
            .publish
            .iter()
            .any(|published| published.as_str() == name)
    };
    let all = cameras.iter().filter(|camera| is(&camera.name));
    all.map(Arc::clone).collect()
}

/// Keeps what is told of the connection as it is, and makes the stream each time it is there.
async fn watch(mut engine: Engine) {
    loop {
        let now = engine.condition.borrow_and_update().clone();
        engine.meters.set_connection(now.connected, &now.why);
        let mut later = engine.condition.clone();
        // Who may not ask for the stream waits long for an answer, and is not to miss anything meanwhile.
        let look = async {
            if now.connected {
                look_at_stream(&engine).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            changed = later.changed() => if changed.is_err() {
                return;
            },
            () = look => {}
        }
    }
}

/// Makes the stream if it is not there, and says what is wrong with it or the server.
async fn look_at_stream(engine: &Engine) {
    let wrong = match engine.unfit() {
        None => stream::ensure(engine).await,
        Some(unfit) => Err(unfit),
    };
    match wrong {
        Ok(()) => engine.content(NatsTopic::Stream),
        Err(what) => engine.complain(NatsTopic::Stream, &what),
    }
}

/// A number that no other process has.
fn id() -> anyhow::Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    Ok(bytes.iter().fold(String::new(), |mut id, byte| {
        // Writing to memory does not fail.
        let _ = write!(id, "{byte:02x}");
        id
    }))
}
