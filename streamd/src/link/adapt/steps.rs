//! The steps of a ladder: renditions, and how many of the frames are sent in them.

use super::sizes::model;
use crate::{config::values::Prefer, media::Rendition};

/// Where detail is preferred, pictures of at least this part of the best one's bytes are good ones:
/// before smaller ones are sent, fewer good ones are.
const GOOD: f64 = 0.5;

/// Of so many frames one is sent then, before anything becomes smaller.
const FEWER: [u32; 3] = [2, 3, 4];

/// A step of a client's ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What frames are encoded as.
    pub rendition: Rendition,
    /// Of so many frames one is sent.
    pub every: u32,
}

impl Step {
    /// Every frame in this rendition.
    pub const fn each(rendition: Rendition) -> Self {
        Self {
            rendition,
            every: 1,
        }
    }

    /// Bytes for each frame of the camera, relative to the best rendition of the model.
    fn cost(&self) -> f64 {
        model(self.rendition) / f64::from(self.every)
    }
}

/// The steps of a ladder of renditions, best first: each costs less than the one before.
pub fn steps(ladder: &[Rendition], prefer: Prefer) -> Vec<Step> {
    let each = ladder.iter().copied().map(Step::each);
    let Some(best) = ladder.first().filter(|_| prefer == Prefer::Detail) else {
        return each.collect();
    };
    let is_good = |step: &Step| model(step.rendition) >= GOOD * model(*best);
    let (good, small): (Vec<Step>, Vec<Step>) = each.partition(is_good);
    let fewer = |steps: &[Step], every| -> Vec<Step> {
        let fewer = steps.iter().map(|step| Step { every, ..*step });
        fewer.collect()
    };
    let last = FEWER[FEWER.len() - 1];
    let mut steps = good.clone();
    let later = FEWER.iter().flat_map(|every| fewer(&good, *every));
    for step in later.chain(fewer(&small, last)) {
        if steps
            .last()
            .is_none_or(|before| step.cost() < before.cost())
        {
            steps.push(step);
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::values::Rung, media::Scale};

    fn ladder() -> Vec<Rendition> {
        let best = Rendition {
            quality: 80,
            scale: Scale::Full,
        };
        let below = Rung::default_ladder().into_iter().map(|rung| rung.0);
        std::iter::once(best).chain(below).collect()
    }

    #[test]
    fn where_motion_is_preferred_every_frame_is_sent() {
        let ladder = ladder();
        let steps = steps(&ladder, Prefer::Motion);
        assert!(steps.iter().map(|step| step.rendition).eq(ladder));
        assert!(steps.iter().all(|step| step.every == 1));
    }

    #[test]
    fn where_detail_is_preferred_fewer_are_sent_before_they_become_small() {
        let steps = steps(&ladder(), Prefer::Detail);
        let shown: Vec<String> = steps
            .iter()
            .map(|Step { rendition, every }| {
                format!(
                    "{}/{}@{every}",
                    rendition.quality,
                    rendition.scale.divisor()
                )
            })
            .collect();
        let first: Vec<&str> = shown.iter().take(18).map(String::as_str).collect();
        let expected = "80/1@1 75/1@1 70/1@1 60/1@1 50/1@1 40/1@1 80/1@2 75/1@2 70/1@2 60/1@2 50/1@2 \
            40/1@2 60/1@3 50/1@3 40/1@3 60/1@4 50/1@4 40/1@4";
        assert_eq!(first.join(" "), expected);
        assert_eq!(shown.last().map(String::as_str), Some("20/4@4"));
        assert!(steps.windows(2).all(|two| two[0].cost() > two[1].cost()));
    }
}
