//! Huffman tables in the form that the scan reads: one lookup for as many symbols as it holds.

/// Bits that one lookup of a block's AC coefficients sees.
pub const AC_BITS: u32 = 12;

/// Bits that the lookup of a block's first symbol, the DC difference, sees.
pub const DC_BITS: u32 = 11;

/// What the end of a block adds to the coefficients that a lookup passes.
pub const END: u32 = 128;

/// What a lookup says that holds no whole symbol: more than any end of block.
const NOTHING: u32 = 255;

/// The most bits of a coefficient of 8-bit pictures (T.81, tables F.1 and F.2).
const MAX_AC_SIZE: u32 = 10;
const MAX_DC_SIZE: u32 = 11;

/// A table in the canonical form of T.81, annexes C and F.2.2.3.
struct Canonical {
    /// The largest code of each length; -1 where there is none.
    max: [i32; 17],
    /// What to add to a code of each length to have the place of its symbol.
    offset: [i32; 17],
    symbols: [u8; 256],
}

impl Canonical {
    /// Reads a table as it stands in a DHT segment: 16 counts, then the symbols. `None` if its
    /// codes are more than there can be.
    fn read(table: &[u8]) -> Option<Self> {
        let (counts, listed) = table.split_first_chunk::<16>()?;
        let mut symbols = [0; 256];
        symbols.get_mut(..listed.len())?.copy_from_slice(listed);
        let (mut max, mut offset) = ([-1; 17], [0; 17]);
        let (mut code, mut place) = (0, 0);
        for length in 1..=16 {
            let count = i32::from(counts[length - 1]);
            if count > 0 {
                offset[length] = place - code;
                code += count;
                place += count;
                max[length] = code - 1;
                // No code is all ones.
                if code >= 1 << length {
                    return None;
                }
            }
            code <<= 1;
        }
        (place as usize == listed.len()).then_some(Self {
            max,
            offset,
            symbols,
        })
    }

    /// Length and symbol of the code at the front of 32 bits.
    fn symbol(&self, bits: u32) -> Option<(u32, u8)> {
        (1..=16).find_map(|length| {
            let code = (bits >> (32 - length)) as i32;
            let found = code <= self.max[length as usize];
            found.then(|| {
                let place = code + self.offset[length as usize];
                (length, self.symbols[place as usize])
            })
        })
    }
}

/// Whether a table of a DHT segment holds codes that can be told apart, and, of DC, symbols that
/// mean something.
pub fn is_legal(table: &[u8], is_dc: bool) -> bool {
    Canonical::read(table).is_some() && (!is_dc || table[16..].iter().all(|symbol| *symbol < 16))
}

/// What symbols at the front of some bits say.
#[derive(Debug, Clone, Copy)]
pub struct Symbol {
    /// Bits of codes and values.
    pub bits: u32,
    /// Coefficients that they pass, their own included; [`END`] more at the end of the block.
    pub passes: u32,
    /// A DC difference.
    pub difference: i32,
}

/// The two tables of a component.
pub struct Pair {
    dc: Canonical,
    ac: Canonical,
    /// By the next [`DC_BITS`]: bits taken, coefficients passed (8 bits each), DC difference. The
    /// AC symbols that follow in the same bits are taken as well.
    first: Box<[u32; 1 << DC_BITS]>,
    /// By the next [`AC_BITS`]: bits taken, coefficients passed.
    next: Box<[u16; 1 << AC_BITS]>,
}

impl Pair {
    /// Builds the lookups of two tables as they stand in DHT segments; `None` if one is none.
    pub fn new(dc: &[u8], ac: &[u8]) -> Option<Self> {
        let mut pair = Self {
            dc: Canonical::read(dc)?,
            ac: Canonical::read(ac)?,
            first: Box::new([NOTHING << 8; 1 << DC_BITS]),
            next: Box::new([(NOTHING << 8) as u16; 1 << AC_BITS]),
        };
        for seen in 0..1_u32 << DC_BITS {
            let bits = seen << (32 - DC_BITS);
            if let Some(dc) = pair.dc(bits).filter(|dc| dc.bits <= DC_BITS) {
                let all = pair.and_all_ac(dc, bits, DC_BITS);
                let difference = (all.difference as u32) << 16;
                pair.first[seen as usize] = all.bits | all.passes << 8 | difference;
            }
        }
        let nothing = Symbol {
            bits: 0,
            passes: 0,
            difference: 0,
        };
        for seen in 0..1_u32 << AC_BITS {
            let all = pair.and_all_ac(nothing, seen << (32 - AC_BITS), AC_BITS);
            if all.bits > 0 {
                pair.next[seen as usize] = (all.bits | all.passes << 8) as u16;
            }
        }
        Some(pair)
    }

