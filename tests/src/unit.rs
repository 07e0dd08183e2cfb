//! A picture in H.264 as a client gets it, looked at from outside.

use openh264::{decoder::Decoder, formats::YUVSource};
use streamd_protocol::stream::AppSegment;

/// What stands before each NAL unit.
const START: [u8; 4] = [0, 0, 0, 1];

/// An access unit that says where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its NAL units, each behind a start code.
    pub bytes: Vec<u8>,
    /// What it says of itself.
    pub app: AppSegment,
    /// Whether it needs none before it.
    pub key: bool,
}

impl Unit {
    /// Takes it apart.
    ///
    /// # Panics
    /// If it does not begin with a start code, or does not say where it comes from.
    #[track_caller]
    pub fn new(bytes: Vec<u8>) -> Self {
        assert!(bytes.starts_with(&START), "{:?}", &bytes[..4]);
        let app = AppSegment::find_in_h264(&bytes).expect("a unit has the label of streamd");
        let kinds = bytes.windows(5).filter(|at| at.starts_with(&START));
        let kinds: Vec<_> = kinds.map(|at| at[4] & 0x1F).collect();
        let key = kinds.contains(&5);
        assert_eq!(
            kinds.contains(&7),
            key,
            "parameter sets stand before keys: {kinds:?}"
        );
        Self { bytes, app, key }
    }

    /// Whether no other picture refers to it (ITU-T H.264, `nal_ref_idc`).
    pub fn is_droppable(&self) -> bool {
        let mut kinds = self.bytes.windows(5).filter(|at| at.starts_with(&START));
        !kinds.any(|at| matches!(at[4] & 0x1F, 1 | 5) && at[4] >> 5 & 3 > 0)
    }

    /// The units of a byte stream, as far as each is followed by another one.
    pub fn split(stream: &[u8]) -> Vec<Self> {
        // Each begins with its label, a unit of supplemental information.
        let label = [0, 0, 0, 1, 6, 5];
        let all = stream.windows(label.len()).enumerate();
        let begins: Vec<_> = all.filter(|(_, at)| *at == label).map(|(n, _)| n).collect();
        let pairs = begins.windows(2);
        pairs
            .map(|pair| Self::new(stream[pair[0]..pair[1]].to_vec()))
            .collect()
    }
}

/// What is seen of pictures that build on one another.
pub struct Screen(Decoder);

impl Screen {
    /// Nothing is seen yet.
    ///
    /// # Panics
    /// If there is no decoder.
    #[track_caller]
    pub fn new() -> Self {
        Self(Decoder::new().expect("a decoder"))
    }

    /// Shows a unit: width, height, and the mean of its luma.
    ///
    /// # Panics
    /// If it can't be decoded after those before it.
    #[track_caller]
    pub fn show(&mut self, unit: &Unit) -> (usize, usize, f64) {
        let decoded = self
            .0
            .decode(&unit.bytes)
            .expect("a unit that can be decoded");
        let shown = decoded.expect("no picture is held back");
        let (width, height) = shown.dimensions();
        let (line, luma) = (shown.strides().0, shown.y());
        let rows = (0..height).map(|row| &luma[row * line..][..width]);
        let sum: u64 = rows.flatten().map(|level| u64::from(*level)).sum();
        (width, height, sum as f64 / (width * height) as f64)
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}
