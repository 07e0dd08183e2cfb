//! Viewers at several places at a time, and what they saw by the camera's own clock.

use std::{collections::HashMap, sync::mpsc, thread, time::Duration};

use anyhow::Context;
use streamd_protocol::stream::{AppSegment, is_stand_in};

use super::site::Watcher;
use crate::{
    figures::{Arrival, Spread},
    load::{self, Outcome},
    process::Stop,
    summary::Summary,
};

/// Runs all of them at the same time; `during` is called when the measurement has begun.
pub fn watch<T>(
    watchers: &[Watcher],
    stop: &Stop,
    during: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<(Vec<Outcome>, T)> {
    thread::scope(|scope| {
        let (begin, begun) = mpsc::sync_channel(watchers.len());
        let run = |watcher: &Watcher, begin: &mpsc::SyncSender<()>| {
            watcher.side.enter()?;
            load::run(&watcher.plan, stop, &mut || {
                // Who waits for the first one does not wait for the others.
                let _ = begin.send(());
            })
        };
        let threads: Vec<_> = watchers
            .iter()
            .map(|watcher| {
                let begin = begin.clone();
                scope.spawn(move || run(watcher, &begin))
            })
            .collect();
        drop(begin);
        // Without a beginning a thread has an error to tell.
        let done = begun.recv().is_ok().then(during);
        let mut outcomes = Vec::new();
        for thread in threads {
            let outcome = thread.join();
            outcomes.push(outcome.map_err(|_| anyhow::anyhow!("a viewer panicked"))??);
        }
        let done = done.context("the measurement did not begin")??;
        Ok((outcomes, done))
    })
}

/// Waits, unless this program is to end.
pub fn rest(time: Duration, stop: &Stop) -> anyhow::Result<()> {
    let until = std::time::Instant::now() + time;
    while let Some(left) = until.checked_duration_since(std::time::Instant::now()) {
        stop.check()?;
        thread::sleep(left.min(Duration::from_millis(50)));
    }
    Ok(())
}

/// What viewers saw.
pub fn summary(outcome: &Outcome) -> anyhow::Result<Summary> {
    let summary = Summary::new(outcome, false);
    let reason = outcome.reason.as_deref().unwrap_or("no reason is known");
    let lost = outcome.dead() + outcome.refused as usize;
    anyhow::ensure!(lost == 0, "{lost} viewers were lost: {reason}");
    Ok(summary)
}

/// The capture times that pictures have at their host, whose clock the viewers share: with them what
/// the relay believes of that clock has no part in how old its pictures are.
pub struct HostsClock(HashMap<u64, u64>);

impl HostsClock {
    /// By what a viewer beside the host had, by their numbers.
    pub fn new(host: &Outcome) -> Self {
        let local = host.clients.iter().flat_map(|client| &client.arrivals);
        let known = local.filter_map(|arrival| Some((arrival.sequence?, arrival.captured_us?)));
        Self(known.collect())
    }

    /// Gives them to the relay's pictures; by how many ms the relay was wrong, p95.
    pub fn correct<'a>(&self, relay: impl Iterator<Item = &'a mut Arrival>) -> Option<f64> {
        let wrong = relay.filter_map(|arrival| correct(arrival, &self.0));
        Spread::new(wrong).at(95.0)
    }
}

/// The pictures of a viewer that keeps them, but for those that stand in for a lost camera.
pub fn live(outcome: &Outcome) -> Vec<Arrival> {
    let pictures = outcome.clients.iter().flat_map(|client| &client.pictures);
    let measured = pictures.filter(|(at_us, _)| *at_us >= outcome.from_us);
    measured
        .filter(|(_, picture)| !is_stand_in(picture))
        .map(|(at_us, picture)| {
            let label = AppSegment::find(picture);
            Arrival {
                at_us: *at_us,
                captured_us: label.as_ref().map(|label| label.captured_us),
                sequence: label.as_ref().map(|label| label.sequence),
                bytes: picture.len(),
            }
        })
        .collect()
}

fn correct(arrival: &mut Arrival, known: &HashMap<u64, u64>) -> Option<f64> {
    let captured = *known.get(&arrival.sequence?)?;
    let believed = arrival.captured_us.replace(captured)?;
    Some(believed.abs_diff(captured) as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_gets_the_time_that_its_host_knows() {
        let known = HashMap::from([(7, 1_000_000)]);
        let mut arrival = Arrival {
            at_us: 1_100_000,
            captured_us: Some(1_012_000),
            sequence: Some(7),
            bytes: 1,
        };
        assert_eq!(correct(&mut arrival, &known), Some(12.0));
        assert_eq!(arrival.latency_ms(), Some(100.0));
        // One that nobody saw there keeps its own.
        arrival.sequence = Some(8);
        assert_eq!(correct(&mut arrival, &known), None);
        assert_eq!(arrival.captured_us, Some(1_000_000));
    }
}
