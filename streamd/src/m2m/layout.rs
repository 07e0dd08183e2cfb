//! How an encoder wants its pictures in memory, and writing them there.

use super::queue::Granted;
use crate::encode::h264::Planes;

/// Of the formats that encoders take, those that are made here, the cheapest first.
pub(super) const FORMATS: [Format; 4] = [Format::Yu12, Format::Nv12, Format::Ym12, Format::Nm12];

/// A pixel format: luma, and chroma at half width and height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Three planes in one memory.
    Yu12,
    /// Luma, then both chromas in turn, in one memory.
    Nv12,
    /// Three planes, each in a memory of its own.
    Ym12,
    /// Luma, and both chromas in turn in another memory.
    Nm12,
}

/// How the pictures lie in a buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    format: Format,
    /// Bytes from one line of luma to the next.
    stride: usize,
    /// The same of chroma.
    chroma_stride: usize,
    /// Lines of luma, with those that make it a multiple of what the encoder works in.
    lines: usize,
}

impl Format {
    /// The kernel's code of it.
    pub const fn code(self) -> u32 {
        u32::from_le_bytes(*match self {
            Self::Yu12 => b"YU12",
            Self::Nv12 => b"NV12",
            Self::Ym12 => b"YM12",
            Self::Nm12 => b"NM12",
        })
    }

    /// The one of this code.
    pub fn of(code: u32) -> Option<Self> {
        FORMATS.into_iter().find(|format| format.code() == code)
    }

    /// Memories of a buffer.
    pub const fn memories(self) -> usize {
        match self {
            Self::Yu12 | Self::Nv12 => 1,
            Self::Nm12 => 2,
            Self::Ym12 => 3,
        }
    }

    const fn is_interleaved(self) -> bool {
        matches!(self, Self::Nv12 | Self::Nm12)
    }
}

impl Layout {
    /// What a driver has granted for pictures of this size; else what is wrong with it.
    pub fn new(granted: &Granted, (width, height): (u32, u32)) -> Result<Self, String> {
        let Some(format) = Format::of(granted.code) else {
            return Err("takes no 4:2:0".into());
        };
        if granted.strides.len() != format.memories() {
            let count = granted.strides.len();
            return Err(format!(
                "wants pictures in {count} memories, which they are not"
            ));
        }
        if granted.width < width || granted.height < height {
            let (most, lines) = (granted.width, granted.height);
            return Err(format!("takes pictures of {most}x{lines} instead"));
        }
        // A driver that says none has no padding.
        let said = |memory: usize, least: u32| {
            let said = granted.strides.get(memory).copied().unwrap_or(0);
            said.max(least) as usize
        };
        let stride = said(0, granted.width);
        let chroma_stride = match format {
            Format::Yu12 => stride / 2,
            Format::Nv12 => stride,
            Format::Ym12 => said(1, granted.width / 2),
            Format::Nm12 => said(1, granted.width),
        };
        let lines = granted.height as usize & !1;
        let layout = Self {
            format,
            stride,
            chroma_stride,
            lines,
        };
        Ok(layout)
    }

    /// Bytes of a picture in each memory.
    pub fn bytes(&self) -> Vec<usize> {
        let (luma, chroma) = (
            self.stride * self.lines,
            self.chroma_stride * self.lines / 2,
        );
        match self.format {
            Format::Yu12 => vec![luma + 2 * chroma],
            Format::Nv12 => vec![luma + chroma],
            Format::Ym12 => vec![luma, chroma, chroma],
            Format::Nm12 => vec![luma, chroma],
        }
    }

    /// Writes a picture into the memories of a buffer, each of them as long as it has to be. What
    /// is added to it at the right and below repeats its edge, which costs next to no bits.
    pub fn write(&self, planes: &Planes, memories: &mut [&mut [u8]]) {
        let [luma, u, v] = planes.planes();
        let (first, others) = memories.split_at_mut(1);
        let (luma_to, rest) = first[0].split_at_mut(self.stride * self.lines);
        copy(luma, luma_to, self.stride);
        let chroma = self.chroma_stride * self.lines / 2;
        match (self.format.is_interleaved(), others) {
            (true, []) => interleave(u, v, &mut rest[..chroma], self.chroma_stride),
            (true, [uv, ..]) => interleave(u, v, &mut uv[..chroma], self.chroma_stride),
            (false, [to_u, to_v, ..]) => {
                copy(u, &mut to_u[..chroma], self.chroma_stride);
                copy(v, &mut to_v[..chroma], self.chroma_stride);
            }
            (false, _) => {
                let (to_u, to_v) = rest[..2 * chroma].split_at_mut(chroma);
                copy(u, to_u, self.chroma_stride);
                copy(v, to_v, self.chroma_stride);
            }
        }
    }
}

