//! What a link has carried before it may carry again at once.

/// A link that has this part of the rate at which a rung was stood on carries that rung again.
const AS_BEFORE: f64 = 0.97;

/// Rungs that were stood on for as long as [`HOLD`](super::HOLD), each with the least rate that carried it.
#[derive(Debug, Default)]
pub(super) struct Stood(Vec<(usize, f64)>);

impl Stood {
    pub fn on(&mut self, rung: usize, rate: f64) {
        match self.0.iter_mut().find(|(known, _)| *known == rung) {
            Some((_, least)) => *least = rate.min(*least),
            None => self.0.push((rung, rate)),
        }
    }

    /// At this rate that rung was too large after all.
    pub fn no_more(&mut self, rung: usize, rate: f64) {
        self.0
            .retain(|(known, least)| *known != rung || rate < least * AS_BEFORE);
    }

    /// The best rung that such a rate has carried.
    pub fn best(&self, rate: f64) -> Option<usize> {
        let carried = self.0.iter().filter(|(_, least)| rate >= least * AS_BEFORE);
        carried.map(|(rung, _)| *rung).min()
    }
}
