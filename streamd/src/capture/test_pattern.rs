//! The built-in moving test pattern: colour bars, a sweeping box, the frame's number and the time.

use chrono::DateTime;

use crate::{
    capture::{
        draw,
        draw::{Canvas, Colour, GLYPH},
    },
    config::values::Size,
    media::{Layout, Timestamp},
};

/// The bars of SMPTE EG 1 (75 %), left to right, in BT.601.
const BARS: [Colour; 7] = [
    Colour {
        y: 180,
        u: 128,
        v: 128,
    },
    Colour {
        y: 162,
        u: 44,
        v: 142,
    },
    Colour {
        y: 131,
        u: 156,
        v: 44,
    },
    Colour {
        y: 112,
        u: 72,
        v: 58,
    },
    Colour {
        y: 84,
        u: 184,
        v: 198,
    },
    Colour {
        y: 65,
        u: 100,
        v: 212,
    },
    Colour {
        y: 35,
        u: 212,
        v: 114,
    },
];

/// Characters of the longest line, which the text is scaled to fit: the time.
const COLUMNS: u32 = 30;

/// The sweeping box crosses the picture in so many frames.
const SWEEP: u64 = 120;

/// Draws the pictures of one camera.
#[derive(Debug)]
pub struct TestPattern {
    layout: Layout,
    background: Vec<u8>,
    name: String,
}

impl TestPattern {
    /// At this size, showing the camera's `name`.
    pub fn new(name: &str, size: Size) -> Self {
        let layout = draw::layout(size.width, size.height);
        let mut background = vec![0; draw::picture_bytes(layout)];
        let mut canvas = Canvas::new(layout, &mut background);
        let bars = BARS.len() as u32;
        for (n, colour) in (0..).zip(BARS) {
            let left = size.width * n / bars;
            let width = size.width * (n + 1) / bars - left;
            canvas.fill(left, 0, width, size.height, colour);
        }
        canvas.fill(0, panel(layout), size.width, size.height, Colour::BLACK);
        Self {
            layout,
            background,
            name: name.into(),
        }
    }

    /// How the pictures are laid out.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The picture with this number, at `now`.
    pub fn draw(&self, sequence: u64, now: Timestamp) -> Vec<u8> {
        let mut picture = self.background.clone();
        let mut canvas = Canvas::new(self.layout, &mut picture);
        let side = (self.layout.width.min(self.layout.height) / 8).max(2);
        let path = u64::from(self.layout.width.saturating_sub(side));
        let step = sequence % (2 * SWEEP);
        let left = (step.min(2 * SWEEP - step) * path / SWEEP) as u32;
        canvas.fill(left, self.layout.height / 4, side, side, Colour::WHITE);
        let (scale, line) = text_size(self.layout);
        let top = panel(self.layout) + line / 4;
        let title = format!("{} - test pattern", self.name);
        let number = format!("frame {sequence}");
        let time = utc(now);
        for (n, text) in (0..).zip([&time, &number, &title]) {
            canvas.text(
                GLYPH * scale / 2,
                top + n * line,
                scale,
                Colour::WHITE.y,
                text,
            );
        }
        picture
    }
}

/// `2026-11-23 14:32:35.123 UTC`
fn utc(at: Timestamp) -> String {
    let time = DateTime::from_timestamp_micros(at.unix_micros() as i64).unwrap_or_default();
    time.format("%F %T%.3f UTC").to_string()
}

/// The scale of the text, and the pixels from one line to the next.
fn text_size(layout: Layout) -> (u32, u32) {
    let scale = (layout.width / (COLUMNS * GLYPH)).max(1);
    (scale, GLYPH * scale * 3 / 2)
}

/// Where the panel with the three lines of text begins.
fn panel(layout: Layout) -> u32 {
    let (_, line) = text_size(layout);
    layout.height - (line * 7 / 2).min(layout.height / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_a_picture_and_it_moves() {
        for (width, height) in [(16, 16), (17, 31), (640, 480), (3840, 2160), (16, 4096)] {
            let pattern = TestPattern::new("front-door", Size::new(width, height));
            let now = Timestamp::now();
            let first = pattern.draw(1, now);
            assert_eq!(
                first.len(),
                draw::picture_bytes(pattern.layout()),
                "{width}x{height}"
            );
            let far = pattern.draw(1 + SWEEP / 2, now);
            assert!(first != far, "{width}x{height}");
        }
    }

    #[test]
    fn it_shows_number_time_and_name() {
        let size = Size::new(640, 480);
        let now = Timestamp::now();
        let draw = |name, sequence, now| {
            let pattern = TestPattern::new(name, size);
            let picture = pattern.draw(sequence, now);
            picture[640 * 390..640 * 480].to_vec()
        };
        let one = draw("main", 1, now);
        assert!(one == draw("main", 1, now));
        assert!(one != draw("main", 2, now), "the number");
        assert!(one != draw("back", 1, now), "the name");
        let later = now + std::time::Duration::from_millis(1);
        assert!(
            one != draw("main", 1, later),
            "the time, to the millisecond"
        );
    }
}
