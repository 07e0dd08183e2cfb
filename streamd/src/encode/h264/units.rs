//! What the encoder has made: NAL units in the byte stream format.

use bytes::Bytes;

/// An encoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its NAL units, each after a start code.
    pub bytes: Bytes,
    /// It needs no picture before it.
    pub key: bool,
    /// No picture after it needs it.
    pub droppable: bool,
}

/// NAL unit types of a picture's slices (ITU-T H.264, table 7-1).
const SLICE: u8 = 1;
const SLICE_OF_KEY: u8 = 5;

/// The picture that these bytes are.
pub fn unit(bytes: Vec<u8>) -> Unit {
    let slices = || starts(&bytes).map(|at| bytes[at]).filter(is_slice);
    let key = slices().any(|head| head & 0x1F == SLICE_OF_KEY);
    let droppable = slices().all(|head| head >> 5 & 3 == 0);
    Unit {
        bytes: bytes.into(),
        key,
        droppable,
    }
}

/// Whether a NAL unit that begins with this byte is a part of a picture.
pub fn is_slice(head: &u8) -> bool {
    matches!(head & 0x1F, SLICE | SLICE_OF_KEY)
}

/// Where NAL units begin, behind their start codes.
pub fn starts(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let ones = memchr::memchr_iter(1, bytes);
    ones.filter(|at| bytes[..*at].ends_with(&[0, 0]) && at + 1 < bytes.len())
        .map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_says_whether_it_is_a_key_and_whether_it_may_be_left_out() {
        let of = |heads: &[u8]| {
            let bytes = heads.iter().flat_map(|head| [0, 0, 0, 1, *head, 9, 0, 7]);
            let unit = unit(bytes.collect());
            (unit.key, unit.droppable)
        };
        assert_eq!(of(&[0x06, 0x67, 0x68, 0x65]), (true, false));
        assert_eq!(of(&[0x06, 0x61]), (false, false));
        assert_eq!(of(&[0x06, 0x01]), (false, true));
        assert_eq!(starts(&[0, 0, 1]).count(), 0, "nothing behind it");
    }
}
