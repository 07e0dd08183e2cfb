//! `streamd-bench restart`: a daemon of its own is restarted under its viewers, as a service manager
//! does that keeps descriptors for it; what the viewers notice of it.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use streamd_tests::{daemon::Daemon, setup::Setup};

use crate::{
    args,
    client::Target,
    figures::{Spread, gaps, missing},
    load::{self, Outcome, Plan},
    process::Stop,
    table::{Table, figure},
};

/// Before the restart, viewers have come to rest.
const WARM: Duration = Duration::from_secs(2);

/// From the beginning of the measurement to the restart.
const BEFORE: Duration = Duration::from_secs(1);

/// The whole measurement.
const SECS: Duration = Duration::from_secs(5);

/// Runs it.
///
/// # Errors
/// When the daemon can't be started, or loses a viewer.
pub fn run(arguments: &args::Restart, stop: &Stop) -> anyhow::Result<()> {
    anyhow::ensure!(
        arguments.protocol != args::Protocol::Whep,
        "--protocol: sessions of WebRTC end with the daemon"
    );
    let mut table = Table::new(&[
        "restart",
        "viewers kept",
        "daemon away ms",
        "longest gap ms: median viewer",
        "all viewers",
        "pictures left out, at most",
    ]);
    let mut kept = true;
    for n in 1..=arguments.times {
        let (outcome, away) = once(arguments, stop)?;
        let longest = |client: &crate::client::Client| gaps(&client.arrivals).fold(0.0, f64::max);
        let gaps = Spread::new(outcome.clients.iter().map(longest));
        let left = outcome.clients.iter().map(|c| missing(&c.arrivals)).max();
        let lost = outcome.dead() + outcome.refused as usize;
        kept &= lost == 0;
        table.row(vec![
            n.to_string(),
            format!(
                "{} of {}",
                outcome.clients.len() - outcome.dead(),
                arguments.clients
            ),
            format!("{:.0}", away.as_secs_f64() * 1e3),
            figure(gaps.at(50.0), 0),
            figure(gaps.max(), 0),
            left.unwrap_or(0).to_string(),
        ]);
        if let Some(reason) = &outcome.reason {
            eprintln!("{reason}");
        }
    }
    println!("{table}");
    anyhow::ensure!(kept, "a viewer was lost");
    Ok(())
}

/// One restart: what the viewers saw, and for how long there was no daemon that serves.
fn once(arguments: &args::Restart, stop: &Stop) -> anyhow::Result<(Outcome, Duration)> {
    let room = arguments.clients + 8;
    let daemon = Setup::default()
        .camera(&format!("size = \"640x480\"\nmax-clients = {room}"))
        .storing(room as usize)
        .start();
    let protocol = arguments.protocol;
    let address = match protocol {
        args::Protocol::Tcp => daemon.setup.tcp(0),
        _ => daemon.setup.http(),
    };
    let plan = Plan {
        target: Target {
            address,
            protocol,
            path: protocol.default_path().into(),
            hello: None,
            keep: false,
        },
        clients: arguments.clients,
        slow: 0,
        rate: 0,
        warm: WARM,
        secs: SECS,
        pid: None,
    };
    let (begin, begun) = mpsc::sync_channel(1);
    let (end, ended) = mpsc::sync_channel::<()>(1);
    thread::scope(|scope| {
        // The daemons live as long as the thread that has started them, and end with them.
        let restart = scope.spawn(move || {
            begun.recv().context("the measurement did not begin")?;
            thread::sleep(BEFORE);
            let at = Instant::now();
            let _daemon = restarted(daemon)?;
            let away = at.elapsed();
            // Until the measurement has ended.
            let _ = ended.recv();
            anyhow::Ok(away)
        });
        let outcome = load::run(&plan, stop, &mut || {
            let _ = begin.send(());
        });
        drop((begin, end));
        let away = restart.join();
        let away = away.map_err(|_| anyhow::anyhow!("the daemon did not come back"))?;
        Ok((outcome?, away?))
    })
}

/// The first daemon hands its viewers over, and the second one serves them.
fn restarted(mut daemon: Daemon) -> anyhow::Result<Daemon> {
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    let status = daemon.wait_for_end();
    anyhow::ensure!(status.success(), "the daemon ended with {status}");
    Ok(daemon.restart())
}
