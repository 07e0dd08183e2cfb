//! Runs the program of `[hook]` when something happens, on a thread of its own: starting a program
//! takes a millisecond, which no viewer is to wait for.
//!
//! A few programs run at once, each for a bounded time. Events that come meanwhile wait in the
//! [`news`](crate::news), which keeps so many and counts the rest.

use std::{io, process::Stdio, sync::Arc, thread::JoinHandle, time::Duration};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStderr, ChildStdin, Command},
    runtime,
    sync::{Semaphore, broadcast::error::RecvError},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Hook as Settings,
    events,
    news::{Event, Listener},
    state::State,
};

/// Programs that run at once: a burst of events must not take the machine from the cameras.
const AT_ONCE: usize = 4;

/// The shortest time that a program is given, whatever the configuration says.
const SHORTEST: Duration = Duration::from_secs(1);

/// Bytes of a program's standard error that are kept for the log.
const KEPT: usize = 300;

/// For the last words of a program that has ended; a child of it may hold the pipe open.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// What a program inherits of the daemon's environment.
const INHERITED: [&str; 5] = ["PATH", "HOME", "LANG", "TZ", "TMPDIR"];

/// The thread `hook`. Dropped, it ends, and the programs that run with it.
#[derive(Debug)]
pub struct Hook {
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Hook {
    /// Starts it.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub fn spawn(state: Arc<State>) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let listener = state.viewers.news.listen();
        let thread = std::thread::Builder::new()
            .name("hook".into())
            .spawn(move || {
                let served = stopped.run_until_cancelled(serve(&state, listener));
                runtime.block_on(served);
            })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the hook panicked");
        }
    }
}

/// Takes event after event, for as long as there are any.
async fn serve(state: &State, mut listener: Listener) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    loop {
        let event = match listener.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(count)) => {
                if state.general(|config| config.hook.command.parts().is_some()) {
                    tracing::warn!(
                        message_id = events::HOOK_FAILED,
                        "hook: {count} events were left out, since its programs take too long"
                    );
                }
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        let Some(settings) = state.general(|config| wanted(&config.hook, &event)) else {
            continue;
        };
        let place = Arc::clone(&places).acquire_owned().await;
        while running.try_join_next().is_some() {}
        running.spawn(async move {
            if let Err(why) = run(&settings, &event).await {
                tracing::warn!(
                    message_id = events::HOOK_FAILED,
                    event = event.kind.name(),
                    "hook: {why}"
                );
            }
            drop(place);
        });
    }
}

/// The hook in force, if it is for this event.
fn wanted(hook: &Settings, event: &Event) -> Option<Settings> {
    let wanted = hook.events.iter().any(|on| on.0 == event.kind);
    (wanted && hook.command.parts().is_some()).then(|| hook.clone())
}

/// Runs the program for an event; why it failed.
async fn run(hook: &Settings, event: &Event) -> Result<(), String> {
    let Some((program, arguments)) = hook.command.parts() else {
        return Ok(());
    };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(environment(event));
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    // A group of its own, so that it ends with all that it has started.
    command.stderr(Stdio::piped()).process_group(0);
    let child = command.kill_on_drop(true).spawn();
    let mut child = child.map_err(|error| format!("{program} can't be started: {error}"))?;
    let mut group = Group(child.id());
    let limit = hook.timeout.get().max(SHORTEST);
    let ended = timeout(limit, converse(&mut child, event)).await;
    if matches!(ended, Ok(Ok(_))) {
        // What it left behind to go on by itself is its own affair.
        group.0 = None;
    }
    match ended {
        Ok(Ok((status, _))) if status.success() => Ok(()),
        Ok(Ok((status, words))) => Err(format!("{program} failed ({status}){words}")),
        Ok(Err(error)) => Err(format!("{program}: {error}")),
        Err(_) => Err(format!(
            "{program} took longer than {} s and was ended",
            limit.as_secs()
        )),
    }
}

/// All processes that a program has started, ended when dropped.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // There may be none left.
            let _ = killpg(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
        }
    }
}

/// Gives a program its event, and waits for its end; what it said of an error, for the log.
async fn converse(
    child: &mut Child,
    event: &Event,
) -> io::Result<(std::process::ExitStatus, String)> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    let stdin = child.stdin.take();
    let writing = give(stdin, &line);
    let mut words = Vec::new();
    let reading = hear(child.stderr.take(), &mut words);
    let mut talking = Box::pin(async { tokio::join!(writing, reading) });
    let status = tokio::select! {
        status = child.wait() => {
            let _ = timeout(LAST_WORDS, &mut talking).await;
            status?
        }
        _ = &mut talking => child.wait().await?,
    };
    drop(talking);
    let words = String::from_utf8_lossy(&words);
    let first = words.lines().find(|line| !line.trim().is_empty());
    let first: Option<String> =
        first.map(|line| line.chars().filter(|c| !c.is_control()).collect());
    Ok((
        status,
        first.map_or_else(String::new, |line| format!(": {line}")),
    ))
}

