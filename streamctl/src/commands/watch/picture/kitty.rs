//! The kitty graphics protocol: pixels in base64, placed by the terminal.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{Area, Image, move_to};

/// The longest piece of base64 that the protocol allows.
const PIECE: usize = 4096;

/// Below the text and below coloured cells, so that figures and help can lie over the picture.
const DEPTH: i32 = i32::MIN / 2 - 1;

/// The numbers of our two pictures: the new one is drawn before the one before is deleted.
const IDS: [u32; 2] = [8002, 8003];

/// Draws pictures, and knows which one is on the screen.
#[derive(Debug, Default)]
pub struct Kitty {
    turn: usize,
    shown: bool,
    encoded: String,
}

impl Kitty {
    /// Draws an image, scaled by the terminal to fill `place`.
    pub fn paint(&mut self, image: Image<'_>, place: Area, out: &mut Vec<u8>) {
        let before = IDS[self.turn];
        self.turn = 1 - self.turn;
        let Area { columns, rows, .. } = place;
        move_to(place.column, place.row, out);
        self.encoded.clear();
        BASE64_STANDARD.encode_string(image.rgb, &mut self.encoded);
        let mut keys = format!(
            "a=T,f=24,t=d,q=2,C=1,i={},z={DEPTH},s={},v={},c={columns},r={rows},",
            IDS[self.turn], image.width, image.height
        );
        let mut pieces = self.encoded.as_bytes().chunks(PIECE).peekable();
        while let Some(piece) = pieces.next() {
            let more = u8::from(pieces.peek().is_some());
            out.extend_from_slice(format!("\x1b_G{keys}m={more};").as_bytes());
            out.extend_from_slice(piece);
            out.extend_from_slice(b"\x1b\\");
            keys = "q=2,".to_owned();
        }
        if self.shown {
            delete(before, out);
        }
        self.shown = true;
    }

    /// Takes the picture off the screen.
    pub fn delete(&mut self, out: &mut Vec<u8>) {
        if self.shown {
            delete(IDS[self.turn], out);
        }
        self.shown = false;
    }
}

fn delete(id: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("\x1b_Ga=d,d=I,i={id},q=2\x1b\\").as_bytes());
}
