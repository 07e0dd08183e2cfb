//! Whether the clock can be trusted: pictures and log lines carry its time.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{finding::Finding, program, scene::Scene};

const AREA: &str = "clock";

/// Seconds since the epoch at the start of 2025: a clock that is before this was never set.
const NEVER_SET: u64 = 1_735_689_600;

/// Looks at the clock.
pub fn look(_: &Scene) -> Vec<Finding> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let said = program::ask("timedatectl", &["show"]);
    let synchronized = said.filter(|said| said.succeeded).and_then(|said| {
        program::value(&said.output, "NTPSynchronized").map(|value| value == "yes")
    });
    vec![judge(now.as_secs(), synchronized)]
}

fn judge(seconds: u64, synchronized: Option<bool>) -> Finding {
    let set = "Have the clock set over the network: sudo timedatectl set-ntp true";
    match synchronized {
        _ if seconds < NEVER_SET => Finding::error(
            AREA,
            "the clock was never set: pictures and the log carry a wrong time",
            set,
        ),
        Some(true) => Finding::ok(AREA, "it is set over the network"),
        Some(false) => Finding::warning(
            AREA,
            "it is not set over the network: the time in pictures and in the log may be wrong. \
             Latencies are right all the same",
            set,
        ),
        None => Finding::ok(
            AREA,
            "it is set; by whom can't be asked here (no timedatectl)",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Status, *};

    #[test]
    fn a_clock_that_was_never_set_is_an_error_whatever_is_said_of_it() {
        for said in [None, Some(true), Some(false)] {
            assert_eq!(judge(1_000, said).status, Status::Error);
        }
        let later = NEVER_SET + 1;
        assert_eq!(judge(later, Some(true)).status, Status::Ok);
        assert_eq!(judge(later, Some(false)).status, Status::Warning);
        assert_eq!(judge(later, None).status, Status::Ok);
    }
}
