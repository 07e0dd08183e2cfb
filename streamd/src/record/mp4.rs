//! The boxes of a recording: fragmented MP4 (ISO/IEC 14496-12). A file is a head and then fragments,
//! each of which is whole for itself: whatever follows the last whole one is left out by readers.
//!
//! No files, no clock.

use mp4_atom::{
    Audio, Avc1, Avcc, Codec, Dinf, Dops, Dref, Encode, FourCC, FragmentInfo, Ftyp, Hdlr, Header,
    Jpeg, Mdhd, Mdia, Mehd, Mfhd, Mfra, Mfro, Minf, Moof, Moov, Mvex, Mvhd, Opus, Smhd, Stbl, Stsd,
    Tfdt, Tfhd, Tfra, Tkhd, Traf, Trak, Trex, Trun, TrunEntry, Url, Visual, Vmhd,
};

use super::units::ParameterSets;

/// Ticks of a second.
pub const TIMESCALE: u32 = 90_000;

/// Samples of sound are numbered by its own clock.
pub const SOUND_TIMESCALE: u32 = 48_000;

pub use streamd_protocol::recording::{PICTURES, SOUND};

/// Seconds from 1904, which MP4 counts from, to 1970.
const EPOCH: u64 = 2_082_844_800;

/// Flags of a sample that needs none before it, of one that does, and of one that none after it needs
/// (ISO/IEC 14496-12, 8.8.3.1).
const KEY: u32 = 0x0200_0000;
const NOT_KEY: u32 = 0x0101_0000;
const DISPOSABLE: u32 = 0x0080_0000;

/// How the pictures of a file are coded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coding {
    /// Whole JPEG files.
    Jpeg,
    /// H.264, by these parameters.
    H264(ParameterSets),
}

/// What a file's head says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// How they are coded.
    pub coding: Coding,
    /// When the first one was captured, seconds since 1970.
    pub begun: u64,
    /// How many channels the sound beside them has; `None` where there is none.
    pub sound: Option<u8>,
}

/// A picture, or a packet of sound, in a fragment.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// Its bytes as the file has them.
    pub bytes: &'a [u8],
    /// For how long it is shown, in ticks of its track.
    pub ticks: u32,
    /// It needs none before it.
    pub key: bool,
    /// No picture after it needs it.
    pub droppable: bool,
}

impl Head {
    /// The head of a file that is `ticks` long, or of one that is still being written. Both have the
    /// same length.
    pub fn boxes(&self, ticks: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let ftyp = Ftyp {
            major_brand: FourCC::new(b"iso6"),
            minor_version: 0,
            compatible_brands: [b"iso6", b"iso5", b"isom", b"mp41"]
                .map(FourCC::new)
                .to_vec(),
        };
        write(&ftyp, &mut bytes);
        write(&self.moov(ticks), &mut bytes);
        bytes
    }

    fn moov(&self, ticks: u64) -> Moov {
        let created = self.begun + EPOCH;
        Moov {
            mvhd: Mvhd {
                creation_time: created,
                modification_time: created,
                timescale: TIMESCALE,
                duration: 0,
                rate: 1.into(),
                volume: 1.into(),
                next_track_id: SOUND + 1,
                ..Mvhd::default()
            },
            mvex: Some(Mvex {
                mehd: Some(Mehd {
                    fragment_duration: ticks,
                }),
                trex: self.tracks().map(trex).collect(),
            }),
            trak: self
                .tracks()
                .map(|track| self.trak(track, created))
                .collect(),
            ..Moov::default()
        }
    }

    fn tracks(&self) -> impl Iterator<Item = u32> + use<> {
        std::iter::once(PICTURES).chain(self.sound.map(|_| SOUND))
    }

    fn trak(&self, track: u32, created: u64) -> Trak {
        match self.sound {
            Some(channels) if track == SOUND => sound(channels, created),
            _ => self.pictures(created),
        }
    }

    fn pictures(&self, created: u64) -> Trak {
        Trak {
            tkhd: Tkhd {
                creation_time: created,
                modification_time: created,
                track_id: PICTURES,
                enabled: true,
                in_movie: true,
                width: self.width.into(),
                height: self.height.into(),
                ..Tkhd::default()
            },
            mdia: Mdia {
                mdhd: Mdhd {
                    creation_time: created,
                    modification_time: created,
                    timescale: TIMESCALE,
                    language: "und".into(),
                    ..Mdhd::default()
                },
                hdlr: Hdlr {
                    handler: FourCC::new(b"vide"),
                    name: "streamd".into(),
                },
                minf: Minf {
                    vmhd: Some(Vmhd::default()),
                    dinf: here(),
                    stbl: samples(self.codec()),
                    ..Minf::default()
                },
            },
            ..Trak::default()
        }
    }

    fn codec(&self) -> Codec {
        let visual = Visual {
            data_reference_index: 1,
            width: self.width,
            height: self.height,
            compressor: "streamd".into(),
            ..Visual::default()
        };
        match &self.coding {
            Coding::Jpeg => Codec::Jpeg(Jpeg {
                visual,
                ..Jpeg::default()
            }),
            Coding::H264(sets) => Codec::Avc1(Avc1 {
                visual,
                avcc: Avcc {
                    picture_parameter_sets: sets.pictures.clone(),
                    ..Avcc::new(&sets.sequence, &[])
                        .expect("parameter sets are not taken without their profile and level")
                },
                ..Avc1::default()
            }),
        }
    }
}

