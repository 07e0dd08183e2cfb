//! Chooses pixel format, size and frame interval from what a driver offers. No I/O.

use crate::{
    config::values::{Format, Fps, Size},
    media::PixelFormat,
};

/// A granted rate this share below the wanted one still counts as it: 29.97 for 30.
const NEARLY: f64 = 0.995;

/// Time between two frames as V4L2 has it: `numerator / denominator` seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Seconds times the denominator.
    pub numerator: u32,
    /// Never 0.
    pub denominator: u32,
}

impl Interval {
    /// The interval of a rate, to a thousandth of a frame a second.
    pub fn of(fps: Fps) -> Self {
        let thousandths = ((fps.get() * 1000.0).round() as u32).max(1);
        let divisor = gcd(1000, thousandths);
        Self {
            numerator: 1000 / divisor,
            denominator: thousandths / divisor,
        }
    }

    /// Frames a second; 0 for an interval that says nothing.
    pub fn fps(self) -> f64 {
        if self.numerator == 0 {
            0.0
        } else {
            f64::from(self.denominator) / f64::from(self.numerator)
        }
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The rates a driver offers for one format and size.
#[derive(Debug, Clone, PartialEq)]
pub enum Rates {
    /// The driver does not say.
    Unknown,
    /// These.
    Discrete(Vec<Interval>),
    /// Anything between.
    Range {
        /// The shortest interval.
        fastest: Interval,
        /// The longest interval.
        slowest: Interval,
    },
}

impl Rates {
    /// The interval to ask for: the slowest that is no slower than wanted (what is faster is paced,
    /// what is slower can't be helped), else the fastest there is.
    pub fn interval_for(&self, fps: Fps) -> Interval {
        let enough = fps.get() * NEARLY;
        match self {
            Self::Unknown => Interval::of(fps),
            Self::Discrete(intervals) => {
                let by_rate = |a: &&Interval, b: &&Interval| a.fps().total_cmp(&b.fps());
                let slowest = intervals
                    .iter()
                    .filter(|i| i.fps() >= enough)
                    .min_by(by_rate);
                let fastest = || intervals.iter().max_by(by_rate);
                slowest
                    .or_else(fastest)
                    .copied()
                    .unwrap_or(Interval::of(fps))
            }
            Self::Range { fastest, slowest } => {
                if fps.get() > fastest.fps() {
                    *fastest
                } else if fps.get() < slowest.fps() {
                    *slowest
                } else {
                    Interval::of(fps)
                }
            }
        }
    }

    /// By how many frames a second the best offer falls short of the wanted rate.
    fn shortfall(&self, fps: Fps) -> f64 {
        let best = match self {
            Self::Unknown => return 0.0,
            _ => self.interval_for(fps).fps(),
        };
        if best >= fps.get() * NEARLY {
            0.0
        } else {
            fps.get() - best
        }
    }
}

/// The sizes between two corners, in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// Smallest.
    pub min: Size,
    /// Largest.
    pub max: Size,
    /// From one to the next; 0 counts as 1.
    pub step: Size,
}

impl Steps {
    /// The size nearest to `wanted` that is on the grid.
    pub fn nearest(&self, wanted: Size) -> Size {
        let side = |wanted: u32, min: u32, max: u32, step: u32| {
            let step = step.max(1);
            let wanted = wanted.clamp(min, max.max(min));
            let below = min + (wanted - min) / step * step;
            let above = below.saturating_add(step);
            if above <= max && above - wanted <= wanted - below && wanted != below {
                above
            } else {
                below
            }
        };
        Size::new(
            side(
                wanted.width,
                self.min.width,
                self.max.width,
                self.step.width,
            ),
            side(
                wanted.height,
                self.min.height,
                self.max.height,
                self.step.height,
            ),
        )
    }
}

/// One format and size a driver offers, with its rates.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The driver's own code: both `MJPG` and `JPEG` are JPEG pictures.
    pub fourcc: [u8; 4],
    /// What we make of it.
    pub format: PixelFormat,
    /// Of a range of sizes, the one nearest to what is wanted.
    pub size: Size,
    /// Its rates.
    pub rates: Rates,
}

/// The best offer: for a format of `Auto` the nearest size, then the nearest rate, then what
/// comes first by [`PixelFormat::rank`]. `None` if no offer has the wanted format.
pub fn choose(offers: &[Offer], size: Size, format: Format, fps: Fps) -> Option<&Offer> {
    let only_streams = offers.iter().all(|offer| offer.format.is_stream());
    let fits = |offer: &&Offer| match format {
        // Each other picture has to be decoded out of a stream.
        Format::Auto => !offer.format.is_stream() || only_streams,
        Format::Fixed(wanted) => offer.format == wanted,
    };
    offers.iter().filter(fits).min_by(|a, b| {
        let key = |o: &Offer| (distance(o.size, size), u64::MAX - area(o.size));
        key(a)
            .cmp(&key(b))
            .then(a.rates.shortfall(fps).total_cmp(&b.rates.shortfall(fps)))
            // So raw colours come before MJPG, and grey and mosaics after it.
            .then(PixelFormat::rank(a.fourcc).cmp(&PixelFormat::rank(b.fourcc)))
    })
}