/// The lines of a plane, the last one for ever.
fn rows((plane, line): (&[u8], usize)) -> impl Iterator<Item = &[u8]> {
    let last = plane.chunks_exact(line).next_back().unwrap_or_default();
    plane.chunks_exact(line).chain(std::iter::repeat(last))
}

fn copy(from: (&[u8], usize), to: &mut [u8], stride: usize) {
    for (to, from) in to.chunks_exact_mut(stride).zip(rows(from)) {
        let (shown, right) = to.split_at_mut(from.len());
        shown.copy_from_slice(from);
        right.fill(from.last().copied().unwrap_or(0));
    }
}

fn interleave(u: (&[u8], usize), v: (&[u8], usize), to: &mut [u8], stride: usize) {
    for ((to, u), v) in to.chunks_exact_mut(stride).zip(rows(u)).zip(rows(v)) {
        let (shown, right) = to.split_at_mut(2 * u.len());
        for ((pair, u), v) in shown.chunks_exact_mut(2).zip(u).zip(v) {
            (pair[0], pair[1]) = (*u, *v);
        }
        for pair in right.chunks_exact_mut(2) {
            (pair[0], pair[1]) = (u[u.len() - 1], v[v.len() - 1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 4x2 pixels.
    fn planes() -> Planes {
        Planes::of((4, 2), b"abcdefghuvxy")
    }

    fn layout(format: Format, (width, height): (u32, u32), strides: &[u32]) -> Layout {
        let granted = Granted {
            code: format.code(),
            width,
            height,
            strides: strides.into(),
        };
        Layout::new(&granted, (4, 2)).unwrap()
    }

    fn written(layout: &Layout) -> Vec<String> {
        let mut memories: Vec<_> = layout.bytes().iter().map(|n| vec![b'.'; *n]).collect();
        let mut slices: Vec<_> = memories.iter_mut().map(|memory| &mut memory[..]).collect();
        layout.write(&planes(), &mut slices);
        let text = |memory| String::from_utf8(memory).unwrap();
        memories.into_iter().map(text).collect()
    }

    #[test]
    fn a_picture_lies_as_the_driver_wants_it() {
        let of = |format, strides: &[u32]| written(&layout(format, (4, 2), strides));
        assert_eq!(of(Format::Yu12, &[4]), ["abcdefghuvxy"]);
        assert_eq!(
            of(Format::Yu12, &[0]),
            ["abcdefghuvxy"],
            "it says no stride"
        );
        assert_eq!(of(Format::Nv12, &[4]), ["abcdefghuxvy"]);
        assert_eq!(of(Format::Ym12, &[4, 2, 2]), ["abcdefgh", "uv", "xy"]);
        assert_eq!(of(Format::Nm12, &[4, 4]), ["abcdefgh", "uxvy"]);
        assert_eq!(of(Format::Nv12, &[6]), ["abcdddefghhhuxvyvy"]);
        assert_eq!(of(Format::Ym12, &[5, 3, 3]), ["abcddefghh", "uvv", "xyy"]);
    }

    #[test]
    fn what_is_added_below_repeats_the_last_line() {
        let of = |format, strides: &[u32]| written(&layout(format, (6, 4), strides));
        assert_eq!(
            of(Format::Yu12, &[6]),
            ["abcdddefghhhefghhhefghhhuvvuvvxyyxyy"]
        );
        assert_eq!(
            of(Format::Nm12, &[6, 6]),
            ["abcdddefghhhefghhhefghhh", "uxvyvyuxvyvy"]
        );
    }

    #[test]
    fn what_the_driver_grants_must_be_of_use() {
        let refused = |code, (width, height), strides: &[u32]| {
            let strides = strides.into();
            let granted = Granted {
                code,
                width,
                height,
                strides,
            };
            Layout::new(&granted, (4, 2)).unwrap_err()
        };
        let yuyv = u32::from_le_bytes(*b"YUYV");
        assert_eq!(refused(yuyv, (4, 2), &[8]), "takes no 4:2:0");
        let small = refused(Format::Nv12.code(), (2, 2), &[4]);
        assert_eq!(small, "takes pictures of 2x2 instead");
        let torn = refused(Format::Nv12.code(), (4, 2), &[4, 4]);
        assert!(torn.contains("2 memories"), "{torn}");
    }
}