/// A program need not read its event.
async fn give(stdin: Option<ChildStdin>, line: &[u8]) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(line).await;
    }
}

/// Keeps the first words, and takes the rest, so that it can go on.
async fn hear(stderr: Option<ChildStderr>, words: &mut Vec<u8>) {
    let Some(mut stderr) = stderr else {
        return;
    };
    let mut piece = [0; 1024];
    while let Ok(count @ 1..) = stderr.read(&mut piece).await {
        let room = KEPT.saturating_sub(words.len());
        words.extend_from_slice(&piece[..count.min(room)]);
    }
}

/// What a program finds in its environment: the main fields of the event.
fn environment(event: &Event) -> Vec<(&'static str, String)> {
    let inherited = INHERITED
        .iter()
        .filter_map(|name| Some((*name, std::env::var(name).ok()?)));
    let client = match event.client {
        0 => String::new(),
        client => client.to_string(),
    };
    let own = [
        ("STREAMD_EVENT", event.kind.name().to_owned()),
        ("STREAMD_TEXT", event.text.clone()),
        ("STREAMD_TIME", format!("{:.3}", event.time)),
        ("STREAMD_CAMERA", event.cameras.join(" ")),
        ("STREAMD_CLIENT", client),
        ("STREAMD_NAME", event.name.clone()),
        ("STREAMD_PEER", event.peer.clone()),
        ("STREAMD_REASON", event.reason.clone()),
        ("STREAMD_METHOD", event.method.clone()),
    ];
    // A variable that holds a NUL would keep the program from being started.
    let whole = own
        .into_iter()
        .map(|(name, value)| (name, value.replace('\0', "")));
    inherited.chain(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::values::{Command as Words, Duration as Time},
        news::{self, EventKind},
    };

    fn lost() -> Event {
        Event {
            cameras: vec!["front".into()],
            reason: "unplugged".into(),
            ..news::event(EventKind::CameraLost, "camera front is lost".into())
        }
    }

    fn shell(script: &str) -> Settings {
        let words = ["/bin/sh", "-c", script].map(Into::into).to_vec();
        Settings {
            command: Words::try_from(words).unwrap(),
            timeout: Time::from_secs(1),
            ..Settings::default()
        }
    }

    #[tokio::test]
    async fn a_program_gets_the_event_and_nothing_of_the_daemons_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("got");
        let script = format!("cat > {0}; env >> {0}; echo left out >&2", file.display());
        run(&shell(&script), &lost()).await.unwrap();
        let got = std::fs::read_to_string(file).unwrap();
        let (json, environment) = got.split_once('\n').unwrap();
        assert_eq!(
            serde_json::from_str::<Event>(json).unwrap().kind,
            EventKind::CameraLost
        );
        for line in [
            "STREAMD_EVENT=camera-lost",
            "STREAMD_CAMERA=front",
            "STREAMD_REASON=unplugged",
            "STREAMD_CLIENT=",
        ] {
            assert!(
                environment.lines().any(|known| known == line),
                "{line}: {environment}"
            );
        }
        assert!(!environment.contains("CARGO"), "{environment}");
    }

    #[tokio::test]
    async fn each_way_to_fail_is_one_line() {
        for (script, words) in [
            (
                "echo no mail >&2; echo more >&2; exit 3",
                "exit status: 3): no mail",
            ),
            ("yes >&2 & sleep 60", "took longer than 1 s and was ended"),
            ("exec <&-; kill -9 $$", "signal: 9"),
        ] {
            let why = run(&shell(script), &lost()).await.unwrap_err();
            assert!(
                why.contains(words) && !why.contains('\n'),
                "{script}: {why}"
            );
        }
        let mut none = shell("");
        none.command = Words::try_from(vec!["/no/such/program".to_owned()]).unwrap();
        let why = run(&none, &lost()).await.unwrap_err();
        assert!(why.contains("/no/such/program can't be started"), "{why}");
    }

    #[test]
    fn only_what_is_asked_for_is_run() {
        let mut hook = shell("true");
        assert!(wanted(&hook, &lost()).is_some(), "all events by default");
        hook.events.retain(|on| on.0 != EventKind::CameraLost);
        assert!(wanted(&hook, &lost()).is_none());
        assert!(
            wanted(&Settings::default(), &lost()).is_none(),
            "no command"
        );
    }
}
