//! The figures in words: the line of a moment, the summary of a session.

use super::{measure::Reading, view::Rendition};
use crate::units;

/// The line that is printed every interval.
pub fn line(reading: &Reading) -> String {
    format!(
        "Streaming: {} frames, {} fps, {} latency, {} dropped, {}",
        reading.frames,
        units::fps(reading.fps),
        latency(reading.latency_ms),
        reading.dropped,
        units::rate(reading.bits_per_second),
    )
}

/// The summary at the end.
pub fn summary(reading: &Reading, saved: u64) -> String {
    let p95 = match reading.p95_latency_ms {
        Some(ms) => format!(" (95 % within {})", latency(Some(ms))),
        None => String::new(),
    };
    let mut lines = vec![
        format!("Session of {:.1} s", reading.seconds),
        format!("  frames received  {}", reading.frames),
        format!("  data received    {}", bytes(reading.bytes)),
        format!("  average fps      {}", units::fps(reading.average_fps)),
        format!(
            "  average latency  {}{p95}",
            latency(reading.average_latency_ms)
        ),
        format!("  dropped frames   {}", reading.dropped),
        format!("  reconnections    {}", reading.reconnections),
        format!(
            "  data rate        {}",
            units::rate(reading.average_bits_per_second)
        ),
    ];
    if saved > 0 {
        lines.push(format!("  frames saved     {saved}"));
    }
    lines.join("\n")
}

/// What is received: `main 640x480 q80 link 7.8 Mb/s`.
pub fn rendition(rendition: &Rendition) -> String {
    let mut words = vec![rendition.camera.clone()];
    if rendition.width > 0 {
        words.push(format!("{}x{}", rendition.width, rendition.height));
        words.push(format!("q{}", rendition.quality));
    }
    words.push(rendition.reason.clone());
    words.retain(|word| !word.is_empty());
    words.join(" ")
}

/// Milliseconds, or "—" while it is not known.
pub fn latency(ms: Option<f64>) -> String {
    match ms {
        // Below what the units show, but known.
        Some(ms) if ms < 0.01 => "0.00 ms".into(),
        Some(ms) => units::ms(ms),
        None => units::UNKNOWN.into(),
    }
}

/// Bytes with a unit.
pub fn bytes(bytes: u64) -> String {
    units::bytes(i64::try_from(bytes).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading() -> Reading {
        Reading {
            seconds: 30.02,
            frames: 900,
            bytes: 46_800_000,
            fps: 29.94,
            average_fps: 29.98,
            latency_ms: Some(47.2),
            average_latency_ms: Some(45.1),
            p95_latency_ms: Some(61.0),
            dropped: 3,
            frame_age_seconds: 0.01,
            bits_per_second: 12.4e6,
            average_bits_per_second: 12.5e6,
            reconnections: 1,
        }
    }

    #[test]
    fn the_line_has_the_words_of_the_original() {
        assert_eq!(
            line(&reading()),
            "Streaming: 900 frames, 29.9 fps, 47.2 ms latency, 3 dropped, 12.4 Mb/s"
        );
        let silent = Reading {
            latency_ms: None,
            ..reading()
        };
        assert!(line(&silent).contains("— latency"));
    }

    #[test]
    fn the_summary() {
        insta::assert_snapshot!(summary(&reading(), 2), @r"
        Session of 30.0 s
          frames received  900
          data received    46.8 MB
          average fps      30.0
          average latency  45.1 ms (95 % within 61.0 ms)
          dropped frames   3
          reconnections    1
          data rate        12.5 Mb/s
          frames saved     2
        ");
    }
}
