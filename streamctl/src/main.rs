//! Controls and watches streamd.
fn main() {}
