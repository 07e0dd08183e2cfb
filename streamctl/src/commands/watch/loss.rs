//! Why a connection could not be made or was lost.

use std::{io, time::Duration};

use super::{
    framing::Error,
    target::{Address, Target},
};

/// Why there is no stream (any more). It is tried again, unless it [is for good](Loss::is_final).
#[derive(Debug, thiserror::Error)]
pub enum Loss {
    /// No connection could be made.
    #[error("cannot connect to {0}: {1}")]
    Unreachable(Target, #[source] io::Error),
    /// No host of this name is known.
    #[error("cannot find {0}: {1}")]
    NoHost(Target, #[source] io::Error),
    /// The camera that was asked for is not shown.
    #[error("{0}")]
    Refused(String),
    /// The server closed it between two frames.
    #[error("the server closed the connection")]
    Closed,
    /// The server closed it without an answer to what was asked by HTTP.
    #[error(
        "{target} closes the connection without an answer{}",
        port_hint(target)
    )]
    NoAnswer {
        /// Where it was asked for.
        target: Target,
    },
    /// The server said that it is stopping.
    #[error("the server ends the stream: {0}")]
    Stopping(String),
    /// The server closed it within a frame.
    #[error("the server closed the connection after {0} of the {1} bytes of a frame")]
    Half(usize, usize),
    /// Nothing came for too long.
    #[error("nothing has come for {} s", .0.as_secs_f64())]
    Stalled(Duration),
    /// What came was no stream.
    #[error(
        "what comes from {target} is no stream: {error}{}",
        hint(target, error)
    )]
    NoStream {
        /// Where it comes from.
        target: Target,
        /// Why it is none.
        error: Error,
    },
    /// The other end can't be trusted, or speaks no TLS.
    #[error("no encrypted connection to {0}: {1}")]
    Untrusted(Target, String),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
}

impl Loss {
    /// What came of a connection to `target` can't be gone on with.
    pub fn of(target: &Target, error: Error) -> Self {
        match error {
            Error::Closed(1001, why) => Self::Stopping(why.trim_start_matches(": ").to_owned()),
            Error::Closed(..) => Self::Closed,
            error => Self::NoStream {
                target: target.clone(),
                error,
            },
        }
    }

    /// Whether another attempt would come to the same.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::NoHost(..) | Self::Refused(_) | Self::Untrusted(..) => true,
            // A server that is too busy, or a gate before one that is just being restarted.
            Self::NoStream { error, .. } => !matches!(error, Error::Status(500..|429| 408, _)),
            _ => false,
        }
    }
}

/// Where the port of a camera may be meant.
fn port_hint(target: &Target) -> String {
    match target {
        Target::Web(address) => format!(
            "; if that is a camera's own port: try {}",
            address.authority()
        ),
        _ => String::new(),
    }
}

/// What to try instead, by what is spoken there; empty where that is not known.
fn hint(target: &Target, error: &Error) -> String {
    let web = |host: &str, port: u16, websocket, tls| {
        let path = String::new();
        Address {
            websocket,
            tls,
            host: host.into(),
            port,
            path,
        }
        .to_string()
    };
    match (target, error) {
        (Target::Tcp(host, port), Error::Speaks(words)) if words.starts_with("HTTP/") => {
            let (mjpeg, websocket) = (
                web(host, *port, false, false),
                web(host, *port, true, false),
            );
            format!("; HTTP is spoken here: try {mjpeg}, or {websocket} for a streamd")
        }
        (Target::Tcp(host, port), Error::Tls) => {
            let raw = Target::Tls(host.clone(), *port);
            format!(": try {raw}, or {}", web(host, *port, false, true))
        }
        (Target::Web(address), Error::Tls) if !address.tls => {
            let encrypted = Address {
                tls: true,
                ..address.clone()
            };
            format!(": try {encrypted}")
        }
        (Target::Web(address), Error::Raw) => format!(": try {}", address.authority()),
        (Target::Web(address), Error::Http(_))
            if address.path != "/stream" && !address.websocket =>
        {
            let stream = Address {
                path: "/stream".into(),
                ..address.clone()
            };
            format!("; if it is a streamd: try {stream}")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spoken_there_is_what_to_try() {
        let http = || Error::Speaks("HTTP/1.1 400 Bad Request".into());
        for (target, error, words) in [
            (
                "robot:8080",
                http(),
                "try http://robot:8080, or ws://robot:8080",
            ),
            ("[::1]:8080", http(), "try http://[::1]:8080"),
            (
                "robot:443",
                Error::Tls,
                "try tls://robot:443, or https://robot:443",
            ),
            ("ws://robot:443/ws", Error::Tls, "try wss://robot:443/ws"),
            ("http://robot:8002", Error::Raw, "try robot:8002"),
            (
                "http://robot/page",
                Error::Http("a page".into()),
                "try http://robot:80/stream",
            ),
        ] {
            let loss = Loss::of(&target.parse().unwrap(), error);
            assert!(
                loss.is_final() && loss.to_string().contains(words),
                "{loss}"
            );
        }
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        let target: Target = "http://robot".parse().unwrap();
        let status = |status| Loss::of(&target, Error::Status(status, String::new())).is_final();
        assert!(status(404) && status(403) && !status(503) && !status(429));
        assert!(!Loss::of(&target, Error::Closed(1000, String::new())).is_final());
    }
}
