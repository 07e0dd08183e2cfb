//! What a terminal sends: keys, and its answers to questions about its graphics. No I/O.

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A character, as typed.
    Char(char),
    /// Enter.
    Enter,
    /// Escape by itself.
    Escape,
    /// Tab.
    Tab,
    /// Backspace.
    Backspace,
    /// Control-C.
    Interrupt,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Home.
    Home,
    /// End.
    End,
}

/// One thing the terminal said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A key was pressed.
    Key(Key),
    /// The answer to DA1 (`CSI c`), which every terminal gives; 4 among its attributes is sixel.
    Attributes {
        /// Whether it draws sixels.
        sixel: bool,
    },
    /// The answer to a query of the kitty graphics protocol.
    Kitty {
        /// Whether it would have drawn the picture.
        ok: bool,
    },
    /// The answer to DSR (`CSI 5 n`): everything written before it has been taken in.
    Ready,
    /// The answer to `CSI 16 t`: the size of a character cell in pixels.
    Cell {
        /// Pixels.
        width: u16,
        /// Pixels.
        height: u16,
    },
}

/// The longest sequence that is waited for; what is longer is no answer to our questions.
const MAX_SEQUENCE: usize = 256;

/// Splits the bytes of a terminal into [`Input`]s; keeps a sequence that is not whole yet.
#[derive(Debug, Default)]
pub struct Parser {
    held: Vec<u8>,
}

impl Parser {
    /// Takes bytes and returns what is complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Input> {
        self.held.extend_from_slice(bytes);
        let mut inputs = Vec::new();
        let mut at = 0;
        while at < self.held.len() {
            let Some((length, input)) = parse(&self.held[at..]) else {
                break;
            };
            inputs.extend(input);
            at += length;
        }
        self.held.drain(..at);
        inputs
    }

    /// True while a sequence is not whole: after a moment without more, call [`Parser::flush`].
    pub fn waits(&self) -> bool {
        !self.held.is_empty()
    }

    /// Gives up on what is held: an escape that nothing followed is the key.
    pub fn flush(&mut self) -> Option<Input> {
        let escape = self.held == b"\x1b";
        self.held.clear();
        escape.then_some(Input::Key(Key::Escape))
    }
}

/// The length of the first sequence and what it means, if anything; `None` if it is not whole.
fn parse(bytes: &[u8]) -> Option<(usize, Option<Input>)> {
    match bytes {
        [b'\x1b'] => None,
        [b'\x1b', b'[', rest @ ..] => control_sequence(rest),
        [b'\x1b', b'O', rest @ ..] => {
            let last = rest.first()?;
            Some((3, arrow(*last).map(Input::Key)))
        }
        [b'\x1b', b'_' | b'P' | b']', rest @ ..] => string_sequence(rest),
        [b'\x1b', ..] => Some((1, Some(Input::Key(Key::Escape)))),
        [b'\r' | b'\n', ..] => Some((1, Some(Input::Key(Key::Enter)))),
        [b'\t', ..] => Some((1, Some(Input::Key(Key::Tab)))),
        [0x7f | 0x08, ..] => Some((1, Some(Input::Key(Key::Backspace)))),
        [0x03, ..] => Some((1, Some(Input::Key(Key::Interrupt)))),
        [0..0x20, ..] => Some((1, None)),
        _ => character(bytes),
    }
}

/// A UTF-8 character; a byte that belongs to none is skipped.
fn character(bytes: &[u8]) -> Option<(usize, Option<Input>)> {
    let length = match bytes[0] {
        0x00..0x80 => 1,
        0xC0..0xE0 => 2,
        0xE0..0xF0 => 3,
        0xF0..0xF8 => 4,
        _ => return Some((1, None)),
    };
    let whole = bytes.get(..length)?;
    match std::str::from_utf8(whole) {
        Ok(text) => {
            let key = text.chars().next().map(|c| Input::Key(Key::Char(c)));
            Some((length, key))
        }
        Err(_) => Some((1, None)),
    }
}

/// `CSI`: parameters and intermediates up to a final byte.
fn control_sequence(rest: &[u8]) -> Option<(usize, Option<Input>)> {
    let end = rest.iter().position(|b| (0x40..=0x7E).contains(b));
    let Some(end) = end else {
        return (rest.len() > MAX_SEQUENCE).then_some((rest.len() + 2, None));
    };
    let parameters = &rest[..end];
    let input = match rest[end] {
        b'~' => tilde(parameters).map(Input::Key),
        b'c' if parameters.first() == Some(&b'?') => Some(Input::Attributes {
            sixel: numbers(&parameters[1..]).skip(1).any(|n| n == Some(4)),
        }),
        b't' => cell(parameters),
        b'n' if parameters == b"0" => Some(Input::Ready),
        last => arrow(last).map(Input::Key),
    };
    Some((end + 3, input))
}

