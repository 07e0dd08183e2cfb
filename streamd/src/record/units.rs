//! H.264 as files have it: units behind their lengths, where the stream has start codes.

use memchr::memmem;

/// Between two units: this, mostly with one more zero before it.
const START: &[u8] = &[0, 0, 1];

const SEQUENCE: u8 = 7;
const PICTURE: u8 = 8;
const DELIMITER: u8 = 9;

/// What a decoder must know before the first picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterSets {
    /// The sequence parameter set.
    pub sequence: Vec<u8>,
    /// The picture parameter sets; at least one.
    pub pictures: Vec<Vec<u8>>,
}

impl ParameterSets {
    /// Those of a key; `None` where it has none.
    pub fn of(key: &[u8]) -> Option<Self> {
        let of = |kind| units(key).filter(move |unit| unit[0] & 0x1F == kind);
        let pictures: Vec<_> = of(PICTURE).map(<[u8]>::to_vec).collect();
        let sequence = of(SEQUENCE).find(|unit| unit.len() >= 4)?.to_vec();
        (!pictures.is_empty()).then_some(Self { sequence, pictures })
    }
}

/// A picture with start codes as one with lengths; the parameter sets are in the file's head.
pub fn with_lengths(picture: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(picture.len() + 8);
    for unit in units(picture) {
        if !matches!(unit[0] & 0x1F, SEQUENCE | PICTURE | DELIMITER) {
            bytes.extend_from_slice(&(unit.len() as u32).to_be_bytes());
            bytes.extend_from_slice(unit);
        }
    }
    bytes
}

/// The units of a picture that is written with start codes; none is empty.
fn units(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts = memmem::find_iter(bytes, START).map(|at| at + START.len());
    let mut starts = starts.peekable();
    std::iter::from_fn(move || {
        let start = starts.next()?;
        let next = starts.peek().map_or(bytes.len(), |next| next - START.len());
        let unit = &bytes[start..next];
        // A unit does not end with zeros: they belong to the start code behind it.
        let zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
        Some(&unit[..unit.len() - zeros])
    })
    .filter(|unit| !unit.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameter_sets_go_into_the_head_and_the_rest_behind_lengths() {
        let key = [
            &[0, 0, 0, 1, 0x67, 66, 0, 31, 9][..],
            &[0, 0, 0, 1, 0x68, 5],
            &[0, 0, 1, 0x06, 7, 7],
            &[0, 0, 0, 1, 0x65, 1, 2, 3],
        ]
        .concat();
        let sets = ParameterSets::of(&key).unwrap();
        assert_eq!(sets.sequence, [0x67, 66, 0, 31, 9]);
        assert_eq!(sets.pictures, [[0x68, 5]]);
        assert_eq!(
            with_lengths(&key),
            [0, 0, 0, 3, 6, 7, 7, 0, 0, 0, 4, 0x65, 1, 2, 3]
        );
        assert_eq!(ParameterSets::of(&[0, 0, 1, 0x65, 1]), None);
        assert_eq!(
            ParameterSets::of(&[0, 0, 1, 0x67, 66, 0, 0, 1, 0x68, 1]),
            None
        );
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_without_a_panic(bytes: Vec<u8>) {
            let _ = ParameterSets::of(&bytes);
            prop_assert!(with_lengths(&bytes).len() <= bytes.len() + bytes.len() / 3 + 4);
        }
    }
}
