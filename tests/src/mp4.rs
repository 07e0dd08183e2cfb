//! What is in a recording, taken apart as a player does.

/// A picture, or a packet of sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The track: 1 for pictures, 2 for sound.
    pub track: u32,
    /// When it begins, in ticks of its track.
    pub time: u64,
    /// How long it lasts, in ticks of its track.
    pub ticks: u32,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The samples of fragments that are whole, in the order of the file.
///
/// # Panics
/// If a fragment does not say what is in it.
#[track_caller]
pub fn samples(file: &[u8]) -> Vec<Sample> {
    let mut all = Vec::new();
    let mut head = None;
    for (kind, body) in boxes(file) {
        match &kind {
            b"moof" => head = Some(body),
            b"mdat" => {
                let moof = head
                    .take()
                    .expect("data stands behind what says what it is");
                fragment(moof, body, &mut all);
            }
            _ => {}
        }
    }
    all
}

fn fragment(moof: &[u8], data: &[u8], all: &mut Vec<Sample>) {
    let traf = find(moof, b"traf");
    let track = number(find(traf, b"tfhd"), 4);
    let tfdt = find(traf, b"tfdt");
    let mut time = u64::from(number(tfdt, 4)) << 32 | u64::from(number(tfdt, 8));
    // An offset, and of each sample its duration, size and flags.
    let trun = find(traf, b"trun");
    assert_eq!(number(trun, 0) & 0xFFFF, 0x701);
    let mut at = 0;
    for sample in 0..number(trun, 4) as usize {
        let ticks = number(trun, 12 + 12 * sample);
        let size = number(trun, 16 + 12 * sample) as usize;
        all.push(Sample {
            track,
            time,
            ticks,
            bytes: data[at..at + size].to_vec(),
        });
        time += u64::from(ticks);
        at += size;
    }
}

fn find<'a>(bytes: &'a [u8], wanted: &[u8; 4]) -> &'a [u8] {
    let found = boxes(bytes).find(|(kind, _)| kind == wanted);
    found.expect("a fragment has all that it must have").1
}

fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let size = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
        let (this, rest) = bytes.split_at_checked(size)?;
        bytes = rest;
        Some((*this.get(4..)?.first_chunk()?, this.get(8..)?))
    })
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(*bytes[at..].first_chunk().expect("a number has four bytes"))
}
