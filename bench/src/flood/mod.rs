//! `streamd-bench flood`: what viewers notice of clients that only take places.

mod attack;

use std::{sync::mpsc, thread, time::Duration};

use streamd_tests::{daemon::Daemon, setup::Setup};

use self::attack::{Attack, Done};
use crate::{
    args,
    client::Target,
    load::{self, Plan},
    process::Stop,
    summary::Summary,
    table::{Table, figure, figures},
};

/// Before a measurement, viewers have come to rest.
const WARM: Duration = Duration::from_secs(2);

/// Runs it.
///
/// # Errors
/// When the daemon can't be started, or a viewer is lost.
pub fn run(arguments: &args::Flood, stop: &Stop) -> anyhow::Result<()> {
    let room = arguments.clients + 8;
    let daemon = Setup::default()
        .camera(&format!("size = \"640x480\"\nmax-clients = {room}"))
        .start();
    load::raise_descriptors(arguments.clients + arguments.slow_headers + arguments.slow_readers)?;
    let quiet = measure(arguments, &daemon, stop, &mut || {})?;
    let (begin, begun) = mpsc::sync_channel(1);
    let (end, ended) = mpsc::sync_channel::<()>(1);
    let http = daemon.setup.http();
    let (attacked, done) = thread::scope(|scope| {
        let attack = scope.spawn(move || {
            // Without a beginning there is nothing to attack.
            begun.recv().ok()?;
            let mut attack = Attack::begin(http, arguments.slow_headers, arguments.slow_readers);
            while ended.try_recv() == Err(mpsc::TryRecvError::Empty) {
                attack.go_on();
            }
            Some(attack.end())
        });
        let attacked = measure(arguments, &daemon, stop, &mut || {
            let _ = begin.send(());
        });
        drop((begin, end));
        let done = attack.join();
        let done = done.map_err(|_| anyhow::anyhow!("the attack has failed"))?;
        anyhow::Ok((attacked?, done))
    })?;
    print(arguments, &quiet, &attacked, done.as_ref());
    let lost = [&quiet, &attacked].map(|(_, lost)| *lost);
    anyhow::ensure!(lost == [0, 0], "viewers were lost");
    Ok(())
}

/// What the viewers had, and how many were lost.
fn measure(
    arguments: &args::Flood,
    daemon: &Daemon,
    stop: &Stop,
    begin: &mut dyn FnMut(),
) -> anyhow::Result<(Summary, usize)> {
    let plan = Plan {
        target: Target {
            address: daemon.setup.tcp(0),
            protocol: args::Protocol::Tcp,
            path: String::new(),
            hello: None,
            keep: false,
        },
        clients: arguments.clients,
        slow: 0,
        rate: 0,
        warm: WARM,
        secs: arguments.secs,
        pid: None,
    };
    let outcome = load::run(&plan, stop, begin)?;
    let lost = outcome.dead() + outcome.refused as usize;
    Ok((Summary::new(&outcome, false), lost))
}

fn print(
    arguments: &args::Flood,
    quiet: &(Summary, usize),
    attacked: &(Summary, usize),
    done: Option<&Done>,
) {
    let mut table = Table::new(&[
        "viewers",
        "lost",
        "fps min / p50 / max",
        "gap p99 / max ms",
        "latency p50 / p95 / p99 / max ms",
    ]);
    for (name, (summary, lost)) in [("alone", quiet), ("attacked", attacked)] {
        table.row(vec![
            format!("{}, {name}", arguments.clients),
            lost.to_string(),
            figures(&summary.fps, 1),
            figures(&summary.gap_ms, 1),
            figures(&summary.latency_ms, 2),
        ]);
    }
    println!("{table}");
    let Some(done) = done else { return };
    println!(
        "slow headers: {} connected, {} cut off, the last one {} s after it had connected",
        done.headers.connected,
        done.headers.cut_off,
        figure(done.headers.longest.map(|time| time.as_secs_f64()), 1),
    );
    println!(
        "slow readers: {} connected, {} cut off",
        done.readers.connected, done.readers.cut_off
    );
}