fn trex(track: u32) -> Trex {
    Trex {
        track_id: track,
        default_sample_description_index: 1,
        ..Trex::default()
    }
}

/// The data is in this file.
fn here() -> Dinf {
    Dinf {
        dref: Dref {
            entries: vec![Url::default().into()],
        },
    }
}

/// How the samples of a track are coded: they come in fragments.
fn samples(codec: Codec) -> Stbl {
    Stbl {
        stsd: Stsd {
            codecs: vec![codec],
        },
        stco: Some(mp4_atom::Stco::default()),
        ..Stbl::default()
    }
}

/// The track of sound, in Opus (<https://opus-codec.org/docs/opus_in_isobmff.html>). Nothing is skipped
/// at its beginning: the time of a packet is that of the first sample that comes out of it.
fn sound(channels: u8, created: u64) -> Trak {
    let opus = Opus {
        audio: Audio {
            data_reference_index: 1,
            channel_count: channels.into(),
            sample_size: 16,
            sample_rate: (SOUND_TIMESCALE as u16).into(),
        },
        dops: Dops {
            output_channel_count: channels,
            pre_skip: 0,
            input_sample_rate: SOUND_TIMESCALE,
            output_gain: 0,
            channel_mapping: None,
        },
        btrt: None,
    };
    Trak {
        tkhd: Tkhd {
            creation_time: created,
            modification_time: created,
            track_id: SOUND,
            alternate_group: 1,
            enabled: true,
            in_movie: true,
            volume: 1.into(),
            ..Tkhd::default()
        },
        mdia: Mdia {
            mdhd: Mdhd {
                creation_time: created,
                modification_time: created,
                timescale: SOUND_TIMESCALE,
                language: "und".into(),
                ..Mdhd::default()
            },
            hdlr: Hdlr {
                handler: FourCC::new(b"soun"),
                name: "streamd".into(),
            },
            minf: Minf {
                smhd: Some(Smhd::default()),
                dinf: here(),
                stbl: samples(Codec::Opus(opus)),
                ..Minf::default()
            },
        },
        ..Trak::default()
    }
}

/// A fragment of a track: number `sequence` from 1 on, whose first sample is shown at `time` ticks.
pub fn fragment(sequence: u32, track: u32, time: u64, samples: &[Sample<'_>]) -> Vec<u8> {
    let data: usize = samples.iter().map(|sample| sample.bytes.len()).sum();
    let mut moof = moof(sequence, track, time, samples, 0);
    let mut bytes = Vec::with_capacity(data + 256 + samples.len() * 16);
    write(&moof, &mut bytes);
    // The offset is as long whatever it is.
    let offset = bytes.len() + MDAT_HEAD;
    moof.traf[0].trun[0].data_offset = Some(offset as i32);
    bytes.clear();
    write(&moof, &mut bytes);
    let mdat = Header {
        kind: FourCC::new(b"mdat"),
        size: Some(data),
    };
    write(&mdat, &mut bytes);
    samples
        .iter()
        .for_each(|sample| bytes.extend_from_slice(sample.bytes));
    bytes
}

const MDAT_HEAD: usize = 8;

fn moof(sequence: u32, track: u32, time: u64, samples: &[Sample<'_>], offset: i32) -> Moof {
    let entry = |sample: &Sample<'_>| TrunEntry {
        duration: Some(sample.ticks),
        size: Some(sample.bytes.len() as u32),
        flags: Some(match (sample.key, sample.droppable) {
            (true, _) => KEY,
            (false, true) => NOT_KEY | DISPOSABLE,
            (false, false) => NOT_KEY,
        }),
        cts: None,
    };
    let entries: Vec<_> = samples.iter().map(entry).collect();
    Moof {
        mfhd: Mfhd {
            sequence_number: sequence,
        },
        traf: vec![Traf {
            tfhd: Tfhd {
                track_id: track,
                default_base_is_moof: true,
                ..Tfhd::default()
            },
            tfdt: Some(Tfdt {
                base_media_decode_time: time,
            }),
            trun: vec![Trun {
                data_offset: Some(offset),
                samples: entries.into(),
            }],
            ..Traf::default()
        }],
    }
}

/// The index at the end of a file: at which byte the fragments begin that begin with a key, and at
/// how many ticks.
pub fn index(keys: &[(u64, u64)]) -> Vec<u8> {
    let entry = |(time, offset): &(u64, u64)| FragmentInfo {
        time: *time,
        moof_offset: *offset,
        traf_number: 1,
        trun_number: 1,
        sample_delta: 1,
    };
    let mut mfra = Mfra {
        tfra: vec![Tfra {
            track_id: PICTURES,
            entries: keys.iter().map(entry).collect(),
        }],
        mfro: Mfro::default(),
    };
    let mut bytes = Vec::new();
    write(&mfra, &mut bytes);
    mfra.mfro.parent_size = bytes.len() as u32;
    bytes.clear();
    write(&mfra, &mut bytes);
    bytes
}

fn write(part: &impl Encode, bytes: &mut Vec<u8>) {
    part.encode(bytes)
        .expect("memory takes all that is written to it, and no box here has 4 GB");
}
