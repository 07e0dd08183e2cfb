//! A daemon with a camera that is to fail, another camera that is not to notice, and a viewer of each.

use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::Signal;
use streamd_protocol::stats::{CameraState, CameraStats};
use streamd_tests::{
    PATIENCE,
    daemon::Daemon,
    device::{
        Bus, Device,
        orders::{Call, Model},
    },
    eventually,
    film::{Shows, shown},
    setup::Setup,
    usage::Usage,
    viewer::Viewer,
};

use super::{BROKEN, Begins, Case};

/// Calls of the driver in a second that are more than any camera here needs; a loop without a rest
/// makes ten thousands.
const TOO_MANY_CALLS: f64 = 500.0;

/// Lines of the log about one fault.
const TOO_MANY_LINES: usize = 12;

/// Memory that no daemon with two small cameras has, bytes.
const TOO_MUCH_MEMORY: u64 = 400 * 1024 * 1024;

/// All of it.
pub(super) struct Scene {
    pub device: Device,
    pub daemon: Daemon,
    pub viewer: Viewer,
    witness: Viewer,
    grey: bool,
    /// Before the fault.
    before: Option<Usage>,
    /// Kept for as long as the daemon uses it.
    _other: Device,
}

impl Scene {
    /// A camera, with the faults that it has from the start.
    #[track_caller]
    pub fn of(case: &Case) -> Self {
        let bus = Bus::default();
        bus.give_film(BROKEN, &case.film);
        let device = bus.plug(0, case.model.clone());
        if case.begins == Begins::Early {
            device.fault(&case.faults);
        }
        let slow = Model {
            fps: vec![10],
            ..Model::yuyv()
        };
        let other = bus.plug(1, slow);
        // Nobody reads the other camera's pictures while the first one is looked at.
        let keys = match case.begins {
            Begins::Idle => format!("idle-after = \"100ms\"\n{}", case.keys),
            _ => case.keys.into(),
        };
        let setup = Setup::default().bus(&bus).device(&device, &keys);
        let setup = setup.tables("[clients]\nclient-timeout = \"10min\"");
        let keys_of_other = format!("device = {:?}\nsize = \"160x120\"\n", other.path());
        let daemon = setup.another("other", &keys_of_other).start();
        let mut scene = Self {
            viewer: daemon.viewer(),
            witness: Viewer::connect(daemon.setup.tcp(1)),
            grey: case.model.formats[0].fourcc == "GREY",
            before: None,
            device,
            daemon,
            _other: other,
        };
        scene.other_goes_on();
        scene
    }

    /// What the next picture shows.
    #[track_caller]
    pub fn sees(&mut self) -> Shows {
        let picture = self.viewer.picture();
        let shown = shown(&picture, self.grey);
        shown.unwrap_or_else(|error| panic!("{error}; the last calls: {:?}", self.last_calls()))
    }

    fn last_calls(&self) -> Vec<String> {
        let calls = self.device.calls();
        calls[calls.len().saturating_sub(20)..].to_vec()
    }

    /// Waits for a picture; those before it are sound, too.
    #[track_caller]
    fn waits_for(&mut self, what: &str, fits: impl Fn(Shows) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !fits(self.sees()) {
            if Instant::now() > deadline {
                panic!(
                    "no {what}; the last calls: {:?}; {:#?}",
                    self.last_calls(),
                    self.camera()
                );
            }
        }
    }

    /// Waits for two pictures of the camera that differ.
    #[track_caller]
    pub fn sees_film(&mut self) {
        let first = std::cell::Cell::new(None);
        self.waits_for("moving picture", |shows| match shows {
            Shows::Film(number) => first.replace(Some(number)).is_some_and(|n| n != number),
            Shows::Blank => false,
        });
    }

    /// So many pictures of the camera, and nothing else.
    #[track_caller]
    pub fn sees_pictures_of_film(&mut self, count: usize) {
        for _ in 0..count {
            let shows = self.sees();
            assert_ne!(shows, Shows::Blank, "{:#?}", self.camera());
        }
    }

    /// The viewer looks at the other camera.
    pub fn looks_away(&mut self) {
        self.viewer = Viewer::connect(self.daemon.setup.tcp(1));
    }

    /// The viewer leaves, and the camera is switched off.
    #[track_caller]
    pub fn leaves(&mut self) {
        self.looks_away();
        self.daemon.wait_for_stats("an idle camera", |stats| {
            stats.cameras[0].state == CameraState::Idle
        });
    }

    /// A reload with another size.
    #[track_caller]
    pub fn reload(&mut self, size: &str) {
        let keys = format!("device = {:?}\nsize = {size:?}", self.device.path());
        self.daemon.setup.set_camera(&keys);
        self.daemon.setup.write_config();
        let from = self.daemon.notified.count();
        self.daemon.signal(Signal::SIGHUP);
        self.daemon.notified.wait_after(from, &["READY=1"]);
    }

    /// The viewer is there again.
    pub fn comes_back(&mut self) {
        self.viewer = self.daemon.viewer();
    }

