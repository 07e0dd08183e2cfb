//! The newest frame per rendition, and who wants what.
