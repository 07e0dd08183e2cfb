//! Who has a machine's name, should two want it: who had it first. No I/O, no clock.

use std::time::Duration;

pub use streamd_protocol::fleet::SILENT;

use super::words::Presence;
use crate::media::Timestamp;

/// Who wants a name listens for so long before it takes it.
const LISTENS: Duration = Duration::from_millis(500);

/// What is so of our name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not known yet.
    Wanted,
    /// It is ours.
    Held,
    /// Another machine has it.
    Taken,
}

/// Our claim on a name.
#[derive(Debug)]
pub struct Name {
    own: Presence,
    /// Since when we have been heard, and could have been answered.
    listening: Option<Timestamp>,
    /// When the one that has it was heard last.
    other: Option<Timestamp>,
}

impl Name {
    /// A claim that begins now.
    pub fn new(own: Presence) -> Self {
        Self {
            own: Presence {
                holds: false,
                ..own
            },
            listening: None,
            other: None,
        }
    }

    /// We are heard from now on; once the name is ours, it stays so over a break.
    pub fn listen(&mut self, now: Timestamp) {
        self.listening = Some(now);
    }

    /// What we say of ourselves; `None` while another one has the name.
    pub fn says(&self) -> Option<&Presence> {
        self.other.is_none().then_some(&self.own)
    }

    /// One who has or wants the name is heard. True if it is to hear of us at once.
    pub fn hear(&mut self, said: &Presence, now: Timestamp) -> bool {
        if said.id == self.own.id {
            return false;
        }
        let rank = |one: &Presence| (!one.holds, one.since, one.id.clone());
        if rank(said) < rank(&self.own) {
            self.other = Some(now);
            self.own.holds = false;
            return false;
        }
        self.other.is_none()
    }

    /// What is so now.
    pub fn standing(&mut self, now: Timestamp) -> Standing {
        if let Some(heard) = self.other {
            if now.since(heard) < SILENT {
                return Standing::Taken;
            }
            self.other = None;
            self.listening = Some(now);
        }
        let Some(since) = self.listening else {
            return Standing::Wanted;
        };
        if !self.own.holds && now.since(since) < LISTENS {
            return Standing::Wanted;
        }
        self.own.holds = true;
        Standing::Held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence(id: &str, since: u64) -> Presence {
        Presence {
            id: id.into(),
            holds: false,
            since,
            cameras: Vec::new(),
            states: Vec::new(),
        }
    }

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_nanos(ms * 1_000_000)
    }

    /// What one says, the other hears.
    fn meet(a: &mut Name, b: &mut Name, now: Timestamp) {
        if let Some(said) = a.says().cloned() {
            b.hear(&said, now);
        }
        if let Some(said) = b.says().cloned() {
            a.hear(&said, now);
        }
    }

    #[test]
    fn who_has_a_name_keeps_it_whatever_the_clocks_say() {
        let (mut first, mut second) = (Name::new(presence("a", 9)), Name::new(presence("b", 5)));
        first.listen(at(0));
        assert_eq!(first.standing(at(100)), Standing::Wanted);
        assert_eq!(first.standing(at(600)), Standing::Held);
        second.listen(at(1000));
        meet(&mut second, &mut first, at(1000));
        assert_eq!(second.standing(at(3000)), Standing::Taken);
        assert_eq!(second.says(), None);
        assert_eq!(first.standing(at(3000)), Standing::Held);
        // The first is gone.
        assert_eq!(second.standing(at(7100)), Standing::Wanted);
        assert_eq!(second.standing(at(7700)), Standing::Held);
    }

    #[test]
    fn of_two_that_come_at_once_and_of_two_that_were_apart_one_has_it() {
        for held in [false, true] {
            let (mut a, mut b) = (Name::new(presence("a", 5)), Name::new(presence("b", 5)));
            a.listen(at(0));
            b.listen(at(0));
            if held {
                assert_eq!(
                    [a.standing(at(600)), b.standing(at(600))],
                    [Standing::Held; 2]
                );
            }
            meet(&mut b, &mut a, at(700));
            assert_eq!(a.standing(at(1500)), Standing::Held);
            assert_eq!(b.standing(at(1500)), Standing::Taken);
        }
    }

    #[test]
    fn our_own_echo_is_nobody() {
        let mut name = Name::new(presence("a", 5));
        name.listen(at(0));
        assert!(!name.hear(&presence("a", 5), at(1)));
        assert!(
            name.hear(&presence("b", 9), at(1)),
            "it is to hear that we are first"
        );
        assert_eq!(name.standing(at(600)), Standing::Held);
    }
}
