//! What a shell is told when a name of the daemon's is completed: cameras, clients, settings.
//!
//! The shell's script calls streamctl with the words of the line; see `streamctl completions`. A
//! daemon that does not answer at once is not waited for: then there is nothing to complete with.

use std::{env, ffi::OsStr, time::Duration};

use clap_complete::{CompleteEnv, CompletionCandidate, engine::ArgValueCompleter};
use streamd_protocol::{
    client::Client,
    control::{self, GetConfiguration, GetStats, ListControls, Method},
    stats::Stats,
};

/// Set by the shell's script, to its shell's name.
pub const VARIABLE: &str = "STREAMCTL_COMPLETE";

/// A person who has pressed a key waits.
const PATIENCE: Duration = Duration::from_millis(500);

/// Completes, if that is what this process was started for; true if it was.
///
/// # Errors
/// When the words make no sense.
pub fn run(command: fn() -> clap::Command) -> Result<bool, clap::Error> {
    let complete = CompleteEnv::with_factory(command).var(VARIABLE);
    complete.try_complete(env::args_os(), None)
}

/// Names of cameras.
pub fn cameras() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let cameras = stats().map(|stats| stats.cameras).unwrap_or_default();
        let candidate = |camera: streamd_protocol::stats::CameraStats| (camera.name, camera.card);
        matching(typed, cameras.into_iter().map(candidate))
    })
}

/// Numbers of clients, each with its name or address.
pub fn clients() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let clients = stats().map(|stats| stats.clients).unwrap_or_default();
        let candidates = clients.into_iter().map(|client| {
            let who = match client.name.as_str() {
                "" => client.peer,
                _ => client.name,
            };
            (client.id.to_string(), who)
        });
        matching(typed, candidates)
    })
}

/// Settings of cameras, as the configuration in force has them.
pub fn settings() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let toml = ask(&GetConfiguration {}).map(|reply| reply.toml);
        let config: Option<toml::Table> = toml.and_then(|toml| toml.parse().ok());
        let cameras = config
            .as_ref()
            .and_then(|config| config.get("camera")?.as_table());
        let first = cameras.and_then(|cameras| cameras.values().next()?.as_table());
        let keys = first.into_iter().flat_map(|camera| camera.keys().cloned());
        matching(typed, keys.map(|key| (key, String::new())))
    })
}

/// `NAME=` of the controls of a camera, for `set control`; values of `set flip`.
pub fn values() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let words: Vec<_> = env::args().collect();
        let follows = |key: &str| words.windows(2).any(|two| two[0] == "set" && two[1] == key);
        if follows("flip") {
            let flips = ["none", "horizontal", "vertical", "both"];
            return matching(typed, flips.map(|flip| (flip.to_owned(), String::new())));
        }
        if follows("rotate") {
            let turns = ["0", "90", "180", "270"];
            return matching(typed, turns.map(|turn| (turn.to_owned(), String::new())));
        }
        if !follows("control") {
            return Vec::new();
        }
        let camera = after(&words, "--camera");
        let controls = ask(&ListControls { camera }).map(|reply| reply.controls);
        let controls = controls.unwrap_or_default().into_iter();
        matching(
            typed,
            controls.map(|control| (format!("{}=", control.name), control.label)),
        )
    })
}

/// Those that begin with what is typed, each with a word on it.
fn matching(
    typed: &OsStr,
    names: impl IntoIterator<Item = (String, String)>,
) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    let names = names
        .into_iter()
        .filter(|(name, _)| name.starts_with(&*typed));
    // What clients and drivers call themselves must not play with the shell's terminal.
    let safe = |text: &str| text.chars().all(|c| !c.is_control());
    let names = names.filter(|(name, _)| safe(name));
    names
        .map(|(name, help)| {
            let help = (!help.is_empty()).then(|| crate::table::clean(&help).into());
            CompletionCandidate::new(name).help(help)
        })
        .collect()
}

fn stats() -> Option<Stats> {
    Some(ask(&GetStats::default())?.stats)
}

/// Asks the daemon that the line names, or the first that answers.
fn ask<M: Method>(method: &M) -> Option<M::Reply> {
    let words: Vec<_> = env::args().collect();
    let sockets = match after(&words, "--socket") {
        Some(socket) => vec![socket.into()],
        None => control::default_socket_paths(),
    };
    let mut clients = sockets
        .iter()
        .filter_map(|path| Client::connect(path, PATIENCE).ok());
    clients.next()?.call(method).ok()
}

/// The word after an option, or behind its `=`.
fn after(words: &[String], option: &str) -> Option<String> {
    let next = words
        .windows(2)
        .find(|two| two[0] == option)
        .map(|two| two[1].clone());
    let with_sign = format!("{option}=");
    let behind = || {
        words
            .iter()
            .find_map(|word| word.strip_prefix(&with_sign).map(Into::into))
    };
    next.or_else(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_in_both_spellings() {
        let words = |line: &str| line.split(' ').map(Into::into).collect::<Vec<String>>();
        assert_eq!(
            after(&words("streamctl --socket /a stats"), "--socket"),
            Some("/a".into())
        );
        assert_eq!(
            after(&words("streamctl stats --socket=/b"), "--socket"),
            Some("/b".into())
        );
        assert_eq!(after(&words("streamctl stats"), "--socket"), None);
    }

    #[test]
    fn only_what_fits_and_can_do_no_harm_is_offered() {
        let names =
            ["main", "mast", "rear", "ma\u{1b}[2J"].map(|name| (name.into(), String::new()));
        let offered = matching(OsStr::new("ma"), names);
        let offered: Vec<_> = offered.iter().map(|c| c.get_value().to_owned()).collect();
        assert_eq!(offered, ["main", "mast"]);
    }
}
