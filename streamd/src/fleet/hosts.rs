//! Hears which machines are there, for who asks: `streamctl hosts`.

use futures_util::StreamExt;
use streamd_protocol::fleet::SUBJECTS;

use super::{
    engine::Engine,
    words::{self, Presence},
};
use crate::{config::values::Machine, media::Timestamp};

/// Listens for as long as the daemon lives.
pub async fn listen(mut engine: Engine) {
    engine.meters.hosts.listen();
    let mut times = 0;
    while let Some(now) = engine.connected(times).await {
        times = now;
        let all = format!("{SUBJECTS}.*.presence");
        let Ok(mut presences) = engine.client.subscribe(all).await else {
            continue;
        };
        while !engine.is_over(times) {
            tokio::select! {
                biased;
                _ = engine.condition.changed() => {}
                said = presences.next() => match said {
                    Some(message) => hear(&engine, &message),
                    None => break,
                },
            }
        }
    }
}

/// What is none of ours is counted by who takes a camera from there.
fn hear(engine: &Engine, message: &async_nats::Message) {
    let host = message.subject.split('.').nth(2).map(str::parse::<Machine>);
    let said = words::read::<Presence>(&message.payload);
    if let (Some(Ok(host)), Some(said)) = (host, said)
        && said.holds
    {
        let states = said.states.into_iter().map(Some);
        let states = states.chain(std::iter::repeat(None));
        let cameras = said.cameras.into_iter().zip(states).collect();
        engine
            .meters
            .hosts
            .hear(host.as_str(), cameras, Timestamp::now());
    }
}
