//! What is counted, put together: the one [`Stats`] that control, HTTP, metrics and the log read.

use streamd_protocol::stats::{
    CameraState, CameraStats, NatsStats, RenditionStats, SoundStats, Stats,
};

use super::State;
use crate::{
    camera::{Camera, Maker},
    hub::TrackUse,
    media::{Level, Timestamp, Track},
    meters::NatsMeters,
    sound::Sound,
};

impl State {
    /// Everything that is counted, now.
    pub fn stats(&self) -> Stats {
        let now = Timestamp::now();
        let stuck = self.heartbeats.overdue(now);
        Stats {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id().into(),
            uptime_seconds: now.since(self.started).as_secs_f64(),
            status: self.status(now, &stuck),
            healthy: stuck.is_empty() && self.cameras.iter().all(|c| c.loss().is_none()),
            stuck,
            cameras: self.cameras.iter().map(|c| self.camera(c, now)).collect(),
            clients: self
                .viewers
                .registry
                .all()
                .iter()
                .map(|c| c.stats(now))
                .collect(),
            nats: self.nats.as_deref().map(nats_stats),
            refused: self.sum(|camera| camera.refused.get()),
            dropped_clients: self.sum(|camera| camera.dropped_clients.get()),
        }
    }

    /// What is counted of each camera, of all together.
    fn sum(&self, counted: impl Fn(&Camera) -> u64) -> i64 {
        self.cameras.iter().map(|c| counted(c)).sum::<u64>() as i64
    }

    fn camera(&self, camera: &Camera, now: Timestamp) -> CameraStats {
        let recorder = self.recorders.of(&camera.name);
        CameraStats {
            recording: recorder.map(|recorder| recorder.stats()),
            ..camera_stats(camera, now)
        }
    }

    /// The line that systemd shows: `2 cameras, 5 clients, 30.0 fps`.
    fn status(&self, now: Timestamp, stuck: &[String]) -> String {
        let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let cameras = &self.cameras;
        let fps: Vec<_> = cameras
            .iter()
            .map(|c| format!("{:.1}", c.fps(now)))
            .collect();
        let mut line = format!(
            "{}, {}, {} fps",
            plural(cameras.names().len(), "camera"),
            plural(self.viewers.registry.count(), "client"),
            fps.join(" + ")
        );
        for camera in cameras.iter() {
            let status = camera.status();
            if status.state == CameraState::Lost {
                line += &format!("; {}: {}", camera.name, status.reason);
            }
            let recorder = self.recorders.of(&camera.name);
            if let Some(trouble) = recorder.and_then(|recorder| recorder.trouble()) {
                line += &format!("; {}: {trouble}", camera.name);
            }
        }
        if !stuck.is_empty() {
            line += &format!("; STUCK: {}", stuck.join(", "));
        }
        line
    }
}

fn camera_stats(camera: &Camera, now: Timestamp) -> CameraStats {
    let status = camera.status();
    let in_force = camera.settings();
    let (width, height) = camera.size();
    let settings = &in_force.config;
    CameraStats {
        name: camera.name.clone(),
        device: settings.device.to_string(),
        path: status.path,
        card: status.card,
        state: status.state,
        reason: status.reason,
        requested: format!(
            "{} {} fps {}",
            settings.size,
            settings.fps.get(),
            settings.format
        ),
        format: status
            .layout
            .map_or_else(String::new, |l| l.format.to_string()),
        width: width.into(),
        height: height.into(),
        desired_fps: settings.fps.get(),
        driver_fps: status.driver_fps,
        fps: camera.fps(now),
        quality: settings.quality.get().into(),
        rotate: settings.rotate.into(),
        flip: settings.flip.word().into(),
        captured: camera.captured.captured.get() as i64,
        driver_lost: camera.captured.driver_lost.get() as i64,
        corrupt: camera.captured.corrupt.get() as i64,
        losses: camera.captured.losses.get() as i64,
        encoder_faults: camera.streams.faults() as i64,
        encoded: camera.encode_time.count() as i64,
        encode_average_ms: camera.top_encode_time.mean().as_secs_f64() * 1e3,
        clients: camera.clients() as i64,
        renditions: camera
            .hub
            .tracks()
            .iter()
            .map(|used| (used, maker(camera, used.track)))
            .map(|(used, maker)| RenditionStats {
                codec: used.track.codec(),
                quality: used.track.quality().into(),
                bit_rate: bit_rate(camera, used),
                width: width.div_ceil(used.track.scale().divisor()).into(),
                height: height.div_ceil(used.track.scale().divisor()).into(),
                clients: used.users as i64,
                encoded: used.encoded as i64,
                average_bytes: used.average_bytes as i64,
                encoder: maker.name,
                encoder_reason: maker.reason,
            })
            .collect(),
        recording: None,
        sound: camera.sound().and_then(|sound| sound_stats(sound)),
    }
}

fn nats_stats(nats: &NatsMeters) -> NatsStats {
    let condition = nats.condition();
    NatsStats {
        servers: nats.servers.clone(),
        connected: condition.connected,
        reason: match condition.connected {
            true => {
                let mut troubles = condition.trouble.to_vec();
                troubles.retain(|trouble| !trouble.is_empty());
                troubles.join("; ")
            }
            false => condition.away,
        },
        foreign: nats.foreign.get() as i64,
        stale: nats.stale.get() as i64,
        too_large: nats.too_large.get() as i64,
    }
}

fn sound_stats(sound: &Sound) -> Option<SoundStats> {
    let settings = sound.settings()?;
    let status = sound.status();
    let level = sound.level();
    // A tenth of a decibel is more than anybody hears.
    let rounded = |level: f64| (level * 10.0).round() / 10.0;
    Some(SoundStats {
        device: settings.device.to_string(),
        card: status.card,
        state: status.state,
        reason: status.reason,
        channels: settings.channels.get() as i64,
        bit_rate: settings.bit_rate.get().into(),
        listeners: sound.listeners() as i64,
        level_db: level.map(|(rms, _)| rounded(rms)),
        peak_db: level.map(|(_, peak)| rounded(peak)),
        packets: sound.packets.get() as i64,
        dropped: sound.dropped.get() as i64,
        overruns: sound.overruns.get() as i64,
        losses: sound.losses.get() as i64,
    })
}

/// What makes a track; nothing is said of JPEG.
fn maker(camera: &Camera, track: Track) -> Maker {
    match track {
        Track::Jpeg(_) => Maker::default(),
        Track::H264(Level::High) if camera.gives_stream() => Maker {
            name: "camera".into(),
            reason: String::new(),
        },
        Track::H264(level) => camera.streams.maker(level),
    }
}

/// Bits a second that the encoder of a track keeps to; 0 where it has none.
fn bit_rate(camera: &Camera, used: &TrackUse) -> i64 {
    match used.track {
        Track::Jpeg(_) => 0,
        Track::H264(level) => {
            let most = camera.bit_rate(level);
            used.bit_rate.map_or(most, |bits| bits.min(most)).into()
        }
    }
}
