//! From a [`RawFrame`](crate::frame::RawFrame) to JPEG: mozjpeg, or pass-through for cameras that deliver JPEG.
