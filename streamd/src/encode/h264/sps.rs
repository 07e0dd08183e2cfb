//! The sequence parameter set of another encoder, made such as openh264's: pictures of the size that
//! was asked for, whatever multiple of 16 they are coded in; colours as JFIF has them; none held back.
//!
//! Encoders in hardware write what they like there, or nothing, and then every player guesses.
//! ITU-T H.264, 7.3.2.1.1 (the set) and E.1.1 (what is said of how it is shown).

/// Profiles whose sets say more (7.3.2.1.1).
const HIGH: [u32; 12] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134];

/// Chroma at half width and height.
const YUV420: u32 = 1;

/// What is not known of the colours (table E-3).
const UNSPECIFIED: u32 = 2;
/// The matrix of BT.601 (table E-5).
const SMPTE170M: u32 = 6;
/// A video format that is not known (table E-2).
const NO_FORMAT: u32 = 5;
/// Motion vectors reach as far as they may (E.2.1).
const FARTHEST: u32 = 16;

/// The set, from its head on and without a start code, for pictures of `size`.
///
/// # Errors
/// What is wrong with it, in words that follow "the stream".
pub fn described(set: &[u8], size: (u32, u32)) -> Result<Vec<u8>, &'static str> {
    let broken = "has parameters that are cut off";
    let payload = without_escapes(set);
    let mut from = Reader::new(&payload);
    let mut to = Writer::default();
    // The head of the unit, profile, constraints, level.
    let profile = {
        to.bits(from.bits(8).ok_or(broken)?, 8);
        let profile = from.bits(8).ok_or(broken)?;
        to.bits(profile, 8);
        to.bits(from.bits(16).ok_or(broken)?, 16);
        profile
    };
    to.number(from.number().ok_or(broken)?);
    if HIGH.contains(&profile) {
        let chroma = from.number().ok_or(broken)?;
        to.number(chroma);
        if chroma != YUV420 {
            return Err("has another chroma than 4:2:0");
        }
        // Depths of luma and chroma.
        for _ in 0..2 {
            to.number(from.number().ok_or(broken)?);
        }
        to.bits(from.bits(1).ok_or(broken)?, 1);
        let matrices = from.bits(1).ok_or(broken)?;
        to.bits(matrices, 1);
        if matrices != 0 {
            return Err("has scaling matrices of its own");
        }
    }
    let references = order_and_references(&mut from, &mut to).ok_or(broken)?;
    // Width and height in blocks of 16, less one.
    let blocks = [from.number().ok_or(broken)?, from.number().ok_or(broken)?];
    blocks.into_iter().for_each(|side| to.number(side));
    let whole = blocks.map(|side| u64::from(side) * 16 + 16);
    let wanted = [size.0, size.1].map(|side| u64::from(side).next_multiple_of(16));
    if whole != wanted {
        return Err("has pictures of another size");
    }
    if from.bits(1).ok_or(broken)? != 1 {
        return Err("is interlaced");
    }
    to.bits(1, 1);
    to.bits(from.bits(1).ok_or(broken)?, 1);
    cut(&mut to, whole, size);
    shown(&mut to, references);
    Ok(with_escapes(&to.end()))
}

/// How pictures are numbered; how many are referred to is returned.
fn order_and_references(from: &mut Reader<'_>, to: &mut Writer) -> Option<u32> {
    to.number(from.number()?);
    let kind = from.number()?;
    to.number(kind);
    match kind {
        0 => to.number(from.number()?),
        1 => {
            to.bits(from.bits(1)?, 1);
            // What is signed is written like what is not.
            to.number(from.number()?);
            to.number(from.number()?);
            let count = from.number()?;
            to.number(count);
            for _ in 0..count.min(255) {
                to.number(from.number()?);
            }
        }
        _ => {}
    }
    let references = from.number()?;
    to.number(references);
    to.bits(from.bits(1)?, 1);
    Some(references)
}

/// What of the coded picture is none, in steps of two pixels.
fn cut(to: &mut Writer, whole: [u64; 2], size: (u32, u32)) {
    let right = (whole[0] - u64::from(size.0)) as u32 / 2;
    let bottom = (whole[1] - u64::from(size.1)) as u32 / 2;
    let is_cut = right > 0 || bottom > 0;
    to.bits(is_cut.into(), 1);
    if is_cut {
        [0, right, 0, bottom]
            .into_iter()
            .for_each(|side| to.number(side));
    }
}

/// How pictures are shown.
fn shown(to: &mut Writer, references: u32) {
    to.bits(1, 1);
    // Nothing of the shape of pixels, and of what may be hidden.
    to.bits(0b00, 2);
    to.bits(1, 1);
    to.bits(NO_FORMAT, 3);
    // Full range, and what is known of the colours.
    to.bits(0b11, 2);
    for kind in [UNSPECIFIED, UNSPECIFIED, SMPTE170M] {
        to.bits(kind, 8);
    }
    // Nothing of where chroma lies, of timing, of buffers, of the structure of pictures.
    to.bits(0b0_0000, 5);
    // Restrictions: vectors may point outside, pictures have any size, and none waits for another.
    to.bits(0b11, 2);
    for number in [0, 0, FARTHEST, FARTHEST, 0, references] {
        to.number(number);
    }
}

