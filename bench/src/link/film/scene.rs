//! A scene that is filmed: a room with much detail, before which things move, by a camera that sways. It
//! costs an encoder what film does, changes as much, and is the same on every machine.

use std::f32::consts::TAU;

/// Frames until it repeats.
const FRAMES: usize = 120;

/// How far the camera sways, in pixels, and how often in the film.
const SWAY: [(f32, u8); 2] = [(6.0, 1), (2.0, 1)];

/// Pixels of the room beyond each edge of the picture: as far as the camera sways.
const BEYOND: usize = 8;

/// Octaves of the room's texture: size of a detail in pixels, and how much of it there is.
const ROOM: [(f32, f32); 7] = [
    (160.0, 60.0),
    (80.0, 30.0),
    (40.0, 22.0),
    (20.0, 16.0),
    (10.0, 17.0),
    (5.0, 18.0),
    (2.5, 15.0),
];

/// The same of what moves.
const THINGS: [(f32, f32); 4] = [(40.0, 40.0), (16.0, 25.0), (6.0, 18.0), (3.0, 14.0)];

/// What moves: radii, centre, how far it goes, how often in the film (whole numbers, so that the
/// film has no cut), colours.
const MOVING: [Thing; 6] = [
    Thing::new(
        (70.0, 110.0),
        (320.0, 300.0),
        (200.0, 20.0),
        (1, 2),
        (110, 150),
    ),
    Thing::new(
        (45.0, 45.0),
        (160.0, 150.0),
        (100.0, 60.0),
        (1, 1),
        (150, 110),
    ),
    Thing::new(
        (30.0, 50.0),
        (500.0, 200.0),
        (60.0, 80.0),
        (2, 1),
        (140, 120),
    ),
    Thing::new(
        (22.0, 22.0),
        (400.0, 100.0),
        (180.0, 50.0),
        (2, 3),
        (100, 160),
    ),
    Thing::new(
        (80.0, 30.0),
        (220.0, 400.0),
        (120.0, 30.0),
        (1, 1),
        (120, 135),
    ),
    Thing::new(
        (18.0, 18.0),
        (80.0, 330.0),
        (40.0, 90.0),
        (3, 2),
        (160, 100),
    ),
];

/// Something that moves.
struct Thing {
    radii: (f32, f32),
    centre: (f32, f32),
    way: (f32, f32),
    often: (u8, u8),
    colours: (u8, u8),
}

impl Thing {
    const fn new(
        radii: (f32, f32),
        centre: (f32, f32),
        way: (f32, f32),
        often: (u8, u8),
        colours: (u8, u8),
    ) -> Self {
        Self {
            radii,
            centre,
            way,
            often,
            colours,
        }
    }

    /// Where its centre is in this part of the film, from 0 to 1.
    fn place(&self, part: f32) -> (f32, f32) {
        let swing = |often: u8| (TAU * part * f32::from(often) + f32::from(often)).sin();
        (
            self.centre.0 + self.way.0 * swing(self.often.0),
            self.centre.1 + self.way.1 * swing(self.often.1),
        )
    }

    /// How much of a pixel it covers, that far from its centre: its edge is as soft as a lens makes it.
    fn covers(&self, x: f32, y: f32) -> f32 {
        let (a, b) = self.radii;
        let from_edge = (1.0 - (x / a).hypot(y / b)) * a.min(b);
        (from_edge + 0.5).clamp(0.0, 1.0)
    }
}

/// The frames, YUYV.
pub fn frames(width: usize, height: usize) -> Vec<Vec<u8>> {
    let wide = width + 2 * BEYOND;
    let room = room(wide, height + 2 * BEYOND);
    let pixels = |n: usize| {
        let part = n as f32 / FRAMES as f32;
        let [left, top] = SWAY.map(|(far, often)| {
            let sway = far * (TAU * part * f32::from(often)).sin();
            (BEYOND as f32 + sway).round() as usize
        });
        let line = |y: usize| &room[(top + y) * wide + left..][..width];
        let mut picture = (0..height).map(line).collect::<Vec<_>>().concat();
        for (seed, thing) in (1..).zip(&MOVING) {
            draw(&mut picture, (width, height), thing, part, seed);
        }
        yuyv(&picture)
    };
    (0..FRAMES).map(pixels).collect()
}

type Pixel = [f32; 3];

