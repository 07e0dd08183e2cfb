//! Recordings as those see them who read them: what they are for, and how files are joined to one.
//!
//! A recording is fragmented MP4: a head (`ftyp`, `moov`), then fragments (`moof`, `mdat`), then an
//! index (`mfra`). Each fragment is of pictures or, after those of its time, of sound, and says when it
//! begins, in ticks of its track; where files are joined, that is what changes.

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

/// Ticks of a second in all recordings, of pictures.
pub const TIMESCALE: u64 = 90_000;

/// The same of sound: its samples.
pub const SOUND_TIMESCALE: u64 = 48_000;

/// The track of the pictures, and that of the sound.
pub const PICTURES: u32 = 1;
/// See [`PICTURES`].
pub const SOUND: u32 = 2;

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
    /// Its pictures have another size or coding than those before, or its sound has.
    #[error("its pictures have another size or coding than those before it, or it has other sound")]
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
        // Sound may begin a moment before the first picture.
        let Some(first) = boxes.fragments.iter().map(Fragment::begins).min() else {
            return Ok(());
        };
        let shift = (first, self.ticks);
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
            let [from, to] = [shift.0, shift.1].map(|ticks| fragment.track.of(ticks));
            let begins = fragment.begins.saturating_sub(from).saturating_add(to);
            moof[fragment.at.time..][..8].copy_from_slice(&begins.to_be_bytes());
            moof[fragment.at.number..][..4].copy_from_slice(&self.fragments.to_be_bytes());
            self.out.write_all(&moof)?;
            file.seek(SeekFrom::Start(fragment.data.0))?;
            let copied = io::copy(&mut file.take(fragment.data.1), &mut self.out)?;
            if copied != fragment.data.1 {
                return Err(JoinError::Broken("it ends within a fragment"));
            }
            if fragment.track == Track::Pictures {
                self.ticks = begins.saturating_add(fragment.ticks);
            }
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
    track: Track,
    /// In ticks of its track.
    begins: u64,
    ticks: u64,
    at: Places,
}

impl Fragment {
    /// When it begins, in ticks of pictures.
    fn begins(&self) -> u64 {
        match self.track {
            Track::Pictures => self.begins,
            Track::Sound => scaled(self.begins, TIMESCALE, SOUND_TIMESCALE),
        }
    }
}

/// What a fragment is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Track {
    Pictures,
    Sound,
}

impl Track {
    /// Ticks of pictures as ticks of this track.
    fn of(self, ticks: u64) -> u64 {
        match self {
            Self::Pictures => ticks,
            Self::Sound => scaled(ticks, SOUND_TIMESCALE, TIMESCALE),
        }
    }
}

fn scaled(ticks: u64, to: u64, from: u64) -> u64 {
    let scaled = u128::from(ticks) * u128::from(to) / u128::from(from);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// Where in a `moof` its number and its time stand.
#[derive(Clone, Copy)]
struct Places {
    number: usize,
    time: usize,
}

/// Head and fragments of a file: those from the last one that begins with a key at or before `from`
/// up to `to`, in ticks of pictures.
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
            let is_picture = fragment.track == Track::Pictures;
            if is_picture && fragment.begins >= to {
                break;
            }
            if is_picture && key && fragment.begins <= from {
                fragments.clear();
            }
            // Sound without a picture before it is none of the part.
            if is_picture || !fragments.is_empty() {
                fragments.push(fragment);
            }
        }
        at += size;
    }
    let mut pictures = fragments.iter().rev();
    let last = pictures.find(|fragment| fragment.track == Track::Pictures);
    let ends = last.map_or(0, |last| last.begins + last.ticks);
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
    let in_moof = |kind: &[u8; 4]| within(&moof, &[*kind]).ok_or_else(broken);
    let in_traf = |kind: &[u8; 4]| within(&moof, &[*b"traf", *kind]).ok_or_else(broken);
    let number = in_moof(b"mfhd")?.start + 4;
    let time = in_traf(b"tfdt")?.start + 4;
    let trun = in_traf(b"trun")?;
    let u32_at = |at: usize| {
        let bytes = moof.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    let track = match u32_at(in_traf(b"tfhd")?.start + 4) {
        Some(SOUND) => Track::Sound,
        Some(_) => Track::Pictures,
        None => return Err(broken()),
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
        track,
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
        body = find(bytes, body, *kind)?;
    }
    Some(body)
}

/// Where the body of the first box of this kind is that lies in a part of the bytes.
fn find(
    bytes: &[u8],
    part: std::ops::Range<usize>,
    kind: [u8; 4],
) -> Option<std::ops::Range<usize>> {
    let mut at = part.start;
    loop {
        let head = bytes.get(at..part.end)?.get(..8)?;
        let size = u32::from_be_bytes(head[..4].try_into().ok()?) as usize;
        let end = at
            .checked_add(size)
            .filter(|end| *end <= part.end && size >= 8)?;
        if head[4..] == kind {
            return Some(at + 8..end);
        }
        at = end;
    }
}

/// A head without what differs between files of one stream: when they began, and how long they are.
fn without_times(moov: &[u8]) -> Vec<u8> {
    let mut bytes = moov.to_vec();
    // Version and flags, then two times of 8 bytes.
    let mut forget = |place: Option<std::ops::Range<usize>>| {
        if let Some(place) = place
            && let Some(times) = bytes.get_mut(place.start + 4..place.start + 20)
        {
            times.fill(0);
        }
    };
    forget(within(moov, &[*b"mvhd"]));
    // Each track has its own.
    let mut at = 8;
    while let Some(trak) = find(moov, at..moov.len(), *b"trak") {
        at = trak.end;
        forget(find(moov, trak.clone(), *b"tkhd"));
        let mdia = find(moov, trak, *b"mdia");
        forget(mdia.and_then(|mdia| find(moov, mdia, *b"mdhd")));
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
