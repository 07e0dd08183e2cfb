//! The command line.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use streamd_protocol::stream::{Codec, Want};

/// Measures streamd and its peers.
#[derive(Debug, Parser)]
#[command(name = "streamd-bench", version)]
pub struct Arguments {
    /// What to measure.
    #[command(subcommand)]
    pub command: Command,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fan-out: many clients of a server that is already running
    Load(Load),
    /// Fresh frames: streamd over emulated bad links, in network namespaces of its own; needs root
    Link(Link),
    /// Cameras from host to host: a publishing streamd, a server of NATS, a relay and viewers, over
    /// emulated links in network namespaces of its own; needs root
    Fleet(Fleet),
    /// Endurance: a daemon of its own while viewers, requests, control calls, reloads and cameras
    /// come and go; fails if memory, descriptors or threads grow, or a watcher is lost
    Soak(Soak),
    /// A restart as a service manager makes it, under viewers: who is kept, and for how long nothing
    /// comes; a daemon of its own
    Restart(Restart),
    /// What viewers notice of clients that only take places: requests that never end, streams that
    /// are hardly read; a daemon of its own
    Flood(Flood),
    /// The floor: a server that does nothing but send the same bytes to every client
    Floor(Floor),
}

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// A 64-bit length, then the picture
    Tcp,
    /// multipart/x-mixed-replace
    Http,
    /// WebSocket, a binary message a picture
    Ws,
    /// WebRTC by WHEP: H.264 in datagrams
    Whep,
}

impl Protocol {
    /// Where servers of the field have their stream.
    pub fn default_path(self) -> &'static str {
        match self {
            Self::Tcp => "",
            Self::Http => "/stream",
            Self::Ws => "/ws",
            Self::Whep => "/whep",
        }
    }
}

/// What is asked of streamd in its hello.
pub fn wants(codec: Codec) -> Want {
    Want {
        codec: Some(codec),
        ..Want::default()
    }
}

fn codec(name: &str) -> Result<Codec, String> {
    let named = Codec::ALL.into_iter().find(|codec| codec.name() == name);
    named.ok_or_else(|| "jpeg and h264 are allowed".into())
}

