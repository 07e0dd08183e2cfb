//! Asks another program, for a bounded time.

use std::{
    ffi::OsStr,
    io::Read,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

/// A service manager that is busy answers within a second or two.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest answer that is read, in bytes: a whole configuration is far shorter.
const LONGEST: u64 = 1024 * 1024;

/// What a program said.
#[derive(Debug)]
pub struct Said {
    /// Whether it ended with 0.
    pub succeeded: bool,
    /// Its standard output.
    pub output: String,
    /// Its standard error.
    pub errors: String,
}

/// Runs a program to its end; `None` where it is not there, or takes too long.
pub fn ask<A: AsRef<OsStr>>(program: impl AsRef<OsStr>, args: &[A]) -> Option<Said> {
    let mut command = Command::new(program);
    command
        .args(args)
        .env("LC_ALL", "C")
        .env_remove("NOTIFY_SOCKET");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    let read = |pipe: Option<Box<dyn Read + Send>>| {
        let (done, told) = mpsc::sync_channel(1);
        std::thread::spawn(move || {
            let mut text = Vec::new();
            let read = pipe.map(|pipe| pipe.take(LONGEST).read_to_end(&mut text));
            // Whoever no longer waits does not want it.
            let _ = done.send((read, text).1);
        });
        told
    };
    let output = read(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let errors = read(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let said = output
        .recv_timeout(PATIENCE)
        .ok()
        .map(text)
        .zip(errors.recv_timeout(PATIENCE).ok().map(text));
    if said.is_none() {
        // It may have ended just now.
        let _ = child.kill();
    }
    let status = child.wait().ok()?;
    let (output, errors) = said?;
    Some(Said {
        succeeded: status.success(),
        output,
        errors,
    })
}

/// The values of `KEY=VALUE` lines, by key.
pub fn value<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let lines = text.lines().filter_map(|line| line.split_once('='));
    lines
        .into_iter()
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_heard_and_one_that_is_missing_is_none() {
        let said = ask("sh", &["-c", "echo here; echo there >&2; exit 3"]).unwrap();
        assert_eq!(
            (said.succeeded, said.output.as_str(), said.errors.as_str()),
            (false, "here\n", "there\n")
        );
        assert!(ask("streamd-no-such-program", &["x"]).is_none());
    }

    #[test]
    fn values_have_keys() {
        assert_eq!(value("A=1\nAB=2=3\n", "AB"), Some("2=3"));
        assert_eq!(value("A=1\n", "B"), None);
    }
}
