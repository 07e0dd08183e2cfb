//! The entropy-coded data of a picture, symbol by symbol (T.81, annex F.2.2), to know that all of
//! it is there. Nothing is computed of it but the DC values.

use super::{
    Broken,
    tables::{AC_BITS, DC_BITS, END, Pair, Symbol},
};

/// Coefficients of a block.
const BLOCK: u32 = 64;

/// Bytes of zeros behind the data that the bits are read from, so that a load is never cut short.
pub const SLACK: usize = 16;

/// The blocks of one component in an MCU.
pub struct Blocks<'a> {
    /// How many.
    pub count: u32,
    /// By which tables they are coded.
    pub pair: &'a Pair,
    /// No DC value of a picture of 8 bits is further from 0, before it is multiplied.
    pub limit: u32,
}

/// Bits, read from the front: variant 4 of Fabian Giesen, "Reading bits in far too many ways".
#[derive(Clone, Copy)]
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    /// The next bits, the first one on top.
    buffer: u64,
    /// How many of them count.
    count: u32,
}

impl Bits<'_> {
    /// Makes at least 56 bits count; fails if it would have to read far behind the end.
    #[inline(always)]
    fn refill(&mut self) -> Result<(), Broken> {
        let next = self.data.get(self.at..).and_then(<[u8]>::first_chunk::<8>);
        let next = next.ok_or(Broken::Missing)?;
        self.buffer |= u64::from_be_bytes(*next) >> self.count;
        self.at += ((63 - self.count) >> 3) as usize;
        self.count |= 56;
        Ok(())
    }

    #[inline(always)]
    fn peek(&self, bits: u32) -> usize {
        (self.buffer >> (64 - bits)) as usize
    }

    #[inline(always)]
    fn take(&mut self, bits: u32) {
        self.buffer <<= bits;
        self.count -= bits;
    }

    /// Bits taken so far.
    fn taken(&self) -> usize {
        self.at * 8 - self.count as usize
    }
}

/// Reads `mcus` MCUs from the front of `data`, which has no stuffed bytes, and [`SLACK`] behind its
/// end; says how many bits they took.
///
/// # Errors
/// If the data is damaged or ends before them.
pub fn segment(data: &[u8], mcus: usize, mcu: &[Blocks<'_>]) -> Result<usize, Broken> {
    let mut bits = Bits {
        data,
        at: 0,
        buffer: 0,
        count: 0,
    };
    let end = (data.len() - SLACK) * 8;
    let mut values = [0_i32; 4];
    // What is wrong behind the end is only that it is the end; a code that begins before it may
    // go on behind it.
    let wrong = |broken, taken: usize| match broken {
        Broken::Code if taken + 16 > end => Broken::Missing,
        _ if taken > end => Broken::Missing,
        broken => broken,
    };
    for _ in 0..mcus {
        for (component, value) in mcu.iter().zip(&mut values) {
            for _ in 0..component.count {
                match block(&mut bits, component.pair) {
                    Ok(difference) => *value += difference,
                    Err(broken) => return Err(wrong(broken, bits.taken())),
                }
                if value.unsigned_abs() > component.limit {
                    return Err(wrong(Broken::Value, bits.taken()));
                }
            }
        }
    }
    match bits.taken() {
        taken if taken > end => Err(Broken::Missing),
        taken => Ok(taken),
    }
}

/// Reads a block; gives its DC difference.
#[inline(always)]
fn block(bits: &mut Bits<'_>, pair: &Pair) -> Result<i32, Broken> {
    bits.refill()?;
    let mut first = pair.first(bits.peek(DC_BITS));
    if first.passes >= BLOCK && !ends(first.passes) {
        first = pair.dc(bits.peek(32) as u32).ok_or(Broken::Code)?;
    }
    bits.take(first.bits);
    let mut passed = first.passes;
    if passed >= BLOCK {
        return Ok(first.difference);
    }
    // 56 bits hold the longest first lookup with one more, or any two more.
    if step(bits, pair, &mut passed)? {
        return Ok(first.difference);
    }
    loop {
        bits.refill()?;
        if step(bits, pair, &mut passed)? || step(bits, pair, &mut passed)? {
            return Ok(first.difference);
        }
    }
}

/// Takes the next AC symbols; true at the end of the block.
#[inline(always)]
fn step(bits: &mut Bits<'_>, pair: &Pair, passed: &mut u32) -> Result<bool, Broken> {
    let symbol = pair.next(bits.peek(AC_BITS));
    let next = *passed + symbol.passes;
    if next < BLOCK || ends(next) {
        bits.take(symbol.bits);
        *passed = next;
        return Ok(next >= BLOCK);
    }
    // Either the bits hold more than the block, or no whole symbol.
    let symbol = alone(pair, bits.peek(32) as u32)?;
    *passed += symbol.passes;
    bits.take(symbol.bits);
    match *passed {
        ..BLOCK => Ok(false),
        passed if ends(passed) => Ok(true),
        _ => Err(Broken::Block),
    }
}

#[cold]
fn alone(pair: &Pair, bits: u32) -> Result<Symbol, Broken> {
    pair.ac(bits).ok_or(Broken::Code)
}

/// Whether a block is over by so many coefficients: all 64, or fewer and the end.
#[inline(always)]
const fn ends(passed: u32) -> bool {
    passed == BLOCK || (passed >= END && passed < END + BLOCK)
}
