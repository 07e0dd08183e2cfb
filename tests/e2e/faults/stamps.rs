//! Time stamps and numbers of frames that make no sense: the rate is kept.

use streamd_tests::device::orders::{Fault, Frames, Model, Number, Stamp, When};

use super::{Case, Outcome, all};

#[test]
fn the_rate_does_not_suffer_from_time_stamps() {
    let stamps = [
        ("none", Stamp::Zero),
        ("slightly backwards", Stamp::Backwards),
        ("whole seconds", Stamp::Coarse),
        ("all the same", Stamp::Same),
        ("an hour ahead", Stamp::Future),
        ("an hour ago", Stamp::Past),
        ("backwards", Stamp::Reverse),
    ];
    let cases = stamps.iter().flat_map(|&(name, stamp)| {
        let fault = [Fault::Frames(Frames::Stamp(stamp), When::Always)];
        // Twice as many as are asked for: half of them is right.
        let fast = Model {
            fps: vec![50],
            ..Model::yuyv()
        };
        let paced = Case::flows(name, &fault).of(fast);
        let paced = Case {
            keys: "fps = 25",
            outcome: Outcome::Flows(20),
            ..paced
        };
        [Case::flows(name, &fault), paced]
    });
    all(cases.collect());
}

#[test]
fn the_numbers_of_frames_are_only_a_hint() {
    let numbers = [
        ("all the same", Number::Same),
        ("far apart", Number::Jumps),
        ("backwards", Number::Reverse),
        ("beginning again", Number::Wraps),
    ];
    let fault = |number| [Fault::Frames(Frames::Number(number), When::Always)];
    let case = |(name, number)| Case::flows(name, &fault(number));
    all(numbers.map(case).into());
}
