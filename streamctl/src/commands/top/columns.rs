//! The columns of the client table, and what clients can be sorted by.

use std::cmp::Ordering;

use crate::{table::clean, units, watched::Watched};

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
    pub fn compare(self, a: &Watched, b: &Watched) -> Ordering {
        let order = match self {
            Self::Id => Ordering::Equal,
            Self::Client => a.who().cmp(&b.who()),
            Self::Fps => a.feed.fps.total_cmp(&b.feed.fps),
            Self::Latency => (b.feed.latency.average_ms).total_cmp(&a.feed.latency.average_ms),
            Self::P95 => (b.feed.latency.p95_ms).total_cmp(&a.feed.latency.p95_ms),
            Self::Link => a.client.link_rate.total_cmp(&b.client.link_rate),
            Self::Dropped => b.feed.dropped.total.cmp(&a.feed.dropped.total),
        };
        order.then(a.client.id.cmp(&b.client.id))
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
    pub text: fn(&Watched) -> String,
}

const fn number(
    title: &'static str,
    width: u16,
    rank: u8,
    sort: Option<Sort>,
    text: fn(&Watched) -> String,
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
    text: fn(&Watched) -> String,
) -> Column {
    Column {
        right: false,
        ..number(title, width, rank, sort, text)
    }
}

/// All columns, from left to right. Those of rank 0 and 1 fit into 80 characters.
pub const COLUMNS: &[Column] = &[
    number("ID", 4, 0, Some(Sort::Id), |w| w.client.id.to_string()),
    text("CLIENT", 16, 0, Some(Sort::Client), Watched::who),
    text("CAMERA", 8, 1, None, |w| clean(&w.feed.camera)),
    text("ADDRESS", 21, 7, None, |w| {
        units::text(&clean(&w.client.peer))
    }),
    text("VIA", 9, 8, None, Watched::via),
    number("FOR", 7, 6, None, |w| {
        units::duration(w.client.connected_seconds)
    }),
    number("FPS", 5, 0, Some(Sort::Fps), |w| units::fps(w.feed.fps)),
    number("LATENCY", 8, 0, Some(Sort::Latency), |w| {
        units::ms(w.feed.latency.average_ms)
    }),
    number("P95", 8, 2, Some(Sort::P95), |w| {
        units::ms(w.feed.latency.p95_ms)
    }),
    number("RTT", 8, 10, None, |w| units::ms(w.client.rtt_ms)),
    number("RATE", 10, 1, None, |w| units::rate(w.rate)),
    number("LINK", 10, 3, Some(Sort::Link), |w| {
        units::rate(w.client.link_rate)
    }),
    number("DROPPED", 7, 0, Some(Sort::Dropped), |w| {
        w.feed.dropped.total.to_string()
    }),
    text("GETS", 13, 0, None, Watched::gets),
    text("LIMITS", 16, 5, None, Watched::limits),
    text("WHY", 16, 4, None, Watched::why),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_fits_into_eighty_columns() {
        let titles = |width| fitting(width).iter().map(|c| c.title).collect::<Vec<_>>();
        assert_eq!(
            titles(80),
            [
                "ID", "CLIENT", "CAMERA", "FPS", "LATENCY", "RATE", "DROPPED", "GETS"
            ]
        );
        assert_eq!(titles(40).len(), 6);
        assert_eq!(titles(300).len(), COLUMNS.len());
    }
}
