//! The command line of `streamctl watch`.

use std::{path::PathBuf, time::Duration};

use streamd_protocol::stream::{FromClient, Want};

use super::{
    reconnect::Policy,
    target::{Address, Target},
    tls::Fingerprint,
};
use crate::complete;

/// Watch a camera's live stream in the terminal, or measure it
///
/// On a terminal the picture is shown; without one, or with --headless or --json, a line of
/// figures is printed every --stats-interval. Exit codes: 0 the stream was as expected; 1 it was
/// not (--expect-fps, --expect-latency, or no picture came at all); 66 no such camera; 69 no connection; 73 a file
/// can't be made; 74 a file can't be written; 76 what came was no stream; 77 disconnected by an
/// administrator.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = KEYS)]
pub struct Args {
    /// HOST, HOST:PORT, [IPV6]:PORT, tls://HOST:PORT or unix:PATH for a raw stream, http(s)://… for
    /// MJPEG, ws(s)://… for WebSocket
    #[arg(value_name = "TARGET", default_value = "127.0.0.1:8002")]
    pub target: Target,

    /// The camera; the target's own where none is named
    #[arg(long, value_name = "NAME", conflicts_with = "silent", add = complete::cameras())]
    pub camera: Option<String>,

    /// The SHA-256 of the certificate that an encrypted target must have, whoever has signed it
    #[arg(long, value_name = "SHA256")]
    pub fingerprint: Option<Fingerprint>,

    /// How the picture is drawn
    #[arg(long, value_enum, default_value_t = Graphics::Auto, value_name = "HOW")]
    pub graphics: Graphics,

    /// Show no picture, print figures
    #[arg(long)]
    pub headless: bool,

    /// Between two lines of figures, for instance 500ms, 5s, 1m
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    pub stats_interval: Duration,

    /// End after this many frames
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub frames: Option<u64>,

    /// End after this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub duration: Option<Duration>,

    /// Save every frame as DIR/frame-NNNNNN.jpg; nothing is overwritten
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,

    /// Write the frames one after the other to a new file, or to standard output (-)
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Exit with 1 if the average is below
    #[arg(long, value_name = "FPS", value_parser = positive)]
    pub expect_fps: Option<f64>,

    /// Exit with 1 if the average is above, for instance 100ms
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub expect_latency: Option<Duration>,

    /// Attempts in a row before giving up; 0 for never
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub reconnect_attempts: u32,

    /// Between two attempts
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time)]
    pub reconnect_delay: Duration,

    /// Connect anew when nothing has come for this long
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    pub stall_timeout: Duration,

    /// The name to be known by in `streamctl clients` [default: streamctl@HOSTNAME]
    #[arg(long, conflicts_with = "silent")]
    pub name: Option<String>,

    /// Frames a second at most
    #[arg(long, value_parser = positive, conflicts_with = "silent")]
    pub fps: Option<f64>,

    /// JPEG quality at most, 1 to 100
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=100), conflicts_with = "silent")]
    pub quality: Option<u8>,

    /// Width at most, in pixels
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(16..=16384))]
    #[arg(conflicts_with = "silent")]
    pub max_width: Option<u32>,

    /// Never say a word to the server: no latency, no limits
    #[arg(long)]
    pub silent: bool,
}

const KEYS: &str = "\
Keys: s figures on and off, w save this frame, p pause, ? help, q quit

Examples:
  streamctl watch robot
  streamctl watch robot --headless --duration 10s --expect-fps 25 --expect-latency 100ms
  streamctl watch robot --output - | ffplay -f mjpeg -";

/// How the picture is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Graphics {
    /// The best that the terminal says it has
    Auto,
    /// The kitty graphics protocol
    Kitty,
    /// Sixels
    Sixel,
    /// Half blocks in true colour, which every modern terminal has
    Blocks,
    /// No picture, only the figures
    None,
}

/// The variable that has the token, where the server asks for one: other users of the machine can
/// read a command line, and no environment.
const TOKEN: &str = "STREAMD_TOKEN";

