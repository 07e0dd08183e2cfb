//! Frames that do not come, or that the driver says are broken.

use streamd_tests::{
    device::orders::{Fault, Frames, Model, When},
    film,
};

use super::{BROKEN, Case, all};

/// A film that the camera knows is damaged: nobody is to see it.
fn damaged(model: &Model) -> Vec<Vec<u8>> {
    film::film(&model.formats[0].fourcc, (160, 120), true)
}

fn case(
    name: &'static str,
    model: Model,
    what: Frames,
    when: When,
    case: fn(&'static str, &[Fault]) -> Case,
) -> Case {
    let film = Fault::Frames(Frames::Film(BROKEN.into()), when);
    let film_of = damaged(&model);
    Case {
        film: film_of,
        ..case(name, &[film, Fault::Frames(what, when)]).of(model)
    }
}

#[test]
fn without_frames_there_is_no_signal() {
    let missing = |when| Fault::Frames(Frames::Missing, when);
    all(vec![
        Case::lost("none", &[missing(When::Always)], &["no frames"]),
        Case::lost(
            "none from the start",
            &[missing(When::Always)],
            &["no frames"],
        )
        .early(),
        Case::lost("no JPEG", &[missing(When::Always)], &["no frames"]).of(Model::mjpg()),
        Case::flows("each 3rd is lost", &[missing(When::Each(3))]),
        Case::flows("1 of 10 comes", &[missing(When::AllBut(10))]),
    ]);
}

#[test]
fn frames_that_the_driver_calls_broken_are_shown_to_nobody() {
    use Frames::{Bytes, Flagged, Half};
    let lost = |name, model, what, reason| {
        let mut case = case(name, model, what, When::Always, |name, faults| {
            Case::lost(name, faults, &[])
        });
        case.outcome = super::Outcome::Lost(reason);
        case
    };
    let flows = |name, model, what, when, share| {
        let mut case = case(name, model, what, when, Case::flows);
        case.outcome = super::Outcome::Flows(share);
        case
    };
    let (yuyv, mjpg) = (Model::yuyv, Model::mjpg);
    all(vec![
        lost(
            "flagged",
            yuyv(),
            Flagged,
            &["broken pictures", "marks them as damaged"],
        ),
        lost(
            "flagged JPEG",
            mjpg(),
            Flagged,
            &["broken pictures", "marks them as damaged"],
        ),
        lost("empty", yuyv(), Bytes(0), &["broken pictures", "empty"]),
        lost(
            "empty JPEG",
            mjpg(),
            Bytes(0),
            &["broken pictures", "empty"],
        ),
        lost(
            "half",
            yuyv(),
            Half,
            &["broken pictures", "19200 bytes of 38400"],
        ),
        flows("each 2nd flagged", yuyv(), Flagged, When::Each(2), 20),
        flows("each 2nd empty JPEG", mjpg(), Bytes(0), When::Each(2), 20),
        flows(
            "all but each 5th flagged",
            yuyv(),
            Flagged,
            When::AllBut(5),
            10,
        ),
    ]);
}

#[test]
fn more_bytes_than_a_buffer_has_are_not_believed() {
    let over = |bytes| Fault::Frames(Frames::Bytes(bytes), When::Always);
    all(vec![
        Case::flows("some more", &[over(200_000)]),
        Case::flows("as many as there are", &[over(u32::MAX)]),
        Case::flows("some more, JPEG", &[over(200_000)]).of(Model::mjpg()),
    ]);
}
