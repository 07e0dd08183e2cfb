//! The terminal in raw mode on its second screen, and back again however the program ends.

use std::{io, sync::Once};

use nix::{errno::Errno, unistd};
use ratatui::crossterm::terminal;

/// Second screen, cursor hidden, no line wrap (a picture's last column must not scroll it).
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";

/// Ends a synchronised update and a colour that may be under way, then the reverse of [`ENTER`].
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

/// The terminal while it is ours; dropping it gives it back.
#[derive(Debug)]
pub struct RawTerminal(());

/// A terminal's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Characters.
    pub columns: u16,
    /// Characters.
    pub rows: u16,
    /// A character cell's width and height in pixels, where the kernel knows them.
    pub cell: Option<(u16, u16)>,
}

impl RawTerminal {
    /// Takes the terminal over. A panic gives it back before its message is printed.
    ///
    /// # Errors
    /// When standard input or output is no terminal.
    pub fn enter() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let report = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                leave();
                report(panic);
            }));
        });
        terminal::enable_raw_mode()?;
        let guard = Self(());
        write_all(ENTER)?;
        Ok(guard)
    }

    /// The size of the terminal now.
    ///
    /// # Errors
    /// When it has gone away.
    pub fn size() -> io::Result<Size> {
        let size = terminal::window_size()?;
        let cell = (
            size.width.checked_div(size.columns).unwrap_or(0),
            size.height.checked_div(size.rows).unwrap_or(0),
        );
        Ok(Size {
            columns: size.columns,
            rows: size.rows,
            cell: (cell.0 > 0 && cell.1 > 0).then_some(cell),
        })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        leave();
    }
}

/// Nothing can be done about a terminal that takes no more output, so errors are let go.
fn leave() {
    let _ = write_all(LEAVE);
    let _ = terminal::disable_raw_mode();
}

/// Writes to standard output past its buffer and its lock: a picture is one `write`, and a panic
/// in the middle of printing can still give the terminal back.
///
/// # Errors
/// When the terminal has gone away.
pub fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match unistd::write(io::stdout(), bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
