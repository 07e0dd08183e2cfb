//! Files that were being written when the power went: what is whole of them is kept.

use std::{
    fs::{self, OpenOptions},
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use mp4_atom::{Atom, Decode, Encode, Ftyp, Header, Mdat, Moof, Moov, ReadFrom};

use super::{
    mp4::{self, TIMESCALE},
    names::{self, Kind, Name},
    segment,
};

/// A head is no larger than this, nor is what says what is in a fragment.
const MOST: u64 = 1 << 20;

/// What of a file is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Whole {
    /// Its first bytes, with its length.
    head: Vec<u8>,
    /// Bytes up to the end of the last fragment.
    end: u64,
    /// Its length, ticks.
    ticks: u64,
    /// Fragments that begin with a key: their time and where they are.
    keys: Vec<(u64, u64)>,
}

/// Makes a file that was being written one that is whole; one with nothing in it is removed.
///
/// # Errors
/// When it can't be read or written.
pub fn recover(part: &Path, from_ms: i64, kind: Kind) -> io::Result<Option<Name>> {
    let mut file = OpenOptions::new().read(true).write(true).open(part)?;
    let length = file.metadata()?.len();
    let Some(whole) = read(&mut BufReader::new(&mut file), length)? else {
        fs::remove_file(part)?;
        return Ok(None);
    };
    file.set_len(whole.end)?;
    file.seek(SeekFrom::Start(whole.end))?;
    let name = Name {
        from_ms,
        length_ms: length_ms(&whole, kind, part),
        kind,
    };
    let index = mp4::index(&whole.keys);
    segment::complete(&mut file, part, (&whole.head, &index), &name)?;
    if let Some(folder) = part.parent() {
        segment::sync_folder(folder)?;
    }
    Ok(Some(name))
}

/// The real time that it has: of a time lapse, until it was written last.
fn length_ms(whole: &Whole, kind: Kind, part: &Path) -> i64 {
    let shown = (whole.ticks * 1000 / u64::from(TIMESCALE)) as i64;
    if kind != Kind::Timelapse {
        return shown;
    }
    let begun = part.file_name().and_then(|name| name.to_str());
    let begun = begun.and_then(names::read_part).map_or(0, |(ms, _)| ms);
    let modified = fs::metadata(part).and_then(|data| data.modified()).ok();
    let modified = modified.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let until = modified.map_or(begun, |at| at.as_millis() as i64);
    (until - begun).clamp(shown, 24 * 3_600_000)
}

/// Reads a file of `length` bytes as far as it is whole; `None` where it has no fragment that is.
fn read(file: &mut (impl Read + Seek), length: u64) -> io::Result<Option<Whole>> {
    let mut at = 0;
    let Some(_) = whole_box(file, &mut at, length, Ftyp::KIND)? else {
        return Ok(None);
    };
    let ftyp_end = at;
    let Some(moov) = whole_box(file, &mut at, length, Moov::KIND)? else {
        return Ok(None);
    };
    let Ok(mut moov) = Moov::decode(&mut &moov[..]) else {
        return Ok(None);
    };
    let mut whole = Whole {
        head: Vec::new(),
        end: at,
        ticks: 0,
        keys: Vec::new(),
    };
    while let Some(moof) = whole_box(file, &mut at, length, Moof::KIND)? {
        let Ok(moof) = Moof::decode(&mut &moof[..]) else {
            break;
        };
        let Some(()) = skip_box(file, &mut at, length)? else {
            break;
        };
        if is_sound(&moof) {
            whole.end = at;
            continue;
        }
        let Some((begins, ends, key)) = times(&moof) else {
            break;
        };
        if key {
            whole.keys.push((begins, whole.end));
        }
        whole.end = at;
        whole.ticks = ends;
    }
    if let Some(mehd) = moov.mvex.as_mut().and_then(|mvex| mvex.mehd.as_mut()) {
        mehd.fragment_duration = whole.ticks;
    }
    let mut head = vec![0; ftyp_end as usize];
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut head)?;
    let had = head.len();
    if moov.encode(&mut head).is_err() || head.len() as u64 != head_end(had, &head) {
        return Ok(None);
    }
    whole.head = head;
    Ok((whole.ticks > 0).then_some(whole))
}

/// Where a head ends whose `moov` begins at `at`.
fn head_end(at: usize, head: &[u8]) -> u64 {
    let size = head.get(at..at + 4).and_then(|size| size.try_into().ok());
    at as u64 + u64::from(size.map_or(0, u32::from_be_bytes))
}

fn is_sound(moof: &Moof) -> bool {
    let tracks = moof.traf.first().map(|traf| traf.tfhd.track_id);
    tracks == Some(mp4::SOUND)
}

/// When a fragment begins and ends, and whether it begins with a key.
fn times(moof: &Moof) -> Option<(u64, u64, bool)> {
    let traf = moof.traf.first()?;
    let begins = traf.tfdt.as_ref()?.base_media_decode_time;
    let mut samples = traf.trun.iter().flat_map(|run| run.samples.iter());
    let first = samples.next()?;
    let all = std::iter::once(first).chain(samples);
    let ticks: u64 = all
        .map(|sample| u64::from(sample.duration.unwrap_or(0)))
        .sum();
    // Bit 16: it is no key.
    let key = first.flags.is_some_and(|flags| flags & 0x1_0000 == 0);
    Some((begins, begins.checked_add(ticks)?, key))
}

/// The next box, with its head, if it is whole and of this kind.
fn whole_box(
    file: &mut (impl Read + Seek),
    at: &mut u64,
    length: u64,
    kind: mp4_atom::FourCC,
) -> io::Result<Option<Vec<u8>>> {
    let Some((found, size)) = next_box(file, *at, length)? else {
        return Ok(None);
    };
    if found != kind || size > MOST {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(*at))?;
    let mut bytes = vec![0; size as usize];
    file.read_exact(&mut bytes)?;
    *at += size;
    Ok(Some(bytes))
}

/// Passes the data of a fragment, if it is whole.
fn skip_box(file: &mut (impl Read + Seek), at: &mut u64, length: u64) -> io::Result<Option<()>> {
    let next = next_box(file, *at, length)?;
    Ok(next
        .filter(|(kind, _)| *kind == Mdat::KIND)
        .map(|(_, size)| *at += size))
}

/// What the next box is and how long, if all of it is in the file.
fn next_box(
    file: &mut (impl Read + Seek),
    at: u64,
    length: u64,
) -> io::Result<Option<(mp4_atom::FourCC, u64)>> {
    if length < at + 8 {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(at))?;
    let Ok(header) = Header::read_from(file) else {
        return Ok(None);
    };
    let head = file.stream_position()? - at;
    let size = header.size.map(|size| size as u64 + head);
    Ok(size
        .filter(|size| at.checked_add(*size).is_some_and(|end| end <= length))
        .map(|size| (header.kind, size)))
}

#[cfg(test)]
mod tests;
