//! `streamctl controls`: what can be set on a camera itself.

use streamd_protocol::control::{Control, ControlKind, ListControls};

use crate::{
    complete,
    failure::Failure,
    session::Session,
    table::{self, Column, Screen, Tone},
    units,
};

/// Show what can be set on a camera itself: brightness, exposure, focus …
///
/// These are the controls of its driver, with their values as they are now. `streamctl set control`
/// changes them. With --json: {"camera":NAME,"controls":[Control,…]}.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The camera; the first one where none is named
    #[arg(long, value_name = "NAME", add = complete::cameras())]
    camera: Option<String>,
}

/// Prints the controls.
pub fn run(args: Args, session: &Session) -> Result<(), Failure> {
    let camera = args.camera;
    let reply = session.call(&ListControls { camera })?;
    session.print(&reply, |screen| {
        render(&reply.camera, &reply.controls, screen)
    })
}

/// The table, and below it the menus.
pub fn render(camera: &str, controls: &[Control], screen: Screen) -> String {
    if controls.is_empty() {
        return format!("camera {camera} has no controls\n");
    }
    let mut page = table::render(COLUMNS, controls, screen);
    for control in controls.iter().filter(|control| !control.menu.is_empty()) {
        page += &format!("\n{}\n", control.name);
        for entry in &control.menu {
            page += &format!("  {}  {}\n", entry.number, units::text(&entry.text));
        }
    }
    page
}

const COLUMNS: &[Column<Control>] = &[
    Column::text("CONTROL", 0, |c| (c.name.clone(), tone(c))),
    Column::text("VALUE", 0, |c| (units::text(&c.value), tone(c))),
    Column::text("RANGE", 1, |c| (range(c), tone(c))),
    Column::text("DEFAULT", 2, |c| (units::text(&c.default), tone(c))),
    Column::text("NOTE", 3, |c| (note(c).into(), tone(c))),
];

fn tone(control: &Control) -> Tone {
    match control.inactive || control.read_only {
        true => Tone::Dim,
        false => Tone::Plain,
    }
}

/// What it may be, in few words.
fn range(control: &Control) -> String {
    let (min, max) = (control.minimum, control.maximum);
    match control.kind {
        ControlKind::Integer if control.step > 1 => format!("{min} to {max} by {}", control.step),
        ControlKind::Integer => format!("{min} to {max}"),
        ControlKind::Boolean => "true, false".into(),
        ControlKind::Menu | ControlKind::IntegerMenu => "see below".into(),
        ControlKind::Button => "true presses it".into(),
        ControlKind::Bitmask => format!("bits {max:#x}"),
        ControlKind::Text => format!("{min} to {max} bytes"),
    }
}

/// What keeps it from being set, or its value from having an effect.
pub fn note(control: &Control) -> &'static str {
    match control {
        Control {
            read_only: true, ..
        } => "read-only",
        Control { inactive: true, .. } => "inactive",
        Control { busy: true, .. } => "not while it streams",
        _ => "",
    }
}
