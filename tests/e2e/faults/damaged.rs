//! JPEG pictures that begin and end well, and are damaged between.

use super::{
    Outcome, all,
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
