//! What of a text may be shown on a terminal, in a log or on a page, whoever wrote it: nothing in
//! it moves a cursor, turns the direction of writing around, hides, or piles up over other lines.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// Combining marks that one character may carry. Vietnamese and pointed Hebrew need two or three.
const MARKS: usize = 3;

/// Letters without a width of their own: the fillers of Hangul.
const FILLERS: [char; 4] = ['\u{115F}', '\u{1160}', '\u{3164}', '\u{FFA0}'];

/// Whether a character is not to be shown: it controls, formats or separates lines (the categories
/// Cc, Cf, Zl and Zp of Unicode), or only takes no room.
pub fn is_hidden(c: char) -> bool {
    let category = c.general_category();
    matches!(
        category,
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    ) || FILLERS.contains(&c)
}

/// `text` without what is hidden, and with at most three combining marks on a character.
pub fn printable(text: &str) -> String {
    let mut marks = MARKS;
    let shown = |c: &char| {
        if is_hidden(*c) {
            return false;
        }
        if c.general_category_group() != GeneralCategoryGroup::Mark {
            marks = 0;
            return true;
        }
        // A mark at the beginning would sit on what stands before the text.
        marks += 1;
        marks <= MARKS
    };
    text.chars().filter(shown).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_plays_with_a_reader_is_dropped() {
        for (text, shown) in [
            ("Front door", "Front door"),
            ("Tür 門 дверь", "Tür 門 дверь"),
            ("a\u{1b}[31mb\r\n\0\u{9b}c", "a[31mbc"),
            ("\u{202E}gpj.exe\u{202C}\u{2066}\u{2069}\u{200F}", "gpj.exe"),
            ("a\u{200B}\u{200D}\u{2060}\u{FEFF}\u{AD}b", "ab"),
            ("a\u{2028}b\u{2029}c\u{3164}d", "abcd"),
            ("\u{E0041}\u{E007F}x", "x"),
            (
                "Z\u{301}\u{302}\u{303}\u{304}\u{305}a",
                "Z\u{301}\u{302}\u{303}a",
            ),
            ("\u{301}\u{301}a", "a"),
        ] {
            assert_eq!(printable(text), shown, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_left_and_once_is_enough(text: String) {
            let shown = printable(&text);
            prop_assert!(!shown.chars().any(|c| is_hidden(c) || c.is_control()));
            prop_assert_eq!(printable(&shown), shown);
        }
    }
}
