//! The page of `top`, drawn from the [`Model`].

use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Layout, Rect},
    style::{Color, Modifier, Style, Stylize},
    text::{Line, Span},
    widgets::{Block, Cell, Clear, Paragraph, Row, Table, TableState},
};
use streamd_protocol::stats::{CameraState, CameraStats};

use super::{
    columns::{Column, fitting},
    model::{Focus, Mode, Model, Setting, Whose},
};
use crate::{charset, table::clean, units, watched::Watched};

/// Cameras without signal whose reason is shown.
const LOST: usize = 3;

/// Cameras that are shown at once; more are scrolled.
const CAMERAS: u16 = 6;

/// From this width on, cameras are shown with their rate and device.
const WIDE: u16 = 110;

const HINTS: &str = "Tab cameras  s sort  r reverse  k kick  +/- u quality  f fps  ? help  q quit";

const HELP: &[&str] = &[
    "up down page home end   select a row",
    "Tab                     clients or cameras",
    "s                       sort by the next column",
    "r                       the other way round",
    "k                       kick the client (asks first)",
    "+ -                     quality by five",
    "u                       quality, typed",
    "f                       frames a second, typed",
    "q                       quit",
    "",
    "For a client, quality and fps are limits: `none` lifts",
    "one. RATE is what it is sent, LINK what the connection",
    "carries, DROPPED what did not fit.",
];

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, model: &mut Model, colour: bool) {
    let look = Look { colour };
    let cameras = (model.cameras().len() as u16).clamp(1, CAMERAS);
    let status_lines = (lost(model).len() as u16).max(1);
    let [head, status, camera_table, _, client_table, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(status_lines),
        Constraint::Length(cameras + 1),
        Constraint::Length(1),
        Constraint::Min(2),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(headline(model), head);
    frame.render_widget(state(model, look), status);
    draw_cameras(frame, model, camera_table, look);
    draw_clients(frame, model, client_table, look);
    frame.render_widget(footer(model, look), foot);
    if model.mode == Mode::Help {
        draw_help(frame);
    }
}

/// Puts what was drawn into ASCII, cell by cell.
pub fn to_ascii(frame: &mut Frame<'_>) {
    for cell in &mut frame.buffer_mut().content {
        if let Some(other) = cell.symbol().chars().next().filter(|c| !c.is_ascii()) {
            cell.set_char(charset::plain(other));
        }
    }
}

/// Colours, or attributes where none are wanted.
#[derive(Debug, Clone, Copy)]
struct Look {
    colour: bool,
}

impl Look {
    fn bad(self) -> Style {
        if self.colour {
            Style::new().fg(Color::Red).bold()
        } else {
            Style::new().bold()
        }
    }

    fn good(self) -> Style {
        if self.colour {
            Style::new().fg(Color::Green)
        } else {
            Style::new()
        }
    }

    fn title(self) -> Style {
        if self.colour {
            Style::new().fg(Color::Black).bg(Color::Green)
        } else {
            Style::new().add_modifier(Modifier::REVERSED)
        }
    }

    fn selected(self) -> Style {
        if self.colour {
            Style::new().fg(Color::Black).bg(Color::Cyan)
        } else {
            Style::new().add_modifier(Modifier::REVERSED)
        }
    }
}

fn headline(model: &Model) -> Paragraph<'static> {
    let text = match &model.stats {
        None => "streamd".to_owned(),
        Some(stats) => format!(
            "streamd {}  pid {}  up {}  {}",
            clean(&stats.version),
            stats.pid,
            units::duration(stats.uptime_seconds),
            clean_long(units::brief(&stats.status)),
        ),
    };
    Paragraph::new(text).bold()
}