    /// A symbol with all AC symbols behind it whose codes are within the `seen` bits.
    fn and_all_ac(&self, mut all: Symbol, bits: u32, seen: u32) -> Symbol {
        while all.bits < seen && all.passes < 63 {
            let rest = bits << all.bits;
            let code = self.ac.symbol(rest).map_or(u32::MAX, |(length, _)| length);
            let Some(next) = self.ac(rest).filter(|_| all.bits + code <= seen) else {
                break;
            };
            all.bits += next.bits;
            all.passes += next.passes;
        }
        all
    }

    /// Looks up the first symbols of a block by its next [`DC_BITS`].
    #[inline(always)]
    pub fn first(&self, bits: usize) -> Symbol {
        let entry = self.first[bits & ((1 << DC_BITS) - 1)];
        Symbol {
            bits: entry & 0xFF,
            passes: entry >> 8 & 0xFF,
            difference: entry as i32 >> 16,
        }
    }

    /// Looks up further symbols of a block by its next [`AC_BITS`].
    #[inline(always)]
    pub fn next(&self, bits: usize) -> Symbol {
        let entry = u32::from(self.next[bits & ((1 << AC_BITS) - 1)]);
        Symbol {
            bits: entry & 0xFF,
            passes: entry >> 8,
            difference: 0,
        }
    }

    /// The DC difference at the front of 32 bits; `None` if there is no legal one.
    pub fn dc(&self, bits: u32) -> Option<Symbol> {
        let (length, size) = self.dc.symbol(bits)?;
        let size = u32::from(size);
        (size <= MAX_DC_SIZE).then(|| Symbol {
            bits: length + size,
            passes: 1,
            difference: extend(bits << length, size),
        })
    }

    /// The AC symbol at the front of 32 bits; `None` if there is no legal one.
    pub fn ac(&self, bits: u32) -> Option<Symbol> {
        let (length, symbol) = self.ac.symbol(bits)?;
        let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        let passes = match (run, size) {
            (15, _) | (_, 1..) => run + 1,
            _ => END,
        };
        (size <= MAX_AC_SIZE).then_some(Symbol {
            bits: length + size,
            passes,
            difference: 0,
        })
    }
}

/// The value in the first `size` bits, signed as T.81 says in F.2.2.1.
fn extend(bits: u32, size: u32) -> i32 {
    let Some(shift) = 32_u32.checked_sub(size).filter(|_| size > 0) else {
        return 0;
    };
    let value = (bits >> shift) as i32;
    match value < 1 << (size - 1) {
        true => value - (1 << size) + 1,
        false => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::huffman;

    fn luma() -> Pair {
        let table = |is_dc| huffman::standard(is_dc, 0).unwrap();
        Pair::new(table(true), table(false)).unwrap()
    }

    #[test]
    fn values_are_signed_by_their_first_bit() {
        for (bits, size, value) in [(0, 0, 0), (0, 1, -1), (1, 1, 1), (0, 3, -7), (4, 3, 4)] {
            assert_eq!(extend((bits as u32).wrapping_shl(32 - size), size), value);
        }
        assert_eq!(extend(u32::MAX, 11), 2047);
    }

    #[test]
    fn a_lookup_says_what_symbol_after_symbol_says() {
        let pair = luma();
        for seen in 0..1_u32 << AC_BITS {
            let found = pair.next(seen as usize);
            if found.passes == NOTHING {
                let first = pair.ac(seen << (32 - AC_BITS));
                assert!(first.is_none_or(|first| first.bits > 0), "{seen:x}");
                continue;
            }
            let (mut bits, mut passes) = (0, 0);
            while bits < found.bits {
                let symbol = pair.ac(seen << (32 - AC_BITS) << bits).unwrap();
                bits += symbol.bits;
                passes += symbol.passes;
            }
            assert_eq!((bits, passes), (found.bits, found.passes), "{seen:x}");
        }
    }

    #[test]
    fn the_first_lookup_has_the_difference() {
        let pair = luma();
        // 011 is three bits, 101 is 5; 1010 is the end of the block.
        let found = pair.first(0b100_1011_0100);
        assert_eq!(
            (found.bits, found.passes, found.difference),
            (10, 1 + END, 5)
        );
    }

    #[test]
    fn tables_that_hold_no_code_are_illegal() {
        let mut table = huffman::standard(true, 0).unwrap().to_vec();
        assert!(is_legal(&table, true));
        table[0] = 2;
        assert!(!is_legal(&table, true), "a code of all ones");
        table[0] = 0;
        assert!(!is_legal(&table[..20], true), "symbols are missing");
        table[16] = 16;
        assert!(
            !is_legal(&table, true) && is_legal(&table, false),
            "a symbol that is no size"
        );
        assert!(!is_legal(&[0; 15], true));
    }
}