/// `streamd-bench load`
#[derive(Debug, Args)]
pub struct Load {
    /// The server: ADDRESS:PORT
    pub address: SocketAddr,
    /// How it is spoken to
    #[arg(long, short, value_enum, default_value = "tcp")]
    pub protocol: Protocol,
    /// Path of the stream [default: /stream of HTTP, /ws of WebSocket, /whep of WHEP]
    #[arg(long)]
    pub path: Option<String>,
    /// Ask for h264 instead of jpeg; of streamd over raw TCP [over WebSocket: --path /ws?codec=h264]
    #[arg(long, default_value = "jpeg", value_parser = codec)]
    pub codec: Codec,
    /// Clients that read as fast as they can
    #[arg(long, short = 'n', default_value = "1", value_parser = clap::value_parser!(u32).range(0..=5000))]
    pub clients: u32,
    /// Further clients that read slowly, at --rate
    #[arg(long, default_value = "0", value_parser = clap::value_parser!(u32).range(0..=5000))]
    pub slow: u32,
    /// Bytes a second that a slow client reads; 0: it never reads
    #[arg(long, value_name = "BYTES", default_value = "500000")]
    pub rate: u32,
    /// How long is measured, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub secs: Duration,
    /// How long the clients read before that
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub warm: Duration,
    /// The server's process: its CPU time and memory are shown
    #[arg(long)]
    pub pid: Option<u32>,
    /// Then the same with the floor: pictures of the size and at the rate that were measured
    #[arg(long)]
    pub floor: bool,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// `streamd-bench floor`
#[derive(Debug, Args)]
pub struct Floor {
    /// Bytes of a picture
    #[arg(value_parser = clap::value_parser!(u32).range(128..=67_108_864))]
    pub size: u32,
    /// Pictures a second
    #[arg(value_parser = rate)]
    pub fps: f64,
    /// Where it listens, raw TCP
    #[arg(long, default_value = "127.0.0.1:8012")]
    pub listen: SocketAddr,
}

/// `streamd-bench link`
#[derive(Debug, Args)]
pub struct Link {
    /// The daemon [default: beside this program]
    #[arg(long, value_name = "PATH")]
    pub streamd: Option<PathBuf>,
    /// TCP congestion controls of the server, one after the other
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "cubic,bbr"
    )]
    pub congestion: Vec<String>,
    /// How streamd's pictures are coded: jpeg or h264
    #[arg(long, default_value = "jpeg", value_parser = codec)]
    pub codec: Codec,
    /// How streamd is spoken to; whep has h264 whatever --codec says
    #[arg(long, value_enum, default_value = "tcp")]
    pub protocol: Protocol,
    /// Only the rows whose name contains this; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub row: Vec<String>,
    /// One row of your own, instead of the table: megabits a second (8), steps as MEGABITS:SECOND
    /// (10:0,2:10,10:20), or a trace file (a line per 1500 bytes: the millisecond)
    #[arg(long, value_name = "RATE")]
    pub link: Option<String>,
    /// Round trip time of --link, in ms
    #[arg(long, value_name = "MS", default_value = "40", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub rtt: u32,
    /// Longest wait in the queue of --link before packets are dropped, in ms
    #[arg(long, value_name = "MS", default_value = "500", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub queue: u32,
    /// Packets that --link loses at random, each way, in percent
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent)]
    pub loss: f64,
    /// Clients of --link
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub clients: u32,
    /// How long a row is measured, in seconds [default: 30; rows that change with time take as long
    /// as they need]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub secs: Option<Duration>,
    /// How long the clients read before that
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub warm: Duration,
    /// A V4L2 device, or `test`, instead of a film: what is in front of it is not known, so there is
    /// no SSIM and no oracle
    #[arg(long, value_name = "PATH")]
    pub device: Option<PathBuf>,
    /// What is filmed: raw YUYV of --size, which is played at 30 frames a second, over and over
    /// [default: a scene of this program's own, 640x480]
    #[arg(long, value_name = "PATH", conflicts_with = "device")]
    pub film: Option<PathBuf>,
    /// Only times and bytes: no SSIM and no oracle, which take longer than what is measured
    #[arg(long)]
    pub plain: bool,
    /// Size of the pictures
    #[arg(long, value_name = "WxH", default_value = "640x480", value_parser = size)]
    pub size: (usize, usize),
    /// JPEG quality of the best pictures
    #[arg(long, default_value = "80", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub quality: u8,
    /// Another server to measure too: a command that serves HTTP multipart on --peer-port of every
    /// address; `none`: no other. {device}, {size} and {quality} stand for what streamd has
    #[arg(
        long,
        value_name = "COMMAND",
        default_value = "ustreamer -d {device} -r {size} -f 30 -q {quality} -w 1 --host 0.0.0.0 -p 8080"
    )]
    pub peer: String,
    /// Its port
    #[arg(long, value_name = "PORT", default_value = "8080")]
    pub peer_port: u16,
    /// Its path; the headers that extra_headers=1 asks for say when a frame was captured
    #[arg(long, value_name = "PATH", default_value = "/stream?extra_headers=1")]
    pub peer_path: String,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// `streamd-bench fleet`
#[derive(Debug, Args)]
pub struct Fleet {
    /// The daemon [default: beside this program]
    #[arg(long, value_name = "PATH")]
    pub streamd: Option<PathBuf>,
    /// The server of NATS
    #[arg(long, value_name = "PATH", default_value = "nats-server")]
    pub nats_server: PathBuf,
    /// Only the rows whose name contains this; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub row: Vec<String>,
    /// One more row: an uplink as in this trace file (a line per 1500 bytes: the millisecond)
    #[arg(long, value_name = "PATH")]
    pub trace: Option<PathBuf>,
    /// Measure nothing, but calculate what a large fleet takes
    #[arg(long, conflicts_with_all = ["row", "trace"])]
    pub plan: bool,
    /// How long is measured, in seconds; a row may measure several times
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    pub secs: Duration,
}

