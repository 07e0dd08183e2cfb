//! JPEG pictures that begin and end well, and are damaged between.

use streamd_tests::film;

use super::{
    Case, Outcome, all,
    pictures::{START_OF_FRAME, case, cut_in_the_middle, segment},
};

const START_OF_SCAN: u8 = 0xDA;

#[test]
fn a_picture_that_is_damaged_inside_and_ends_well_is_no_signal() {
    let lost = |name, breaks: fn(&mut Vec<u8>)| {
        case(
            name,
            breaks,
            Outcome::Lost(&["the camera sends broken pictures"]),
        )
    };
    all(vec![
        lost("cut, with FF D9", |jpeg| {
            cut_in_the_middle(jpeg);
            jpeg.extend([0xFF, 0xD9]);
        }),
        lost("512 bytes lost", |jpeg| {
            let middle = jpeg.len() / 2;
            jpeg.drain(middle..middle + 512);
        }),
        lost("zeros in the middle", |jpeg| {
            let (from, to) = (jpeg.len() / 2, jpeg.len() - 2);
            jpeg[from..to].fill(0);
        }),
        lost("12 bits", |jpeg| {
            let at = segment(jpeg, START_OF_FRAME);
            jpeg[at + 4] = 12;
        }),
        lost("5 components", |jpeg| {
            let at = segment(jpeg, START_OF_FRAME);
            jpeg[at + 9] = 5;
        }),
        lost("a Huffman table that does not exist", |jpeg| {
            let at = segment(jpeg, START_OF_SCAN);
            jpeg[at + 6] = 0x33;
        }),
        lost("a quantisation table that does not exist", |jpeg| {
            let at = segment(jpeg, START_OF_FRAME);
            jpeg[at + 12] = 3;
        }),
    ]);
}

/// One in some tens of the pictures that end in the data of another one can be decoded to the end.
#[test]
fn a_picture_that_seems_whole_among_damaged_ones_is_shown_to_nobody() {
    let mut film = film::film("MJPG", (160, 120), true);
    film.iter_mut().skip(1).for_each(cut_in_the_middle);
    let damaged = Case {
        film,
        ..case(
            "one of eight",
            |_| (),
            Outcome::Lost(&["the camera sends broken pictures"]),
        )
    };
    all(vec![damaged]);
}
