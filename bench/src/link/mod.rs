//! `streamd-bench link`: fresh frames over bad links.
//!
//! For each row, two network namespaces are joined by a link in user space; the server is started
//! in one, the clients run in the other. Both have the clocks of this machine, so that the capture
//! time in a picture gives its true latency. What the camera films is known, so that each screen can
//! be compared with it at any moment.

mod bottleneck;
mod film;
pub mod namespace;
mod notes;
mod oracle;
pub mod profile;
mod report;
pub mod rows;
mod screen;
mod server;
mod ssim;
pub mod wire;

use std::net::Ipv4Addr;

use streamd_protocol::stream::Codec;

use self::{
    bottleneck::Bottleneck,
    film::{Camera, Film},
    namespace::Namespace,
    oracle::Oracle,
    report::Report,
    rows::{Path, Row},
    screen::{Critic, Shown},
    server::{Kind, Running},
    wire::Wire,
};
use crate::{
    args::{self, Protocol},
    clock,
    figures::Arrival,
    kernel,
    load::{self, Outcome, Plan},
    process::Stop,
    summary::Summary,
};

/// The server's end of the link, and the clients'.
pub const NEAR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
pub const FAR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

/// Measures the rows and prints them.
pub fn run(arguments: &args::Link, stop: &Stop) -> anyhow::Result<()> {
    let rows = rows::chosen(arguments)?;
    anyhow::ensure!(
        (arguments.protocol, arguments.codec) != (Protocol::Http, Codec::H264),
        "--codec: over HTTP multipart there is only jpeg"
    );
    // What can't work is said before anything takes its minutes.
    Namespace::new()?.enter()?;
    for name in &arguments.congestion {
        namespace::set_congestion(name)?;
    }
    let film = film(arguments)?;
    let stage = film
        .as_ref()
        .map(|film| Stage::new(film, arguments))
        .transpose()?;
    let mut reports = Vec::new();
    for row in &rows {
        for (n, congestion) in arguments.congestion.iter().enumerate() {
            // Nothing is congested on loopback, and datagrams have none of TCP's.
            if n > 0 && (row.link.is_none() || arguments.protocol == Protocol::Whep) {
                continue;
            }
            let bench = Bench {
                arguments,
                stage: stage.as_ref(),
                row,
                congestion,
                stop,
            };
            reports.extend(bench.row()?);
        }
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&reports)?);
    } else {
        report::print(&reports);
    }
    Ok(())
}

fn film(arguments: &args::Link) -> anyhow::Result<Option<Film>> {
    if arguments.device.is_some() {
        return Ok(None);
    }
    if let Some(path) = &arguments.film {
        return Film::read(path, arguments.size).map(Some);
    }
    let (width, height) = film::SCENE;
    anyhow::ensure!(
        arguments.size == film::SCENE,
        "--size: the scene of this program has {width}x{height}; name a --film or a --device"
    );
    Ok(Some(Film::scene()))
}

/// A film, the camera before which it plays, and those who know it.
struct Stage<'f> {
    camera: Camera,
    critic: Critic<'f>,
    /// `None` where only times and bytes are asked for.
    oracle: Option<Oracle>,
}

impl<'f> Stage<'f> {
    fn new(film: &'f Film, arguments: &args::Link) -> anyhow::Result<Self> {
        Ok(Self {
            camera: Camera::plug(film)?,
            critic: Critic::new(film),
            oracle: match arguments.plain {
                true => None,
                false => Some(Oracle::new(film, arguments.quality)?),
            },
        })
    }
}

/// A row, with one congestion control.
struct Bench<'b> {
    arguments: &'b args::Link,
    stage: Option<&'b Stage<'b>>,
    row: &'b Row,
    congestion: &'b str,
    stop: &'b Stop,
}

