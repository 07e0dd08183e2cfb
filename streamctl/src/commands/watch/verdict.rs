//! Whether a stream was as expected: the exit code of a watch and the words for it.

use std::process::ExitCode;

use super::{
    args::Args,
    follow::{Ending, Outcome},
    framing::Error,
    loss::Loss,
    measure::Reading,
};

/// The stream was not as expected.
const UNHEALTHY: u8 = 1;
/// The camera that was asked for is not to be had (EX_NOINPUT).
const NOT_FOUND: u8 = 66;
/// No connection (EX_UNAVAILABLE).
const UNAVAILABLE: u8 = 69;
/// Reading or writing failed (EX_IOERR).
const IO: u8 = 74;
/// What came was no stream (EX_PROTOCOL).
const PROTOCOL: u8 = 76;
/// Disconnected by an administrator (EX_NOPERM).
const NO_PERMISSION: u8 = 77;

/// What a watch came to, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// 0 when all is well.
    pub code: u8,
    /// What is not well.
    pub reasons: Vec<String>,
}

impl Verdict {
    /// Judges a watch.
    pub fn of(outcome: &Outcome, args: &Args) -> Self {
        let (code, reason) = match &outcome.ending {
            Ending::GaveUp(loss) => (loss_code(loss), loss.to_string()),
            Ending::Unsaved(error) => (IO, error.to_string()),
            Ending::Unshown(error) => (IO, format!("the figures can't be shown: {error}")),
            Ending::Kicked(why) => (NO_PERMISSION, format!("disconnected by the server: {why}")),
            Ending::Complete if outcome.reading.frames == 0 => nothing_came(outcome),
            Ending::Complete | Ending::Asked | Ending::Unread => {
                return Self::of_figures(&outcome.reading, args);
            }
        };
        Self {
            code,
            reasons: vec![reason],
        }
    }

    fn of_figures(reading: &Reading, args: &Args) -> Self {
        let fps = args.expect_fps.filter(|fps| reading.average_fps < *fps);
        let slow = fps.map(|fps| {
            let average = reading.average_fps;
            format!("{average:.1} fps on average, expected are {fps} at least")
        });
        let late = args.expect_latency.and_then(|expected| {
            let expected = expected.as_secs_f64() * 1e3;
            match reading.average_latency_ms {
                Some(ms) if ms <= expected => None,
                Some(ms) => Some(format!(
                    "{ms:.1} ms of latency on average, expected are {expected} at most"
                )),
                None => Some("the latency is not known: the server does not talk".into()),
            }
        });
        let reasons: Vec<_> = slow.into_iter().chain(late).collect();
        Self {
            code: if reasons.is_empty() { 0 } else { UNHEALTHY },
            reasons,
        }
    }

    /// The exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

fn nothing_came(outcome: &Outcome) -> (u8, String) {
    match &outcome.last_loss {
        Some(loss) => (loss_code(loss), loss.to_string()),
        None if outcome.connections == 0 => (UNAVAILABLE, "no connection in time".into()),
        None if outcome.no_signal => (UNHEALTHY, "the camera gives no picture".into()),
        None => (UNHEALTHY, "no picture came".into()),
    }
}

fn loss_code(loss: &Loss) -> u8 {
    match loss {
        Loss::NoStream { error, .. } => match error {
            Error::Status(401 | 403, _) => NO_PERMISSION,
            Error::Status(500.., _) => UNAVAILABLE,
            _ => PROTOCOL,
        },
        // As from a camera's own port, whose pictures may or may not be faster than its refusal.
        Loss::NoAnswer { .. } => PROTOCOL,
        Loss::Refused(_) => NOT_FOUND,
        _ => UNAVAILABLE,
    }
}
