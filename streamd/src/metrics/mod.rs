//! Prometheus: what is counted, in OpenMetrics text, on a listener of its own. Each family is
//! written once: name, HELP, TYPE, samples. There is none per client: numbers that are never used
//! again would fill a database.

pub mod router;

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text::encode},
    metrics::MetricType,
    registry::{Registry, Unit},
};
use streamd_protocol::stats::{
    CameraState, CameraStats, ClientStats, RecordingState, RecordingStats, SoundStats, Stats,
    Transport,
};

use crate::{
    access::rates::Rates,
    camera::{Camera, Cameras},
    meters::Histogram,
    state::State,
};

const TRANSPORTS: [(Transport, &str); 7] = [
    (Transport::Tcp, "tcp"),
    (Transport::Websocket, "websocket"),
    (Transport::Mjpeg, "mjpeg"),
    (Transport::H264, "h264"),
    (Transport::Rtsp, "rtsp"),
    (Transport::Webrtc, "webrtc"),
    (Transport::Nats, "nats"),
];

const STATES: [(CameraState, &str); 4] = [
    (CameraState::Starting, "starting"),
    (CameraState::Streaming, "streaming"),
    (CameraState::Idle, "idle"),
    (CameraState::Lost, "lost"),
];

/// The metrics in OpenMetrics text.
pub fn render(state: &State) -> String {
    text(Scrape {
        stats: state.stats(),
        cameras: Arc::clone(&state.cameras),
        wrong_tokens: state.viewers.attempts.wrong(),
        too_often: [&state.viewers.handshakes, &state.viewers.calls].map(Rates::refused),
        broken_rtsp: state.viewers.broken.get(),
        strays: state.viewers.strays.get(),
    })
}

fn text(scrape: Scrape) -> String {
    let mut registry = Registry::with_prefix("streamd");
    registry.register_collector(Box::new(scrape));
    let mut text = String::new();
    encode(&mut text, &registry).expect("writing to memory does not fail");
    text
}

/// One scrape.
#[derive(Debug)]
struct Scrape {
    stats: Stats,
    cameras: Arc<Cameras>,
    wrong_tokens: u64,
    /// TLS handshakes and calls.
    too_often: [u64; 2],
    broken_rtsp: u64,
    strays: u64,
}

/// A family's head.
struct Family {
    name: &'static str,
    help: &'static str,
    unit: Option<Unit>,
}

const fn family(name: &'static str, help: &'static str) -> Family {
    Family {
        name,
        help,
        unit: None,
    }
}

type Labels<'a> = Vec<(&'static str, &'a str)>;

/// Writes a family whose samples are whole numbers.
fn numbers<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    family: &Family,
    kind: MetricType,
    samples: impl IntoIterator<Item = (Labels<'a>, i64)>,
) -> fmt::Result {
    let unit = family.unit.as_ref();
    let mut metric = encoder.encode_descriptor(family.name, family.help, unit, kind)?;
    for (labels, value) in samples {
        match kind {
            MetricType::Counter => {
                let value = u64::try_from(value).unwrap_or(0);
                sample(&mut metric, &labels, |metric| {
                    metric.encode_counter::<NoLabelSet, _, f64>(&value, None)
                })?;
            }
            _ => sample(&mut metric, &labels, |metric| metric.encode_gauge(&value))?,
        }
    }
    Ok(())
}

fn sample(
    metric: &mut MetricEncoder<'_>,
    labels: &Labels<'_>,
    write: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    if labels.is_empty() {
        return write(metric);
    }
    write(&mut metric.encode_family(&labels.as_slice())?)
}

/// Writes a gauge whose samples have a fraction.
fn fractions<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    family: &Family,
    samples: impl IntoIterator<Item = (Labels<'a>, f64)>,
) -> fmt::Result {
    let unit = family.unit.as_ref();
    let mut metric =
        encoder.encode_descriptor(family.name, family.help, unit, MetricType::Gauge)?;
    for (labels, value) in samples {
        sample(&mut metric, &labels, |metric| metric.encode_gauge(&value))?;
    }
    Ok(())
}

