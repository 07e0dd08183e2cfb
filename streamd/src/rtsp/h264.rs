//! H.264 pictures as payload (RFC 6184, packetization-mode 1): a unit that fits is a packet, a
//! longer one is cut (FU-A).

use std::ops::Range;

use base64::{Engine, prelude::BASE64_STANDARD};
use memchr::memmem;

use super::payload::Pieces;

/// Between two units: this, mostly with one more zero before it.
const START: &[u8] = &[0, 0, 1];

/// The kinds of units that are looked at.
const SEQUENCE_PARAMETERS: u8 = 7;
const PICTURE_PARAMETERS: u8 = 8;
const DELIMITER: u8 = 9;

/// A packet with a part of a unit.
const FRAGMENT: u8 = 28;

/// The units of a picture that is written with start codes (Annex B), where they are.
fn units(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let starts = memmem::find_iter(bytes, START).map(|at| at + START.len());
    let mut starts = starts.peekable();
    std::iter::from_fn(move || {
        let start = starts.next()?;
        let next = starts.peek().map_or(bytes.len(), |next| next - START.len());
        // A unit does not end with zeros: they belong to the start code behind it.
        let zeros = bytes[start..next]
            .iter()
            .rev()
            .take_while(|byte| **byte == 0);
        Some(start..next - zeros.count())
    })
    .filter(|unit| !unit.is_empty())
}

fn kind(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |first| first & 0x1F)
}

/// Appends a picture in pieces of `most` bytes at most.
pub fn cut(bytes: &[u8], most: usize, out: &mut Pieces) {
    for unit in units(bytes) {
        match kind(&bytes[unit.clone()]) {
            // Packets have a marker for that.
            DELIMITER => {}
            _ if unit.len() <= most => out.push(&[], unit),
            _ => fragments(bytes[unit.start], unit, most, out),
        }
    }
}

/// Appends a unit in parts, without its first byte, which is in the header of each.
fn fragments(first: u8, unit: Range<usize>, most: usize, out: &mut Pieces) {
    const BEGIN: u8 = 0x80;
    const END: u8 = 0x40;
    let room = most.saturating_sub(2).max(1);
    let mut start = unit.start + 1;
    while start < unit.end {
        let end = unit.end.min(start + room);
        let mut flags = first & 0x1F;
        if start == unit.start + 1 {
            flags |= BEGIN;
        }
        if end == unit.end {
            flags |= END;
        }
        out.push(&[first & 0xE0 | FRAGMENT, flags], start..end);
        start = end;
    }
}

/// What the description of a stream says that begins with this key: `packetization-mode`,
/// `profile-level-id` and `sprop-parameter-sets`, as far as they are known.
pub fn parameters(key: &[u8]) -> String {
    let mut text = "packetization-mode=1".to_owned();
    let of = |wanted: u8| {
        let found = units(key).find(|unit| kind(&key[unit.clone()]) == wanted);
        found.map(|unit| &key[unit])
    };
    if let (Some(sequence), Some(picture)) = (of(SEQUENCE_PARAMETERS), of(PICTURE_PARAMETERS))
        && let [_, profile, constraints, level, ..] = sequence
    {
        let [sequence, picture] = [sequence, picture].map(|set| BASE64_STANDARD.encode(set));
        text += &format!(
            ";profile-level-id={profile:02X}{constraints:02X}{level:02X};sprop-parameter-sets={sequence},{picture}"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a receiver makes of the pieces: the units, by RFC 6184 section 5.8.
    fn received(bytes: &[u8], most: usize) -> Vec<Vec<u8>> {
        let mut pieces = Pieces::default();
        cut(bytes, most, &mut pieces);
        let mut units: Vec<Vec<u8>> = Vec::new();
        let mut is_open = false;
        for piece in pieces.all {
            assert!(piece.length() <= most, "{piece:?}");
            let payload = [&pieces.heads[piece.head], &bytes[piece.picture]].concat();
            if kind(&payload) != FRAGMENT {
                assert!(!is_open);
                units.push(payload);
                continue;
            }
            let (begins, ends) = (payload[1] & 0x80 > 0, payload[1] & 0x40 > 0);
            assert!(begins != is_open && !(begins && ends));
            if begins {
                units.push(vec![payload[0] & 0xE0 | payload[1] & 0x1F]);
            }
            units.last_mut().unwrap().extend(&payload[2..]);
            is_open = !ends;
        }
        assert!(!is_open);
        units
    }

    const SPS: &[u8] = &[0x67, 0x42, 0xC0, 0x1F, 0x8C, 0x68];
    const PPS: &[u8] = &[0x68, 0xCE, 0x3C, 0x80];

    fn key(slice: &[u8]) -> Vec<u8> {
        let start = [0, 0, 0, 1];
        let delimiter = [9, 0xF0];
        [
            &start,
            &delimiter[..],
            &start,
            SPS,
            &start,
            PPS,
            &start[1..],
            slice,
        ]
        .concat()
    }

    #[test]
    fn units_that_fit_are_packets_and_others_are_cut() {
        let slice: Vec<u8> = std::iter::once(0x65)
            .chain((0..4999).map(|n| n as u8 | 1))
            .collect();
        let picture = key(&slice);
        for most in [3, 100, 1388, 4999, 5000, 16_000] {
            let wanted = [SPS.to_vec(), PPS.to_vec(), slice.clone()];
            assert_eq!(received(&picture, most), wanted, "{most}");
        }
        let mut pieces = Pieces::default();
        cut(&picture, 16_000, &mut pieces);
        assert_eq!(pieces.all.len(), 3);
        assert!(pieces.heads.is_empty());
    }

    #[test]
    fn the_description_has_the_parameters() {
        assert_eq!(
            parameters(&key(&[0x65, 1])),
            "packetization-mode=1;profile-level-id=42C01F;sprop-parameter-sets=Z0LAH4xo,aM48gA=="
        );
        assert_eq!(parameters(&[]), "packetization-mode=1");
    }

    proptest! {
        #[test]
        fn any_units_come_whole(units in prop::collection::vec(prop::collection::vec(1u8..=255, 1..300), 0..5), most in 3usize..200) {
            let units: Vec<_> = units.into_iter().filter(|unit| ![DELIMITER, FRAGMENT].contains(&kind(unit))).collect();
            let picture: Vec<u8> = units.iter().flat_map(|unit| [&[0, 0, 0, 1], &unit[..]].concat()).collect();
            prop_assert_eq!(received(&picture, most), units);
        }

        #[test]
        fn any_bytes_end_in_no_panic(bytes: Vec<u8>, most in 0usize..9) {
            cut(&bytes, most, &mut Pieces::default());
            parameters(&bytes);
        }
    }
}
