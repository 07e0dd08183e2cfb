//! A sound device, through ALSA.

use std::{cell::RefCell, fs, path::PathBuf, rc::Rc, time::Duration};

use alsa::{
    Direction, Output, PCM, ValueOr,
    pcm::{Access, Format, Frames, HwParams, TstampType},
};
use nix::errno::Errno;

use super::{FRAME, RATE};
use crate::{
    capture::holder,
    config::{Audio, values::SoundChannels},
    media::Timestamp,
};

/// How much a device keeps for us while we are not on a processor.
const BUFFER: Frames = RATE as Frames / 2;

/// How long a device may give nothing.
const SILENT: Duration = Duration::from_secs(2);

/// At most, before it is looked whether anybody still listens.
const WAIT_MS: u32 = 100;

/// A stamp that is further from now is none of this clock: not every plugin has one.
const PLAUSIBLE: Duration = Duration::from_secs(2);

/// An open device.
pub(super) struct Device {
    pcm: PCM,
    channels: usize,
    /// What the system calls the device.
    pub card: String,
    /// What ALSA would print to standard error.
    said: Rc<RefCell<Output>>,
    /// Samples read since it was opened.
    read: u64,
    opened: Timestamp,
    last: Timestamp,
}

/// What came of waiting for samples.
pub(super) enum Heard {
    /// Samples, and when the one after them is captured, as far as the device says.
    Samples {
        /// When the device had the first sample that was not read.
        next: Timestamp,
        /// The number of that sample.
        number: u64,
    },
    /// Nothing yet.
    Nothing,
    /// Some were lost.
    Overrun,
}

impl Device {
    /// Opens one.
    ///
    /// # Errors
    /// Why not, for people.
    pub fn open(name: &str, settings: &Audio) -> Result<Self, String> {
        let said = Output::local_error_handler().map_err(|error| error.to_string())?;
        let opened = open(name, settings.channels).map_err(|error| explain(name, settings, error));
        let pcm = opened.inspect_err(|_| {
            said.borrow_mut().buffer_string(|said| {
                let said = String::from_utf8_lossy(said);
                tracing::debug!(device = name, "ALSA says: {}", said.trim());
            });
        })?;
        let card = pcm.info().and_then(|info| {
            let card = info.get_card();
            match card < 0 {
                true => info.get_name().map(str::to_owned),
                false => alsa::Card::new(card).get_name(),
            }
        });
        let now = Timestamp::now();
        Ok(Self {
            pcm,
            channels: settings.channels.get(),
            card: card.unwrap_or_default(),
            said,
            read: 0,
            opened: now,
            last: now,
        })
    }

    /// Appends samples to `out` until it has `whole` of them, as far as there are any by now.
    ///
    /// # Errors
    /// The device is lost: why.
    pub fn hear(&mut self, out: &mut Vec<i16>, whole: usize) -> Result<Heard, String> {
        let filled = out.len();
        out.resize(whole, 0);
        let got = self
            .pcm
            .io_i16()
            .and_then(|io| io.readi(&mut out[filled..]));
        let count = *got.as_ref().unwrap_or(&0);
        out.truncate(filled + count * self.channels);
        match got {
            Ok(count) if count > 0 => {
                self.read += count as u64;
                self.pace();
                self.last = Timestamp::now();
                Ok(Heard::Samples {
                    next: self.next(),
                    number: self.read,
                })
            }
            Ok(_) => self.wait(),
            Err(error) => match Errno::from_raw(error.errno()) {
                Errno::EAGAIN => self.wait(),
                Errno::EPIPE | Errno::ESTRPIPE => {
                    out.clear();
                    self.start().map_err(|error| self.lost(error))?;
                    Ok(Heard::Overrun)
                }
                _ => Err(self.lost(error)),
            },
        }
    }

    /// Starts it anew after an overrun.
    fn start(&self) -> alsa::Result<()> {
        self.pcm.prepare()?;
        self.pcm.start()
    }

