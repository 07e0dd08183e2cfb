//! A JPEG picture turned, mirrored and cut without loss: its blocks and the coefficients in them
//! change places, as jpegtran does it (a transposed block has its frequencies transposed, a mirrored
//! one has its odd frequencies negated).

use std::ffi::c_int;

use mozjpeg_sys::{
    JBLOCK, JBLOCKROW, JCP_FASTEST, JDIMENSION, JINT_COMPRESS_PROFILE, JPOOL_IMAGE,
    jpeg_c_set_int_param, jpeg_component_info, jpeg_compress_struct, jpeg_copy_critical_parameters,
    jpeg_decompress_struct, jpeg_finish_compress, jpeg_read_coefficients, jpeg_write_coefficients,
    jvirt_barray_control,
};

use super::{Compressor, Decompressor, Error, protect};
use crate::encode::Broken;

/// Pixels of a block's side.
const BLOCK: u32 = 8;

/// What is done to the blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Left, top, width and height of what is used, in pixels.
    pub part: [u32; 4],
    /// Whether rows become columns.
    pub swapped: bool,
    /// Whether the result is then mirrored from left to right, and from top to bottom.
    pub mirrored: [bool; 2],
}

/// What is asked of one component: sizes in blocks.
#[derive(Debug, Clone, Copy)]
struct Blocks {
    /// Where the used part begins in the source.
    from: [u32; 2],
    /// The size of the result, with what fills up its last unit of coding.
    size: [u32; 2],
    /// The size of the result.
    whole: [u32; 2],
}

impl Turn {
    /// The size of the result, in pixels.
    fn size(&self) -> [u32; 2] {
        let [_, _, width, height] = self.part;
        if self.swapped {
            [height, width]
        } else {
            [width, height]
        }
    }

    /// Whether no unit of coding, `unit` pixels in size, is torn apart: the part begins at one, and
    /// ends at one where it is mirrored.
    fn keeps_whole(&self, unit: [u32; 2]) -> bool {
        let [left, top, width, height] = self.part;
        let mirrored = match self.swapped {
            true => [self.mirrored[1], self.mirrored[0]],
            false => self.mirrored,
        };
        let whole = |pixels: u32, unit: u32| pixels.is_multiple_of(unit);
        let ends = |n: usize, pixels: u32| !mirrored[n] || whole(pixels, unit[n]);
        whole(left, unit[0]) && whole(top, unit[1]) && ends(0, width) && ends(1, height)
    }

    fn blocks(&self, component: &jpeg_component_info, most: [u32; 2]) -> Blocks {
        let factors = [component.h_samp_factor, component.v_samp_factor].map(|n| n as u32);
        let at = |n: usize| self.part[n] / (most[n] * BLOCK) * factors[n];
        let order = if self.swapped { [1, 0] } else { [0, 1] };
        let size = self.size();
        let whole = [0, 1].map(|n| {
            let from = order[n];
            (size[n] * factors[from]).div_ceil(most[from] * BLOCK)
        });
        let padded = [0, 1].map(|n| whole[n].next_multiple_of(factors[order[n]]));
        Blocks {
            from: [at(0), at(1)],
            size: padded,
            whole,
        }
    }

    /// A block of the result from that of the source.
    fn block(&self, source: &JBLOCK) -> JBLOCK {
        std::array::from_fn(|n| {
            let (across, down) = (n % 8, n / 8);
            let value = source[if self.swapped { across * 8 + down } else { n }];
            let odd = (self.mirrored[0] && across % 2 == 1) != (self.mirrored[1] && down % 2 == 1);
            if odd { value.wrapping_neg() } else { value }
        })
    }
}

/// Turns a picture that is whole and of a common kind; `None` where that would lose something.
///
/// # Errors
/// If the picture is broken.
pub fn turn(
    decompressor: &mut Decompressor,
    compressor: &mut Compressor,
    jpeg: &[u8],
    turn: Turn,
) -> Result<Option<Vec<u8>>, Broken> {
    decompressor.open(jpeg);
    let result = turned(decompressor, compressor, jpeg.len(), turn);
    decompressor.close();
    compressor.close();
    result
}

fn turned(
    decompressor: &mut Decompressor,
    compressor: &mut Compressor,
    bytes: usize,
    turn: Turn,
) -> Result<Option<Vec<u8>>, Broken> {
    let source = decompressor.header()?;
    let most = [source.max_h_samp_factor, source.max_v_samp_factor].map(|n| n as u32);
    if !turn.keeps_whole(most.map(|n| n * BLOCK)) {
        return Ok(None);
    }
    // SAFETY: the header is read, and the picture's bytes outlive this call.
    let from = protect(|| unsafe { jpeg_read_coefficients(source) })?;
    compressor.make_room(bytes + bytes / 8);
    let codec = compressor.codec();
    let blocks = prepare(source, codec, &turn, most)?;
    let mut arrays = Vec::with_capacity(blocks.len());
    for blocks in &blocks {
        arrays.push(request(codec, blocks.size)?);
    }
    // SAFETY: there is an array for each component; they live until the end of this function.
    protect(|| unsafe { jpeg_write_coefficients(codec, arrays.as_mut_ptr()) })?;
    for (n, (blocks, to)) in blocks.iter().zip(&arrays).enumerate() {
        // SAFETY: the library has returned as many arrays as the picture has components.
        let from = unsafe { *from.add(n) };
        fill(source, codec, (from, *to), (&turn, *blocks))?;
    }
    // SAFETY: a picture is being written, and all its coefficients are there.
    protect(|| unsafe { jpeg_finish_compress(codec) })?;
    if !decompressor.is_sound() {
        return Err(Broken::Warned);
    }
    Ok(Some(compressor.take()))
}

