//! streamctl in a pseudo-terminal, and what is on its screen.

use std::{
    io::{Read, Write},
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// A test that hangs has to fail.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program in a terminal.
pub struct Pty {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    seen: Arc<Mutex<Seen>>,
}

/// What the program has written.
pub struct Seen {
    pub raw: Vec<u8>,
    pub terminal: vt100::Parser,
}

impl Seen {
    pub fn text(&self) -> String {
        self.terminal.screen().contents()
    }

    pub fn has_raw(&self, bytes: &[u8]) -> bool {
        self.raw.windows(bytes.len()).any(|window| window == bytes)
    }

    /// Cells that are drawn as half blocks in the rows from `first` on.
    pub fn blocks(&self) -> usize {
        self.text().matches('▀').count()
    }
}

impl Pty {
    /// Starts streamctl in a terminal of `columns` x `rows`, in the directory `dir`.
    pub fn start(args: &[&str], columns: u16, rows: u16, dir: &Path) -> Self {
        Self::start_in(args, columns, rows, dir, true)
    }

    /// The same, with or without colours wanted.
    pub fn start_in(args: &[&str], columns: u16, rows: u16, dir: &Path, colour: bool) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_streamctl"));
        command.args(args);
        command.cwd(dir);
        command.env("TERM", "xterm-256color");
        match colour {
            true => command.env_remove("NO_COLOR"),
            false => command.env("NO_COLOR", "1"),
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut output = pair.master.try_clone_reader().unwrap();
        let terminal = vt100::Parser::new(nonzero(rows), nonzero(columns), 0);
        let seen = Arc::new(Mutex::new(Seen {
            raw: Vec::new(),
            terminal,
        }));
        let theirs = Arc::clone(&seen);
        thread::spawn(move || {
            let mut bytes = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                let mut seen = theirs.lock().unwrap();
                seen.raw.extend_from_slice(&bytes[..count]);
                seen.terminal.process(&bytes[..count]);
            }
        });
        Self {
            child,
            keys: pair.master.take_writer().unwrap(),
            master: pair.master,
            seen,
        }
    }

    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        let mut seen = self.seen.lock().unwrap();
        let screen = seen.terminal.screen_mut();
        screen.set_size(nonzero(rows), nonzero(columns));
        self.master.resize(size(columns, rows)).unwrap();
    }

    pub fn pid(&self) -> i32 {
        self.child.process_id().unwrap() as i32
    }

    /// Waits until the screen is as it should be; shows it when it never is.
    pub fn wait_for(&self, what: &str, is: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.seen.lock().unwrap();
            if is(&seen) {
                return;
            }
            let text = seen.text();
            assert!(
                Instant::now() < deadline,
                "never {what}; the screen:\n{text}"
            );
            drop(seen);
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until the screen says something.
    pub fn wait_text(&self, text: &str) {
        self.wait_for(text, |seen| seen.text().contains(text));
    }

    /// Waits for the end: the exit code.
    pub fn end(mut self) -> (u32, Arc<Mutex<Seen>>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.exit_code(), Arc::clone(&self.seen));
            }
            assert!(Instant::now() < deadline, "it does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols: columns,
        pixel_width: 0,
        pixel_height: 0,
    }
}

fn nonzero(number: u16) -> std::num::NonZeroU16 {
    number.try_into().unwrap()
}