impl Bench<'_> {
    fn row(&self) -> anyhow::Result<Vec<Report>> {
        let mut reports = self.measure(Kind::Streamd)?;
        let peer = server::peer_program(self.arguments);
        // Without a film or a camera a peer has no picture that moves.
        let has_picture = self.stage.is_some() || self.arguments.device.is_some();
        match peer.filter(|_| has_picture) {
            Some(program) if server::is_installed(program) => {
                // What is like the oracle of streamd's row is the same for both.
                let measured = self.measure(Kind::Peer)?;
                reports.splice(1..1, measured.into_iter().take(1));
            }
            Some(program) => {
                let note = format!("{program} is not installed");
                reports.insert(
                    1,
                    Report::nothing(self.row, self.congestion, Kind::Peer, note),
                );
            }
            None => {}
        }
        Ok(reports)
    }

    /// A server, and where the film is known, the oracle in the same time. This thread stays in the
    /// namespace of the clients, which ends when it enters the next one.
    fn measure(&self, kind: Kind) -> anyhow::Result<Vec<Report>> {
        let (row, congestion) = (self.row, self.congestion);
        eprintln!(
            "{}, {congestion}, {}: {} s …",
            row.name,
            kind.name(),
            row.secs.as_secs()
        );
        let near = Namespace::new()?;
        near.enter()?;
        namespace::set_congestion(congestion)?;
        let camera = self.stage.map(|stage| &stage.camera);
        let running = Running::start(kind, self.arguments, camera, self.stop)?;
        let mut target = running.target().clone();
        let far = Namespace::new()?;
        let wire = row
            .link
            .as_ref()
            .map(|path| connect(path, &near, &far))
            .transpose()?;
        if wire.is_some() {
            target.address.set_ip(NEAR.into());
        }
        // On loopback every server has the best pictures.
        target.keep &= wire.is_some() && !self.arguments.plain;
        let plan = Plan {
            target,
            clients: row.clients,
            slow: row.slow.0,
            rate: row.slow.1,
            warm: self.arguments.warm,
            secs: row.secs,
            pid: Some(running.pid()),
        };
        let mut begin = || {
            if let Some(wire) = &wire {
                wire.restart();
            }
        };
        let outcome = load::run(&plan, self.stop, &mut begin)?;
        drop(running);
        let is_datagrams = kind == Kind::Streamd && self.arguments.protocol == Protocol::Whep;
        let mut report = Report::new(
            row,
            if is_datagrams { "–" } else { congestion },
            kind,
            &outcome,
            wire.as_ref().map(Wire::carried),
        );
        let (Some(stage), Some(path), Some(wire)) = (self.stage, &row.link, &wire) else {
            return Ok(vec![report]);
        };
        let Some(oracle) = &stage.oracle else {
            return Ok(vec![report]);
        };
        let time = Time::of(&outcome);
        report.ssim = Some(stage.seen(&outcome, &time));
        let mut reports = vec![report];
        if row.clients == 1 {
            reports.push(self.ask(stage, oracle, &wire.bottleneck(), path, &time));
        }
        Ok(reports)
    }

    /// What the oracle would have made of the link.
    fn ask(
        &self,
        stage: &Stage<'_>,
        oracle: &Oracle,
        link: &Bottleneck,
        path: &Path,
        time: &Time,
    ) -> Report {
        // Before the measurement there was a picture, too.
        let warm = self.arguments.warm.as_nanos().min(1_000_000_000) as u64;
        let sent = oracle.watch(link, path.rtt / 2, time.from - warm, time.to);
        let shown: Vec<Shown<'_>> = sent
            .iter()
            .map(|sent| Shown {
                at: sent.at,
                picture: sent.picture,
            })
            .collect();
        let arrivals: Vec<Arrival> = (0..)
            .zip(&sent)
            .filter(|(_, sent)| sent.at < time.to)
            .map(|(n, sent)| Arrival {
                at_us: time.real_us(sent.at),
                captured_us: Some(time.real_us(sent.captured)),
                sequence: Some(n),
                bytes: sent.picture.len(),
            })
            .collect();
        let (from, to) = (time.real_us(time.from), time.real_us(time.to));
        let counted = sent
            .iter()
            .filter(|sent| (time.from..time.to).contains(&sent.at));
        let bytes: usize = counted
            .map(|sent| oracle::on_the_wire(sent.picture.len()))
            .sum();
        Report {
            ssim: Some(stage.critic.mean(&shown, time.from, time.to)),
            used: Some(bytes as f64 / link.capacity(time.from, time.to) * 100.0),
            figures: Some(Summary::of(&[&arrivals], from, to)),
            ..Report::nothing(self.row, self.congestion, Kind::Oracle, String::new())
        }
    }
}

impl Stage<'_> {
    /// Mean SSIM of all clients' screens.
    fn seen(&self, outcome: &Outcome, time: &Time) -> f64 {
        let screens = outcome.of(false).map(|client| {
            let shown: Vec<Shown<'_>> = client
                .pictures
                .iter()
                .map(|(at_us, picture)| Shown {
                    at: time.monotonic(*at_us),
                    picture,
                })
                .collect();
            self.critic.mean(&shown, time.from, time.to)
        });
        let screens: Vec<f64> = screens.collect();
        screens.iter().sum::<f64>() / screens.len().max(1) as f64
    }
}

/// The time of a measurement, in nanoseconds of `CLOCK_MONOTONIC`, and the way from there to the
/// other clock.
struct Time {
    from: u64,
    to: u64,
    /// The wall clock is so much ahead.
    ahead: u64,
}

impl Time {
    fn of(outcome: &Outcome) -> Self {
        let ahead = clock::real_us() * 1000 - clock::monotonic_ns();
        Self {
            from: outcome.from_us * 1000 - ahead,
            to: outcome.to_us * 1000 - ahead,
            ahead,
        }
    }

    fn monotonic(&self, real_us: u64) -> u64 {
        real_us * 1000 - self.ahead
    }

    fn real_us(&self, monotonic: u64) -> u64 {
        monotonic.saturating_add(self.ahead) / 1000
    }
}

/// Joins two namespaces: what `near` sends passes the bottleneck. This thread is in the far one then.
pub fn connect(path: &Path, near: &Namespace, far: &Namespace) -> anyhow::Result<Wire> {
    let devices = [(near, "near", NEAR), (far, "far", FAR)];
    let [near, far] = devices.map(|(namespace, name, address)| -> anyhow::Result<_> {
        namespace.enter()?;
        kernel::tun(name, address).map_err(|error| {
            anyhow::anyhow!("no TUN device: {error} (modprobe tun; mknod /dev/net/tun c 10 200)")
        })
    });
    let bottleneck = Bottleneck::new(path.profile.clone(), path.queue.as_nanos() as u64);
    Ok(Wire::start(
        near?,
        far?,
        bottleneck,
        (path.rtt / 2, path.loss),
    )?)
}
