//! What recordings are called: the name says when it begins, how long it is and what kind it is, so
//! that a list of names is the index, and nothing else has to agree with the files.
//!
//! `FOLDER/CAMERA/2026-11-26/2026-11-26T20-41-05.123Z_60.012s_continuous.mp4`; while it is written,
//! `…/2026-11-26T20-41-05.123Z_continuous.part`. All times are UTC: they come once only.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
pub use streamd_protocol::recording::Kind;

const TIME: &str = "%Y-%m-%dT%H-%M-%S%.3fZ";
const DAY: &str = "%Y-%m-%d";

/// A recording that is whole, by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// When it begins, ms since 1970.
    pub from_ms: i64,
    /// How long it is, ms of real time.
    pub length_ms: i64,
    /// What it was recorded for.
    pub kind: Kind,
}

fn utc(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}

fn read_time(text: &str) -> Option<i64> {
    let time = NaiveDateTime::parse_from_str(text, TIME).ok()?;
    Some(time.and_utc().timestamp_millis())
}

/// The folder of the day in which something begins.
pub fn day(from_ms: i64) -> String {
    utc(from_ms).format(DAY).to_string()
}

/// Whether a folder is that of a day.
pub fn is_day(name: &str) -> bool {
    NaiveDate::parse_from_str(name, DAY).is_ok_and(|day| day.format(DAY).to_string() == name)
}

/// The name of a file that is being written.
pub fn part(from_ms: i64, kind: Kind) -> String {
    format!("{}_{}.part", utc(from_ms).format(TIME), kind.word())
}

/// When a file that was being written begins, and what it was for.
pub fn read_part(name: &str) -> Option<(i64, Kind)> {
    let (time, kind) = name.strip_suffix(".part")?.split_once('_')?;
    let read = (read_time(time)?, Kind::of(kind)?);
    (part(read.0, read.1) == name).then_some(read)
}

impl Name {
    /// When it ends, ms since 1970.
    pub fn to_ms(&self) -> i64 {
        self.from_ms + self.length_ms
    }

    /// What it is called in addresses: the name of its file without what all have.
    pub fn id(&self) -> String {
        let (s, ms) = (self.length_ms / 1000, self.length_ms % 1000);
        let time = utc(self.from_ms).format(TIME);
        format!("{time}_{s}.{ms:03}s_{}", self.kind.word())
    }

    /// The name of its file.
    pub fn file(&self) -> String {
        format!("{}.mp4", self.id())
    }

    /// From the name of a file, if it is one that is written here.
    pub fn read(file: &str) -> Option<Self> {
        let mut parts = file.strip_suffix(".mp4")?.split('_');
        let (time, length, kind) = (parts.next()?, parts.next()?, parts.next()?);
        let (s, ms) = length.strip_suffix('s')?.split_once('.')?;
        let length_ms = s.parse::<i64>().ok()?.checked_mul(1000)?;
        let name = Self {
            from_ms: read_time(time)?,
            length_ms: length_ms.checked_add(ms.parse().ok()?)?,
            kind: Kind::of(kind)?,
        };
        // Whatever is written otherwise is not ours.
        (name.file() == file).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        let name = Name {
            from_ms: 1_795_725_665_123,
            length_ms: 60_012,
            kind: Kind::Continuous,
        };
        let file = "2026-11-26T20-41-05.123Z_60.012s_continuous.mp4";
        assert_eq!((name.file(), Name::read(file)), (file.into(), Some(name)));
        assert_eq!(day(1_795_725_665_123), "2026-11-26");
        let part = part(1_795_725_665_123, Kind::Event);
        assert_eq!(part, "2026-11-26T20-41-05.123Z_event.part");
        assert_eq!(read_part(&part), Some((1_795_725_665_123, Kind::Event)));
    }

    #[test]
    fn what_others_have_written_is_no_name() {
        for other in [
            "film.mp4",
            "2026-11-26T20-41-05.123Z_60.012s_continuous.mkv",
            "2026-11-26T20-41-05.123Z_60.012s_own.mp4",
            "2026-11-26T20-41-05.123Z_060.012s_event.mp4",
            "2026-11-26T20-41-05.123Z_60.12s_event.mp4",
            "2026-13-26T20-41-05.123Z_60.012s_event.mp4",
            "2026-11-26T20-41-05.123Z_-1.012s_event.mp4",
            "2026-11-26T20-41-05.123Z_60.012s_event_x.mp4",
            "../2026-11-26T20-41-05.123Z_60.012s_event.mp4",
        ] {
            assert_eq!(Name::read(other), None, "{other}");
        }
        assert!(is_day("2026-11-26") && !is_day("2026-11-6") && !is_day("photos"));
    }

    proptest! {
        #[test]
        fn every_name_is_read_back(
            from_ms in 0i64..4_000_000_000_000,
            length_ms in 0i64..90_000_000,
            kind in prop::sample::select(Kind::ALL.to_vec()),
        ) {
            let name = Name { from_ms, length_ms, kind };
            prop_assert_eq!(Name::read(&name.file()), Some(name));
            prop_assert_eq!(read_part(&part(from_ms, kind)), Some((from_ms, kind)));
        }

        #[test]
        fn whatever_lies_in_the_folder_is_read_without_a_panic(name in "\\PC{0,60}") {
            let _ = (Name::read(&name), read_part(&name), is_day(&name));
        }
    }
}