    fn wait(&mut self) -> Result<Heard, String> {
        let quiet = Timestamp::now().since(self.last);
        if quiet >= SILENT {
            return Err(format!(
                "the device has given nothing for {} s",
                SILENT.as_secs()
            ));
        }
        // What it fails of comes with the next reading.
        let waited = self.pcm.wait(Some(WAIT_MS));
        if waited.is_err() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Heard::Nothing)
    }

    /// Sleeps where a device gives samples faster than they can have been captured, as a plugin does
    /// that reads a file.
    fn pace(&self) {
        let due = self.opened + Duration::from_secs_f64(self.read as f64 / f64::from(RATE));
        // A real one may be ahead by what it had at the beginning, and by its drift.
        let ahead = due.since(Timestamp::now());
        if ahead > Duration::from_millis(20) {
            std::thread::sleep(ahead.min(Duration::from_millis(100)));
        }
    }

    /// When the next sample that will be read was captured.
    fn next(&self) -> Timestamp {
        let now = Timestamp::now();
        let Ok(status) = self.pcm.status() else {
            return now;
        };
        let stamp = status.get_htstamp();
        let stamp = stamp.tv_sec as u64 * 1_000_000_000 + stamp.tv_nsec as u64;
        let waiting = status.get_avail().max(0) as f64 / f64::from(RATE);
        let waiting = Duration::from_secs_f64(waiting).as_nanos() as u64;
        let at = Timestamp::from_nanos(stamp.saturating_sub(waiting));
        match now.since(at) < PLAUSIBLE && at <= now {
            true => at,
            false => now,
        }
    }

    fn lost(&self, error: alsa::Error) -> String {
        self.said.borrow_mut().buffer_string(|said| {
            let said = String::from_utf8_lossy(said);
            if !said.trim().is_empty() {
                tracing::debug!("ALSA says: {}", said.trim());
            }
        });
        match Errno::from_raw(error.errno()) {
            Errno::ENODEV => "unplugged".into(),
            errno => errno.desc().into(),
        }
    }
}

fn open(name: &str, channels: SoundChannels) -> alsa::Result<PCM> {
    // What the hardware can't do itself is converted, and nothing that it can.
    let plugged = match name.strip_prefix("hw:") {
        Some(rest) => format!("plughw:{rest}"),
        None => name.into(),
    };
    let pcm = PCM::new(&plugged, Direction::Capture, true)?;
    {
        let hardware = HwParams::any(&pcm)?;
        hardware.set_access(Access::RWInterleaved)?;
        hardware.set_format(Format::s16())?;
        hardware.set_rate_resample(true)?;
        hardware.set_channels(channels.get() as u32)?;
        hardware.set_rate(RATE, ValueOr::Nearest)?;
        hardware.set_buffer_size_near(BUFFER)?;
        hardware.set_period_size_near(FRAME as Frames / 2, ValueOr::Nearest)?;
        pcm.hw_params(&hardware)?;
        let software = pcm.sw_params_current()?;
        software.set_tstamp_mode(true)?;
        software.set_tstamp_type(TstampType::Monotonic)?;
        software.set_avail_min(FRAME as Frames / 2)?;
        pcm.sw_params(&software)?;
    }
    pcm.prepare()?;
    pcm.start()?;
    Ok(pcm)
}

/// Why a device can't be opened, in words.
fn explain(name: &str, settings: &Audio, error: alsa::Error) -> String {
    match Errno::from_raw(error.errno()) {
        Errno::EBUSY => match nodes(name).iter().find_map(|node| holder::of(node)) {
            Some(program) => format!("{name}: in use by {program}"),
            None => format!("{name}: in use by another program"),
        },
        Errno::ENOENT | Errno::ENODEV | Errno::ENXIO => format!("{name}: no such sound device"),
        Errno::EACCES | Errno::EPERM => {
            format!("{name}: not allowed; is the user in the group `audio`?")
        }
        Errno::EINVAL if error.func().starts_with("snd_pcm_hw_params") => {
            let channels = settings.channels.get();
            format!("{name}: it has no {channels} channels of 16 bits at {RATE} Hz")
        }
        errno => format!("{name}: {}", errno.desc()),
    }
}

/// The nodes that a device may be: those of its card, else all.
fn nodes(name: &str) -> Vec<PathBuf> {
    let card = card(name).map(|number| format!("pcmC{number}D"));
    let entries = fs::read_dir("/dev/snd").into_iter().flatten().flatten();
    let of_card = |file: &str| match &card {
        Some(card) => file.starts_with(card),
        None => file.starts_with("pcm"),
    };
    let captures = entries.filter(|entry| {
        let file = entry.file_name();
        file.to_str()
            .is_some_and(|file| of_card(file) && file.ends_with('c'))
    });
    captures.map(|entry| entry.path()).collect()
}

/// The number of the card in a name like `hw:1,0` or `plughw:CARD=C920,DEV=0`.
fn card(name: &str) -> Option<i32> {
    let (_, arguments) = name.split_once(':')?;
    let first = arguments.split(',').next()?;
    let card = first.strip_prefix("CARD=").unwrap_or(first);
    match card.parse() {
        Ok(number) => Some(number),
        Err(_) => {
            let card = std::ffi::CString::new(card).ok()?;
            Some(alsa::Card::from_str(&card).ok()?.get_index())
        }
    }
}
