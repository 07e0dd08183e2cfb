//! Broken JPEG pictures: none of them reaches a viewer.

use streamd_tests::{
    device::orders::{Fault, Frames, Model, When},
    film,
};

use super::{BROKEN, Case, MOST, Outcome, all};

/// A camera whose JPEG pictures have all been through `breaks`, and what is to come of it.
pub(super) fn case(name: &'static str, breaks: fn(&mut Vec<u8>), outcome: Outcome) -> Case {
    let mut film = film::film("MJPG", (160, 120), false);
    film.iter_mut().for_each(breaks);
    let fault = Fault::Frames(Frames::Film(BROKEN.into()), When::Always);
    Case {
        outcome,
        film,
        ..Case::flows(name, &[fault]).of(Model::mjpg())
    }
}

/// Where the first segment with this marker begins.
pub(super) fn segment(jpeg: &[u8], marker: u8) -> usize {
    let mut at = 2;
    while jpeg[at + 1] != marker {
        at += 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
    }
    at
}

/// Takes a segment out.
fn without(jpeg: &mut Vec<u8>, marker: u8) {
    let at = segment(jpeg, marker);
    let length = usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
    jpeg.drain(at..at + 2 + length);
}

pub(super) fn cut_in_the_middle(jpeg: &mut Vec<u8>) {
    jpeg.truncate(jpeg.len() / 2);
}

pub(super) const START_OF_FRAME: u8 = 0xC0;
const HUFFMAN: u8 = 0xC4;
const QUANTISATION: u8 = 0xDB;

#[test]
fn pictures_that_can_not_be_decoded_are_no_signal() {
    let lost = |name, breaks: fn(&mut Vec<u8>), reason| case(name, breaks, Outcome::Lost(reason));
    const BROKEN: &str = "the camera sends broken pictures";
    all(vec![
        lost("cut in the middle", cut_in_the_middle, &[BROKEN, "data"]),
        lost(
            "cut in the header",
            |jpeg| jpeg.truncate(100),
            &[BROKEN, "header"],
        ),
        lost("without FF D8", |jpeg| jpeg[0] = 0, &[BROKEN, "FF D8"]),
        lost("zeros", |jpeg| jpeg.fill(0), &[BROKEN]),
        lost(
            "noise",
            |jpeg| {
                jpeg.iter_mut()
                    .enumerate()
                    .for_each(|(n, byte)| *byte = (n * n % 251) as u8)
            },
            &[BROKEN],
        ),
        lost(
            "only FF D8 and FF D9",
            |jpeg| *jpeg = vec![0xFF, 0xD8, 0xFF, 0xD9],
            &[BROKEN],
        ),
        lost(
            "without quantisation tables",
            |jpeg| {
                while jpeg.windows(2).any(|marker| marker == [0xFF, QUANTISATION]) {
                    without(jpeg, QUANTISATION);
                }
            },
            &[BROKEN, "quantisation table"],
        ),
        lost(
            "height 0",
            |jpeg| {
                let at = segment(jpeg, START_OF_FRAME);
                jpeg[at + 5..at + 7].fill(0);
            },
            &[BROKEN],
        ),
    ]);
}

#[test]
fn careless_pictures_are_shown() {
    let flows = |name, breaks: fn(&mut Vec<u8>)| case(name, breaks, Outcome::Flows(MOST));
    all(vec![
        flows("without FF D9", |jpeg| jpeg.truncate(jpeg.len() - 2)),
        flows("zeros behind the end", |jpeg| jpeg.extend([0; 500])),
        flows("without Huffman tables", |jpeg| {
            while jpeg[..400]
                .windows(2)
                .any(|marker| marker == [0xFF, HUFFMAN])
            {
                without(jpeg, HUFFMAN);
            }
        }),
        flows("bytes of an older picture behind the end", |jpeg| {
            let stale = jpeg[jpeg.len() / 2..].to_vec();
            jpeg.extend(stale);
        }),
        flows("a segment with a length that leads nowhere", |jpeg| {
            jpeg.splice(2..2, [0xFF, 0xE2, 0xFF, 0xFF, 1, 2, 3]);
        }),
    ]);
}

#[test]
fn one_broken_picture_in_five_is_left_out() {
    let mut case = case("each 5th is cut", cut_in_the_middle, Outcome::Flows(MOST));
    case.faults = vec![Fault::Frames(Frames::Film(BROKEN.into()), When::Each(5))];
    let mut reencoded = self::case(
        "each 5th is cut, encoded anew",
        cut_in_the_middle,
        Outcome::Flows(MOST),
    );
    reencoded.faults.clone_from(&case.faults);
    reencoded.keys = "passthrough = false";
    all(vec![case, reencoded]);
}

#[test]
fn pictures_that_are_cut_or_written_upon_are_looked_at_first() {
    // All of a picture is used and a blank is written, so that it still shows the film.
    let cut = "crop = \"16384x16384+0+0\"";
    let written = "text = \" \"";
    let with = |keys, case| Case { keys, ..case };
    let lost = |name| {
        let reason = &["the camera sends broken pictures", "data"];
        case(name, cut_in_the_middle, Outcome::Lost(reason))
    };
    let larger = |name| Case {
        film: film::film("MJPG", (320, 240), false),
        ..case(name, |_| (), Outcome::Flows(MOST))
    };
    let mut some = case("each 5th, cut", cut_in_the_middle, Outcome::Flows(MOST));
    some.faults = vec![Fault::Frames(Frames::Film(BROKEN.into()), When::Each(5))];
    all(vec![
        with(cut, lost("broken, cut")),
        with(written, lost("broken, written upon")),
        with(cut, larger("larger, cut")),
        with(written, larger("larger, written upon")),
        with(cut, some),
    ]);
}
