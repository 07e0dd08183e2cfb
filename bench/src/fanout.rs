//! `streamd-bench load`: measures a running server, if wanted also the floor, and reports.

use std::{
    env,
    process::{Command, Stdio},
};

use anyhow::Context;
use serde::Serialize;
use streamd_protocol::stream::Codec;

use crate::{
    args::{self, Load, Protocol},
    client::Target,
    floor,
    load::{self, Outcome, Plan},
    process::{Server, Stop},
    summary::Summary,
    table::{Table, figure, figures},
};

/// A measured server.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    server: String,
    refused: u32,
    dead: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Percent of a core.
    cpu: Option<f64>,
    rss_mib: Option<f64>,
    /// Percent of a core that this program took itself.
    own_cpu: f64,
    readers: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    slow: Option<Summary>,
}

impl Measured {
    fn new(server: String, outcome: &Outcome) -> Self {
        Self {
            server,
            refused: outcome.refused,
            dead: outcome.dead(),
            reason: outcome.reason.clone(),
            cpu: outcome.server.map(|cost| cost.cpu),
            rss_mib: outcome.server.map(|cost| cost.rss_mib),
            own_cpu: outcome.own_cpu,
            readers: Summary::new(outcome, false),
            slow: (outcome.of(true).count() > 0).then(|| Summary::new(outcome, true)),
        }
    }

    /// Bytes that reached clients.
    fn bytes(&self) -> f64 {
        self.readers.bytes + self.slow.as_ref().map_or(0.0, |slow| slow.bytes)
    }

    /// CPU for a byte that reached a client: when a machine is full, servers deliver less, and to
    /// compare their CPU alone would flatter them.
    fn cost(&self) -> Option<f64> {
        Some(self.cpu? / self.bytes())
    }
}

/// Measures and prints.
pub fn run(arguments: &Load, stop: &Stop) -> anyhow::Result<()> {
    let path = arguments.path.as_deref();
    let plan = Plan {
        target: Target {
            address: arguments.address,
            protocol: arguments.protocol,
            path: path.unwrap_or(arguments.protocol.default_path()).into(),
            // The original's clients say nothing.
            hello: (arguments.codec != Codec::Jpeg).then(|| args::wants(arguments.codec)),
            keep: false,
        },
        clients: arguments.clients,
        slow: arguments.slow,
        rate: arguments.rate,
        warm: arguments.warm,
        secs: arguments.secs,
        pid: arguments.pid,
    };
    let outcome = load::run(&plan, stop, &mut || {})?;
    let mut measured = vec![Measured::new(arguments.address.to_string(), &outcome)];
    if arguments.floor {
        let outcome = measure_floor(&plan, &measured[0].readers, stop)?;
        measured.push(Measured::new("floor".into(), &outcome));
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&measured)?);
    } else {
        print(&measured);
    }
    anyhow::ensure!(
        measured.iter().all(|one| one.bytes() > 0.0),
        "no frame came: is this the right port and protocol?"
    );
    Ok(())
}

/// The same plan against a server that only sends, pictures of the same size at the same rate.
fn measure_floor(plan: &Plan, seen: &Summary, stop: &Stop) -> anyhow::Result<Outcome> {
    let (Some(size), Some(fps)) = (seen.frame_bytes, seen.fps[1]) else {
        anyhow::bail!("no frame came: there is nothing to compare the floor with");
    };
    let mut command = Command::new(env::current_exe()?);
    command.arg("floor").arg(format!("{size:.0}"));
    command.arg(format!("{fps:.2}"));
    command.args(["--listen", "127.0.0.1:0"]);
    command.stdout(Stdio::piped()).stdin(Stdio::null());
    let mut server = Server::start(command).context("cannot start the floor")?;
    let output = server.child().stdout.take().context("no output")?;
    let target = Target {
        address: floor::address(output)?,
        protocol: Protocol::Tcp,
        path: String::new(),
        hello: None,
        keep: false,
    };
    let plan = Plan {
        target,
        pid: Some(server.pid()),
        ..plan.clone()
    };
    load::run(&plan, stop, &mut || {})
}

fn print(measured: &[Measured]) {
    let mut table = Table::new(&[
        "server",
        "clients",
        "refused, dead",
        "fps min / p50 / max",
        "kB a frame",
        "gap p99 / max ms",
        "latency p50 / p95 / p99 / max ms",
        "age p50 / p95 / max ms",
        "CPU %",
        "RSS MiB",
    ]);
    for one in measured {
        let groups = [
            (&one.server, Some(&one.readers)),
            (&"slow".into(), one.slow.as_ref()),
        ];
        for (name, summary) in groups {
            let Some(s) = summary else { continue };
            table.row(vec![
                name.clone(),
                s.clients.to_string(),
                format!("{}, {}", one.refused, one.dead),
                figures(&s.fps, 1),
                figure(s.frame_bytes.map(|bytes| bytes / 1000.0), 1),
                figures(&s.gap_ms, 1),
                figures(&s.latency_ms, 2),
                figures(&s.age_ms, 1),
                figure(one.cpu, 1),
                figure(one.rss_mib, 1),
            ]);
        }
    }
    print!("{table}");
    for one in measured {
        if let Some(reason) = &one.reason {
            println!("{}: {reason}", one.server);
        }
    }
    if let [server, floor] = measured
        && let (Some(cost), Some(least)) = (server.cost(), floor.cost())
        && least > 0.0
    {
        println!("CPU for a byte, against the floor: {:.2}", cost / least);
    }
    println!("this program itself: {:.1} % CPU", measured[0].own_cpu);
}
