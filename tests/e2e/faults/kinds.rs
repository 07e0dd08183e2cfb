//! JPEG pictures of kinds that cameras rarely send, and of sizes that were not agreed.

use streamd_tests::{
    device::orders::{Fault, Frames, Model, When},
    film::{self, Filmed, PICTURES},
};

use super::{BROKEN, Case, all, scene::Scene};

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

#[test]
fn a_picture_of_another_size_than_agreed_is_shown_as_it_is() {
    let large = film::film("MJPG", (320, 240), false);
    let small = film::film("MJPG", (160, 120), false);
    // Three of one size, then three of the other.
    let pairs = large.chunks(3).zip(small.chunks(3));
    let mixed = pairs
        .flat_map(|(large, small)| [large, small].concat())
        .collect();
    let reencoded = Case {
        keys: "passthrough = false",
        ..case("larger, encoded anew", large.clone())
    };
    all(vec![
        case("larger", large),
        case("changing again and again", mixed),
        reencoded,
        case(
            "rows that are no whole blocks",
            film::film("MJPG", (168, 124), false),
        ),
    ]);
}

#[test]
fn the_figures_follow_the_size_of_the_picture() {
    let mut scene = Scene::of(&case("", film::film("MJPG", (320, 240), false)));
    scene.sees_film();
    assert_eq!(scene.viewer.picture().size, (160, 120));
    scene
        .device
        .fault(&[Fault::Frames(Frames::Film(BROKEN.into()), When::Always)]);
    let picture = scene
        .viewer
        .picture_that("the larger one", |p| p.size == (320, 240));
    film::shown(&picture, false).unwrap();
    let camera = scene
        .daemon
        .wait_for_stats("its size", |stats| stats.cameras[0].width == 320);
    assert_eq!(camera.cameras[0].height, 240);
    scene.device.heal();
    scene
        .viewer
        .picture_that("the agreed one", |p| p.size == (160, 120));
    scene.ends();
}
