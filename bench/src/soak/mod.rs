//! `streamd-bench soak`: hours of a daemon's life in which everything comes and goes, and what is
//! left of it: memory, descriptors, threads, and the latency of who only watches.
//!
//! Everything rests for a moment before each look, so that all looks are at the same daemon: the
//! same viewers, no request under way.

mod daemon;
mod life;
mod look;
mod steady;

use std::time::{Duration, Instant};

use self::{
    daemon::Daemon,
    life::{Done, Life},
    look::{Look, Trend},
    steady::Steady,
};
use crate::{
    args,
    process::Stop,
    table::{Table, figure, figures},
};

/// Looks in all; the first are of a daemon that is still warming up.
const LOOKS: u32 = 40;

/// Time between two looks, at least.
const SHORTEST: Duration = Duration::from_secs(2);

/// How long everything may take to come to rest.
const REST: Duration = Duration::from_secs(20);

/// Runs it.
///
/// # Errors
/// When the daemon can't be started, ends, or does not come through the soak as it went in.
pub fn run(arguments: &args::Soak, stop: &Stop) -> anyhow::Result<()> {
    let mut daemon = Daemon::start(arguments.streamd.as_deref(), stop)?;
    let steady = Steady::connect(daemon.http(), daemon.tcp(), arguments.clients)?;
    let watchers = daemon.await_clients(arguments.clients, REST, stop)?;
    let life = Life::begin(&daemon, watchers);
    let pause = (arguments.secs / LOOKS).max(SHORTEST);
    let end = Instant::now() + arguments.secs;
    let mut looks = Vec::new();
    let mut table = Table::new(&[
        "s",
        "memory MiB",
        "descriptors",
        "threads",
        "latency p50 / p95 / p99 ms",
        "done",
    ]);
    while Instant::now() < end {
        sleep(
            pause.min(end.saturating_duration_since(Instant::now())),
            stop,
        )?;
        let latency = steady.latency();
        let rest = life.rest();
        daemon.await_clients(arguments.clients, REST, stop)?;
        let look = Look::at(
            daemon.pid(),
            arguments.secs - end.saturating_duration_since(Instant::now()),
        )?;
        drop(rest);
        anyhow::ensure!(daemon.lives()?, "the daemon has ended:\n{}", daemon.log());
        eprintln!("{}", look.line(&latency));
        table.row(vec![
            format!("{:.0}", look.at.as_secs_f64()),
            figure(Some(look.memory_mib), 2),
            look.descriptors.to_string(),
            look.threads.to_string(),
            figures(&[latency.at(50.0), latency.at(95.0), latency.at(99.0)], 2),
            life.done().total().to_string(),
        ]);
        looks.push((look, latency));
    }
    let done = life.end();
    let lost = steady.end();
    report(&table, &looks, &done, lost, arguments.clients)
}

fn sleep(time: Duration, stop: &Stop) -> anyhow::Result<()> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        stop.check()?;
        std::thread::sleep(
            Duration::from_millis(50).min(end.saturating_duration_since(Instant::now())),
        );
    }
    Ok(())
}

fn report(
    table: &Table,
    looks: &[(Look, crate::figures::Spread)],
    done: &Done,
    lost: Vec<String>,
    clients: u32,
) -> anyhow::Result<()> {
    println!("{table}\n{done}");
    // What the first third of the time has warmed up is no growth.
    let settled: Vec<Look> = looks
        .iter()
        .skip(looks.len() / 3)
        .map(|(look, _)| *look)
        .collect();
    let trend = Trend::of(&settled);
    println!("{trend}");
    println!("watchers lost: {} of {clients}", lost.len());
    let mut faults = trend.faults();
    faults.extend(
        lost.into_iter()
            .map(|why| format!("a watcher was lost: {why}")),
    );
    faults.extend(
        done.never()
            .map(|what| format!("nothing was done of: {what}")),
    );
    anyhow::ensure!(faults.is_empty(), "{}", faults.join("; "));
    Ok(())
}