/// `streamd-bench soak`
#[derive(Debug, Args)]
pub struct Soak {
    /// The daemon [default: beside this program]
    #[arg(long, value_name = "PATH")]
    pub streamd: Option<PathBuf>,
    /// How long, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = long_seconds)]
    pub secs: Duration,
    /// Viewers that stay all the time
    #[arg(long, short = 'n', default_value = "9", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub clients: u32,
}

/// `streamd-bench restart`
#[derive(Debug, Args)]
pub struct Restart {
    /// Viewers
    #[arg(long, short = 'n', default_value = "100", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub clients: u32,
    /// How they watch
    #[arg(long, short, value_enum, default_value = "tcp")]
    pub protocol: Protocol,
    /// How often, each time with a daemon and viewers of its own
    #[arg(long, default_value = "5", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub times: u32,
}

/// `streamd-bench flood`
#[derive(Debug, Args)]
pub struct Flood {
    /// Viewers
    #[arg(long, short = 'n', default_value = "20", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub clients: u32,
    /// Requests of HTTP that come a byte a second, and never end
    #[arg(long, default_value = "5000", value_parser = clap::value_parser!(u32).range(0..=20_000))]
    pub slow_headers: u32,
    /// Streams that are read at 100 bytes a second
    #[arg(long, default_value = "200", value_parser = clap::value_parser!(u32).range(0..=5000))]
    pub slow_readers: u32,
    /// How long is measured, without them and with them, in seconds each
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    pub secs: Duration,
}

/// Longest soak: a week.
const LONGEST_SOAK: f64 = 7.0 * 24.0 * 3600.0;

fn long_seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (10.0..=LONGEST_SOAK).contains(&seconds) => {
            Ok(Duration::from_secs_f64(seconds))
        }
        _ => Err(format!("a number of seconds from 10 to {LONGEST_SOAK}")),
    }
}

/// Longest time of one measurement: a typing error must not run for days.
const LONGEST: f64 = 3600.0;

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=LONGEST).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!("a number of seconds from 0 to {LONGEST}")),
    }
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(percent) if (0.0..=50.0).contains(&percent) => Ok(percent),
        _ => Err("a number from 0 to 50".into()),
    }
}

fn size(text: &str) -> Result<(usize, usize), String> {
    let pixels = |text: &str| text.parse().ok().filter(|side| (16..=8192).contains(side));
    text.split_once('x')
        .and_then(|(width, height)| Some((pixels(width)?, pixels(height)?)))
        .ok_or("WIDTHxHEIGHT, each from 16 to 8192 pixels".into())
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.1..=1000.0).contains(&rate) => Ok(rate),
        _ => Err("a number from 0.1 to 1000".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        let said = |words: &[&str]| Arguments::try_parse_from(words).map(|_| ());
        assert!(said(&["b", "load", "127.0.0.1:8002", "-n", "5000"]).is_ok());
        assert!(said(&["b", "load", "127.0.0.1:8002", "-n", "5001"]).is_err());
        assert!(said(&["b", "load", "127.0.0.1:8002", "--secs", "-1"]).is_err());
        assert!(said(&["b", "load", "127.0.0.1:8002", "--secs", "nan"]).is_err());
        assert!(said(&["b", "floor", "50000", "0"]).is_err());
        assert!(said(&["b", "link", "--quality", "0"]).is_err());
        assert!(said(&["b", "link", "--loss", "51"]).is_err());
        assert!(said(&["b", "link", "--size", "640"]).is_err());
        assert!(said(&["b", "link", "--size", "320x240"]).is_ok());
    }
}