/// A line for each camera without signal or without its sound, as many as there is room for.
fn lost(model: &Model) -> Vec<String> {
    let picture = |camera: &CameraStats| {
        let is_lost = camera.state == CameraState::Lost;
        is_lost.then(|| ("NO SIGNAL", clean(&camera.name), clean_long(&camera.reason)))
    };
    let sound = |camera: &CameraStats| {
        let sound = camera.sound.as_ref()?;
        let is_lost = sound.state == CameraState::Lost;
        is_lost.then(|| ("NO SOUND", clean(&camera.name), clean_long(&sound.reason)))
    };
    let lost = model.cameras().iter();
    let lost = lost.flat_map(|camera| [picture(camera), sound(camera)]);
    let line = |(what, name, reason)| format!("{what}: {name}: {reason}");
    let mut lines: Vec<_> = lost.flatten().map(line).collect();
    let more = lines.len().saturating_sub(LOST);
    lines.truncate(LOST);
    if let (Some(last), 1..) = (lines.last_mut(), more) {
        *last = format!("(and {more} more) {last}");
    }
    lines
}

/// What is wrong, if something is.
fn state(model: &Model, look: Look) -> Paragraph<'static> {
    if let Some(trouble) = &model.trouble {
        let age = units::duration(model.updated.elapsed().as_secs_f64());
        let text = format!("NO DATA for {age}: {}; trying again", clean_long(trouble));
        return Paragraph::new(text).style(look.bad());
    }
    let Some(stats) = &model.stats else {
        return Paragraph::new("waiting for the first figures");
    };
    if !stats.stuck.is_empty() {
        let parts = clean(&stats.stuck.join(", "));
        return Paragraph::new(format!("STUCK: {parts} does not move")).style(look.bad());
    }
    let lost = lost(model);
    if !lost.is_empty() {
        return Paragraph::new(lost.join("\n")).style(look.bad());
    }
    match stats.refused {
        0 => Paragraph::new("healthy").style(look.good()),
        refused => Paragraph::new(format!(
            "healthy, {} refused: max-clients was reached",
            units::count(refused, "client")
        )),
    }
}

fn draw_cameras(frame: &mut Frame<'_>, model: &Model, area: Rect, look: Look) {
    let mut titles = vec![
        "CAMERA", "STATE", "SIZE", "FPS", "QUALITY", "ENCODE", "LOST", "CLIENTS",
    ];
    let mut widths = [10, 9, 9, 11, 7, 8, 6, 7].map(Constraint::Length).to_vec();
    let wide = area.width >= WIDE;
    if wide {
        titles.extend(["RATE", "DEVICE, OR WHY NOT"]);
        widths[0] = Constraint::Length(longest_name(model).clamp(16, 24));
        widths.extend([Constraint::Length(10), Constraint::Min(16)]);
    }
    let rows = model.cameras().iter().map(|camera| {
        let mut cells = camera_cells(camera, look);
        if wide {
            let rate = units::rate(model.camera_rate(&camera.name));
            cells.extend([Cell::new(rate), Cell::new(device(camera))]);
        }
        Row::new(cells)
    });
    let table = Table::new(rows, widths)
        .header(Row::new(titles).style(look.title()))
        .row_highlight_style(highlight(model, Focus::Cameras, look));
    let mut state = TableState::new().with_selected(model.camera_row());
    frame.render_stateful_widget(table, area, &mut state);
}

/// Characters of the longest name of a camera.
fn longest_name(model: &Model) -> u16 {
    let names = model.cameras().iter().map(|camera| clean(&camera.name));
    let longest = names.map(|name| name.chars().count()).max();
    u16::try_from(longest.unwrap_or(0)).unwrap_or(u16::MAX)
}

/// The device of a camera, or why it has none.
fn device(camera: &CameraStats) -> String {
    let known = [&camera.reason, &camera.card, &camera.path];
    let known = known.into_iter().find(|text| !text.is_empty());
    clean_long(known.map_or("", String::as_str))
}

fn camera_cells(camera: &CameraStats, look: Look) -> Vec<Cell<'static>> {
    let (state, style) = match camera.state {
        CameraState::Starting => ("starting", Style::new()),
        CameraState::Streaming => ("streaming", look.good()),
        CameraState::Idle => ("idle", Style::new()),
        CameraState::Lost => ("lost", look.bad()),
    };
    let fps = format!(
        "{}/{}",
        units::fps(camera.fps),
        units::set_fps(camera.desired_fps)
    );
    vec![
        Cell::new(clean(&camera.name)),
        Cell::new(Span::styled(state, style)),
        Cell::new(units::size(camera.width, camera.height)),
        Cell::new(fps),
        Cell::new(camera.quality.to_string()),
        Cell::new(units::ms(camera.encode_average_ms)),
        Cell::new((camera.driver_lost + camera.corrupt).to_string()),
        Cell::new(camera.clients.to_string()),
    ]
}

