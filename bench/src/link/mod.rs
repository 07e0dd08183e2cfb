//! `streamd-bench link`: fresh frames over bad links.
//!
//! For each row, two network namespaces are joined by a link in user space; the server is started
//! in one, the clients run in the other. Both have the clocks of this machine, so that the capture
//! time in a picture gives its true latency.

mod bottleneck;
mod namespace;
mod notes;
mod profile;
mod report;
mod rows;
mod server;
mod wire;

use std::{net::Ipv4Addr, time::Duration};

use self::{
    bottleneck::Bottleneck,
    namespace::Namespace,
    report::Report,
    rows::{Path, Row},
    server::{Kind, Running},
    wire::Wire,
};
use crate::{
    args, kernel,
    load::{self, Plan},
    process::Stop,
};

/// The server's end of the link, and the clients'.
const NEAR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

/// Between two frames of the camera: 30 a second are streamd's default.
const FRAME: Duration = Duration::from_nanos(33_333_333);

/// Measures the rows and prints them.
pub fn run(arguments: &args::Link, stop: &Stop) -> anyhow::Result<()> {
    let rows = rows::chosen(arguments)?;
    // What can't work is said before anything takes its minutes.
    Namespace::new()?.enter()?;
    for name in &arguments.congestion {
        namespace::set_congestion(name)?;
    }
    let mut servers = vec![Kind::Streamd];
    if arguments.peer.is_some() {
        server::peer(arguments)?;
        servers.push(Kind::Peer);
    }
    let mut reports = Vec::new();
    for row in &rows {
        for (n, congestion) in arguments.congestion.iter().enumerate() {
            // Nothing is congested on loopback.
            if n > 0 && row.link.is_none() {
                continue;
            }
            for kind in &servers {
                eprintln!(
                    "{}, {congestion}, {}: {} s …",
                    row.name,
                    kind.name(),
                    row.secs.as_secs()
                );
                reports.push(measure(row, congestion, *kind, arguments, stop)?);
            }
        }
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&reports)?);
    } else {
        report::print(&reports);
    }
    Ok(())
}

/// One row, of one server, with one congestion control. This thread stays in the namespace of the
/// clients, which ends when it enters the next one.
fn measure(
    row: &Row,
    congestion: &str,
    kind: Kind,
    arguments: &args::Link,
    stop: &Stop,
) -> anyhow::Result<Report> {
    let near = Namespace::new()?;
    near.enter()?;
    namespace::set_congestion(congestion)?;
    let running = Running::start(kind, arguments, stop)?;
    let mut target = running.target().clone();
    let wire = row
        .link
        .as_ref()
        .map(|path| connect(path, &near))
        .transpose()?;
    if wire.is_some() {
        target.address.set_ip(NEAR.into());
    }
    let plan = Plan {
        target,
        clients: row.clients,
        slow: row.slow.0,
        rate: row.slow.1,
        warm: arguments.warm,
        secs: row.secs,
        pid: Some(running.pid()),
    };
    let mut begin = || {
        if let Some(wire) = &wire {
            wire.restart();
        }
    };
    let outcome = load::run(&plan, stop, &mut begin)?;
    let link = wire.as_ref().map(|wire| {
        let frames = outcome.clients.iter().flat_map(|client| &client.arrivals);
        let most = frames.map(|frame| frame.bytes).max().unwrap_or_default();
        let oracle = wire.oracle(FRAME, most as f64 * f64::from(row.clients));
        (wire.carried(), oracle)
    });
    Ok(Report::new(row, congestion, kind, &outcome, link))
}

/// Joins this thread's namespace to a new one, which it enters.
fn connect(path: &Path, near: &Namespace) -> anyhow::Result<Wire> {
    let far = Namespace::new()?;
    let devices = [(near, "near", NEAR), (&far, "far", FAR)];
    let [near, far] = devices.map(|(namespace, name, address)| -> anyhow::Result<_> {
        namespace.enter()?;
        kernel::tun(name, address).map_err(|error| {
            anyhow::anyhow!("no TUN device: {error} (modprobe tun; mknod /dev/net/tun c 10 200)")
        })
    });
    let bottleneck = Bottleneck::new(path.profile.clone(), path.queue.as_nanos() as u64);
    Ok(Wire::start(near?, far?, bottleneck, path.rtt / 2)?)
}