    /// What is used now is to be used when all is over, too.
    pub fn is_as_before(&mut self) {
        self.before = Some(self.usage());
    }

    fn usage(&self) -> Usage {
        Usage::of(self.daemon.stats().pid)
    }

    pub fn camera(&self) -> CameraStats {
        self.daemon.stats().cameras.remove(0)
    }

    /// "No signal" comes, all say why, and nothing is busy.
    #[track_caller]
    pub fn is_lost(&mut self, reason: &[&str]) {
        self.waits_for("blank picture", |shows| shows == Shows::Blank);
        let stats = self.daemon.wait_for_stats(&format!("{reason:?}"), |stats| {
            let camera = &stats.cameras[0];
            camera.state == CameraState::Lost
                && reason.iter().all(|part| camera.reason.contains(part))
        });
        assert!(!stats.healthy, "{stats:#?}");
        let status: Vec<_> = ["STATUS=", "main: "]
            .iter()
            .chain(reason)
            .copied()
            .collect();
        self.daemon.notified.wait_for(&status);
        self.daemon
            .log
            .wait_for(&[&["no signal: "], reason].concat());
        let rests = Rests::begin(self);
        // One comes each second.
        self.waits_for("second blank picture", |shows| shows == Shows::Blank);
        rests.end(self);
    }

    /// The camera's pictures go on, and nothing else comes: that many of a hundred frames at least
    /// are handed on.
    #[track_caller]
    pub fn flows(&mut self, share: usize) {
        self.waits_for("picture of the film", |shows| shows != Shows::Blank);
        let rests = Rests::begin(self);
        let counts = |scene: &Self| {
            let frames = scene.device.count(Call::QBuf);
            (scene.camera().captured as usize, frames)
        };
        let before = counts(self);
        for _ in 0..30 {
            assert_ne!(self.sees(), Shows::Blank, "{:#?}", self.camera());
        }
        let after = counts(self);
        rests.end(self);
        let (captured, frames) = (after.0 - before.0, after.1 - before.1);
        assert!(
            captured * 100 >= frames * share,
            "{captured} of {frames} frames"
        );
        let camera = self.camera();
        assert_eq!(
            (camera.state, &*camera.reason),
            (CameraState::Streaming, "")
        );
    }

    /// The other camera's viewer gets pictures that are taken from now on, and nothing else.
    #[track_caller]
    fn other_goes_on(&mut self) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.expect("it is later than 1970").as_micros();
        loop {
            let picture = self.witness.picture();
            match shown(&picture, false) {
                Ok(Shows::Film(_)) if u128::from(picture.app.captured_us) > now => return,
                Ok(Shows::Film(_)) => {}
                instead => panic!("the other camera shows {instead:?}"),
            }
        }
    }

    /// The cause is gone: the camera is back, and all is as it was.
    #[track_caller]
    pub fn heals(&mut self) {
        self.sees_film();
        self.daemon
            .wait_for_stats("the camera streams, without a reason", |stats| {
                let camera = &stats.cameras[0];
                camera.state == CameraState::Streaming && camera.reason.is_empty()
            });
        eventually("no more threads and descriptors than before", || {
            // The control connection of the moment is one.
            let now = self.usage();
            let before = self.before.unwrap_or(now);
            if now.threads <= before.threads && now.descriptors <= before.descriptors + 1 {
                return Ok(());
            }
            Err(format!("{now:?}, before {before:?}"))
        });
        let stats = self.daemon.stats();
        assert_eq!(stats.cameras[1].losses, 0, "{stats:#?}");
    }

    /// SIGTERM is obeyed.
    #[track_caller]
    pub fn ends(mut self) {
        self.daemon.signal(Signal::SIGTERM);
        let status = self.daemon.wait_for_end();
        assert_eq!(status.code(), Some(0), "{status}");
    }
}

/// What a daemon does while a fault lasts.
struct Rests {
    began: Instant,
    usage: Usage,
    calls: usize,
    lines: usize,
}

impl Rests {
    fn begin(scene: &Scene) -> Self {
        Self {
            began: Instant::now(),
            usage: scene.usage(),
            calls: scene.device.calls().len(),
            lines: scene.daemon.log.count(),
        }
    }

    /// It was not much.
    #[track_caller]
    fn end(self, scene: &mut Scene) {
        scene.other_goes_on();
        let lasted = self.began.elapsed().max(Duration::from_secs(1));
        let usage = scene.usage();
        let cpu = usage.cpu - self.usage.cpu;
        assert!(cpu < lasted / 2, "{cpu:?} of CPU in {lasted:?}");
        assert!(usage.memory < TOO_MUCH_MEMORY, "{usage:?}");
        let calls = scene.device.calls();
        let new = calls.len() - self.calls;
        let rate = new as f64 / lasted.as_secs_f64();
        assert!(
            rate < TOO_MANY_CALLS,
            "{rate} calls a second: {:?}",
            scene.last_calls()
        );
        let log = scene.daemon.log.all();
        assert!(
            log.len() - self.lines < TOO_MANY_LINES,
            "{}",
            log[self.lines..].join("\n")
        );
    }
}
