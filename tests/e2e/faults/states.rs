//! Faults that begin while a camera is off, or together with a reload.

use nix::libc::{EBUSY, EINVAL, EIO, ENODEV};
use streamd_tests::device::orders::{Call, Fault, Frames, Model, When};

use super::{Begins, Case, all, calls::fails};

/// Faults that each show at another step of a start.
fn faults(begins: Begins) -> Vec<Case> {
    let missing = Fault::Frames(Frames::Missing, When::Always);
    let lost = |name, fault, reason| Case::lost(name, &[fault], reason).begins(begins);
    vec![
        lost("S_FMT: EBUSY", fails(Call::SetFmt, EBUSY), &["in use by"]),
        lost(
            "REQBUFS: EBUSY",
            fails(Call::ReqBufs, EBUSY),
            &["in use by"],
        ),
        lost(
            "QUERYBUF: EINVAL",
            fails(Call::QueryBuf, EINVAL),
            &["VIDIOC_QUERYBUF"],
        ),
        lost(
            "STREAMON: EIO",
            fails(Call::StreamOn, EIO),
            &["VIDIOC_STREAMON", "I/O error"],
        ),
        lost("DQBUF: ENODEV", fails(Call::DqBuf, ENODEV), &["unplugged"]),
        lost("no frames", missing, &["no frames"]),
        Case::flows("2 buffers", &[Fault::Buffers(2)]).begins(begins),
        Case::flows("2 buffers, JPEG", &[Fault::Buffers(2)])
            .of(Model::mjpg())
            .begins(begins),
        Case::flows("STREAMOFF: EIO", &[fails(Call::StreamOff, EIO)]).begins(begins),
    ]
}

#[test]
fn a_fault_that_began_while_the_camera_was_off() {
    all(faults(Begins::Idle));
}

#[test]
fn a_fault_that_begins_with_a_reload() {
    all(faults(Begins::Reload));
}
