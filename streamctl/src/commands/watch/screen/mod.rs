//! A watch on a terminal: the picture, the figures, the keys.
//!
//! Two threads: `receive` follows the stream and hands over the newest picture; this one draws
//! and listens to keys. A slow terminal delays what is drawn, never what is measured.

mod canvas;
mod pace;
mod shared;
mod status;

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use self::{
    canvas::{Canvas, Drawn, Words},
    pace::Pace,
    shared::{Publisher, Shared, Slot},
};
use super::{
    args::{Args, Graphics},
    follow::{Follower, Outcome},
    keep::Keep,
    picture::Painter,
    save::Folder,
    steering::Steering,
    view::State,
};
use crate::{
    charset,
    terminal::{
        input::{Input, Key},
        keyboard::Keyboard,
        raw::{self, RawTerminal},
        wake::{Signals, Wakeups},
    },
};

/// Asks for kitty graphics (with a picture of one pixel that is not kept), the cells' size, and
/// last the attributes, which every terminal answers. Nothing waits for the answers: half blocks
/// are drawn until they come.
const QUESTIONS: &[u8] = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[16t\x1b[c";

/// Without pictures the words are looked after this often: the time to the next attempt runs.
const WORDS: Duration = Duration::from_millis(100);

/// How long a notice stays.
const NOTICE: Duration = Duration::from_secs(4);

/// At the end the receiving thread is waited for this long; only a name's resolution or a disk
/// takes longer, and neither must keep the user.
const FAREWELL: Duration = Duration::from_secs(1);

/// Watches on the terminal; `None` when the receiving thread could not be waited for.
///
/// # Errors
/// When the terminal cannot be used.
pub fn run(args: Args, keep: Keep, colour: bool) -> io::Result<Option<Outcome>> {
    let wakeups = Wakeups::new()?;
    let signals = Signals::catch(&wakeups)?;
    let steering = Arc::new(Steering::by_hand()?);
    let shared = Arc::new(Shared::new(wakeups.waker()?));
    let terminal = RawTerminal::enter()?;
    let args = Arc::new(args);
    let outcome = receive(&args, &steering, &shared, keep)?;
    let painter = painter(args.graphics);
    let mut screen = Screen {
        canvas: Canvas::new(painter, RawTerminal::size()?, colour),
        args: &args,
        steering: &steering,
        shared: &shared,
        slot: Slot::default(),
        keyboard: Keyboard::default(),
        start: Instant::now(),
        pace: Pace::default(),
        paused: false,
        figures: true,
        kitty: false,
        notice: None,
        folder: None,
    };
    let ended = screen.run(&wakeups, &signals, &outcome);
    drop(terminal);
    match ended? {
        Some(outcome) => Ok(Some(outcome)),
        None => farewell(&steering, &outcome),
    }
}

/// Starts the receiving thread; its outcome comes when the watch has ended.
fn receive(
    args: &Arc<Args>,
    steering: &Arc<Steering>,
    shared: &Arc<Shared>,
    keep: Keep,
) -> io::Result<Receiver<Outcome>> {
    let (sender, outcome) = sync_channel(1);
    let (args, steering) = (Arc::clone(args), Arc::clone(steering));
    let mut publisher = Publisher(Arc::clone(shared));
    thread::Builder::new()
        .name("receive".into())
        .spawn(move || {
            let follower = Follower::new(&args, &steering, &mut publisher, keep);
            // Nobody waits for it any more when this fails.
            let _ = sender.send(follower.run());
        })?;
    Ok(outcome)
}

/// What is drawn with until the terminal has told what it has.
fn painter(graphics: Graphics) -> Painter {
    match graphics {
        // Half blocks are no ASCII.
        Graphics::Auto if charset::is_ascii() => Painter::nothing(),
        Graphics::Auto | Graphics::Blocks => Painter::blocks(),
        Graphics::Kitty => Painter::kitty(),
        Graphics::Sixel => Painter::sixel(),
        Graphics::None => Painter::nothing(),
    }
}

/// Ends the receiving thread and takes its outcome.
fn farewell(steering: &Steering, outcome: &Receiver<Outcome>) -> io::Result<Option<Outcome>> {
    steering.end()?;
    match outcome.recv_timeout(FAREWELL) {
        Ok(outcome) => Ok(Some(outcome)),
        Err(RecvTimeoutError::Timeout) => Ok(None),
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the receiver failed")),
    }
}

/// The drawing thread.
struct Screen<'a> {
    canvas: Canvas,
    args: &'a Args,
    steering: &'a Steering,
    shared: &'a Shared,
    slot: Slot,
    keyboard: Keyboard,
    start: Instant,
    pace: Pace,
    paused: bool,
    figures: bool,
    kitty: bool,
    notice: Option<(String, Instant)>,
    folder: Option<Folder>,
}

impl Screen<'_> {
    /// Draws until the user or a signal wants an end (`None`), or the watch has ended by itself.
    fn run(
        &mut self,
        wakeups: &Wakeups,
        signals: &Signals,
        outcome: &Receiver<Outcome>,
    ) -> io::Result<Option<Outcome>> {
        if !matches!(self.args.graphics, Graphics::Blocks | Graphics::None) {
            raw::write_all(QUESTIONS)?;
        }
        loop {
            match outcome.try_recv() {
                Ok(outcome) => return Ok(Some(outcome)),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => {
                    return Err(io::Error::other("the receiver failed"));
                }
            }
            self.draw()?;
            let Some(inputs) = self.keyboard.listen(wakeups, WORDS)? else {
                return Ok(None);
            };
            if signals.stop() {
                return Ok(None);
            }
            if signals.take_resized() {
                self.canvas.resize(RawTerminal::size()?);
            }
            if !self.heed(inputs)? {
                return Ok(None);
            }
        }
    }

    /// Takes what the receiving thread has and brings the terminal up to date.
    fn draw(&mut self) -> io::Result<()> {
        let now = Instant::now();
        let wanted = !self.paused && self.pace.may_draw(now);
        self.shared.take(&mut self.slot, wanted);
        if let Some(notice) = self.slot.notice.take() {
            self.tell(notice);
        }
        let words = self.words();
        match self.canvas.draw(words, &self.slot.jpeg, self.slot.fresh)? {
            Drawn::Nothing => {}
            Drawn::Picture => self.pace.drawn(now),
            Drawn::Broken(error) => self.tell(error.to_string()),
        }
        Ok(())
    }

    fn words(&mut self) -> Words {
        let view = &self.slot.view;
        if self
            .notice
            .as_ref()
            .is_some_and(|(_, end)| Instant::now() >= *end)
        {
            self.notice = None;
        }
        let target = self.args.target.to_string();
        let trouble = status::trouble(view, self.paused, &target, self.start.elapsed());
        let notice = self.notice.as_ref().map(|(text, _)| text.clone());
        let hints = self.figures.then(|| status::HINTS.to_owned());
        Words {
            top: if self.figures {
                status::statistics(view, self.paused, self.canvas.width())
            } else {
                Vec::new()
            },
            trouble: matches!(view.state, State::Waiting { .. }),
            bottom: trouble.or(notice).or(hints),
        }
    }

    fn tell(&mut self, notice: String) {
        self.notice = Some((notice, Instant::now() + NOTICE));
    }

    /// Does what the terminal said; false when the user wants an end.
    fn heed(&mut self, inputs: Vec<Input>) -> io::Result<bool> {
        for input in inputs {
            match input {
                Input::Key(key) => {
                    if !self.key(key)? {
                        return Ok(false);
                    }
                }
                answer => self.answer(answer),
            }
        }
        Ok(true)
    }

    /// Does what a key says; false for an end.
    fn key(&mut self, key: Key) -> io::Result<bool> {
        match key {
            Key::Char('q' | 'Q') | Key::Interrupt => return Ok(false),
            Key::Char('s') => self.figures = !self.figures,
            Key::Char('w') => self.save(),
            Key::Char('p' | ' ') => {
                self.paused = !self.paused;
                self.steering.pause(self.paused)?;
            }
            Key::Char('?' | 'h') => self.canvas.toggle_help(),
            _ => {}
        }
        Ok(true)
    }

    /// Takes the best graphics that the terminal has.
    fn answer(&mut self, answer: Input) {
        let auto = self.args.graphics == Graphics::Auto;
        match answer {
            Input::Ready => self.pace.answered(),
            Input::Cell { width, height } => self.canvas.cell(width, height),
            Input::Kitty { ok: true } if auto => {
                self.kitty = true;
                self.canvas.paint_with(Painter::kitty());
            }
            Input::Attributes { sixel: true } if auto && !self.kitty => {
                self.canvas.paint_with(Painter::sixel());
            }
            _ => {}
        }
    }

    /// Saves the picture that is shown.
    fn save(&mut self) {
        if self.slot.jpeg.is_empty() {
            self.tell("there is no picture yet".into());
            return;
        }
        let told = match self.save_to_folder() {
            Ok(path) => format!("saved {path}"),
            Err(error) => error.to_string(),
        };
        self.tell(told);
    }

    fn save_to_folder(&mut self) -> Result<String, super::save::Error> {
        let path = self.args.save.as_deref().unwrap_or(Path::new("."));
        let folder = match &mut self.folder {
            Some(folder) => folder,
            none => none.insert(Folder::open(path)?),
        };
        let path = folder.save(&self.slot.jpeg)?;
        Ok(path.display().to_string())
    }
}