/// Reads bits, the highest first.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// So many bits, at most 32.
    fn bits(&mut self, count: usize) -> Option<u32> {
        (0..count).try_fold(0, |value: u32, _| {
            let byte = *self.bytes.get(self.at / 8)?;
            let bit = byte >> (7 - self.at % 8) & 1;
            self.at += 1;
            Some(value << 1 | u32::from(bit))
        })
    }

    /// A number by Exp-Golomb (9.1).
    fn number(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bits(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.bits(zeros)?;
        ((1u64 << zeros) - 1 + u64::from(rest)).try_into().ok()
    }
}

/// Writes bits, the highest first.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    count: usize,
}

impl Writer {
    fn bits(&mut self, value: u32, count: usize) {
        for n in (0..count).rev() {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = (value >> n & 1) as u8;
            if let Some(last) = self.bytes.last_mut() {
                *last |= bit << (7 - self.count % 8);
            }
            self.count += 1;
        }
    }

    fn number(&mut self, number: u32) {
        let code = u64::from(number) + 1;
        let length = code.ilog2() as usize;
        self.bits(0, length);
        self.bits(1, 1);
        self.bits((code - (1 << length)) as u32, length);
    }

    /// The bytes, with the end of the unit.
    fn end(mut self) -> Vec<u8> {
        self.bits(1, 1);
        self.bytes
    }
}

/// Without the bytes that keep a unit from looking like a start code (7.4.1).
fn without_escapes(unit: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for byte in unit {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        bytes.push(*byte);
    }
    bytes
}

/// With them.
fn with_escapes(bytes: &[u8]) -> Vec<u8> {
    let mut unit = Vec::with_capacity(bytes.len() + 4);
    let mut zeros = 0;
    for byte in bytes {
        if zeros >= 2 && *byte <= 3 {
            unit.push(3);
            zeros = 0;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        unit.push(*byte);
    }
    unit
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a Raspberry Pi's kind: baseline, level 4.0, 1920x1088 without a cut, and nothing of colours.
    fn bare(blocks: (u32, u32)) -> Vec<u8> {
        let mut to = Writer::default();
        [0x67, 66, 0xC0, 40]
            .into_iter()
            .for_each(|byte| to.bits(byte, 8));
        // Set 0; frame numbers; order as they come; one reference.
        [0, 4, 2, 1]
            .into_iter()
            .for_each(|number| to.number(number));
        to.bits(0, 1);
        to.number(blocks.0 - 1);
        to.number(blocks.1 - 1);
        // Frames only, any inference, not cut, nothing of how it is shown.
        to.bits(0b1100, 4);
        with_escapes(&to.end())
    }

    #[test]
    fn a_bare_set_says_size_and_colours_then() {
        let set = described(&bare((120, 68)), (1920, 1080)).unwrap();
        assert_eq!(set[..4], [0x67, 66, 0xC0, 40]);
        let payload = without_escapes(&set);
        let mut from = Reader::new(&payload);
        from.bits(32);
        let mut numbers = |count| {
            (0..count)
                .map(|_| from.number().unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(numbers(4), [0, 4, 2, 1]);
        from.bits(1);
        assert_eq!((from.number(), from.number()), (Some(119), Some(67)));
        assert_eq!(from.bits(3), Some(0b111), "frames, and a cut");
        let sides: Vec<_> = (0..4).filter_map(|_| from.number()).collect();
        assert_eq!(sides, [0, 0, 0, 4]);
        assert_eq!(from.bits(4), Some(0b1001));
        assert_eq!(from.bits(5), Some(0b1_0111), "full range");
        assert_eq!(from.bits(24), Some(0x02_0206));
        from.bits(7);
        let rest: Vec<_> = (0..6).filter_map(|_| from.number()).collect();
        assert_eq!(rest, [0, 0, 16, 16, 0, 1]);
        assert_eq!(from.bits(1), Some(1), "the end");
    }

    #[test]
    fn what_was_said_already_is_said_anew_and_stays_the_same_then() {
        let once = described(&bare((40, 30)), (640, 480)).unwrap();
        assert_eq!(described(&once, (640, 480)).unwrap(), once);
    }

    #[test]
    fn pictures_of_another_size_and_cut_off_sets_are_refused() {
        let set = bare((40, 30));
        assert!(described(&set, (640, 496)).unwrap_err().contains("size"));
        assert!(described(&set, (1280, 480)).unwrap_err().contains("size"));
        for length in 0..6 {
            assert!(described(&set[..length], (640, 480)).is_err(), "{length}");
        }
    }

    #[test]
    fn numbers_and_escapes_come_back_as_they_were() {
        let numbers = [0, 1, 2, 7, 8, 255, 65_535, u32::MAX - 1];
        let mut to = Writer::default();
        numbers.into_iter().for_each(|number| to.number(number));
        let bytes = to.end();
        let mut from = Reader::new(&bytes);
        assert_eq!(numbers.map(|_| from.number().unwrap()), numbers);
        let raw = [0, 0, 0, 0, 1, 0, 0, 3, 0, 0, 2, 9];
        let unit = with_escapes(&raw);
        assert!(!unit.windows(3).any(|at| at[..2] == [0, 0] && at[2] < 3));
        assert_eq!(without_escapes(&unit), raw);
    }
}
