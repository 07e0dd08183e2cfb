//! Recordings as those see them who read them: what they are for, and how files are joined to one.
//!
//! A recording is fragmented MP4: a head (`ftyp`, `moov`), then fragments (`moof`, `mdat`), then an
//! index (`mfra`). Each fragment says when it begins, in ticks of the file; where files are joined,
//! that is what changes.

use std::io::{self, Read, Seek, SeekFrom, Write};

use serde::{Deserialize, Serialize};

/// What something was recorded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Everything is recorded.
    Continuous,
    /// Somebody asked for it.
    Event,
    /// A picture now and then, shown fast.
    Timelapse,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Continuous, Self::Event, Self::Timelapse];

    /// Its word, in names of files and in messages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Continuous => "continuous",
            Self::Event => "event",
            Self::Timelapse => "timelapse",
        }
    }

    /// The kind of this word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// Ticks of a second in all recordings.
pub const TIMESCALE: u64 = 90_000;

/// A box is read into memory only if it is no larger: what says what is in a fragment is small.
const MOST: u64 = 1 << 20;

/// Why files are not joined.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// One can't be read, or the whole can't be written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// One is no recording, or a broken one.
    #[error("no recording, or a broken one: {0}")]
    Broken(&'static str),
    /// Its pictures have another size or coding than those before.
    #[error("its pictures have another size or coding than those before it")]
    Differs,
}

/// Puts recordings behind one another as one, which goes on where another one ends: the time in which
/// nothing was recorded is left out.
#[derive(Debug)]
pub struct Joiner<W> {
    out: W,
    /// What the first one's head says of its pictures.
    head: Option<Vec<u8>>,
    /// Where in the whole its length stands.
    length_at: Option<usize>,
    /// Ticks written.
    ticks: u64,
    fragments: u32,
}

impl<W: Write> Joiner<W> {
    /// Nothing yet.
    pub fn new(out: W) -> Self {
        Self {
            out,
            head: None,
            length_at: None,
            ticks: 0,
            fragments: 0,
        }
    }

    /// Fragments written.
    pub fn fragments(&self) -> u32 {
        self.fragments
    }

    /// What it was written to.
    pub fn into_inner(self) -> W {
        self.out
    }

    /// Adds a recording: its fragments that begin before `to` and end after `from`, both in ticks of
    /// it. So the first picture is a key, and at most two seconds earlier than was asked for.
    ///
    /// # Errors
    /// See [`JoinError`]; nothing of a fragment that fails is written before it is read.
    pub fn add(
        &mut self,
        file: &mut (impl Read + Seek),
        from: u64,
        to: u64,
    ) -> Result<(), JoinError> {
        let boxes = boxes(file, from, to)?;
        let Some(first) = boxes.fragments.first() else {
            return Ok(());
        };
        let shift = (first.begins, self.ticks);
        match &self.head {
            None => {
                self.out.write_all(&boxes.ftyp)?;
                // How long the whole will be is not known yet.
                let mut moov = boxes.moov.clone();
                if let Some(place) = length_in(&moov) {
                    moov[place].fill(0);
                }
                self.out.write_all(&moov)?;
                self.length_at = length_in(&moov).map(|place| boxes.ftyp.len() + place.start);
                self.head = Some(without_times(&boxes.moov));
            }
            Some(head) if *head != without_times(&boxes.moov) => return Err(JoinError::Differs),
            Some(_) => {}
        }
        for fragment in &boxes.fragments {
            self.fragments += 1;
            let mut moof = fragment.moof.clone();
            let begins = fragment.begins.saturating_sub(shift.0);
            let begins = begins.saturating_add(shift.1);
            moof[fragment.at.time..][..8].copy_from_slice(&begins.to_be_bytes());
            moof[fragment.at.number..][..4].copy_from_slice(&self.fragments.to_be_bytes());
            self.out.write_all(&moof)?;
            file.seek(SeekFrom::Start(fragment.data.0))?;
            let copied = io::copy(&mut file.take(fragment.data.1), &mut self.out)?;
            if copied != fragment.data.1 {
                return Err(JoinError::Broken("it ends within a fragment"));
            }
            self.ticks = begins.saturating_add(fragment.ticks);
        }
        Ok(())
    }
}

impl<W: Write + Seek> Joiner<W> {
    /// Writes into the head how long the whole has become, where that is not on its way already.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn finish(mut self) -> io::Result<W> {
        if let Some(at) = self.length_at {
            self.out.seek(SeekFrom::Start(at as u64))?;
            self.out.write_all(&self.ticks.to_be_bytes())?;
            self.out.seek(SeekFrom::End(0))?;
        }
        Ok(self.out)
    }
}

struct Boxes {
    ftyp: Vec<u8>,
    moov: Vec<u8>,
    fragments: Vec<Fragment>,
}

/// A fragment, all but its data.
struct Fragment {
    moof: Vec<u8>,
    /// Where its data is, head included, and how long.
    data: (u64, u64),
    begins: u64,
    ticks: u64,
    at: Places,
}

/// Where in a `moof` its number and its time stand.
#[derive(Clone, Copy)]
struct Places {
    number: usize,
    time: usize,
}

