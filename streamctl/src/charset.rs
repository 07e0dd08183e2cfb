//! What the terminal's character set can show: where the locale says that it is not UTF-8, text for
//! people is put into ASCII. What is for programs (JSON, pictures) stays as it is.

use std::{borrow::Cow, env, ffi::OsStr, os::unix::ffi::OsStrExt, sync::OnceLock};

/// Whether text has to be ASCII.
pub fn is_ascii() -> bool {
    static ASCII: OnceLock<bool> = OnceLock::new();
    *ASCII.get_or_init(|| {
        // The first of these that is set counts (POSIX.1-2017, base definitions, 8.2). Where none
        // is, as in containers, nobody has said anything of the terminal: it is a modern one.
        let names = ["LC_ALL", "LC_CTYPE", "LANG"];
        let set = names
            .iter()
            .filter_map(env::var_os)
            .find(|value| !value.is_empty());
        set.is_some_and(|locale| !is_utf8(&locale))
    })
}

/// Whether a locale, such as `de_DE.UTF-8`, is one of UTF-8.
fn is_utf8(locale: &OsStr) -> bool {
    let locale = String::from_utf8_lossy(locale.as_bytes()).to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// Text for people as the terminal can show it.
pub fn fit(text: &str) -> Cow<'_, str> {
    match is_ascii() && !text.is_ascii() {
        true => text.chars().map(plain).collect::<String>().into(),
        false => text.into(),
    }
}

/// What stands for a character in ASCII; as wide as it, so that tables stay straight.
pub const fn plain(c: char) -> char {
    match c {
        '\0'..='\x7f' => c,
        '—' | '–' | '─' | '━' => '-',
        '…' => '~',
        '▾' => 'v',
        '▴' => '^',
        '●' => '*',
        '○' | '°' => 'o',
        '‖' | '│' | '┃' => '|',
        '┌' | '┐' | '└' | '┘' | '├' | '┤' => '+',
        '→' => '>',
        '×' => 'x',
        '“' | '”' | '„' => '"',
        '‘' | '’' => '\'',
        'µ' => 'u',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_are_told_apart() {
        for (locale, utf8) in [
            ("de_DE.UTF-8", true),
            ("C.utf8", true),
            ("en_US.utf-8@x", true),
            ("C", false),
            ("POSIX", false),
            ("de_DE.ISO-8859-1", false),
        ] {
            assert_eq!(is_utf8(locale.as_ref()), utf8, "{locale}");
        }
    }

    #[test]
    fn what_we_write_has_its_stand_in() {
        let text: String = "4.2 ms — …▾▴●○ robot\u{fc}".chars().map(plain).collect();
        assert_eq!(text, "4.2 ms - ~v^*o robot?");
    }
}
