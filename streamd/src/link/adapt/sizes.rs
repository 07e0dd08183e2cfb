//! How many bytes a picture of each rendition has, before it is encoded.

use crate::media::{Rendition, Scale};

/// How large pictures are.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    /// Bytes at full size and quality 80.
    full: f64,
    /// What was learnt of the renditions, relative to the model.
    learnt: Vec<(Rendition, f64)>,
}

impl Sizes {
    pub fn known(&self) -> bool {
        self.full > 0.0
    }

    /// What a picture of this rendition has, by those that were sent last.
    pub fn of(&self, rendition: Rendition) -> f64 {
        self.full * model(rendition) * self.factor(rendition)
    }

    fn factor(&self, rendition: Rendition) -> f64 {
        let known = self.learnt.iter().find(|(r, _)| *r == rendition);
        known.map_or(1.0, |(_, factor)| *factor)
    }

    /// A picture's size tells of two things: of the scene, for all renditions, and of how this
    /// one differs from the model.
    pub fn learn(&mut self, rendition: Rendition, bytes: f64) {
        if !self.known() {
            self.full = bytes / model(rendition);
            return;
        }
        let off = bytes / self.of(rendition);
        self.full *= 1.0 + (off - 1.0) * 0.1;
        let factor = self.factor(rendition) * (1.0 + (off - 1.0) * 0.05);
        match self.learnt.iter_mut().find(|(r, _)| *r == rendition) {
            Some((_, known)) => *known = factor,
            None => self.learnt.push((rendition, factor)),
        }
    }
}

/// Bytes of a picture relative to full size at quality 80, as measured on film at 640x480; what a
/// client really gets corrects it.
pub(super) fn model(rendition: Rendition) -> f64 {
    const BY_QUALITY: [(f64, f64); 14] = [
        (1.0, 0.08),
        (10.0, 0.21),
        (15.0, 0.28),
        (20.0, 0.33),
        (25.0, 0.38),
        (30.0, 0.43),
        (40.0, 0.51),
        (50.0, 0.59),
        (60.0, 0.67),
        (70.0, 0.79),
        (80.0, 1.0),
        (90.0, 1.46),
        (95.0, 2.07),
        (100.0, 4.5),
    ];
    let quality = f64::from(rendition.quality);
    let next = BY_QUALITY
        .iter()
        .position(|(q, _)| *q >= quality)
        .unwrap_or(BY_QUALITY.len() - 1)
        .max(1);
    let ((q0, s0), (q1, s1)) = (BY_QUALITY[next - 1], BY_QUALITY[next]);
    let by_quality = s0 + (s1 - s0) * (quality - q0) / (q1 - q0);
    by_quality
        * match rendition.scale {
            Scale::Full => 1.0,
            Scale::Half => 0.32,
            Scale::Quarter => 0.108,
        }
}
