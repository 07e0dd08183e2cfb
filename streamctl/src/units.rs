//! Numbers for people: three digits that matter, a unit, and "—" for what is not known.

/// Stands for what is not known.
pub const UNKNOWN: &str = "—";

/// Frames a second: `30.0`.
pub fn fps(fps: f64) -> String {
    format!("{fps:.1}")
}

/// Frames a second as set: `30`, `29.97`.
pub fn set_fps(fps: f64) -> String {
    format!("{}", (fps * 100.0).round() / 100.0)
}

/// Milliseconds: `0.75 ms`, `12.4 ms`, `1.2 s`; unknown where 0.
pub fn ms(ms: f64) -> String {
    match ms {
        ms if ms <= 0.0 => UNKNOWN.into(),
        ms if ms < 9.995 => format!("{ms:.2} ms"),
        ms if ms < 99.95 => format!("{ms:.1} ms"),
        ms if ms < 999.5 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1000.0),
    }
}

/// Bits a second: `7.8 Mb/s`; unknown where 0.
pub fn rate(bits: f64) -> String {
    if bits <= 0.0 {
        return UNKNOWN.into();
    }
    format!("{}b/s", scaled(bits))
}

/// Bytes: `52.1 kB`.
pub fn bytes(bytes: i64) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        _ => format!("{}B", scaled(bytes as f64)),
    }
}

/// A number with one digit after the point and a prefix for thousands.
fn scaled(number: f64) -> String {
    let mut number = number;
    for prefix in ["", "k", "M", "G"] {
        if number < 999.95 {
            return format!("{number:.1} {prefix}");
        }
        number /= 1000.0;
    }
    format!("{number:.1} T")
}

/// A length of time: `12s`, `3m 05s`, `2h 03m`, `4d 01h`.
pub fn duration(seconds: f64) -> String {
    let s = seconds.max(0.0) as u64;
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m {:02}s", s / 60, s % 60),
        3600..86_400 => format!("{}h {:02}m", s / 3600, s / 60 % 60),
        _ => format!("{}d {:02}h", s / 86_400, s / 3600 % 24),
    }
}

/// A moment, seconds since the epoch: `2026-11-26 01:20:11Z`.
pub fn utc(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as i64;
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": civil_from_days. A year that
    // begins in March has its leap day at the end.
    let from_march_of_0 = days + 719_468;
    let era = from_march_of_0 / 146_097;
    let day_of_era = from_march_of_0 % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

/// A size in pixels: `640x480`; unknown where 0.
pub fn size(width: i64, height: i64) -> String {
    match (width, height) {
        (0, _) | (_, 0) => UNKNOWN.into(),
        _ => format!("{width}x{height}"),
    }
}

/// The daemon's own line without what is wrong, which stands elsewhere: `2 cameras, 5 clients,
/// 30.0 fps`.
pub fn brief(status: &str) -> &str {
    status.split("; ").next().unwrap_or_default()
}

/// Text, or unknown where it is empty.
pub fn text(text: &str) -> String {
    match text {
        "" => UNKNOWN.into(),
        text => text.into(),
    }
}

/// `1 client`, `2 clients`.
pub fn count(n: i64, noun: &str) -> String {
    match n {
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_the_digits_that_matter() {
        assert_eq!(
            [0.0, 0.754, 9.996, 99.96, 999.6].map(ms),
            ["—", "0.75 ms", "10.0 ms", "100 ms", "1.0 s"]
        );
        assert_eq!(
            [0.0, 640.0, 7_812_345.0, 999_950.0].map(rate),
            ["—", "640.0 b/s", "7.8 Mb/s", "1.0 Mb/s"]
        );
        assert_eq!([0, 999, 52_100].map(bytes), ["0 B", "999 B", "52.1 kB"]);
        assert_eq!(bytes(3_200_000_000_000), "3.2 TB");
        assert_eq!([30.0, 29.97, 12.5].map(set_fps), ["30", "29.97", "12.5"]);
    }

    #[test]
    fn moments_are_dates() {
        for (seconds, date) in [
            (0.0, "1970-01-01 00:00:00Z"),
            (951_782_399.9, "2000-02-28 23:59:59Z"),
            (951_782_400.0, "2000-02-29 00:00:00Z"),
            (1_767_225_599.0, "2025-12-31 23:59:59Z"),
            (1_795_656_011.25, "2026-11-26 01:20:11Z"),
        ] {
            assert_eq!(utc(seconds), date);
        }
    }

    #[test]
    fn durations_have_two_units() {
        assert_eq!(
            [12.9, 185.0, 7_380.0, 349_200.0].map(duration),
            ["12s", "3m 05s", "2h 03m", "4d 01h"]
        );
    }
}
