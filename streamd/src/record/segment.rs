//! One file of a recording, while it is written: `.part`, flushed to the disk fragment by fragment,
//! and its name only once it is whole.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{
    mp4::{self, Coding, Head, PICTURES, SOUND, SOUND_TIMESCALE, Sample, TIMESCALE},
    names::{self, Kind, Name},
    units::{self, ParameterSets},
};
use crate::{
    media::{Codec, Packet, Timestamp},
    sound,
};

/// A fragment is no longer, so that a power cut takes no more than a second.
const FRAGMENT: Duration = Duration::from_millis(800);

/// Sound that came so shortly before the last picture goes on.
const HEARD: Duration = Duration::from_secs(1);

/// For how long a picture of a time lapse is shown: 25 of them a second.
const LAPSE: u32 = TIMESCALE / 25;

/// Pictures are read by the owner and the group.
const MODE: u32 = 0o640;

/// A file that is being written.
#[derive(Debug)]
pub struct Segment {
    file: File,
    folder: PathBuf,
    part: PathBuf,
    head: Head,
    kind: Kind,
    from_ms: i64,
    begun: Timestamp,
    /// Not yet written.
    pending: Vec<Pending>,
    heard: Vec<Arc<sound::Packet>>,
    /// When the last sound was captured.
    last_heard: Option<Timestamp>,
    /// Up to where there is sound, in its ticks.
    sound_time: u64,
    /// When the last one was captured.
    last: Timestamp,
    /// For how long the last one written is shown.
    ticks: u32,
    /// Where the next fragment begins, in ticks.
    time: u64,
    sequence: u32,
    /// Bytes written.
    offset: u64,
    /// Fragments that begin with a key: their time and where they are.
    keys: Vec<(u64, u64)>,
}

#[derive(Debug)]
struct Pending {
    bytes: Vec<u8>,
    captured: Timestamp,
    key: bool,
    droppable: bool,
}

/// What a file that begins with this packet says in its head, with sound of so many channels; `None`
/// where it can't begin with it.
pub fn head(packet: &Packet, sound: Option<u8>) -> Option<Head> {
    let coding = match packet.track.codec() {
        _ if !packet.key => return None,
        Codec::Jpeg => Coding::Jpeg,
        Codec::H264 => Coding::H264(ParameterSets::of(&packet.bytes)?),
    };
    Some(Head {
        width: u16::try_from(packet.width).ok()?,
        height: u16::try_from(packet.height).ok()?,
        coding,
        begun: packet.captured.unix_micros() / 1_000_000,
        sound,
    })
}

