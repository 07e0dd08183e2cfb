//! How each case is measured.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use streamd_protocol::stats::CameraState;

use super::{
    check::{Bound, Check},
    rows::{Case, Fault, Promise},
    site::{Layout, Site},
    watch::{HostsClock, live, rest, summary, watch},
};
use crate::{
    args, clock,
    figures::{Arrival, Spread},
    link::{profile::Profile, rows::Path},
    load::Outcome,
    process::{Stop, Usage},
};

/// Whatever the machine has to do besides, all get the one rendition.
const ONE_RENDITION: &str = "adapt = false";

/// Until nobody is known to watch any more: the relay's `idle-after`, the time for which its word
/// counts, and a bit.
const UNWATCHED: Duration = Duration::from_secs(9);

/// From the beginning of the measurement to the fault, how long that lasts, and what comes after it.
const BEFORE: Duration = Duration::from_secs(5);
const AWAY: Duration = Duration::from_secs(10);
const AFTER: Duration = Duration::from_secs(7);

/// Measures one case.
pub struct Bench<'b> {
    pub arguments: &'b args::Fleet,
    pub stop: &'b Stop,
}

impl Bench<'_> {
    /// Its figures.
    pub fn case(&self, case: &Case) -> anyhow::Result<Vec<Check>> {
        match case {
            Case::Chain => self.chain(),
            Case::Crowd => self.crowd(),
            Case::Uplink => self.uplink(),
            Case::Over { path, up, promise } => {
                let layout = if *up { Layout::Up } else { Layout::Down };
                self.over(layout(path), promise)
            }
            Case::Outage(fault) => self.outage(*fault),
        }
    }

    fn site(&self, layout: Layout<'_>, cameras: (usize, &str)) -> anyhow::Result<Site> {
        Site::start(self.arguments, layout, cameras, self.stop)
    }

    fn chain(&self) -> anyhow::Result<Vec<Check>> {
        let site = self.site(Layout::Together, (1, ""))?;
        let secs = self.arguments.secs;
        let watchers = [
            site.relay.viewers(0, 1, secs),
            site.host.viewers(0, 1, secs),
        ];
        let pids = [site.host.pid(), site.engine.pid(), site.relay.pid()];
        let (mut outcomes, cpu) = watch(&watchers, self.stop, || self.cpu(pids))?;
        let (local, mut remote) = (outcomes.remove(1), outcomes.remove(0));
        let wrong = HostsClock::new(&local).correct(all(&mut remote));
        let seen = summary(&remote)?;
        Ok(vec![
            Check::new(
                "latency p50",
                (Bound::AtMost(3.0), "ms"),
                seen.latency_ms[0],
            ),
            Check::new("p95", (Bound::AtMost(5.0), "ms"), seen.latency_ms[1]),
            Check::new("frames", (Bound::Told, "fps"), seen.fps[1]),
            Check::new("clock wrong p95", (Bound::Told, "ms"), wrong),
            Check::new("CPU: host", (Bound::Told, "%"), Some(cpu[0])),
            Check::new("engine", (Bound::Told, "%"), Some(cpu[1])),
            Check::new("relay", (Bound::Told, "%"), Some(cpu[2])),
        ])
    }

    /// Percent of a core that these processes take over the time of a measurement.
    fn cpu(&self, pids: [u32; 3]) -> anyhow::Result<[f64; 3]> {
        let used = || pids.iter().map(|pid| Usage::of(*pid));
        let before = used().collect::<anyhow::Result<Vec<_>>>()?;
        let began = Instant::now();
        rest(self.arguments.secs, self.stop)?;
        let seconds = began.elapsed().as_secs_f64();
        let after = used().collect::<anyhow::Result<Vec<_>>>()?;
        let percent = |n: usize| (after[n].cpu_s - before[n].cpu_s) / seconds * 100.0;
        Ok([percent(0), percent(1), percent(2)])
    }

    fn crowd(&self) -> anyhow::Result<Vec<Check>> {
        let site = self.site(Layout::Together, (1, ONE_RENDITION))?;
        let secs = self.arguments.secs;
        // CPU for a byte that reached a viewer, and frames a second of the slowest one.
        let cost = |daemon: &super::site::Daemon| -> anyhow::Result<(f64, Option<f64>)> {
            let (outcomes, ()) = watch(&[daemon.viewers(0, 100, secs)], self.stop, || Ok(()))?;
            let seen = summary(&outcomes[0])?;
            let cpu = outcomes[0].server.map_or(0.0, |cost| cost.cpu);
            Ok((cpu / seen.bytes, seen.fps[0]))
        };
        let (direct, direct_fps) = cost(&site.host)?;
        let (relayed, relayed_fps) = cost(&site.relay)?;
        let ratio = (direct > 0.0).then(|| relayed / direct);
        Ok(vec![
            Check::new("CPU a byte", (Bound::AtMost(1.15), "of direct"), ratio),
            Check::new("slowest viewer", (Bound::Told, "fps"), relayed_fps),
            Check::new("direct", (Bound::Told, "fps"), direct_fps),
        ])
    }

    fn uplink(&self) -> anyhow::Result<Vec<Check>> {
        let path = Path {
            profile: Profile::constant(1000.0),
            rtt: Duration::from_millis(2),
            queue: Duration::from_millis(500),
            loss: 0.0,
        };
        let site = self.site(Layout::Up(&path), (1, ONE_RENDITION))?;
        let carried = || self.carried(&site);
        let of = |clients| -> anyhow::Result<f64> {
            let watchers = [site.relay.viewers(0, clients, self.arguments.secs)];
            let (outcomes, rate) = watch(&watchers, self.stop, carried)?;
            summary(&outcomes[0])?;
            Ok(rate)
        };
        let (one, many) = (of(1)?, of(50)?);
        rest(UNWATCHED, self.stop)?;
        let nobody = self.carried(&site)?;
        let on = f64::from(u8::from(site.host.state()? != CameraState::Idle));
        let apart = (many / one - 1.0).abs() * 100.0;
        Ok(vec![
            Check::new("1 viewer", (Bound::Told, "kB/s"), Some(one / 1000.0)),
            Check::new("50", (Bound::Told, "kB/s"), Some(many / 1000.0)),
            Check::new("apart", (Bound::AtMost(2.0), "%"), Some(apart)),
            Check::new(
                "unwatched",
                (Bound::AtMost(1.0), "kB/s"),
                Some(nobody / 1000.0),
            ),
            Check::new("cameras on", (Bound::AtMost(0.0), ""), Some(on)),
        ])
    }

    /// Bytes a second that the link carries from the host, over the time of a measurement.
    fn carried(&self, site: &Site) -> anyhow::Result<f64> {
        let Some(wire) = &site.wire else {
            anyhow::bail!("without a link nothing is carried");
        };
        wire.restart();
        let began = Instant::now();
        rest(self.arguments.secs, self.stop)?;
        Ok(wire.carried().bytes as f64 / began.elapsed().as_secs_f64())
    }

    fn over(&self, layout: Layout<'_>, promise: &Promise) -> anyhow::Result<Vec<Check>> {
        let cameras = promise.cameras;
        let site = self.site(layout, (cameras, ""))?;
        let secs = self.arguments.secs;
        let remote = (0..cameras).map(|n| site.relay.viewers(n, 1, secs));
        let local = (0..cameras).map(|n| site.host.viewers(n, 1, secs));
        let watchers: Vec<_> = remote.chain(local).collect();
        let begin = || {
            site.wire.iter().for_each(|wire| wire.restart());
            Ok(())
        };
        let (mut remote, ()) = watch(&watchers, self.stop, begin)?;
        let local = remote.split_off(cameras);
        let mut checks = Vec::new();
        for (remote, local) in remote.iter_mut().zip(&local) {
            let wrong = HostsClock::new(local).correct(all(remote));
            let seen = summary(remote)?;
            let bytes = seen.frame_bytes.map(|bytes| bytes / 1000.0);
            checks.extend([
                Check::new("age p95", (promise.age, "ms"), seen.age_ms[1]),
                Check::new("frames", (promise.fps, "fps"), seen.fps[1]),
                Check::new("most", (Bound::Told, "ms"), seen.age_ms[2]),
                Check::new("a frame", (Bound::Told, "kB"), bytes),
                Check::new("clock wrong p95", (Bound::Told, "ms"), wrong),
            ]);
        }
        for local in &local {
            let seen = summary(local)?;
            checks.extend([
                Check::new("local frames", (Bound::AtLeast(29.5), "fps"), seen.fps[1]),
                Check::new("local p95", (Bound::AtMost(5.0), "ms"), seen.latency_ms[1]),
            ]);
        }
        Ok(checks)
    }

    fn outage(&self, fault: Fault) -> anyhow::Result<Vec<Check>> {
        let mut site = self.site(Layout::Together, (1, ""))?;
        let secs = BEFORE + AWAY + AFTER;
        let watchers = [
            site.relay.viewers(0, 1, secs).keeping(),
            site.host.viewers(0, 1, secs),
        ];
        let engine = &mut site.engine;
        let (outcomes, (gone, back)) = watch(&watchers, self.stop, || {
            rest(BEFORE, self.stop)?;
            let gone = clock::real_us();
            match fault {
                Fault::Killed => engine.kill()?,
                Fault::Stopped => engine.signal(Signal::SIGSTOP)?,
            }
            rest(AWAY, self.stop)?;
            let back = clock::real_us();
            match fault {
                Fault::Killed => engine.restart(self.stop)?,
                Fault::Stopped => engine.signal(Signal::SIGCONT)?,
            }
            Ok((gone, back))
        })?;
        let (remote, local) = (&outcomes[0], &outcomes[1]);
        summary(remote)?;
        summary(local)?;
        let mut shown = live(remote);
        HostsClock::new(local).correct(shown.iter_mut());
        let local = &local.clients[0].arrivals;
        let p95 = |from, to| latency(local, from, to).at(95.0);
        let (before, during) = (p95(outcomes[1].from_us, gone), p95(gone, back));
        let more = before.zip(during).map(|(before, during)| during - before);
        let oldest = latency(&shown, 0, u64::MAX).max();
        let again = shown.iter().find(|arrival| arrival.at_us >= back);
        let again = again.map(|arrival| (arrival.at_us - back) as f64 / 1e6);
        Ok(vec![
            Check::new("local p95 before", (Bound::Told, "ms"), before),
            Check::new("local p95 grows by", (Bound::AtMost(1.0), "ms"), more),
            Check::new("oldest at the relay", (Bound::AtMost(500.0), "ms"), oldest),
            Check::new("back", (Bound::AtMost(2.0), "s"), again),
        ])
    }
}

/// What all viewers had.
fn all(outcome: &mut Outcome) -> impl Iterator<Item = &mut Arrival> {
    let clients = outcome.clients.iter_mut();
    clients.flat_map(|client| &mut client.arrivals)
}

/// Latencies of what came between two moments.
fn latency(arrivals: &[Arrival], from_us: u64, to_us: u64) -> Spread {
    let counted = arrivals
        .iter()
        .filter(|arrival| (from_us..to_us).contains(&arrival.at_us));
    Spread::new(counted.filter_map(Arrival::latency_ms))
}