/// A label's value, and what is counted under it.
type Count = (&'static str, fn(&Camera) -> u64);

/// A histogram's samples, ready to be written: sum in seconds, count, buckets.
type Samples = (f64, u64, Vec<(f64, u64)>);

/// Reads a histogram. The count is that of the buckets read, so that the two always agree.
fn read<const N: usize>(histogram: &Histogram<N>) -> Samples {
    let buckets: Vec<_> = histogram.buckets().collect();
    let count = buckets.iter().map(|(_, n)| n).sum();
    (histogram.sum().as_secs_f64(), count, buckets)
}

/// Writes a histogram of seconds.
fn seconds<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    family: &Family,
    samples: impl IntoIterator<Item = (Labels<'a>, Samples)>,
) -> fmt::Result {
    let unit = Some(&Unit::Seconds);
    let mut metric =
        encoder.encode_descriptor(family.name, family.help, unit, MetricType::Histogram)?;
    for (labels, (sum, count, buckets)) in samples {
        sample(&mut metric, &labels, |metric| {
            metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
        })?;
    }
    Ok(())
}

impl Scrape {
    /// One sample per camera, of its stats.
    fn told<'a, T>(
        &'a self,
        value: impl Fn(&CameraStats) -> T + 'a,
    ) -> impl Iterator<Item = (Labels<'a>, T)> {
        let label = |camera: &'a CameraStats| vec![("camera", camera.name.as_str())];
        self.stats
            .cameras
            .iter()
            .map(move |camera| (label(camera), value(camera)))
    }

    /// One sample per camera, of what it counts itself.
    fn counted<'a, T>(
        &'a self,
        value: impl Fn(&Camera) -> T + 'a,
    ) -> impl Iterator<Item = (Labels<'a>, T)> {
        let label = |camera: &'a Camera| vec![("camera", camera.name.as_str())];
        self.cameras
            .iter()
            .map(move |camera| (label(camera), value(camera)))
    }

    /// One sample per camera and kind, labelled by the kind.
    fn by_kind<'a, const N: usize>(
        &'a self,
        label: &'static str,
        kinds: [Count; N],
    ) -> impl Iterator<Item = (Labels<'a>, i64)> {
        self.cameras.iter().flat_map(move |camera| {
            kinds.map(|(kind, value)| {
                let labels = vec![("camera", camera.name.as_str()), (label, kind)];
                (labels, value(camera) as i64)
            })
        })
    }

    fn daemon(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let head = family("build", "The version of the daemon");
        let mut metric = encoder.encode_descriptor(head.name, head.help, None, MetricType::Info)?;
        metric.encode_info(&[("version", self.stats.version.as_str())])?;
        let uptime = Family {
            unit: Some(Unit::Seconds),
            ..family("uptime", "Time since the daemon started")
        };
        fractions(encoder, &uptime, [(vec![], self.stats.uptime_seconds)])?;
        numbers(
            encoder,
            &family(
                "healthy",
                "1 while every part of the video path moves and every camera has a signal",
            ),
            MetricType::Gauge,
            [(vec![], i64::from(self.stats.healthy))],
        )
    }

    fn cameras(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let cameras = &self.stats.cameras;
        let states = cameras.iter().flat_map(|camera| {
            STATES.map(|(state, name)| {
                let labels = vec![("camera", camera.name.as_str()), ("state", name)];
                (labels, i64::from(camera.state == state))
            })
        });
        let head = family("camera_state", "1 for the state the camera is in");
        numbers(encoder, &head, MetricType::Gauge, states)?;
        let head = family("camera_device_losses", "Times the device was lost");
        numbers(encoder, &head, MetricType::Counter, self.told(|c| c.losses))?;
        let head = family(
            "camera_encoder_faults",
            "Times the camera's encoder in hardware failed, and openh264 went on",
        );
        let faults = self.told(|c| c.encoder_faults);
        numbers(encoder, &head, MetricType::Counter, faults)?;
        let head = family(
            "camera_threads_given_up",
            "Capture threads given up, since a call of the driver did not return",
        );
        let given_up = self.counted(|camera| camera.captured.given_up.get() as i64);
        numbers(encoder, &head, MetricType::Counter, given_up)?;
        let head = family(
            "camera_quality",
            "JPEG quality of the top rendition, 1 to 100",
        );
        numbers(encoder, &head, MetricType::Gauge, self.told(|c| c.quality))?;
        let hertz = |name, help| Family {
            unit: Some(Unit::Other("hertz".into())),
            ..family(name, help)
        };
        let head = hertz(
            "camera_frame_rate",
            "Frames a second over the last few seconds",
        );
        fractions(encoder, &head, self.told(|c| c.fps))?;
        let head = hertz(
            "camera_wanted_frame_rate",
            "Frames a second that are paced to",
        );
        fractions(encoder, &head, self.told(|c| c.desired_fps))
    }

    fn sound(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let cameras = self.stats.cameras.iter();
        let heard = cameras.filter_map(|camera| Some((&*camera.name, camera.sound.as_ref()?)));
        let heard: Vec<(&str, &SoundStats)> = heard.collect();
        let states = heard.iter().flat_map(|(camera, sound)| {
            STATES.map(|(state, name)| {
                let labels = vec![("camera", *camera), ("state", name)];
                (labels, i64::from(sound.state == state))
            })
        });
        let head = family(
            "camera_sound_state",
            "1 for the state the camera's sound is in",
        );
        numbers(encoder, &head, MetricType::Gauge, states)?;
        type Count = fn(&SoundStats) -> i64;
        let counted: [(&str, &str, MetricType, Count); 5] = [
            (
                "camera_sound_listeners",
                "Who listens to the camera's sound",
                MetricType::Gauge,
                |sound| sound.listeners,
            ),
            (
                "camera_sound_packets",
                "Packets of sound made",
                MetricType::Counter,
                |sound| sound.packets,
            ),
            (
                "camera_sound_packets_dropped",
                "Packets of sound that a listener did not get in time",
                MetricType::Counter,
                |sound| sound.dropped,
            ),
            (
                "camera_sound_overruns",
                "Times that sound was lost because it was not taken in time",
                MetricType::Counter,
                |sound| sound.overruns,
            ),
            (
                "camera_sound_device_losses",
                "Times the sound device was lost",
                MetricType::Counter,
                |sound| sound.losses,
            ),
        ];
        for (name, help, kind, count) in counted {
            let values = heard
                .iter()
                .map(|(camera, sound)| (vec![("camera", *camera)], count(sound)));
            numbers(encoder, &family(name, help), kind, values)?;
        }
        let levels = heard
            .iter()
            .filter_map(|(camera, sound)| Some((vec![("camera", *camera)], sound.level_db?)));
        let head = family(
            "camera_sound_level_dbfs",
            "How loud the sound is, in dB below the loudest that can be; none while nobody listens",
        );
        fractions(encoder, &head, levels)
    }

    fn frames(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let head = family("frames", "Frames by what became of them");
        let stages = self.by_kind(
            "stage",
            [
                ("captured", |c| c.captured.captured.get()),
                ("paced_out", |c| c.captured.skipped.get()),
                ("driver_lost", |c| c.captured.driver_lost.get()),
                ("corrupt", |c| c.captured.corrupt.get()),
                ("encoded", |c| c.encode_time.count()),
                ("sent", |c| c.sent.get()),
            ],
        );
        numbers(encoder, &head, MetricType::Counter, stages)?;
        let head = family(
            "encode_time",
            "Time to encode a picture, all renditions together",
        );
        seconds(encoder, &head, self.counted(|c| read(&c.encode_time)))
    }

    fn clients(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let count = |camera: &str, transport: Transport| {
            let of = |c: &&ClientStats| c.feed(camera).is_some() && c.transport == transport;
            self.stats.clients.iter().filter(of).count() as i64
        };
        let connected = self.stats.cameras.iter().flat_map(|camera| {
            TRANSPORTS.map(|(transport, name)| {
                let labels = vec![("camera", camera.name.as_str()), ("transport", name)];
                (labels, count(&camera.name, transport))
            })
        });
        let head = family("clients", "Clients that are connected");
        numbers(encoder, &head, MetricType::Gauge, connected)?;
        let head = family(
            "clients_refused",
            "Clients refused because max-clients was reached",
        );
        let refused = self.counted(|c| c.refused.get() as i64);
        numbers(encoder, &head, MetricType::Counter, refused)?;
        let head = family(
            "clients_dropped",
            "Clients dropped because they broke the protocol or took nothing for client-timeout",
        );
        let dropped = self.counted(|c| c.dropped_clients.get() as i64);
        numbers(encoder, &head, MetricType::Counter, dropped)?;
        let head = family(
            "tokens_refused",
            "Tokens that were shown and are none, or no longer one",
        );
        let refused = [(vec![], self.wrong_tokens as i64)];
        numbers(encoder, &head, MetricType::Counter, refused)?;
        for (name, help, count) in [
            (
                "handshakes_refused",
                "TLS handshakes refused because of max-handshakes",
                self.too_often[0],
            ),
            (
                "calls_refused",
                "Calls of the HTTP API refused because of max-calls",
                self.too_often[1],
            ),
        ] {
            let refused = [(vec![], count as i64)];
            numbers(encoder, &family(name, help), MetricType::Counter, refused)?;
        }
        let head = family(
            "rtsp_broken",
            "RTSP connections that were ended for what they sent before they watched, and reports and datagrams that are none",
        );
        let broken = [(vec![], self.broken_rtsp as i64)];
        numbers(encoder, &head, MetricType::Counter, broken)?;
        let head = family(
            "webrtc_strays",
            "Datagrams at the port of WebRTC that belong to no session",
        );
        let strays = [(vec![], self.strays as i64)];
        numbers(encoder, &head, MetricType::Counter, strays)?;
        self.nats(encoder)?;
        self.renditions(encoder)
    }

    /// The connection to NATS, where one is configured.
    fn nats(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let Some(nats) = &self.stats.nats else {
            return Ok(());
        };
        let head = family("nats_connected", "Whether there is a connection to NATS");
        let connected = [(vec![], nats.connected.into())];
        numbers(encoder, &head, MetricType::Gauge, connected)?;
        let head = family(
            "nats_dropped",
            "Messages and pictures of NATS that were dropped: foreign, stale, too_large",
        );
        let dropped = [
            ("foreign", nats.foreign),
            ("stale", nats.stale),
            ("too_large", nats.too_large),
        ];
        let dropped = dropped.map(|(reason, count)| (vec![("reason", reason)], count));
        numbers(encoder, &head, MetricType::Counter, dropped)
    }

    fn renditions(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let head = family(
            "rendition_clients",
            "Clients by the quality and width they get",
        );
        let unit = None;
        let mut metric =
            encoder.encode_descriptor(head.name, head.help, unit, MetricType::Gauge)?;
        for camera in &self.stats.cameras {
            for rendition in &camera.renditions {
                let quality = rendition.quality.to_string();
                let width = rendition.width.to_string();
                let labels = vec![
                    ("camera", camera.name.as_str()),
                    ("quality", &quality),
                    ("width", &width),
                ];
                sample(&mut metric, &labels, |metric| {
                    metric.encode_gauge(&rendition.clients)
                })?;
            }
        }
        Ok(())
    }

    fn deliveries(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let head = Family {
            unit: Some(Unit::Bytes),
            ..family("sent", "Bytes sent to clients, headers included")
        };
        let bytes = self.counted(|c| c.bytes.get() as i64);
        numbers(encoder, &head, MetricType::Counter, bytes)?;
        let head = family(
            "frames_not_sent",
            "Frames that a client did not get, by reason",
        );
        let dropped = self.by_kind(
            "reason",
            [
                ("slow_link", |c| c.dropped.slow_link.get()),
                ("slow_reader", |c| c.dropped.slow_reader.get()),
                ("server_busy", |c| c.dropped.server_busy.get()),
                ("frame_rate", |c| c.dropped.frame_rate.get()),
            ],
        );
        numbers(encoder, &head, MetricType::Counter, dropped)?;
        let head = family(
            "delivery_latency",
            "Time from capture until the client had the frame",
        );
        seconds(encoder, &head, self.counted(|c| read(&c.delivery)))
    }

    /// One sample per camera that this daemon can record.
    fn recorded<'a, T>(
        &'a self,
        value: impl Fn(&RecordingStats) -> T + 'a,
    ) -> impl Iterator<Item = (Labels<'a>, T)> {
        self.stats.cameras.iter().filter_map(move |camera| {
            let labels = vec![("camera", camera.name.as_str())];
            Some((labels, value(camera.recording.as_ref()?)))
        })
    }

    fn recordings(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let states = self.stats.cameras.iter().flat_map(|camera| {
            let recording = camera.recording.iter();
            recording.flat_map(|recording| {
                RECORDING_STATES.map(|state| {
                    let labels = vec![("camera", camera.name.as_str()), ("state", state.word())];
                    (labels, i64::from(recording.state == state))
                })
            })
        });
        let head = family(
            "recording_state",
            "1 for the state the camera's recording is in",
        );
        numbers(encoder, &head, MetricType::Gauge, states)?;
        let bytes = |name, help| Family {
            unit: Some(Unit::Bytes),
            ..family(name, help)
        };
        let head = bytes("recorded", "Bytes recorded");
        numbers(
            encoder,
            &head,
            MetricType::Counter,
            self.recorded(|r| r.bytes),
        )?;
        let head = family("recorded_frames", "Pictures recorded");
        numbers(
            encoder,
            &head,
            MetricType::Counter,
            self.recorded(|r| r.frames),
        )?;
        let head = family(
            "recording_lost_frames",
            "Pictures that should have been recorded and were not, since the disk did not take them",
        );
        numbers(
            encoder,
            &head,
            MetricType::Counter,
            self.recorded(|r| r.lost),
        )?;
        let head = family(
            "recordings_removed",
            "Recordings removed, since they were too old or too many",
        );
        numbers(
            encoder,
            &head,
            MetricType::Counter,
            self.recorded(|r| r.removed),
        )?;
        let head = bytes(
            "recording_disk_free",
            "Bytes free on the disk that the camera's recordings are on; -1 while unknown",
        );
        numbers(
            encoder,
            &head,
            MetricType::Gauge,
            self.recorded(|r| r.free_bytes),
        )
    }
}

/// All states of a recording.
const RECORDING_STATES: [RecordingState; 5] = [
    RecordingState::Off,
    RecordingState::Armed,
    RecordingState::Waiting,
    RecordingState::Recording,
    RecordingState::Failed,
];

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.daemon(&mut encoder)?;
        self.cameras(&mut encoder)?;
        self.sound(&mut encoder)?;
        self.frames(&mut encoder)?;
        self.clients(&mut encoder)?;
        self.deliveries(&mut encoder)?;
        self.recordings(&mut encoder)
    }
}

#[cfg(test)]
mod tests;
