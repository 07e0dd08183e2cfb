//! From deep grey to bytes: which values are black and white.

use crate::config::values::GrayRange;

/// Of so many pixels, one may be darker than black, and one brighter than white.
const OUTLIERS: u32 = 1000;

/// By so much of the way to what a frame spans, black and white move with it: a single hot object
/// must not make the whole picture flicker.
const FOLLOW: f32 = 0.125;

/// What the frames so far spanned.
#[derive(Debug, Default)]
pub struct GreyLevels {
    span: Option<[f32; 2]>,
}

impl GreyLevels {
    /// The bytes of words of so many bits, line by line.
    pub fn bytes<L>(&mut self, lines: impl Fn() -> L, bits: u8, range: GrayRange) -> Vec<u8>
    where
        L: Iterator<Item: Iterator<Item = u16>>,
    {
        let whole = u16::MAX >> (16 - bits);
        let [black, white] = match range {
            GrayRange::Between(black, white) => [black, white.min(whole)],
            GrayRange::Auto if bits < 14 => [0, whole],
            GrayRange::Auto => self.follow(lines().flatten()),
        };
        let span = u32::from(white.saturating_sub(black)).max(1);
        // The quotient with 32 bits behind the point, without a division a pixel.
        let factor = (255 << 32) / u64::from(span);
        let byte = |word: u16| {
            let above = u32::from(word.saturating_sub(black)).min(span);
            ((u64::from(above) * factor + (1 << 31)) >> 32) as u8
        };
        lines().flatten().map(byte).collect()
    }

    /// What is black and white by the frames so far and this one.
    fn follow(&mut self, words: impl Iterator<Item = u16>) -> [u16; 2] {
        let mut counts = vec![0_u32; 1 << 16];
        let mut total = 0;
        for word in words {
            counts[usize::from(word)] += 1;
            total += 1;
        }
        let beyond = |counts: &mut dyn Iterator<Item = (usize, &u32)>| {
            let mut passed = 0;
            let mut value = 0;
            for (word, count) in counts {
                (value, passed) = (word, passed + count);
                if passed > total / OUTLIERS {
                    break;
                }
            }
            value as f32
        };
        let now = [
            beyond(&mut counts.iter().enumerate()),
            beyond(&mut counts.iter().enumerate().rev()),
        ];
        let before = self.span.unwrap_or(now);
        let moved = |n: usize| before[n] + (now[n] - before[n]) * FOLLOW;
        let span = [moved(0), moved(1)];
        self.span = Some(span);
        span.map(|level| level.round() as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(levels: &mut GreyLevels, words: &[u16], bits: u8, range: GrayRange) -> Vec<u8> {
        levels.bytes(|| [words.iter().copied()].into_iter(), bits, range)
    }

    #[test]
    fn each_depth_and_range_is_within_a_level_of_its_quotient() {
        for (bits, range, black, white) in [
            (10, GrayRange::Auto, 0.0, 1023.0),
            (12, GrayRange::Auto, 0.0, 4095.0),
            (16, GrayRange::Between(0, 65_535), 0.0, 65_535.0),
            (16, GrayRange::Between(7000, 9000), 7000.0, 9000.0),
            (14, GrayRange::Between(3, 4), 3.0, 4.0),
        ] {
            let words: Vec<u16> = (0..=u16::MAX >> (16 - bits)).collect();
            let out = bytes(&mut GreyLevels::default(), &words, bits, range);
            for (word, byte) in words.iter().zip(out) {
                let want = ((f64::from(*word) - black) / (white - black) * 255.0).clamp(0.0, 255.0);
                assert!(
                    (f64::from(byte) - want).abs() <= 1.0,
                    "{bits} {range:?}: {word}"
                );
            }
        }
    }

    #[test]
    fn what_a_thermal_camera_sees_fills_the_range_and_follows_slowly() {
        let mut levels = GreyLevels::default();
        let room: Vec<u16> = (0..4000).map(|n| 29_000 + n / 4).collect();
        let first = bytes(&mut levels, &room, 16, GrayRange::Auto);
        assert!(first[0] < 3 && first[3999] > 252 && (120..136).contains(&first[2000]));
        let hot: Vec<u16> = room.iter().map(|word| word + 1000).collect();
        let second = bytes(&mut levels, &hot, 16, GrayRange::Auto);
        assert!(second[0] > 150, "it has just begun to follow");
        for _ in 0..60 {
            bytes(&mut levels, &hot, 16, GrayRange::Auto);
        }
        assert!(bytes(&mut levels, &hot, 16, GrayRange::Auto)[0] < 3);
    }
}
