//! The ways to the viewers: what their links carry, and the kernel's congestion control.

use std::{collections::BTreeSet, fs};

use streamd_protocol::stats::{ClientStats, DroppedStats};

use super::{finding::Finding, scene::Scene};
use crate::{table::clean, units};

const AREA: &str = "link";

/// Of a hundred frames, more than this left out for one reason is worth saying.
const MANY_PERCENT: i64 = 20;

/// A round trip of more than this, in ms, is felt.
const FAR_MS: f64 = 150.0;

/// Looks at the viewers there are, and at what new ones are sent by.
pub fn look(scene: &Scene) -> Vec<Finding> {
    let mut findings = congestion(scene);
    if let Some(daemon) = &scene.daemon {
        let clients = &daemon.stats.clients;
        let bad: Vec<_> = clients.iter().filter_map(client).collect();
        if bad.is_empty() {
            findings.push(Finding::ok(
                AREA,
                match clients.len() as i64 {
                    0 => "nobody watches just now".into(),
                    n => format!("{}, none held up by its link", units::count(n, "client")),
                },
            ));
        }
        findings.extend(bad);
    }
    findings
}

/// Congestion control that is asked for and that the kernel does not have.
fn congestion(scene: &Scene) -> Vec<Finding> {
    let known = fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control");
    let Ok(known) = known else {
        return Vec::new();
    };
    let tables = scene.cameras().map(|(_, camera)| camera);
    let http = scene.config.as_ref().and_then(|config| config.get("http"));
    let wanted = tables
        .chain(http)
        .filter_map(|table| table.get("congestion")?.as_str());
    let wanted: BTreeSet<_> = wanted.filter(|name| *name != "system").collect();
    let missing = wanted
        .into_iter()
        .filter(|name| !known.split_whitespace().any(|has| has == *name));
    missing
        .map(|name| {
            Finding::warning(
                AREA,
                format!("congestion = {name:?}: the kernel has not loaded it (it has {})", known.trim()),
                format!("sudo modprobe tcp_{name}, and for good: echo tcp_{name} | sudo tee /etc/modules-load.d/streamd.conf"),
            )
        })
        .collect()
}

/// What is wrong on one viewer's way; `None` where all is well.
fn client(client: &ClientStats) -> Option<Finding> {
    let who = match client.name.as_str() {
        "" => clean(&client.peer),
        name => clean(name),
    };
    let who = format!("client {} ({who})", client.id);
    let all = client.frames() + client.dropped();
    let many = |dropped: i64| all > 0 && dropped * 100 / all > MANY_PERCENT;
    let sum = |of: fn(&DroppedStats) -> i64| -> i64 {
        client.feeds.iter().map(|feed| of(&feed.dropped)).sum()
    };
    let (slow, reader) = (sum(|d| d.slow_link), sum(|d| d.slow_reader));
    let busy = sum(|d| d.server_busy);
    let (what, advice) = if many(busy) {
        (
            format!("{busy} of {all} frames left out since this machine is too busy"),
            "Look at what else it does (top); less fps, a smaller size, or format = \"MJPG\", which is passed on as it is",
        )
    } else if many(reader) {
        (
            format!("{reader} of {all} frames left out since the viewer does not read"),
            "The program or machine at the other end is too slow for this size and rate",
        )
    } else if many(slow) {
        let link = units::rate(client.link_rate);
        (
            format!("{slow} of {all} frames did not fit its link of {link}"),
            "Less fps or quality, for all or for this client: streamctl set fps 10 --client ID; on Wi-Fi, 5 GHz and nearer to the access point",
        )
    } else if client.rtt_ms > FAR_MS {
        (
            format!("a round trip takes {}", units::ms(client.rtt_ms)),
            "The way there is long or full: no picture can be younger than half of that. On Wi-Fi: sudo iw dev wlan0 set power_save off",
        )
    } else {
        return None;
    };
    Some(Finding::warning(AREA, format!("{who}: {what}"), advice))
}