/// Gives the new picture the tables and factors of the old one, turned; returns what each component
/// is made of.
fn prepare(
    source: &mut jpeg_decompress_struct,
    codec: &mut jpeg_compress_struct,
    turn: &Turn,
    most: [u32; 2],
) -> Result<Vec<Blocks>, Error> {
    protect(|| {
        // SAFETY: plain calls on live codecs; the source has its header.
        unsafe {
            jpeg_c_set_int_param(codec, JINT_COMPRESS_PROFILE, JCP_FASTEST as c_int);
            jpeg_copy_critical_parameters(source, codec);
        }
    })?;
    codec.write_JFIF_header = 0;
    [codec.image_width, codec.image_height] = turn.size();
    let count = source.num_components as usize;
    // SAFETY: both have so many components, allocated by the library.
    let (old, new) = unsafe {
        (
            std::slice::from_raw_parts(source.comp_info, count),
            std::slice::from_raw_parts_mut(codec.comp_info, count),
        )
    };
    if turn.swapped {
        for component in new {
            std::mem::swap(&mut component.h_samp_factor, &mut component.v_samp_factor);
        }
        for table in codec.quant_tbl_ptrs.into_iter().filter(|t| !t.is_null()) {
            // SAFETY: the table is the codec's own, and nothing else refers to it now.
            let values = unsafe { &mut (*table).quantval };
            let old = *values;
            *values = std::array::from_fn(|n| old[n % 8 * 8 + n / 8]);
        }
    }
    Ok(old.iter().map(|c| turn.blocks(c, most)).collect())
}

/// Room for the coefficients of a component, all of which can be accessed at once.
fn request(
    codec: &mut jpeg_compress_struct,
    [width, height]: [u32; 2],
) -> Result<*mut jvirt_barray_control, Error> {
    protect(|| {
        // SAFETY: the codec has a memory manager with all its functions from its creation on.
        unsafe {
            let request = (*codec.common.mem).request_virt_barray;
            let request = request.expect("the library sets it");
            request(&mut codec.common, JPOOL_IMAGE, 1, width, height, height)
        }
    })
}

/// Puts all blocks of a component in their places.
fn fill(
    source: &mut jpeg_decompress_struct,
    codec: &mut jpeg_compress_struct,
    (from, to): (*mut jvirt_barray_control, *mut jvirt_barray_control),
    (turn, blocks): (&Turn, Blocks),
) -> Result<(), Error> {
    let [columns, rows] = blocks.whole;
    let source_rows = if turn.swapped { columns } else { rows };
    let mut lines = Vec::with_capacity(source_rows as usize);
    for row in 0..source_rows {
        lines.push(source_row(source, from, blocks.from[1] + row)?);
    }
    let out = protect(|| {
        // SAFETY: the array was requested with so many rows to be accessed at once.
        unsafe {
            let access = (*codec.common.mem).access_virt_barray;
            let access = access.expect("the library sets it");
            access(&mut codec.common, to, 0, blocks.size[1] as JDIMENSION, 1)
        }
    })?;
    for y in 0..rows {
        for x in 0..columns {
            let across = if turn.mirrored[0] { columns - 1 - x } else { x };
            let down = if turn.mirrored[1] { rows - 1 - y } else { y };
            let (column, row) = if turn.swapped {
                (down, across)
            } else {
                (across, down)
            };
            // SAFETY: both arrays have these rows and columns: the part lies within the picture,
            // and the result is as large as was requested.
            unsafe {
                let block = lines[row as usize].add((blocks.from[0] + column) as usize);
                *(*out.add(y as usize)).add(x as usize) = turn.block(&*block);
            }
        }
    }
    Ok(())
}

/// A row of blocks of the source. It stays where it is until the picture is closed, since the
/// library keeps whole arrays in memory unless it is told of a limit.
fn source_row(
    source: &mut jpeg_decompress_struct,
    from: *mut jvirt_barray_control,
    row: u32,
) -> Result<JBLOCKROW, Error> {
    protect(|| {
        // SAFETY: the row lies within the picture, and one at a time may always be accessed.
        unsafe {
            let access = (*source.common.mem).access_virt_barray;
            let access = access.expect("the library sets it");
            *access(&mut source.common, from, row, 1, 0)
        }
    })
}
