//! A watch without a picture: lines of figures for people, or JSON for programs.

use std::{
    io::{self, Write},
    time::Duration,
};

use serde::Serialize;

use super::{
    figures,
    follow::Outcome,
    measure::Reading,
    verdict::Verdict,
    view::{Front, Rendition, State, View},
};
use crate::charset;

/// Prints lines.
#[derive(Debug)]
pub struct Headless {
    interval: Duration,
    json: bool,
    /// Standard output is taken by the pictures.
    to_stderr: bool,
    target: String,
    shown: Option<State>,
}

/// A line of JSON.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Line<'a> {
    #[serde(rename_all = "camelCase")]
    State {
        state: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cause: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_seconds: Option<f64>,
        seconds: f64,
    },
    Rendition {
        #[serde(flatten)]
        rendition: &'a Rendition,
        seconds: f64,
    },
    Notice {
        message: &'a str,
    },
    Figures {
        state: &'static str,
        #[serde(flatten)]
        reading: &'a Reading,
        rendition: &'a Rendition,
    },
    Summary {
        healthy: bool,
        reasons: &'a [String],
        #[serde(flatten)]
        reading: &'a Reading,
        saved: u64,
    },
}

impl Headless {
    /// Lines every `interval`, in JSON or for people; `to_stderr` leaves standard output alone.
    pub fn new(target: String, interval: Duration, json: bool, to_stderr: bool) -> Self {
        Self {
            interval,
            json,
            to_stderr,
            target,
            shown: None,
        }
    }

    /// Prints what the watch came to.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn summary(&self, outcome: &Outcome, verdict: &Verdict) -> io::Result<()> {
        if self.json {
            return self.json(&Line::Summary {
                healthy: verdict.code == 0,
                reasons: &verdict.reasons,
                reading: &outcome.reading,
                saved: outcome.saved,
            });
        }
        self.line(&charset::fit(&figures::summary(
            &outcome.reading,
            outcome.saved,
        )))
    }

    fn json(&self, line: &Line<'_>) -> io::Result<()> {
        self.line(&serde_json::to_string(line)?)
    }

    fn line(&self, line: &str) -> io::Result<()> {
        if self.to_stderr {
            return writeln!(io::stderr().lock(), "{line}");
        }
        let mut out = io::stdout().lock();
        writeln!(out, "{line}")?;
        out.flush()
    }

    /// For people alone, beside the figures; nothing depends on their reading it.
    fn remark(&self, remark: &str) -> io::Result<()> {
        let _ = writeln!(io::stderr().lock(), "streamctl: {}", charset::fit(remark));
        Ok(())
    }
}

impl Headless {
    fn state(&self, view: &View) -> io::Result<()> {
        let seconds = view.reading.seconds;
        let (cause, wait) = match &view.state {
            State::Waiting { cause, until } => {
                (Some(cause.as_str()), Some(until.as_secs_f64() - seconds))
            }
            _ => (None, None),
        };
        if self.json {
            return self.json(&Line::State {
                state: word(&view.state),
                cause,
                retry_seconds: wait,
                seconds,
            });
        }
        match (&view.state, wait) {
            (State::Connected, _) => self.remark(&format!("connected to {}", self.target)),
            (State::NoSignal, _) => self.remark("no signal"),
            (State::Waiting { cause, .. }, Some(wait)) => {
                self.remark(&format!("{cause}; attempt {} in {wait:.1} s", view.attempt))
            }
            _ => Ok(()),
        }
    }

    fn rendition(&self, view: &View) -> io::Result<()> {
        let rendition = &view.rendition;
        if self.json {
            let seconds = view.reading.seconds;
            return self.json(&Line::Rendition { rendition, seconds });
        }
        self.remark(&format!("receiving {}", figures::rendition(rendition)))
    }
}

impl Front for Headless {
    fn changed(&mut self, view: &View) -> io::Result<()> {
        // Only the state or the rendition changes at a time.
        if self.shown.as_ref() == Some(&view.state) {
            return self.rendition(view);
        }
        self.shown = Some(view.state.clone());
        self.state(view)
    }

    fn picture(&mut self, _: &[u8]) {}

    fn notice(&mut self, message: &str) -> io::Result<()> {
        if self.json {
            return self.json(&Line::Notice { message });
        }
        self.remark(message)
    }

    fn figures(&mut self, view: &View) -> io::Result<()> {
        if self.json {
            return self.json(&Line::Figures {
                state: word(&view.state),
                reading: &view.reading,
                rendition: &view.rendition,
            });
        }
        self.line(&charset::fit(&figures::line(&view.reading)))
    }

    fn interval(&self) -> Duration {
        self.interval
    }
}

fn word(state: &State) -> &'static str {
    match state {
        State::Connecting => "connecting",
        State::Connected => "connected",
        State::Live => "live",
        State::NoSignal => "noSignal",
        State::Waiting { .. } => "waiting",
    }
}
