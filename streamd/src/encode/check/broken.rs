//! What can be wrong with a camera's picture, in words.

use crate::encode::jpeg::libjpeg;

/// Why a camera's picture cannot be shown. The words end as a reason: "broken pictures (…)".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The driver delivered no byte.
    #[error("they are empty")]
    Empty,
    /// Nothing but zeros.
    #[error("they are all zeros")]
    Zeros,
    /// No SOI.
    #[error("they have no beginning (FF D8)")]
    NoStart,
    /// The chain of segments breaks off before the pixel data, or one of them is damaged.
    #[error("their header is damaged or cut off at byte {at}")]
    Header {
        /// Where.
        at: usize,
    },
    /// A component's quantisation table is missing; unlike the Huffman tables they have no standard.
    #[error("their quantisation table {0} is missing")]
    NoQuantisation(u8),
    /// A Huffman table is missing that has no standard either.
    #[error("their Huffman table {0} is missing")]
    NoHuffman(u8),
    /// Coded in a way that neither viewers nor the decoder know.
    #[error("no viewer knows their coding (marker FF {0:02X})")]
    Coding(u8),
    /// Not of 8 bits.
    #[error("they have {0} bits per colour, viewers know 8")]
    Precision(u8),
    /// Neither grey, nor three or four colours.
    #[error("they have {0} colours, viewers know 1, 3 or 4")]
    Components(u8),
    /// Colours that are sampled as no picture can be.
    #[error("no viewer knows how their colours are sampled")]
    Sampling,
    /// Of a size that no picture has.
    #[error("their size is {width}x{height}")]
    Size {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// The data ends before the picture does.
    #[error("a part of their data is missing")]
    Missing,
    /// The data holds bits that no code begins with, or a marker that does not belong there.
    #[error("their data is damaged")]
    Code,
    /// A block of the data has more than 64 coefficients. Decoders do not mind.
    #[error("their data is damaged: a block is too long")]
    Block,
    /// A block of the data is far brighter than white or darker than black. Decoders do not mind.
    #[error("their data is damaged: a block has an impossible brightness")]
    Value,
    /// The decoder warns of the data.
    #[error("their data is damaged, the decoder says")]
    Warned,
    /// The picture ends before the data does.
    #[error("there is more data than picture")]
    Surplus,
    /// The restart markers are not those that the header promises.
    #[error("a restart marker is missing or out of place")]
    Restart,
    /// It seems whole, and those before it were damaged.
    #[error("so many are damaged that those between them are not trusted")]
    Distrusted,
    /// The decoder does not take it.
    #[error("the decoder refuses them: {0}")]
    Decoder(String),
}

impl Broken {
    /// Whether the camera meant another picture than came: some like it may seem whole.
    pub(super) const fn is_damage(&self) -> bool {
        use Broken::{Block, Code, Missing, Restart, Surplus, Value};
        matches!(self, Block | Code | Missing | Restart | Surplus | Value)
    }
}

impl From<libjpeg::Error> for Broken {
    fn from(error: libjpeg::Error) -> Self {
        Self::Decoder(error.to_string())
    }
}
