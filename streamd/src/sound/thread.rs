//! The thread that hears: there while somebody listens.

use std::{sync::Arc, time::Duration};

use super::{
    FRAME, Packet, Sound,
    clock::Clock,
    device::{Device, Heard},
    encoder::Encoder,
    level::Level,
    tone::Tone,
};
use crate::{
    config::{Audio, values::SoundDevice},
    media::Timestamp,
};

/// Between the first two tries to open a device, and at most.
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_millis(800);

/// Hears until nobody listens any more.
pub(super) fn run(sound: &Arc<Sound>) {
    let mut delay = FIRST;
    while let Some(settings) = sound.still_wanted() {
        let why = match settings.device {
            SoundDevice::Test => test(sound, &settings),
            SoundDevice::Alsa(ref name) => alsa(sound, &settings, name, &mut delay),
        };
        let Err(why) = why else {
            continue;
        };
        sound.lost(&settings, &why);
        sound.pause(delay);
        delay = (delay * 2).min(LONGEST);
    }
}

/// What is made of the samples of one source.
struct Maker<'a> {
    sound: &'a Sound,
    encoder: Encoder,
    clock: Clock,
    level: Level,
}

impl<'a> Maker<'a> {
    fn new(sound: &'a Sound, settings: &Audio) -> Result<Self, String> {
        Ok(Self {
            sound,
            encoder: Encoder::new(settings).map_err(|error| format!("the encoder: {error}"))?,
            clock: Clock::default(),
            level: Level::default(),
        })
    }

    /// Publishes a frame of samples, of which the first has this number.
    fn publish(&mut self, samples: &[i16], first: u64) -> Result<(), String> {
        let encoded = self.encoder.encode(samples);
        let data = encoded.map_err(|error| format!("the encoder: {error}"))?;
        self.level.hear(samples);
        let captured = self.clock.time(first).unwrap_or_else(Timestamp::now);
        let lag = Duration::from_secs_f64(self.encoder.lag as f64 / f64::from(super::RATE));
        let captured = captured.as_nanos().saturating_sub(lag.as_nanos() as u64);
        self.sound.publish(
            Packet {
                captured: Timestamp::from_nanos(captured),
                samples: FRAME as u32,
                data,
            },
            self.level,
        );
        Ok(())
    }
}

/// Makes the test tone until nobody listens, or settings change.
fn test(sound: &Sound, settings: &Audio) -> Result<(), String> {
    let mut maker = Maker::new(sound, settings)?;
    let mut tone = Tone::new(Timestamp::now());
    let mut samples = Vec::new();
    sound.opened(settings, "test tone");
    while sound.is_wanted(settings) {
        let first = tone.next(settings.channels.get(), &mut samples);
        // A sample is there once its time has come.
        let end = tone.time(first + FRAME as u64);
        std::thread::sleep(end.since(Timestamp::now()));
        if Timestamp::now().since(end) > Duration::from_secs(1) {
            // The machine has slept.
            tone = Tone::new(Timestamp::now());
            continue;
        }
        maker.clock = Clock::default();
        maker.clock.look(first, tone.time(first));
        maker.publish(&samples, first)?;
    }
    Ok(())
}

/// Hears a device until nobody listens, or settings change.
fn alsa(sound: &Sound, settings: &Audio, name: &str, delay: &mut Duration) -> Result<(), String> {
    let mut device = Device::open(name, settings)?;
    let mut maker = Maker::new(sound, settings)?;
    let channels = settings.channels.get();
    let mut samples = Vec::with_capacity(FRAME * channels);
    let mut is_open = false;
    while sound.is_wanted(settings) {
        match device.hear(&mut samples, FRAME * channels)? {
            Heard::Nothing => continue,
            Heard::Overrun => {
                sound.overrun();
                maker.clock = Clock::default();
                continue;
            }
            Heard::Samples { next, number } => {
                if !is_open {
                    // It is there once it is heard.
                    sound.opened(settings, &device.card);
                    (is_open, *delay) = (true, FIRST);
                }
                if maker.clock.look(number, next) {
                    tracing::debug!(device = name, "sound was lost, or the machine has slept");
                }
                if samples.len() == FRAME * channels {
                    maker.publish(&samples, number - FRAME as u64)?;
                    samples.clear();
                }
            }
        }
    }
    Ok(())
}
