//! Cameras with the multi-planar API only, whose pictures may lie in several memories.

use streamd_tests::{
    device::orders::{Fault, Frames, Model, When},
    film,
};

use super::{BROKEN, Case, all};

fn of(fourcc: &str, name: &'static str, faults: &[Fault]) -> Case {
    Case::flows(name, faults)
        .early()
        .of(Model::multi_planar(fourcc))
}

#[test]
fn each_way_in_which_memories_hold_a_picture_is_understood() {
    let padding = Fault::Padding(24);
    let offset = Fault::DataOffset(64);
    all(vec![
        of("NM12", "two memories", &[]),
        of("YM12", "three memories", &[]),
        of("NV12", "two planes in one memory", &[]),
        of("YUYV", "one memory", &[]),
        of("MJPG", "JPEG", &[]),
        of("NM12", "lines with padding", std::slice::from_ref(&padding)),
        of("YM12", "lines with padding, all the same", &[padding]),
        of("NM12", "0 bytes a line", &[Fault::LineBytes(0)]),
        of(
            "NM12",
            "an offset in two memories",
            std::slice::from_ref(&offset),
        ),
        of(
            "YUYV",
            "an offset in one memory",
            std::slice::from_ref(&offset),
        ),
        of("MJPG", "an offset before JPEG", &[offset]),
        of("NM12", "2 buffers", &[Fault::Buffers(2)]),
        of("NM12", "1 buffer", &[Fault::Buffers(1)]),
    ]);
}

#[test]
fn what_is_no_whole_picture_is_shown_to_nobody() {
    let damaged = |fourcc: &str, name, what: &[Frames], reason| {
        let film = Fault::Frames(Frames::Film(BROKEN.into()), When::Always);
        let what = what.iter().cloned();
        let what = what.map(|what| Fault::Frames(what, When::Always));
        let faults: Vec<_> = what.chain([film]).collect();
        Case {
            film: film::film(fourcc, (160, 120), true),
            ..Case::lost(name, &faults, reason).of(Model::multi_planar(fourcc))
        }
    };
    // Of 160 x 120 pixels: 19200 bytes of luma, 9600 of chroma.
    all(vec![
        damaged(
            "NM12",
            "no chroma",
            &[Frames::Bytes(19_200)],
            &["broken pictures", "19200 bytes of 28800"],
        ),
        damaged(
            "YM12",
            "half of the last memory",
            &[Frames::Bytes(26_400)],
            &["broken pictures", "26400 bytes of 28800"],
        ),
        damaged(
            "YM12",
            "nothing",
            &[Frames::Bytes(0)],
            &["broken pictures", "empty"],
        ),
        damaged(
            "NM12",
            "flagged",
            &[Frames::Flagged],
            &["broken pictures", "marks them as damaged"],
        ),
    ]);
}

#[test]
fn memories_that_do_not_fit_the_format_are_refused_and_named() {
    let lost = |name, fault, reason| {
        Case::lost(name, &[fault], reason)
            .early()
            .of(Model::multi_planar("NM12"))
    };
    all(vec![
        lost(
            "3 for 2 planes",
            Fault::Memories(3),
            &["NM12 in 3 memories"],
        ),
        lost("none", Fault::Memories(0), &["NM12 in 0 memories"]),
        lost(
            "too small",
            Fault::BufferBytes(4096),
            &["4096 bytes", "28800"],
        ),
    ]);
}
