//! What the log says of a camera's faults: a line when a kind of them begins, and one when it is
//! over with how often it happened. No I/O.

use std::time::Duration;

use super::error::Kind;
use crate::media::Timestamp;

/// A kind of fault is over when it has not happened for so long.
const OVER_AFTER: Duration = Duration::from_secs(10);

/// The faults of one camera that are not over.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

#[derive(Debug)]
struct Fault {
    kind: Kind,
    reason: String,
    first: Timestamp,
    last: Timestamp,
    times: u32,
}

impl Faults {
    /// A fault happens; true if the log is to say so, since it is the first of its kind.
    pub fn happens(&mut self, kind: Kind, reason: &str, now: Timestamp) -> bool {
        if let Some(fault) = self.0.iter_mut().find(|fault| fault.kind == kind) {
            fault.last = now;
            fault.times += 1;
            return false;
        }
        self.0.push(Fault {
            kind,
            reason: reason.into(),
            first: now,
            last: now,
            times: 1,
        });
        true
    }

    /// Whether one has come back before it was over: then its comings and goings are not told.
    pub fn recur(&self) -> bool {
        self.0.iter().any(|fault| fault.times > 1)
    }

    /// What the log is to say of those that are over, while the camera delivers. What happened
    /// once was told when it ended.
    pub fn over(&mut self, now: Timestamp) -> Vec<String> {
        let over = |fault: &mut Fault| now.since(fault.last) >= OVER_AFTER;
        let over = self.0.extract_if(.., over).filter(|fault| fault.times > 1);
        over.map(|fault| {
            let seconds = fault.last.since(fault.first).as_secs().max(1);
            format!("{} times in {seconds} s: {}", fault.times, fault.reason)
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::error::DeviceError;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    fn silent(seconds: u64) -> Kind {
        let path = "/dev/video0".into();
        DeviceError::Silent { path, seconds }.kind()
    }

    #[test]
    fn a_fault_that_comes_and_goes_is_two_lines() {
        let mut faults = Faults::default();
        assert!(faults.happens(silent(2), "no frames for 2 s", at(1)));
        assert!(!faults.recur());
        for second in 2..30 {
            assert!(!faults.happens(silent(3), "no frames for 3 s", at(second)));
            assert!(faults.recur() && faults.over(at(second)).is_empty());
        }
        assert_eq!(faults.over(at(39)), ["29 times in 28 s: no frames for 2 s"]);
        assert!(faults.over(at(99)).is_empty());
    }

    #[test]
    fn a_fault_that_happened_once_is_one_line_and_each_kind_is_told() {
        let mut faults = Faults::default();
        assert!(faults.happens(silent(2), "no frames", at(1)));
        let gone = DeviceError::Unplugged {
            path: "/dev/video0".into(),
        };
        assert!(faults.happens(gone.kind(), "unplugged", at(2)));
        assert!(!faults.recur());
        assert!(faults.over(at(20)).is_empty());
        assert!(faults.happens(silent(2), "no frames", at(21)), "a new one");
    }
}