/// A string up to `ESC \` (or BEL): of these only kitty's answers mean something here.
fn string_sequence(rest: &[u8]) -> Option<(usize, Option<Input>)> {
    let end = rest.iter().position(|&b| b == 0x07);
    let terminator = rest.windows(2).position(|two| two == b"\x1b\\");
    let (body, length) = match (terminator, end) {
        (Some(at), bel) if bel.is_none_or(|bel| at < bel) => (&rest[..at], at + 4),
        (_, Some(bel)) => (&rest[..bel], bel + 3),
        _ if rest.len() > MAX_SEQUENCE => return Some((rest.len() + 2, None)),
        _ => return None,
    };
    let kitty = body.strip_prefix(b"G").map(|answer| Input::Kitty {
        ok: answer.ends_with(b";OK"),
    });
    Some((length, kitty))
}

fn cell(parameters: &[u8]) -> Option<Input> {
    let mut parts = numbers(parameters);
    let (Some(Some(6)), Some(Some(height)), Some(Some(width))) =
        (parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    (width > 0 && height > 0).then_some(Input::Cell { width, height })
}

fn numbers(parameters: &[u8]) -> impl Iterator<Item = Option<u16>> {
    parameters
        .split(|&b| b == b';')
        .map(|part| std::str::from_utf8(part).ok()?.parse().ok())
}

fn arrow(last: u8) -> Option<Key> {
    Some(match last {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        _ => return None,
    })
}

fn tilde(parameters: &[u8]) -> Option<Key> {
    Some(match numbers(parameters).next()?? {
        1 | 7 => Key::Home,
        4 | 8 => Key::End,
        5 => Key::PageUp,
        6 => Key::PageDown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVERYTHING: &[u8] =
        b"q\x1b[A\x1b[5~\x1bOH\x1b_Gi=31;OK\x1b\\\x1b[6;20;10t\x1b[0n\x1b[?62;4;22c\x03\xc3\xa9\r";

    fn everything() -> Vec<Input> {
        vec![
            Input::Key(Key::Char('q')),
            Input::Key(Key::Up),
            Input::Key(Key::PageUp),
            Input::Key(Key::Home),
            Input::Kitty { ok: true },
            Input::Cell {
                width: 10,
                height: 20,
            },
            Input::Ready,
            Input::Attributes { sixel: true },
            Input::Key(Key::Interrupt),
            Input::Key(Key::Char('é')),
            Input::Key(Key::Enter),
        ]
    }

    #[test]
    fn an_escape_that_nothing_follows_is_the_key() {
        let mut parser = Parser::default();
        assert_eq!(parser.feed(b"\x1b"), []);
        assert!(parser.waits());
        assert_eq!(parser.flush(), Some(Input::Key(Key::Escape)));
        assert_eq!(parser.feed(b"s"), [Input::Key(Key::Char('s'))]);
    }

    #[test]
    fn answers_that_refuse() {
        let mut parser = Parser::default();
        assert_eq!(
            parser.feed(b"\x1b[?62;22c\x1b_Gi=31;ENOTSUP\x1b\\\x1b]11;rgb:0/0/0\x07"),
            [
                Input::Attributes { sixel: false },
                Input::Kitty { ok: false }
            ]
        );
    }

    proptest! {
        #[test]
        fn the_cuts_between_reads_do_not_matter(cuts in prop::collection::vec(1..9_usize, 1..60)) {
            let mut parser = Parser::default();
            let mut inputs = Vec::new();
            let mut rest = EVERYTHING;
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                inputs.extend(parser.feed(now));
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(inputs, everything());
            prop_assert!(!parser.waits());
        }

        #[test]
        fn any_bytes_are_no_panic_and_little_is_held(reads: Vec<Vec<u8>>) {
            let mut parser = Parser::default();
            for read in &reads {
                parser.feed(read);
                prop_assert!(parser.held.len() <= MAX_SEQUENCE + read.len() + 2);
            }
            parser.flush();
            prop_assert_eq!(parser.feed(b"q"), [Input::Key(Key::Char('q'))]);
        }
    }
}
