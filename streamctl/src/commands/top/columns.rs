//! The columns of the client table, and what clients can be sorted by.

use std::cmp::Ordering;

use streamd_protocol::stats::{ClientStats, Transport};

use crate::{table::clean, units};

/// What clients are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Sort {
    /// Number, which is the order of connection
    Id,
    /// Name
    Client,
    /// Current frames a second
    Fps,
    /// Average latency
    Latency,
    /// 95th percentile of the latency
    P95,
    /// What the link carries
    Link,
    /// Frames dropped
    Dropped,
}

/// The order in which the key goes through them.
pub const SORTS: [Sort; 7] = [
    Sort::Id,
    Sort::Client,
    Sort::Fps,
    Sort::Latency,
    Sort::P95,
    Sort::Link,
    Sort::Dropped,
];

impl Sort {
    /// The next one, after the last the first.
    pub fn next(self) -> Self {
        let at = SORTS.iter().position(|sort| *sort == self).unwrap_or(0);
        SORTS[(at + 1) % SORTS.len()]
    }

    /// The order of two clients; the one that needs attention first where there is such.
    pub fn compare(self, a: &ClientStats, b: &ClientStats) -> Ordering {
        let order = match self {
            Self::Id => Ordering::Equal,
            Self::Client => who(a).cmp(&who(b)),
            Self::Fps => a.fps.total_cmp(&b.fps),
            Self::Latency => b.latency.average_ms.total_cmp(&a.latency.average_ms),
            Self::P95 => b.latency.p95_ms.total_cmp(&a.latency.p95_ms),
            Self::Link => a.link_rate.total_cmp(&b.link_rate),
            Self::Dropped => b.dropped.total.cmp(&a.dropped.total),
        };
        order.then(a.id.cmp(&b.id))
    }
}

/// One column.
pub struct Column {
    /// Its title.
    pub title: &'static str,
    /// Characters.
    pub width: u16,
    /// When the terminal is too narrow, the column with the highest goes first; 0 stays.
    pub rank: u8,
    /// Numbers are aligned to the right.
    pub right: bool,
    /// The key that sorts by it.
    pub sort: Option<Sort>,
    /// Its text.
    pub text: fn(&ClientStats) -> String,
}

const fn number(
    title: &'static str,
    width: u16,
    rank: u8,
    sort: Option<Sort>,
    text: fn(&ClientStats) -> String,
) -> Column {
    Column {
        title,
        width,
        rank,
        right: true,
        sort,
        text,
    }
}

const fn text(
    title: &'static str,
    width: u16,
    rank: u8,
    sort: Option<Sort>,
    text: fn(&ClientStats) -> String,
) -> Column {
    Column {
        right: false,
        ..number(title, width, rank, sort, text)
    }
}

/// All columns, from left to right. Those of rank 0 and 1 fit into 80 characters.
pub const COLUMNS: &[Column] = &[
    number("ID", 4, 0, Some(Sort::Id), |c| c.id.to_string()),
    text("CLIENT", 16, 0, Some(Sort::Client), who),
    text("CAMERA", 8, 4, None, |c| clean(&c.camera)),
    text("ADDRESS", 21, 7, None, |c| units::text(&clean(&c.peer))),
    text("VIA", 9, 8, None, |c| via(c.transport).into()),
    number("FOR", 7, 6, None, |c| units::duration(c.connected_seconds)),
    number("FPS", 5, 0, Some(Sort::Fps), |c| units::fps(c.fps)),
    number("LATENCY", 8, 0, Some(Sort::Latency), |c| {
        units::ms(c.latency.average_ms)
    }),
    number("P95", 8, 1, Some(Sort::P95), |c| {
        units::ms(c.latency.p95_ms)
    }),
    number("RTT", 8, 10, None, |c| units::ms(c.rtt_ms)),
    number("LINK", 10, 1, Some(Sort::Link), |c| {
        units::rate(c.link_rate)
    }),
    number("DROPPED", 7, 0, Some(Sort::Dropped), |c| {
        c.dropped.total.to_string()
    }),
    text("GETS", 13, 0, None, gets),
    text("LIMITS", 16, 5, None, limits),
    text("WHY", 16, 3, None, why),
];

/// The columns that `width` characters have room for, with a gap of one between two.
pub fn fitting(width: u16) -> Vec<&'static Column> {
    let mut columns: Vec<_> = COLUMNS.iter().collect();
    loop {
        let needs: u16 = columns.iter().map(|column| column.width + 1).sum();
        let last = columns.iter().map(|column| column.rank).max().unwrap_or(0);
        if last == 0 || needs <= width + 1 {
            return columns;
        }
        columns.retain(|column| column.rank != last);
    }
}

/// The name a client gave, else its address.
pub fn who(client: &ClientStats) -> String {
    let names = [&client.name, &client.peer];
    let name = names.into_iter().find(|name| !name.is_empty());
    units::text(&clean(name.map_or("", String::as_str)))
}

fn via(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Websocket => "websocket",
        Transport::Mjpeg => "mjpeg",
    }
}

fn gets(client: &ClientStats) -> String {
    match units::size(client.width, client.height) {
        size if size == units::UNKNOWN => size,
        size => format!("{size} q{}", client.quality),
    }
}

/// Its limits: `q50 15 fps 320 px`.
fn limits(client: &ClientStats) -> String {
    let limits = [
        (client.limit_quality > 0).then(|| format!("q{}", client.limit_quality)),
        (client.limit_fps > 0.0).then(|| format!("{} fps", units::set_fps(client.limit_fps))),
        (client.limit_width > 0).then(|| format!("{} px", client.limit_width)),
    ];
    let limits: Vec<_> = limits.into_iter().flatten().collect();
    units::text(&limits.join(" "))
}

fn why(client: &ClientStats) -> String {
    match client.paused {
        true => "paused".into(),
        false => units::text(&clean(&client.reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_fits_into_eighty_columns() {
        let titles = |width| fitting(width).iter().map(|c| c.title).collect::<Vec<_>>();
        assert_eq!(
            titles(80),
            [
                "ID", "CLIENT", "FPS", "LATENCY", "P95", "LINK", "DROPPED", "GETS"
            ]
        );
        assert_eq!(titles(40).len(), 6);
        assert_eq!(titles(300).len(), COLUMNS.len());
    }
}
