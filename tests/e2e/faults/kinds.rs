//! JPEG pictures of kinds that cameras rarely send, and of sizes that were not agreed.

use streamd_tests::{
    device::orders::{Fault, Frames, Model, When},
    film::{Filmed, PICTURES},
};

use super::{BROKEN, Case, all};

fn film_of(jpeg: fn(&Filmed) -> Vec<u8>) -> Vec<Vec<u8>> {
    let filmed = |number| Filmed {
        width: 160,
        height: 120,
        number,
        damaged: false,
    };
    (0..PICTURES).map(|number| jpeg(&filmed(number))).collect()
}

fn case(name: &'static str, film: Vec<Vec<u8>>) -> Case {
    let fault = Fault::Frames(Frames::Film(BROKEN.into()), When::Always);
    Case {
        film,
        ..Case::flows(name, &[fault]).of(Model::mjpg())
    }
}

#[test]
fn every_kind_that_can_be_decoded_is_shown() {
    all(vec![
        case(
            "4:2:0",
            film_of(|it| it.jpeg(|coder| coder.set_chroma_sampling_pixel_sizes((2, 2), (2, 2)))),
        ),
        case(
            "4:4:4",
            film_of(|it| it.jpeg(|coder| coder.set_chroma_sampling_pixel_sizes((1, 1), (1, 1)))),
        ),
        case(
            "4:4:0",
            film_of(|it| it.jpeg(|coder| coder.set_chroma_sampling_pixel_sizes((1, 2), (1, 2)))),
        ),
        case(
            "Huffman tables of its own",
            film_of(|it| it.jpeg(|coder| coder.set_optimize_coding(true))),
        ),
        case(
            "progressive",
            film_of(|it| it.jpeg(|coder| coder.set_progressive_mode())),
        ),
        case(
            "of another quality",
            film_of(|it| it.jpeg(|coder| coder.set_quality(30.0))),
        ),
    ]);
}
