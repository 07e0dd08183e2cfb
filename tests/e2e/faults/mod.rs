//! Cameras that misbehave. Whatever a driver does, a viewer sees a sound live picture or "no signal",
//! figures, status and log have the true reason, and nobody else notices.
//!
//! A [`Case`] is a fault and what is to come of it; [`all`] tries a table of them, several at a time.

mod auto;
mod buffers;
mod calls;
mod damaged;
mod frames;
mod hanging;
mod kinds;
mod log;
mod pictures;
mod planes;
mod plugging;
mod scene;
mod slow;
mod stamps;
mod states;

use std::panic::{AssertUnwindSafe, catch_unwind};

use parking_lot::Mutex;
use streamd_tests::device::orders::{Fault, Model};

use scene::Scene;

/// Daemons at a time: they wait more than they work.
const AT_A_TIME: usize = 8;

/// Of a hundred frames, so many are handed on at least where none is broken: a busy machine skips some.
const MOST: usize = 40;

/// Something that is wrong with a camera, and what is to come of it.
struct Case {
    name: &'static str,
    model: Model,
    /// Keys of the camera.
    keys: &'static str,
    faults: Vec<Fault>,
    /// The film [`BROKEN`].
    film: Vec<Vec<u8>>,
    outcome: Outcome,
    begins: Begins,
}

/// When a fault begins.
#[derive(Clone, Copy, PartialEq)]
enum Begins {
    /// While the camera is watched.
    Watched,
    /// Before the daemon.
    Early,
    /// While the camera is off, since nobody watches; then somebody does.
    Idle,
    /// Together with a reload that changes the size.
    Reload,
}

/// The name of the film that a case gives its camera.
const BROKEN: &str = "broken";

/// What is to come of a fault.
#[derive(Clone, Copy)]
enum Outcome {
    /// "No signal", and these words in the reason.
    Lost(&'static [&'static str]),
    /// The camera's pictures go on, at least so many of a hundred frames.
    Flows(usize),
}

impl Case {
    /// Such a fault of a camera that is being watched makes it lost, for this reason.
    fn lost(name: &'static str, faults: &[Fault], reason: &'static [&'static str]) -> Self {
        let outcome = Outcome::Lost(reason);
        Self {
            outcome,
            ..Self::flows(name, faults)
        }
    }

    /// Such a fault of a camera that is being watched is none that a viewer sees.
    fn flows(name: &'static str, faults: &[Fault]) -> Self {
        Self {
            name,
            model: Model::yuyv(),
            keys: "",
            faults: faults.to_vec(),
            film: Vec::new(),
            outcome: Outcome::Flows(MOST),
            begins: Begins::Watched,
        }
    }

    /// Of another camera.
    fn of(self, model: Model) -> Self {
        Self { model, ..self }
    }

    /// The fault is there before the daemon.
    fn early(self) -> Self {
        self.begins(Begins::Early)
    }

    /// The fault begins then.
    fn begins(self, begins: Begins) -> Self {
        Self { begins, ..self }
    }

    fn run(&self) {
        let mut scene = Scene::of(self);
        if self.begins != Begins::Early {
            scene.sees_film();
            scene.is_as_before();
        }
        if self.begins == Begins::Idle {
            scene.leaves();
        }
        scene.device.fault(&self.faults);
        match self.begins {
            Begins::Watched | Begins::Early => {}
            Begins::Idle => scene.comes_back(),
            Begins::Reload => scene.reload("320x240"),
        }
        match self.outcome {
            Outcome::Lost(reason) => scene.is_lost(reason),
            Outcome::Flows(share) => scene.flows(share),
        }
        scene.device.heal();
        scene.heals();
        scene.ends();
    }
}

/// Tries all of them.
#[track_caller]
fn all(cases: Vec<Case>) {
    let (left, failed) = (Mutex::new(cases), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let Some(case) = left.lock().pop() else {
                        return;
                    };
                    if catch_unwind(AssertUnwindSafe(|| case.run())).is_err() {
                        eprintln!("that was the case {:?}", case.name);
                        failed.lock().push(case.name);
                    }
                }
            });
        }
    });
    assert!(
        failed.lock().is_empty(),
        "cases that failed: {:?}",
        failed.lock()
    );
}