/// Head and fragments of a file: those from the last one that begins with a key at or before `from`
/// up to `to`.
fn boxes(file: &mut (impl Read + Seek), from: u64, to: u64) -> Result<Boxes, JoinError> {
    let length = file.seek(SeekFrom::End(0))?;
    let (mut ftyp, mut moov) = (None, None);
    let mut fragments: Vec<Fragment> = Vec::new();
    let mut moof = None;
    let mut at = 0;
    while at + 8 <= length {
        file.seek(SeekFrom::Start(at))?;
        let mut head = [0; 8];
        file.read_exact(&mut head)?;
        let size = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
        if size < 8 || at + size > length {
            break;
        }
        let kind = [head[4], head[5], head[6], head[7]];
        if matches!(&kind, b"ftyp" | b"moov" | b"moof") {
            if size > MOST {
                return Err(JoinError::Broken("a box is too large"));
            }
            let mut bytes = head.to_vec();
            bytes.resize(size as usize, 0);
            file.read_exact(&mut bytes[8..])?;
            match &kind {
                b"ftyp" => ftyp = Some(bytes),
                b"moov" => moov = Some(bytes),
                _ => moof = Some(bytes),
            }
        } else if &kind == b"mdat"
            && let Some(moof) = moof.take()
        {
            let (fragment, key) = fragment(moof, (at, size))?;
            if fragment.begins >= to {
                break;
            }
            if key && fragment.begins <= from {
                fragments.clear();
            }
            fragments.push(fragment);
        }
        at += size;
    }
    let ends = fragments.last().map_or(0, |last| last.begins + last.ticks);
    if ends <= from {
        fragments.clear();
    }
    Ok(Boxes {
        ftyp: ftyp.ok_or(JoinError::Broken("there is no ftyp"))?,
        moov: moov.ok_or(JoinError::Broken("there is no moov"))?,
        fragments,
    })
}

/// Reads what a fragment says of itself, and whether it begins with a key.
fn fragment(moof: Vec<u8>, data: (u64, u64)) -> Result<(Fragment, bool), JoinError> {
    let broken = || JoinError::Broken("a fragment says too little");
    let find = |kind: &[u8; 4]| within(&moof, &[*kind]).ok_or_else(broken);
    let in_traf = |kind: &[u8; 4]| within(&moof, &[*b"traf", *kind]).ok_or_else(broken);
    let number = find(b"mfhd")?.start + 4;
    let time = in_traf(b"tfdt")?.start + 4;
    let trun = in_traf(b"trun")?;
    let u32_at = |at: usize| {
        let bytes = moof.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    let begins = moof.get(time..time + 8).ok_or_else(broken)?;
    moof.get(number..number + 4).ok_or_else(broken)?;
    let begins = u64::from_be_bytes(begins.try_into().map_err(|_| broken())?);
    // Which fields there are: an offset, flags of the first sample, and of each one its duration,
    // size, flags and composition time.
    let has = u32_at(trun.start).ok_or_else(broken)?;
    let field = |bit: u32| if has & bit == 0 { 0 } else { 4 };
    if has & 0x100 == 0 {
        return Err(JoinError::Broken("a fragment does not say how long it is"));
    }
    let count = u32_at(trun.start + 4).ok_or_else(broken)? as usize;
    let samples = trun.start + 8 + field(0x1) + field(0x4);
    let each = field(0x100) + field(0x200) + field(0x400) + field(0x800);
    let mut ticks = 0;
    for sample in 0..count.min(trun.len() / each) {
        ticks += u64::from(u32_at(samples + sample * each).ok_or_else(broken)?);
    }
    let first_flags = match has & 0x4 == 0 {
        true => samples + field(0x100) + field(0x200),
        false => samples - 4,
    };
    let flags = u32_at(first_flags).ok_or_else(broken)?;
    begins.checked_add(ticks).ok_or_else(broken)?;
    let at = Places { number, time };
    let fragment = Fragment {
        moof,
        data,
        begins,
        ticks,
        at,
    };
    Ok((fragment, flags & 0x1_0000 == 0))
}

/// Where the body of a box is that lies within boxes, by their kinds from the outermost on.
fn within(bytes: &[u8], path: &[[u8; 4]]) -> Option<std::ops::Range<usize>> {
    let mut body = 8..bytes.len();
    for kind in path {
        let mut at = body.start;
        body = loop {
            let head = bytes.get(at..body.end)?.get(..8)?;
            let size = u32::from_be_bytes(head[..4].try_into().ok()?) as usize;
            let end = at
                .checked_add(size)
                .filter(|end| *end <= body.end && size >= 8)?;
            if head[4..] == kind[..] {
                break at + 8..end;
            }
            at = end;
        };
    }
    Some(body)
}

/// A head without what differs between files of one stream: when they began, and how long they are.
fn without_times(moov: &[u8]) -> Vec<u8> {
    let mut bytes = moov.to_vec();
    // Version and flags, then two times of 8 bytes.
    for path in [
        &[*b"mvhd"][..],
        &[*b"trak", *b"tkhd"],
        &[*b"trak", *b"mdia", *b"mdhd"],
    ] {
        if let Some(place) = within(moov, path)
            && let Some(times) = bytes.get_mut(place.start + 4..place.start + 20)
        {
            times.fill(0);
        }
    }
    if let Some(place) = length_in(moov) {
        bytes[place].fill(0);
    }
    bytes
}

/// Where a head says how long the file is.
fn length_in(moov: &[u8]) -> Option<std::ops::Range<usize>> {
    let body = within(moov, &[*b"mvex", *b"mehd"])?;
    (body.len() == 12).then_some(body.start + 4..body.end)
}
