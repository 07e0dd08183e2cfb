//! What `top` shows and what its keys do. No I/O.

use std::time::{Duration, Instant};

use streamd_protocol::{
    control::{SetCamera, SetClient},
    stats::{CameraStats, Stats},
};

use super::{act::Action, columns::Sort};
use crate::{
    terminal::input::Key,
    watched::{self, Watched},
};

/// What `+` and `-` change a quality by.
const STEP: i64 = 5;

/// Rows that a page key moves by.
const PAGE: usize = 10;

/// The longest number that can be typed, and the word `none`.
const DIGITS: usize = 7;

/// How long a message stays.
const MESSAGE: Duration = Duration::from_secs(5);

/// Which table the keys are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    /// The clients.
    Clients,
    /// The cameras.
    Cameras,
}

/// What can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// JPEG quality.
    Quality,
    /// Frames a second.
    Fps,
}

/// Whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// A client's: a limit.
    Client(i64),
    /// A camera's.
    Camera(String),
}

/// What the keys mean at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// They move and act.
    Normal,
    /// The help is shown; any key ends it.
    Help,
    /// Is this client to be disconnected?
    Confirm {
        /// Its number.
        id: i64,
        /// For people.
        who: String,
    },
    /// A number is typed.
    Prompt {
        /// What the number sets.
        setting: Setting,
        /// Of which client or camera.
        whose: Whose,
        /// What has been typed.
        text: String,
    },
}

/// What a key leads to.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Nothing outside.
    Nothing,
    /// The end.
    Quit,
    /// A call.
    Act(Action),
}

/// The state of the page.
#[derive(Debug)]
pub struct Model {
    /// The newest stats; `None` before the first.
    pub stats: Option<Stats>,
    /// A row per client and camera that it watches, in the order they are shown.
    clients: Vec<Watched>,
    /// When the stats came.
    pub updated: Instant,
    /// Why no new ones come.
    pub trouble: Option<String>,
    /// What the keys mean.
    pub mode: Mode,
    /// Which table they are for.
    pub focus: Focus,
    /// What the clients are sorted by.
    pub sort: Sort,
    /// The other way round.
    pub reverse: bool,
    message: Option<(String, Instant)>,
    /// The selected row: a client and the camera that it watches.
    client: Option<(i64, String)>,
    camera: Option<String>,
}

impl Model {
    /// An empty page.
    pub fn new(sort: Sort) -> Self {
        Self {
            stats: None,
            clients: Vec::new(),
            updated: Instant::now(),
            trouble: None,
            mode: Mode::Normal,
            focus: Focus::Clients,
            sort,
            reverse: false,
            message: None,
            client: None,
            camera: None,
        }
    }

    /// Takes new stats. The selected client stays selected wherever its row moves to; when it has
    /// gone, the one that is now in its row is.
    pub fn update(&mut self, stats: Stats) {
        let row = self.selected_row();
        let mut clients = watched::rows(&stats.clients);
        let before = self.stats.as_ref();
        let seconds = before.map_or(0.0, |old| stats.uptime_seconds - old.uptime_seconds);
        watched::rates(&mut clients, &self.clients, seconds);
        self.clients = clients;
        self.stats = Some(stats);
        self.updated = Instant::now();
        self.arrange();
        self.select(row.unwrap_or(0));
    }

    /// What all clients of a camera are sent a second, bits.
    pub fn camera_rate(&self, camera: &str) -> f64 {
        let rows = self.clients.iter().filter(|row| row.feed.camera == camera);
        rows.map(|row| row.rate).sum()
    }

    /// Shows a message for a while.
    pub fn tell(&mut self, message: String) {
        self.message = Some((message, Instant::now() + MESSAGE));
    }

    /// The message, while it is to be seen.
    pub fn message(&self) -> Option<&str> {
        let (text, end) = self.message.as_ref()?;
        (Instant::now() < *end).then_some(text)
    }

    /// A row per client and camera that it watches, in the order they are shown.
    pub fn clients(&self) -> &[Watched] {
        &self.clients
    }

    /// The cameras.
    pub fn cameras(&self) -> &[CameraStats] {
        self.stats.as_ref().map_or(&[], |stats| &stats.cameras)
    }

    /// The selected client's row.
    pub fn client_row(&self) -> Option<usize> {
        let (id, camera) = self.client.as_ref()?;
        let is_it = |row: &Watched| row.client.id == *id && row.feed.camera == *camera;
        self.clients.iter().position(is_it)
    }

    /// The selected camera's row.
    pub fn camera_row(&self) -> Option<usize> {
        let name = self.camera.as_ref()?;
        self.cameras()
            .iter()
            .position(|camera| camera.name == *name)
    }

    /// Does what a key says.
    pub fn key(&mut self, key: Key) -> Next {
        if key == Key::Interrupt {
            return Next::Quit;
        }
        match std::mem::replace(&mut self.mode, Mode::Normal) {
            Mode::Normal => self.normal(key),
            Mode::Help => Next::Nothing,
            Mode::Confirm { id, .. } => match key {
                Key::Char('y' | 'Y') => Next::Act(Action::Kick(id)),
                _ => Next::Nothing,
            },
            Mode::Prompt {
                setting,
                whose,
                text,
            } => self.prompt(key, setting, whose, text),
        }
    }