impl Args {
    /// The first words to the server; `None` if it is to hear none.
    pub fn hello(&self) -> Option<FromClient> {
        (!self.silent).then(|| FromClient::Hello {
            name: Some(self.name.clone().unwrap_or_else(default_name)),
            token: token(),
            want: Want {
                fps: self.fps,
                quality: self.quality,
                max_width: self.max_width,
                paused: None,
                codec: None,
            },
        })
    }

    /// What is asked for over HTTP, wishes included; `None` for a raw stream. Over a WebSocket
    /// wishes are said.
    pub fn address(&self) -> Option<Address> {
        let Target::Web(address) = &self.target else {
            return None;
        };
        let websocket = address.websocket;
        let mut address = address.clone();
        let mut ask = |name, value: Option<String>| {
            value
                .into_iter()
                .for_each(|value| address.ask(name, &value));
        };
        ask("camera", self.camera.clone());
        if !websocket {
            ask("fps", self.fps.map(|fps| fps.to_string()));
            ask("quality", self.quality.map(|quality| quality.to_string()));
            ask("max_width", self.max_width.map(|width| width.to_string()));
        }
        Some(address)
    }

    /// Which camera is asked for besides; `None` for the target's own.
    pub fn subscription(&self) -> Option<FromClient> {
        if matches!(self.target, Target::Web(_)) {
            return None;
        }
        let cameras = vec![self.camera.clone()?];
        Some(FromClient::Subscribe { cameras })
    }

    /// How often to try again.
    pub fn policy(&self) -> Policy {
        Policy {
            attempts: self.reconnect_attempts,
            delay: self.reconnect_delay,
        }
    }
}

/// The token to show, if there is one.
pub fn token() -> Option<String> {
    std::env::var(TOKEN).ok().filter(|token| !token.is_empty())
}

fn default_name() -> String {
    match nix::unistd::gethostname() {
        Ok(host) => format!("streamctl@{}", host.to_string_lossy()),
        Err(_) => "streamctl".into(),
    }
}

/// A time with its unit: `500ms`, `2.5s`, `1m`, `1h`; without one, seconds.
fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        unit => return Err(format!("unit `{unit}` is none of ms, s, m, h")),
    };
    let number: f64 = digits
        .parse()
        .map_err(|_| "a number with ms, s, m or h is needed, for instance 500ms".to_owned())?;
    let seconds = number * unit;
    if !(0.01..=31_536_000.0).contains(&seconds) {
        return Err("allowed is 10ms to a year".into());
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.1..=1000.0).contains(&number) => Ok(number),
        _ => Err("allowed is 0.1 to 1000".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, ms) in [
            ("500ms", 500),
            ("2.5s", 2_500),
            ("3", 3_000),
            ("1m", 60_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(time(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "s", "1d", "-1s", "1ms", "nan", "inf", "1e30h"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    /// The long options of a verb, those that all verbs share included.
    fn options(verb: &str) -> Vec<String> {
        use clap::CommandFactory;
        let mut command = crate::args::Args::command();
        command.build();
        let verb = command.find_subcommand(verb).unwrap();
        let long = verb.get_arguments().filter_map(|arg| arg.get_long());
        long.map(|long| format!("--{long}")).collect()
    }

    #[test]
    fn the_guide_names_every_option_and_none_that_is_not() {
        let page = include_str!("../../../../docs/guide/terminal.md");
        let word = |c: char| c.is_ascii_lowercase() || c == '-';
        let named: Vec<&str> = page
            .split(|c| !word(c))
            .filter(|text| text.starts_with("--") && text.len() > 3 && !text.starts_with("---"))
            .collect();
        let watch = options("watch");
        let known = [&watch[..], &options("top"), &["--follow".to_owned()]].concat();
        for option in &named {
            assert!(known.iter().any(|known| known == option), "{option}");
        }
        let shared = ["--help", "--version", "--socket", "--timeout"];
        for option in watch
            .iter()
            .filter(|option| !shared.contains(&option.as_str()))
        {
            assert!(
                named.contains(&option.as_str()),
                "{option} is not in the guide"
            );
        }
    }

    #[test]
    fn rates_have_a_range() {
        assert_eq!(positive("29.97"), Ok(29.97));
        for text in ["0", "-1", "nan", "1001", "x"] {
            assert!(positive(text).is_err(), "{text}");
        }
    }
}
