//! Why a verb failed: the message and the exit code, one of sysexits.h.

use std::{io, path::PathBuf, process::ExitCode};

use streamd_protocol::{client, control};

use crate::table::{clean, line, lines};

/// There is no signal where one is expected.
const NOT_AS_EXPECTED: u8 = 1;
/// The command line is wrong (EX_USAGE).
const USAGE: u8 = 64;
/// A value is wrong (EX_DATAERR).
const DATA: u8 = 65;
/// What was named does not exist (EX_NOINPUT).
const NOT_FOUND: u8 = 66;
/// The daemon is not there (EX_UNAVAILABLE).
const UNAVAILABLE: u8 = 69;
/// A file can't be written (EX_CANTCREAT).
const CANT_CREATE: u8 = 73;
/// Reading or writing failed (EX_IOERR).
const IO: u8 = 74;
/// It took too long, another try may succeed (EX_TEMPFAIL).
const TRY_AGAIN: u8 = 75;
/// The other side does not speak our protocol (EX_PROTOCOL).
const PROTOCOL: u8 = 76;
/// No permission (EX_NOPERM).
const NO_PERMISSION: u8 = 77;
/// The configuration can't be used (EX_CONFIG).
const CONFIG: u8 = 78;

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Words that the parser takes but that make no sense together.
    #[error("{0}")]
    Usage(String),
    /// A value that is wrong.
    #[error("{0}")]
    Value(String),
    /// A client, camera or key that does not exist.
    #[error("{0}")]
    NotFound(String),
    /// A camera that gives no picture.
    #[error("camera {} has no signal: {}", clean(camera), line(reason))]
    NoSignal {
        /// Its name.
        camera: String,
        /// Why, by the daemon's word.
        reason: String,
    },
    /// A file that can't be written.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// The daemon, or the way to it.
    #[error(transparent)]
    Daemon(#[from] client::Error),
    /// No daemon at any of the places where its socket may be.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Nowhere(Vec<client::Error>),
    /// The daemon was there, and is not any more.
    #[error("{0}")]
    Gone(String),
    /// Standard output.
    #[error("writing the output failed: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// Says it on standard error and gives the exit code. A reader that has gone away (`| head`)
    /// is no failure.
    pub fn report(&self) -> ExitCode {
        if matches!(self, Self::Output(e) if e.kind() == io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        // What the other side of the socket wrote is in it, whoever that is.
        eprintln!(
            "streamctl: {}",
            crate::charset::fit(&lines(&self.to_string()))
        );
        if let Some(hint) = self.hint() {
            eprintln!("{hint}");
        }
        ExitCode::from(self.code())
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::Value(_) => DATA,
            Self::NotFound(_) => NOT_FOUND,
            Self::NoSignal { .. } => NOT_AS_EXPECTED,
            Self::File { .. } => CANT_CREATE,
            Self::Nowhere(_) | Self::Gone(_) => UNAVAILABLE,
            Self::Output(_) => IO,
            Self::Daemon(error) => match error {
                client::Error::Unavailable { .. } | client::Error::Closed => UNAVAILABLE,
                client::Error::PermissionDenied { .. } => NO_PERMISSION,
                client::Error::Timeout(_) => TRY_AGAIN,
                client::Error::Io(_) => IO,
                client::Error::Protocol(_) | client::Error::Unknown { .. } => PROTOCOL,
                client::Error::Refused(refused) => refused_code(refused),
            },
        }
    }

    /// What to do about it, where that is known.
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Daemon(client::Error::Unavailable { .. }) | Self::Nowhere(_) => {
                Some("Is it running? Try: systemctl status streamd")
            }
            Self::Daemon(
                client::Error::PermissionDenied { .. }
                | client::Error::Refused(control::Error::PermissionDenied {}),
            ) => Some(
                "Add yourself to group streamd (sudo usermod -aG streamd $USER) and log in again; tokens are for root (sudo).",
            ),
            Self::Daemon(client::Error::Timeout(_)) => {
                Some("Is it stuck? Try: systemctl status streamd")
            }
            _ => None,
        }
    }
}

fn refused_code(error: &control::Error) -> u8 {
    use control::Error;
    match error {
        Error::NoSuchCamera(_)
        | Error::NoSuchClient { .. }
        | Error::NoSuchControl { .. }
        | Error::NoSuchToken { .. } => NOT_FOUND,
        Error::InvalidValue { .. } | Error::InvalidParameter { .. } => DATA,
        Error::ConfigurationInvalid { .. } => CONFIG,
        Error::CameraTimeout { .. } | Error::TooManyConnections { .. } => TRY_AGAIN,
        Error::HostsUnavailable { .. }
        | Error::DevicesUnavailable { .. }
        | Error::ControlsUnavailable { .. }
        | Error::RecordingUnavailable { .. }
        | Error::TokensUnavailable { .. } => IO,
        Error::PermissionDenied {} => NO_PERMISSION,
        Error::MessageTooLong { .. }
        | Error::MessageMalformed { .. }
        | Error::InterfaceNotFound { .. }
        | Error::MethodNotFound { .. }
        | Error::MethodNotImplemented { .. }
        | Error::ExpectedMore {} => PROTOCOL,
    }
}

/// Prints the parser's message. Help and version, which it also reports in this way, are no error.
pub fn usage(error: &clap::Error) -> ExitCode {
    let printed = error.print();
    match printed {
        Err(e) => Failure::Output(e).report(),
        Ok(()) if error.use_stderr() => ExitCode::from(USAGE),
        Ok(()) => ExitCode::SUCCESS,
    }
}