impl Segment {
    /// Begins a file in `folder`, which is a camera's, with the head of its first packet.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn begin(folder: &Path, kind: Kind, head: Head, first: &Packet) -> io::Result<Self> {
        let from_ms = (first.captured.unix_micros() / 1000) as i64;
        let folder = folder.join(names::day(from_ms));
        make_folder(&folder)?;
        let part = folder.join(names::part(from_ms, kind));
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(MODE)
            .open(&part)?;
        let bytes = head.boxes(0);
        file.write_all(&bytes)?;
        file.sync_data()?;
        sync_folder(&folder)?;
        Ok(Self {
            file,
            folder,
            part,
            head,
            kind,
            from_ms,
            begun: first.captured,
            pending: Vec::new(),
            heard: Vec::new(),
            last_heard: None,
            sound_time: 0,
            last: first.captured,
            ticks: 0,
            time: 0,
            sequence: 0,
            offset: bytes.len() as u64,
            keys: Vec::new(),
        })
    }

    /// What it is recorded for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it is while it is written.
    pub fn path(&self) -> &Path {
        &self.part
    }

    /// The day in which it began.
    pub fn day(&self) -> String {
        names::day(self.from_ms)
    }

    /// When its first picture was captured.
    pub fn begun(&self) -> Timestamp {
        self.begun
    }

    /// Whether sound came up to its last picture, so that some of its time may still come.
    pub fn is_heard(&self) -> bool {
        let heard = self.last_heard;
        heard.is_some_and(|heard| self.last.since(heard) < HEARD)
    }

    /// The time that it has.
    pub fn length(&self) -> Duration {
        self.last.since(self.begun)
    }

    /// When its last picture was captured.
    pub fn last(&self) -> Timestamp {
        self.last
    }

    /// Whether pictures of this head go on in it.
    pub fn fits(&self, head: &Head) -> bool {
        let size = |head: &Head| (head.width, head.height);
        size(head) == size(&self.head)
            && head.coding == self.head.coding
            && head.sound == self.head.sound
    }

    /// Takes a packet of sound, which is written with the pictures of its time.
    pub fn hear(&mut self, packet: Arc<sound::Packet>) {
        if self.head.sound.is_some() && packet.captured >= self.begun {
            self.last_heard = Some(packet.captured);
            self.heard.push(packet);
        }
    }

    /// Takes a picture; returns how many bytes were written, if it was time to write.
    ///
    /// # Errors
    /// When they can't be written: the file is not to be used any more.
    pub fn push(&mut self, packet: &Packet) -> io::Result<u64> {
        let is_jpeg = self.head.coding == Coding::Jpeg;
        let first = self.pending.first().map(|first| first.captured);
        let is_due = first.is_some_and(|first| {
            (packet.key && !is_jpeg) || packet.captured.since(first) >= FRAGMENT
        });
        let mut written = 0;
        if is_due {
            written = self.write(packet.captured)?;
        }
        self.last = packet.captured;
        self.pending.push(Pending {
            bytes: match is_jpeg {
                true => packet.bytes.to_vec(),
                false => units::with_lengths(&packet.bytes),
            },
            captured: packet.captured,
            key: packet.key,
            droppable: packet.droppable,
        });
        if self.kind == Kind::Timelapse {
            written += self.write(packet.captured)?;
        }
        Ok(written)
    }

    /// Writes what is pending as a fragment whose last picture is shown until `end`, and waits until
    /// the disk has it.
    fn write(&mut self, end: Timestamp) -> io::Result<u64> {
        if self.pending.is_empty() {
            return Ok(0);
        }
        let ends = self.pending[1..].iter().map(|next| next.captured);
        let ends = ends.chain([end]).map(|end| self.ticks_at(end));
        let mut time = self.time;
        let mut samples = Vec::with_capacity(self.pending.len());
        for (pending, end) in self.pending.iter().zip(ends) {
            let ticks = match self.kind {
                Kind::Timelapse => LAPSE,
                // Never none: players leave such pictures out.
                _ => end.saturating_sub(time).max(1) as u32,
            };
            time += u64::from(ticks);
            samples.push(Sample {
                bytes: &pending.bytes,
                ticks,
                key: pending.key,
                droppable: pending.droppable,
            });
        }
        let mut bytes = mp4::fragment(self.sequence + 1, PICTURES, self.time, &samples);
        self.sequence += 1;
        self.ticks = samples.last().map_or(0, |sample| sample.ticks);
        self.append_sound(end, &mut bytes);
        self.file.write_all(&bytes)?;
        self.file.sync_data()?;
        if self.pending[0].key {
            self.keys.push((self.time, self.offset));
        }
        self.offset += bytes.len() as u64;
        self.time = time;
        self.pending.clear();
        Ok(bytes.len() as u64)
    }

    /// Appends a fragment of the sound that has come of the time until `end`. Each packet begins when it
    /// was captured: where sound is missing, there is a gap.
    fn append_sound(&mut self, end: Timestamp, bytes: &mut Vec<u8>) {
        let is_over = |packet: &Arc<sound::Packet>| packet.captured < end;
        let count = self.heard.iter().take_while(|p| is_over(p)).count();
        let heard: Vec<_> = self.heard.drain(..count).collect();
        let mut begins = Vec::with_capacity(count);
        for packet in &heard {
            let begin = self.ticks_of(SOUND_TIMESCALE, packet.captured);
            let begin = begin.max(self.sound_time);
            begins.push(begin);
            // Clocks that are looked at may go back a little; time does not.
            self.sound_time = begin + 1;
        }
        let (Some(first), Some(last)) = (begins.first().copied(), heard.last()) else {
            return;
        };
        let ends = begins[1..].iter().copied();
        let ends = ends.chain([begins[count - 1] + u64::from(last.samples)]);
        let samples = heard.iter().zip(begins.iter().zip(ends));
        let samples = samples.map(|(packet, (begin, end))| Sample {
            bytes: &packet.data,
            ticks: (end - begin) as u32,
            key: true,
            droppable: false,
        });
        let samples: Vec<_> = samples.collect();
        bytes.extend(mp4::fragment(self.sequence + 1, SOUND, first, &samples));
        self.sequence += 1;
    }

    fn ticks_at(&self, time: Timestamp) -> u64 {
        self.ticks_of(TIMESCALE, time)
    }

    fn ticks_of(&self, timescale: u32, time: Timestamp) -> u64 {
        let nanos = time.since(self.begun).as_nanos();
        (nanos * u128::from(timescale) / 1_000_000_000) as u64
    }

    /// Writes what is left, gives the file its length, its index and its name. Its last picture is
    /// shown for as long as the one before it, or for `interval`.
    ///
    /// # Errors
    /// When that can't be written.
    pub fn finish(mut self, interval: Duration) -> io::Result<(Name, u64)> {
        let before = self.pending.iter().rev().nth(1).map(|p| p.captured);
        let shown = before.map_or(interval, |before| self.last.since(before));
        let end = self.last + shown;
        self.write(end)?;
        let name = Name {
            from_ms: self.from_ms,
            length_ms: end.since(self.begun).as_millis() as i64,
            kind: self.kind,
        };
        complete(
            &mut self.file,
            &self.part,
            (&self.head.boxes(self.time), &mp4::index(&self.keys)),
            &name,
        )?;
        sync_folder(&self.folder)?;
        Ok((name, self.offset))
    }
}

/// Writes head and index of a file whose fragments are whole and at whose end it stands, and gives
/// it its name.
///
/// # Errors
/// When that can't be written.
pub fn complete(
    file: &mut File,
    part: &Path,
    (head, index): (&[u8], &[u8]),
    name: &Name,
) -> io::Result<()> {
    file.write_all(index)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(head)?;
    file.sync_all()?;
    fs::rename(part, part.with_file_name(name.file()))
}

/// Makes a folder that lasts, if it is not there. The one that it is in must be.
///
/// # Errors
/// When it can't be made.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Ok(()) => folder.parent().map_or(Ok(()), sync_folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Waits until the disk has the names in a folder.
///
/// # Errors
/// When it has not taken them.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