fn distance(a: Size, b: Size) -> u64 {
    u64::from(a.width.abs_diff(b.width)) + u64::from(a.height.abs_diff(b.height))
}

fn area(size: Size) -> u64 {
    u64::from(size.width) * u64::from(size.height)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn offer(format: PixelFormat, size: (u32, u32), fps: &[u32]) -> Offer {
        let interval = |fps: &u32| Interval {
            numerator: 1,
            denominator: *fps,
        };
        Offer {
            fourcc: format.fourcc(),
            format,
            size: Size::new(size.0, size.1),
            rates: Rates::Discrete(fps.iter().map(interval).collect()),
        }
    }

    /// What a common UVC camera offers.
    fn webcam() -> Vec<Offer> {
        use PixelFormat::{Mjpg, Yuyv};
        vec![
            offer(Mjpg, (1920, 1080), &[30, 15]),
            offer(Mjpg, (640, 480), &[60, 30]),
            offer(Yuyv, (640, 480), &[30, 15]),
            offer(Yuyv, (1280, 720), &[10, 5]),
            offer(Yuyv, (1920, 1080), &[5]),
        ]
    }

    fn chosen(size: (u32, u32), fps: f64, format: Format) -> Option<(PixelFormat, u32)> {
        let offers = webcam();
        choose(&offers, Size::new(size.0, size.1), format, Fps::new(fps))
            .map(|o| (o.format, o.size.width))
    }

    #[test]
    fn raw_where_it_gives_size_and_rate_else_mjpg_else_the_nearest_size() {
        use PixelFormat::{Mjpg, Yuyv};
        assert_eq!(chosen((640, 480), 30.0, Format::Auto), Some((Yuyv, 640)));
        assert_eq!(chosen((640, 480), 60.0, Format::Auto), Some((Mjpg, 640)));
        assert_eq!(chosen((1920, 1080), 30.0, Format::Auto), Some((Mjpg, 1920)));
        assert_eq!(chosen((1920, 1080), 5.0, Format::Auto), Some((Yuyv, 1920)));
        assert_eq!(chosen((1280, 720), 30.0, Format::Auto), Some((Yuyv, 1280)));
        assert_eq!(chosen((800, 600), 30.0, Format::Auto), Some((Yuyv, 640)));
        assert_eq!(
            chosen((640, 480), 30.0, Format::Fixed(Mjpg)),
            Some((Mjpg, 640))
        );
        let nv12 = Format::Fixed(PixelFormat::Nv12);
        assert_eq!(chosen((640, 480), 30.0, nv12), None);
    }

    #[test]
    fn the_interval_is_the_slowest_that_is_fast_enough() {
        let of = |denominator| Interval {
            numerator: 1,
            denominator,
        };
        let rates = Rates::Discrete(vec![of(15), of(60), of(30)]);
        assert_eq!(rates.interval_for(Fps::new(20.0)), of(30));
        assert_eq!(rates.interval_for(Fps::new(30.0)), of(30));
        assert_eq!(rates.interval_for(Fps::new(90.0)), of(60));
        let range = Rates::Range {
            fastest: of(50),
            slowest: of(2),
        };
        assert_eq!(range.interval_for(Fps::new(20.0)), of(20));
        assert_eq!(range.interval_for(Fps::new(1.0)), of(2));
        assert_eq!(range.interval_for(Fps::new(60.0)), of(50));
    }

    #[test]
    fn broken_rates_are_whole_fractions() {
        let interval = Interval::of(Fps::new(29.97));
        assert_eq!((interval.numerator, interval.denominator), (100, 2997));
        assert_eq!(Interval::of(Fps::new(30.0)).fps(), 30.0);
    }

    proptest! {
        #[test]
        fn the_nearest_step_is_on_the_grid_and_nearest(
            min in 1u32..200, steps in 0u32..200, step in 0u32..33, wanted in 1u32..8000,
        ) {
            let max = min + steps * step;
            let grid = Steps { min: Size::new(min, min), max: Size::new(max, max), step: Size::new(step, step) };
            let found = grid.nearest(Size::new(wanted, wanted)).width;
            let on_grid = |n: u32| n >= min && n <= max && (n - min).is_multiple_of(step.max(1));
            prop_assert!(on_grid(found));
            let best = (0..=steps).map(|n| (min + n * step).abs_diff(wanted)).min();
            prop_assert_eq!(Some(found.abs_diff(wanted)), best);
        }
    }
}
