//! What a watch knows at one moment, and who is shown it.

use std::{io, time::Duration};

use serde::Serialize;

use super::measure::Reading;

/// Where the connection stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum State {
    /// A connection is being made.
    #[default]
    Connecting,
    /// It is there, and no picture has come on it yet.
    Connected,
    /// Pictures come.
    Live,
    /// What comes stands in for the pictures of a camera that gives none.
    NoSignal,
    /// There is none; the next attempt follows.
    Waiting {
        /// Why the last one was lost or could not be made.
        cause: String,
        /// When, since the start of the session.
        until: Duration,
    },
}

/// What the server says it sends, and what the pictures say of themselves.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rendition {
    /// The camera's name; empty while unknown.
    pub camera: String,
    /// Pixels; 0 while unknown.
    pub width: u32,
    /// Pixels; 0 while unknown.
    pub height: u32,
    /// JPEG quality, 1–100; 0 while unknown.
    pub quality: u8,
    /// Frames a second at most; 0 while unknown.
    pub max_fps: f64,
    /// Why it is this one; empty where there is nothing to say.
    pub reason: String,
}

/// What is shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    /// Where the connection stands.
    pub state: State,
    /// The attempt under way: `2 of 5`; empty for the first connection.
    pub attempt: String,
    /// What is received.
    pub rendition: Rendition,
    /// The figures.
    pub reading: Reading,
}

/// Who is shown a watch: the screen, or lines on standard output.
pub trait Front {
    /// The state or the rendition has changed.
    ///
    /// # Errors
    /// When it can show nothing any more; that ends the watch.
    fn changed(&mut self, view: &View) -> io::Result<()>;

    /// A picture came: a JPEG file.
    fn picture(&mut self, jpeg: &[u8]);

    /// Something that people should know.
    ///
    /// # Errors
    /// As of [`Front::changed`].
    fn notice(&mut self, message: &str) -> io::Result<()>;

    /// New figures, every [`Front::interval`].
    ///
    /// # Errors
    /// As of [`Front::changed`].
    fn figures(&mut self, view: &View) -> io::Result<()>;

    /// How often it wants figures.
    fn interval(&self) -> Duration;
}
