//! The periodic report in the log, and the line that systemd shows.

use std::{sync::Arc, time::Duration};

use streamd_protocol::stats::{ClientStats, Stats};
use tokio::time::Instant;

use crate::{
    events,
    state::State,
    supervise::{memory::Memory, notify::Notify},
};

/// How often the line that systemd shows is renewed.
const STATUS_EVERY: Duration = Duration::from_secs(2);

/// Clients that a report lists one by one; more would drown the log.
const LISTED: usize = 20;

/// Reports for ever.
pub async fn run(state: Arc<State>, notify: Arc<Notify>) {
    let mut reported = Instant::now();
    let mut memory = Memory::default();
    loop {
        tokio::time::sleep(STATUS_EVERY).await;
        let stats = state.stats();
        notify.status(&stats.status);
        state.log.flood.sum_up();
        // Tokens end by their time, too.
        state.viewers.look_over();
        state.viewers.share_bandwidth();
        memory.look(state.viewers.connections.total());
        let every = state.general(|config| config.log.report_interval.get());
        if !every.is_zero() && reported.elapsed() + STATUS_EVERY / 2 >= every {
            reported = Instant::now();
            report(&stats);
        }
    }
}

fn report(stats: &Stats) {
    if stats.clients.is_empty() {
        return;
    }
    tracing::info!(
        message_id = events::REPORT,
        "active connections: {} ({})",
        stats.clients.len(),
        stats.status
    );
    stats.clients.iter().take(LISTED).for_each(report_client);
    let more = stats.clients.len().saturating_sub(LISTED);
    if more > 0 {
        tracing::info!(
            message_id = events::REPORT,
            "and {more} more: see streamctl clients"
        );
    }
}

/// A line per camera that the client watches.
fn report_client(client: &ClientStats) {
    for feed in &client.feeds {
        let latency = match feed.latency.measured {
            0 => "latency unknown".to_owned(),
            _ => format!("{:.1} ms latency", feed.latency.average_ms),
        };
        tracing::info!(
            message_id = events::CLIENT_REPORT,
            client = client.id,
            peer = %client.peer,
            camera = %feed.camera,
            "{}: {} frames, {:.1} fps, {latency}, {} dropped, quality {} {}x{} ({})",
            client.peer,
            feed.frames,
            feed.average_fps,
            feed.dropped.total,
            feed.quality,
            feed.width,
            feed.height,
            feed.reason
        );
    }
}