/// What stands still: light and shadow, and a few things with straight edges.
fn room(width: usize, height: usize) -> Vec<Pixel> {
    let pixel = |at: usize| {
        let (x, y) = ((at % width) as f32, (at / width) as f32);
        let window = (60.0..200.0).contains(&x) && (40.0..160.0).contains(&y);
        let frame = window && ((x - 130.0).abs() < 4.0 || (y - 100.0).abs() < 4.0);
        let shelf = x > 420.0 && (y % 90.0) < 8.0;
        let edges = match (window, frame, shelf) {
            (true, false, _) => 70.0,
            (_, _, true) => -60.0,
            _ => 0.0,
        };
        let luma = 115.0 + edges + texture(&ROOM, 0, x, y);
        let tint = |seed| 128.0 + 2.0 * texture(&ROOM[..1], seed, x, y) / 5.0;
        [luma, tint(100), tint(101)]
    };
    (0..width * height).map(pixel).collect()
}

fn draw(picture: &mut [Pixel], size: (usize, usize), thing: &Thing, part: f32, seed: u32) {
    let (cx, cy) = thing.place(part);
    let span = |centre: f32, radius: f32, end: usize| {
        let from = (centre - radius).max(0.0) as usize;
        from..((centre + radius) as usize + 2).min(end)
    };
    for y in span(cy, thing.radii.1, size.1) {
        for x in span(cx, thing.radii.0, size.0) {
            let (dx, dy) = (x as f32 - cx, y as f32 - cy);
            let covers = thing.covers(dx, dy);
            if covers == 0.0 {
                continue;
            }
            let shade = -30.0 * (dy / thing.radii.1);
            let luma = 130.0 + shade + texture(&THINGS, seed, dx + 500.0, dy + 500.0);
            let own = [luma, thing.colours.0.into(), thing.colours.1.into()];
            for (channel, own) in picture[y * size.0 + x].iter_mut().zip(own) {
                *channel += covers * (own - *channel);
            }
        }
    }
}

fn yuyv(picture: &[Pixel]) -> Vec<u8> {
    let byte = |value: f32| value.round().clamp(0.0, 255.0) as u8;
    let pair = |pair: &[Pixel]| {
        let mean = |channel: usize| byte((pair[0][channel] + pair[1][channel]) / 2.0);
        [byte(pair[0][0]), mean(1), byte(pair[1][0]), mean(2)]
    };
    picture.chunks_exact(2).flat_map(pair).collect()
}

/// Value noise: chance at the corners of a grid, smooth in between, in several sizes.
fn texture(octaves: &[(f32, f32)], seed: u32, x: f32, y: f32) -> f32 {
    let octave = |(n, (cell, amount)): (u32, &(f32, f32))| {
        let (x, y) = (x / cell, y / cell);
        let (left, top) = (x.floor(), y.floor());
        let smooth = |at: f32| at * at * (3.0 - 2.0 * at);
        let (right, down) = (smooth(x - left), smooth(y - top));
        let at = |dx: u32, dy: u32| chance([seed * 16 + n, left as u32 + dx, top as u32 + dy]);
        let upper = at(0, 0) + right * (at(1, 0) - at(0, 0));
        let lower = at(0, 1) + right * (at(1, 1) - at(0, 1));
        amount * (upper + down * (lower - upper))
    };
    (0..).zip(octaves).map(octave).sum()
}

/// From -1 to 1; the finaliser of MurmurHash3 (Appleby, public domain).
fn chance(words: [u32; 3]) -> f32 {
    let mut h = words.iter().fold(0x9E37_79B9_u32, |h, word| {
        (h ^ word).wrapping_mul(0x85EB_CA6B).rotate_left(13)
    });
    h ^= h >> 16;
    h = h.wrapping_mul(0x85EB_CA6B);
    h ^= h >> 13;
    h = h.wrapping_mul(0xC2B2_AE35);
    h ^= h >> 16;
    h as f32 / u32::MAX as f32 * 2.0 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_in_each_frame_and_has_no_cut() {
        let frames = frames(320, 240);
        let differ = |a: &[u8], b: &[u8]| -> u64 {
            let pairs = a.iter().zip(b);
            pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum()
        };
        let steps: Vec<u64> = (0..FRAMES)
            .map(|n| differ(&frames[n], &frames[(n + 1) % FRAMES]))
            .collect();
        let most = steps[..FRAMES - 1].iter().max().unwrap();
        assert!(steps.iter().filter(|step| **step > 0).count() > FRAMES / 2);
        assert!(steps[FRAMES - 1] <= *most, "the end joins the beginning");
    }
}
