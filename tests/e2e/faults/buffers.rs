//! Drivers that grant few buffers: v4l2loopback two, some laptops' cameras three.

use streamd_tests::device::orders::{Fault, Frames, Model, When};

use super::{Case, all};

#[test]
fn any_number_of_buffers_will_do() {
    let few = |name, count, model| {
        Case::flows(name, &[Fault::Buffers(count)])
            .of(model)
            .early()
    };
    all(vec![
        few("1 of pixels", 1, Model::yuyv()),
        few("2 of pixels", 2, Model::yuyv()),
        few("3 of pixels", 3, Model::yuyv()),
        few("4 of pixels", 4, Model::of("NV12")),
        few("1 of JPEG", 1, Model::mjpg()),
        few("2 of JPEG", 2, Model::mjpg()),
        few("3 of grey", 3, Model::of("GREY")),
        Case::lost("none", &[Fault::Buffers(0)], &["VIDIOC_REQBUFS"]).early(),
    ]);
}

#[test]
fn a_buffer_that_does_not_exist_ends_nothing() {
    let index = |index, when| Fault::Frames(Frames::Index(index), when);
    all(vec![
        Case::flows("99 once", &[index(99, When::First(1))]),
        Case::lost("99 always", &[index(99, When::Always)], &["VIDIOC_DQBUF"]),
        Case::lost(
            "the largest",
            &[index(u32::MAX, When::Always)],
            &["VIDIOC_DQBUF"],
        ),
    ]);
}
