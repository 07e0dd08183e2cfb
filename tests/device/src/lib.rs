//! A V4L2 camera that does not exist: a library that is preloaded into a program, and answers for
//! the nodes `videoN` of one folder as the kernel would for a camera, or as a broken one would.
//!
//! `STREAMD_TESTS_DEVICES` names the folder. `dev/videoN` in it is a node: a plain file that may come
//! and go, and holds the format that is set. `videoN.json` has the camera's [`orders`], which may
//! change at any time; `videoN.calls` gets a line for each call. `films/NAME` has frames, which are repeated. The
//! program takes `dev` for its `/dev`, as far as cameras go.
//!
//! - [`symbols`]: the functions of the C library that are answered here, and the way to the real ones.
//! - [`camera`]: a node, its orders, and which call is to fail.
//! - [`open`]: an open descriptor; [`answers`]: its ioctls; [`lists`]: what it offers; [`controls`]:
//!   what can be set; [`buffers`]: its frames.
//! - [`encoder`]: all of that for a device that encodes.

mod answers;
mod buffers;
mod camera;
mod controls;
mod encoder;
mod lists;
mod open;
pub mod orders;
mod symbols;
