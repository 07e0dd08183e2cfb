//! When to try again, and when to give up. No I/O.

use std::time::Duration;

/// The user's wish.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Attempts in a row without a picture before giving up; 0 for never.
    pub attempts: u32,
    /// Between two attempts.
    pub delay: Duration,
}

/// Counts the attempts in a row that brought no picture.
#[derive(Debug)]
pub struct Reconnect {
    policy: Policy,
    failed: u32,
}

impl Reconnect {
    /// No attempt made yet.
    pub fn new(policy: Policy) -> Self {
        Self { policy, failed: 0 }
    }

    /// A picture came: the next loss begins a new row.
    pub fn picture(&mut self) {
        self.failed = 0;
    }

    /// A connection was lost or could not be made: how long to wait, or `None` to give up.
    pub fn lost(&mut self) -> Option<Duration> {
        if self.policy.attempts > 0 && self.failed >= self.policy.attempts {
            return None;
        }
        self.failed = self.failed.saturating_add(1);
        Some(self.policy.delay)
    }

    /// The attempt under way, for people: `2 of 5`, or `2`; empty for the first connection.
    pub fn attempt(&self) -> String {
        match (self.failed, self.policy.attempts) {
            (0, _) => String::new(),
            (failed, 0) => format!("{failed}"),
            (failed, attempts) => format!("{failed} of {attempts}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn gives_up_after_as_many_attempts_in_a_row(
            attempts in 0_u32..20,
            pictures in prop::collection::vec(any::<bool>(), 0..200),
        ) {
            let delay = Duration::from_secs(2);
            let mut reconnect = Reconnect::new(Policy { attempts, delay });
            let mut row = 0;
            for picture in pictures {
                if picture {
                    reconnect.picture();
                    row = 0;
                }
                let expected = (attempts == 0 || row < attempts).then_some(delay);
                prop_assert_eq!(reconnect.lost(), expected);
                if expected.is_none() {
                    break;
                }
                row += 1;
                prop_assert!(reconnect.attempt().starts_with(&row.to_string()));
            }
        }
    }
}
