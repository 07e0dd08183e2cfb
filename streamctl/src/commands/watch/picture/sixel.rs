//! Sixels: 256 colours chosen for each picture.

use icy_sixel::{EncodeOptions, sixel_encode};

use super::{Area, Error, Image, move_to};

/// No dithering: it makes still parts of a live picture seethe, and takes as long as all the rest.
const DIFFUSION: f32 = 0.0;

/// Draws sixels.
#[derive(Debug, Default)]
pub struct Sixel {
    rgba: Vec<u8>,
}

impl Sixel {
    /// Nothing is on the screen any more; every picture is drawn whole anyway.
    pub fn forget(&mut self) {}

    /// Draws an image, at its own size, in the middle of `place`.
    pub fn paint(
        &mut self,
        image: Image<'_>,
        place: Area,
        cell: (u16, u16),
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        self.rgba.clear();
        for pixel in image.rgb.chunks_exact(3) {
            self.rgba.extend_from_slice(pixel);
            self.rgba.push(255);
        }
        let options = EncodeOptions {
            diffusion: DIFFUSION,
            ..EncodeOptions::default()
        };
        let sixels = sixel_encode(&self.rgba, image.width, image.height, &options)
            .map_err(|error| Error(error.to_string()))?;
        let spare = |room: u16, cell: u16, pixels: usize| {
            let cells = pixels.div_ceil(usize::from(cell.max(1))) as u16;
            room.saturating_sub(cells) / 2
        };
        move_to(
            place.column + spare(place.columns, cell.0, image.width),
            place.row + spare(place.rows, cell.1, image.height),
            out,
        );
        out.extend_from_slice(sixels.as_bytes());
        Ok(())
    }
}
