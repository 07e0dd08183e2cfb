//! What a camera's pictures were like so far, and what follows for the next one: some damage can be
//! told from a camera's way by that only, and some can be told by nothing else.

use std::sync::atomic::{AtomicU32, Ordering};

use super::{Broken, Whole};

/// What is known of a camera.
#[derive(Debug, Default)]
pub struct Past {
    endings: Endings,
    damage: Damage,
}

impl Past {
    /// Whether a picture is to be shown, by what was read of it: itself, and whether its data ends
    /// as it should.
    pub(super) fn judge(&self, found: Result<(Whole, bool), Broken>) -> Result<Whole, Broken> {
        let judged = match found {
            Ok((whole, is_regular)) if self.endings.accept(is_regular) => Ok(whole),
            Ok(_) => Err(Broken::Surplus),
            Err(broken) => {
                self.endings.broken();
                Err(broken)
            }
        };
        match judged {
            Ok(_) if !self.damage.trusts() => Err(Broken::Distrusted),
            Err(broken) if broken.is_damage() => {
                self.damage.happens();
                Err(broken)
            }
            judged => judged,
        }
    }
}

/// How a camera ends the data of its pictures. T.81 fills the last byte with ones, and a marker
/// follows. Other bits, or a few stray bytes, are a camera's way if it does so again and again;
/// once in a while they are what a damaged picture leaves.
#[derive(Debug, Default)]
struct Endings(AtomicU32);

impl Endings {
    /// What an irregular ending adds; a regular one takes 1 away.
    const STEP: u32 = 3;
    /// From here on it is a habit: three in a row.
    const HABIT: u32 = 9;
    /// Some tens of regular pictures end a habit.
    const MOST: u32 = 30;

    /// Whether a picture with such an ending counts as whole.
    fn accept(&self, is_regular: bool) -> bool {
        let score = self.0.load(Ordering::Relaxed);
        let score = match is_regular {
            true => score.saturating_sub(1),
            false => (score + Self::STEP).min(Self::MOST),
        };
        self.0.store(score, Ordering::Relaxed);
        is_regular || score >= Self::HABIT
    }

    /// A picture that is broken anyway has no ending: where there are many, a few that seem whole
    /// make no habit.
    fn broken(&self) {
        let score = self.0.load(Ordering::Relaxed);
        self.0
            .store(score.saturating_sub(Self::STEP), Ordering::Relaxed);
    }
}

/// How many damaged pictures have come in a row. One in twenty or thirty of those that end in the
/// data of another picture can be read to the end: what is wrong is what they show, which nothing
/// but a look at it would tell. So after many that are damaged, one that seems whole is not trusted
/// before others have followed it.
///
/// It counts the damaged ones up to [`RUN`](Self::RUN), and those that seem whole from there on.
#[derive(Debug, Default)]
struct Damage(AtomicU32);

impl Damage {
    /// So many in a row are no accident. Where every second or third picture is damaged, the others
    /// are shown.
    const RUN: u32 = 4;
    /// So many that seem whole are trusted again, the last one included.
    const WHOLE: u32 = 3;

    /// A picture is damaged.
    fn happens(&self) {
        let count = self.0.load(Ordering::Relaxed);
        self.0.store((count + 1).min(Self::RUN), Ordering::Relaxed);
    }

    /// Whether a picture that seems whole is trusted.
    fn trusts(&self) -> bool {
        let count = match self.0.load(Ordering::Relaxed) {
            ..Self::RUN => 0,
            count if count + 1 < Self::RUN + Self::WHOLE => count + 1,
            _ => 0,
        };
        self.0.store(count, Ordering::Relaxed);
        count == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of pictures that are damaged (`.`) or seem whole (`x`), those that are shown (`X`).
    fn shown(pictures: &str) -> String {
        let damage = Damage::default();
        let judge = |picture| match picture {
            'x' if damage.trusts() => 'X',
            'x' => 'x',
            damaged => {
                damage.happens();
                damaged
            }
        };
        pictures.chars().map(judge).collect()
    }

    #[test]
    fn after_many_damaged_pictures_those_that_seem_whole_are_not_trusted_at_once() {
        assert_eq!(shown("xx.x..x...x"), "XX.X..X...X");
        assert_eq!(shown("....x......xx....xxx"), "....x......xx....xxX");
        assert_eq!(shown("....xxxx.x"), "....xxXX.X");
        assert_eq!(shown("...x...x"), "...X...X");
    }
}
