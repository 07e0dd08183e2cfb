//! A camera of another machine: what is heard of it, and its pictures, as they come.

use super::Worker;
use crate::{
    capture::{
        remote::{Far, Heard},
        state::State,
    },
    config::values::Device,
};

impl Worker {
    /// Goes by what has come of the camera since the last time, if it is that of another machine.
    pub(super) fn follow(&mut self) {
        if !matches!(self.settings().device, Device::Nats(_)) {
            return;
        }
        let (heard, arrived) = self.post.orders.take_remote();
        match heard {
            Heard::Nothing => {}
            Heard::There(remote) => {
                let is_known =
                    |state: &State| matches!(state, State::Remote(far) if far.remote == remote);
                if !is_known(&self.state) {
                    let was_there = matches!(self.state, State::Remote(_));
                    let fps = self.settings().fps;
                    self.state = State::Remote(Box::new(Far::new(remote, fps)));
                    if !was_there && !self.post.faults.lock().recur() {
                        self.log_opened();
                    }
                    self.report();
                }
            }
            Heard::Lost(error) => {
                let reason = error.to_string();
                if self.state.loss().is_none_or(|loss| loss.reason != reason) {
                    self.lose(error);
                }
            }
        }
        let counters = &self.post.counters;
        if let (Some(arrived), State::Remote(far)) = (arrived, &mut self.state)
            && let Some(frame) = far.frame(arrived, counters)
        {
            // What is wrong with it is in the log and in the figures.
            let _ = self.hand_on(frame);
        }
    }
}
