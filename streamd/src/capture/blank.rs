//! The "no signal" picture that stands in for a lost camera: its name, the reason, and since when.

use std::time::Duration;

use crate::{
    capture::{
        draw,
        draw::{Canvas, Colour, GLYPH},
    },
    config::values::Size,
    media::Layout,
};

/// Characters that fit in a line of small text.
const COLUMNS: u32 = 38;

/// The size of the heading against the small text.
const HEADING: u32 = 2;

/// What the picture says.
#[derive(Debug, Clone, Copy)]
pub struct Blank<'a> {
    /// The camera's name.
    pub name: &'a str,
    /// Why there is no signal.
    pub reason: &'a str,
    /// For how long.
    pub lost_for: Duration,
}

impl Blank<'_> {
    /// Draws it: dark, with the text from the upper left on, as large as the width allows.
    pub fn draw(&self, size: Size) -> (Layout, Vec<u8>) {
        let layout = draw::layout(size.width, size.height);
        let mut bytes = vec![0; draw::picture_bytes(layout)];
        let mut canvas = Canvas::new(layout, &mut bytes);
        canvas.fill(0, 0, size.width, size.height, Colour::grey(28));
        let scale = (size.width / (COLUMNS * GLYPH)).max(1);
        let margin = GLYPH * scale;
        let line = GLYPH * scale * 3 / 2;
        let columns = (size.width.saturating_sub(2 * margin) / margin).max(1) as usize;
        canvas.text(
            margin,
            margin,
            scale * HEADING,
            Colour::WHITE.y,
            "NO SIGNAL",
        );
        let name = format!("camera {}", self.name);
        let since = format!("for {}", span(self.lost_for));
        let lines = draw::wrap(&name, columns)
            .into_iter()
            .chain(draw::wrap(self.reason, columns))
            .chain([since]);
        for (n, text) in (0u32..).zip(lines) {
            let top = margin + HEADING * line + n * line;
            canvas.text(margin, top, scale, 170, &text);
        }
        (layout, bytes)
    }
}

/// `12 s`, `3 min 12 s`, `5 h 3 min`, `2 d 5 h`.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (days, hours, _) => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOST: Blank = Blank {
        name: "main",
        reason: "/dev/video0: unplugged",
        lost_for: Duration::from_secs(5),
    };

    #[test]
    fn every_size_has_a_picture() {
        for (width, height) in [(16, 16), (33, 17), (640, 480), (3840, 2160)] {
            let (layout, bytes) = LOST.draw(Size::new(width, height));
            assert_eq!((layout.width, layout.height), (width, height));
            assert_eq!(bytes.len(), draw::picture_bytes(layout));
        }
    }

    #[test]
    fn it_is_dark_and_says_name_reason_and_time() {
        let size = Size::new(640, 480);
        let picture = |blank: Blank| blank.draw(size).1;
        let first = picture(LOST);
        let bright = first[..640 * 480].iter().filter(|y| **y > 100).count();
        assert!(bright > 0 && bright < 640 * 480 / 10);
        for other in [
            Blank {
                name: "door",
                ..LOST
            },
            Blank {
                reason: "in use",
                ..LOST
            },
            Blank {
                lost_for: Duration::from_secs(6),
                ..LOST
            },
        ] {
            assert!(first != picture(other), "{other:?}");
        }
    }

    #[test]
    fn spans_in_words() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (192, "3 min 12 s"),
            (18_180, "5 h 3 min"),
            (190_800, "2 d 5 h"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }
}