fn draw_clients(frame: &mut Frame<'_>, model: &Model, area: Rect, look: Look) {
    let columns = fitting(area.width);
    let titles = columns.iter().map(|column| title(column, model));
    let rows = model.clients().iter().map(|row| client_row(row, &columns));
    // Names of clients and of cameras share what the columns leave.
    let needed: u16 = columns.iter().map(|column| column.width + 1).sum();
    let spare = (area.width + 1).saturating_sub(needed);
    let widths = columns.iter().map(|column| match column.title {
        "CLIENT" => Constraint::Min(column.width),
        "CAMERA" => {
            let most = column.width + spare / 2;
            Constraint::Length(longest_name(model).clamp(column.width, most))
        }
        _ => Constraint::Length(column.width),
    });
    let table = Table::new(rows, widths)
        .header(Row::new(titles).style(look.title()))
        .row_highlight_style(highlight(model, Focus::Clients, look));
    let mut state = TableState::new().with_selected(model.client_row());
    frame.render_stateful_widget(table, area, &mut state);
}

fn client_row(row: &Watched, columns: &[&Column]) -> Row<'static> {
    Row::new(columns.iter().map(|column| {
        let line = Line::from((column.text)(row));
        Cell::new(line.alignment(alignment(column)))
    }))
}

/// A column's title; an arrow marks the one that the clients are sorted by.
fn title(column: &Column, model: &Model) -> Cell<'static> {
    let sorted = column.sort == Some(model.sort);
    let mark = match (sorted, model.reverse) {
        (false, _) => "",
        (true, false) => "▾",
        (true, true) => "▴",
    };
    let line = Line::from(format!("{}{mark}", column.title));
    Cell::new(line.alignment(alignment(column)))
}

fn alignment(column: &Column) -> Alignment {
    if column.right {
        Alignment::Right
    } else {
        Alignment::Left
    }
}

fn highlight(model: &Model, focus: Focus, look: Look) -> Style {
    if model.focus == focus {
        look.selected()
    } else {
        Style::new()
    }
}

fn footer(model: &Model, look: Look) -> Paragraph<'static> {
    match &model.mode {
        Mode::Confirm { id, who } => {
            Paragraph::new(format!("Kick client {id} ({who})? y/n")).style(look.bad())
        }
        Mode::Prompt {
            setting,
            whose,
            text,
        } => Paragraph::new(format!("{}: {text}_", question(*setting, whose))).bold(),
        Mode::Normal | Mode::Help => match model.message() {
            Some(message) => Paragraph::new(clean_long(message)).bold(),
            None => Paragraph::new(HINTS).style(Style::new().add_modifier(Modifier::DIM)),
        },
    }
}

fn question(setting: Setting, whose: &Whose) -> String {
    let (what, range) = match setting {
        Setting::Quality => ("quality", "1-100"),
        Setting::Fps => ("fps", "0.1-1000"),
    };
    match whose {
        Whose::Client(id) => format!("client {id}: {what} at most ({range}, none for no limit)"),
        Whose::Camera(name) => format!("camera {}: {what} ({range})", clean(name)),
    }
}

/// A message without control characters; the terminal's edge cuts it.
fn clean_long(message: &str) -> String {
    message.chars().filter(|c| !c.is_control()).collect()
}

fn draw_help(frame: &mut Frame<'_>) {
    let area = frame.area();
    let width = HELP.iter().map(|line| line.len()).max().unwrap_or(0) as u16 + 4;
    let place = area.centered(
        Constraint::Length(width.min(area.width)),
        Constraint::Length((HELP.len() as u16 + 2).min(area.height)),
    );
    let lines: Vec<Line<'_>> = HELP.iter().map(|line| Line::from(*line)).collect();
    let block = Block::bordered().title(" streamctl top ");
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(block), place);
}

#[cfg(test)]
pub(super) mod tests;