    fn normal(&mut self, key: Key) -> Next {
        match key {
            Key::Char('q' | 'Q') => return Next::Quit,
            Key::Char('?' | 'h') => self.mode = Mode::Help,
            Key::Tab => self.other_table(),
            Key::Up => self.step(-1),
            Key::Down => self.step(1),
            Key::PageUp => self.step(-(PAGE as isize)),
            Key::PageDown => self.step(PAGE as isize),
            Key::Home => self.select(0),
            Key::End => self.select(usize::MAX),
            Key::Char('s') => {
                self.sort = self.sort.next();
                self.arrange();
            }
            Key::Char('r') => {
                self.reverse = !self.reverse;
                self.arrange();
            }
            Key::Char('k') => self.ask_kick(),
            Key::Char('u') => self.ask(Setting::Quality),
            Key::Char('f') => self.ask(Setting::Fps),
            Key::Char('+' | '=') => return self.change_quality(STEP),
            Key::Char('-') => return self.change_quality(-STEP),
            _ => {}
        }
        Next::Nothing
    }

    fn prompt(&mut self, key: Key, setting: Setting, whose: Whose, mut text: String) -> Next {
        match key {
            Key::Escape => return Next::Nothing,
            Key::Enter => return self.typed(setting, whose, &text),
            Key::Backspace => {
                text.pop();
            }
            Key::Char(typed) if text.len() < DIGITS && typed.is_ascii_graphic() => text.push(typed),
            _ => {}
        }
        self.mode = Mode::Prompt {
            setting,
            whose,
            text,
        };
        Next::Nothing
    }

    /// A number was typed, or the word that lifts a client's limit; nothing leaves it as it is.
    fn typed(&mut self, setting: Setting, whose: Whose, text: &str) -> Next {
        let number = match (text, &whose) {
            ("", _) => return Next::Nothing,
            ("none", Whose::Client(_)) => 0.0,
            (text, _) => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => number,
                _ => {
                    self.tell(format!("`{text}` is no number: nothing is changed"));
                    return Next::Nothing;
                }
            },
        };
        if setting == Setting::Quality && number.fract() != 0.0 {
            self.tell(format!("quality {text}: a whole number is needed"));
            return Next::Nothing;
        }
        Next::Act(set(setting, whose, number))
    }

    fn ask_kick(&mut self) {
        let client = self.client_row().map(|row| &self.clients()[row]);
        match client {
            Some(client) if self.focus == Focus::Clients => {
                self.mode = Mode::Confirm {
                    id: client.client.id,
                    who: client.who(),
                };
            }
            _ => self.tell("select a client to kick".into()),
        }
    }

    fn ask(&mut self, setting: Setting) {
        match self.whose() {
            Some(whose) => {
                self.mode = Mode::Prompt {
                    setting,
                    whose,
                    text: String::new(),
                };
            }
            None => self.tell("nothing is selected".into()),
        }
    }

    /// From the quality it has now, and within what can be set.
    fn change_quality(&mut self, step: i64) -> Next {
        let quality = match self.focus {
            Focus::Clients => self.client_row().map(|row| self.clients[row].feed.quality),
            Focus::Cameras => self.camera_row().map(|row| self.cameras()[row].quality),
        };
        match quality.zip(self.whose()) {
            Some((quality, whose)) => {
                let quality = (quality + step).clamp(1, 100);
                Next::Act(set(Setting::Quality, whose, quality as f64))
            }
            None => {
                self.tell("nothing is selected".into());
                Next::Nothing
            }
        }
    }

    fn whose(&self) -> Option<Whose> {
        match self.focus {
            Focus::Clients => self.client.as_ref().map(|(id, _)| Whose::Client(*id)),
            Focus::Cameras => self.camera.clone().map(Whose::Camera),
        }
    }

    fn other_table(&mut self) {
        self.focus = match self.focus {
            Focus::Clients => Focus::Cameras,
            Focus::Cameras => Focus::Clients,
        };
        self.select(self.selected_row().unwrap_or(0));
    }

    fn selected_row(&self) -> Option<usize> {
        match self.focus {
            Focus::Clients => self.client_row(),
            Focus::Cameras => self.camera_row(),
        }
    }

    fn step(&mut self, by: isize) {
        let row = self.selected_row().unwrap_or(0);
        self.select(row.saturating_add_signed(by));
    }

    /// Selects a row, or the last one if there are not so many.
    fn select(&mut self, row: usize) {
        match self.focus {
            Focus::Clients => {
                let last = self.clients().len().saturating_sub(1);
                let row = self.clients.get(row.min(last));
                self.client = row.map(|row| (row.client.id, row.feed.camera.clone()));
            }
            Focus::Cameras => {
                let last = self.cameras().len().saturating_sub(1);
                let camera = self.cameras().get(row.min(last));
                self.camera = camera.map(|camera| camera.name.clone());
            }
        }
    }

    fn arrange(&mut self) {
        let sort = self.sort;
        self.clients.sort_by(|a, b| sort.compare(a, b));
        if self.reverse {
            self.clients.reverse();
        }
    }
}

fn set(setting: Setting, whose: Whose, number: f64) -> Action {
    let (quality, fps) = match setting {
        Setting::Quality => (Some(number as i64), None),
        Setting::Fps => (None, Some(number)),
    };
    match whose {
        Whose::Client(id) => Action::Client(SetClient {
            id,
            quality,
            fps,
            max_width: None,
        }),
        Whose::Camera(name) => Action::Camera(SetCamera {
            camera: Some(name),
            quality,
            fps,
            ..SetCamera::default()
        }),
    }
}

#[cfg(test)]
mod tests;
