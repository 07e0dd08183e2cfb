//! The code is as the architecture says: its files, its rooms, and which may know which.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{read, root};

/// What stands between backticks, first words only.
fn code_words(page: &str) -> impl Iterator<Item = &str> {
    let prose = page.split("```").step_by(2);
    let spans = prose.flat_map(|text| text.split('`').skip(1).step_by(2));
    spans.filter_map(|span| span.split_whitespace().next())
}

/// All files and directories of the repository but what is built, as paths from its root.
fn tree(dir: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        if name.starts_with("target") || name == ".git" {
            continue;
        }
        if path.is_dir() {
            found.push(format!("{name}/"));
            tree(&path, found);
        } else {
            found.push(name);
        }
    }
}

#[test]
fn the_design_names_only_files_that_are_there() {
    let mut there = Vec::new();
    tree(&root(), &mut there);
    let exists = |word: &str| {
        let inside = format!("/{word}");
        there
            .iter()
            .any(|path| path == word || path.ends_with(&inside))
    };
    for page in [
        "docs/design/architecture.md",
        "docs/design/decisions.md",
        "CONTRIBUTING.md",
    ] {
        let text = read(page);
        let named: Vec<_> = code_words(&text)
            .filter(|word| {
                word.ends_with(".rs") || (word.contains('/') && !word.starts_with(['/', '$', '-']))
            })
            .filter(|word| !word.starts_with("target/"))
            .collect();
        assert!(!named.is_empty(), "{page}");
        for word in named {
            assert!(exists(word), "{page} names {word}, which is not there");
        }
    }
}

#[test]
fn the_architecture_names_every_room() {
    let page = read("docs/design/architecture.md");
    let lib = read("streamd/src/lib.rs");
    let rooms: Vec<_> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    assert!(rooms.contains(&"hub"));
    for room in rooms {
        let file = format!("`streamd/src/{room}.rs`");
        let directory = format!("`streamd/src/{room}/`");
        assert!(page.contains(&file) || page.contains(&directory), "{room}");
    }
}

/// The code of a room without its tests, in one line.
fn code_of(room: &str) -> String {
    let mut files = Vec::new();
    let source = root().join("streamd/src");
    let mut open = vec![source.join(room)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.extend(
        [source.join(format!("{room}.rs"))]
            .into_iter()
            .filter(|p| p.exists()),
    );
    files.retain(|path| {
        !path
            .file_stem()
            .unwrap()
            .to_str()
            .unwrap()
            .ends_with("tests")
    });
    let code = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        let end = text
            .find("\n#[cfg(test)]\nmod ")
            .or(text.find("\n#[cfg(test)]\npub"));
        text[..end.unwrap_or(text.len())].replace(char::is_whitespace, "")
    };
    files.iter().map(code).collect()
}

/// Whether code names a room: `crate::room` alone, or within `crate::{…}`.
fn names(code: &str, room: &str) -> bool {
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let alone = format!("crate::{room}");
    if code
        .match_indices(&alone)
        .any(|(i, m)| ends(&code[i + m.len()..]))
    {
        return true;
    }
    code.split("crate::{").skip(1).any(|group| {
        let mut depth = 0;
        let mut top = String::new();
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                c if depth == 0 => top.push(c),
                _ => {}
            }
        }
        top.split(',')
            .any(|path| path.split("::").next() == Some(room))
    })
}

/// What decides about a link is handed all it knows, so that tests can go through it.
#[test]
fn what_decides_about_a_link_does_no_io_and_reads_no_clock() {
    for file in [
        "estimate", "gate", "adapt", "bit_rate", "delivery", "receipts", "acks", "budget",
    ] {
        let code = code_of(&format!("link/{file}"));
        assert!(!code.is_empty(), "there is no {file}");
        for forbidden in [
            "::now()",
            "Instant",
            "SystemTime",
            "std::io",
            "std::net",
            "std::os",
            "libc",
            "nix::",
            "tokio",
            "socket",
            "readiness",
            "sleep",
        ] {
            assert!(!code.contains(forbidden), "{file} names {forbidden}");
        }
    }
    assert!(
        code_of("link/socket").contains("libc"),
        "what is named is found"
    );
}

#[test]
fn no_room_names_one_that_the_architecture_forbids() {
    let page = read("docs/design/architecture.md");
    let (_, table) = page.split_once("| room | never names |").unwrap();
    let row = |line: &str| -> Option<(String, String)> {
        let (room, others) = line.strip_prefix("| `")?.split_once("` | ")?;
        Some((room.into(), others.strip_suffix(" |")?.into()))
    };
    let rows: Vec<_> = table.lines().skip(2).map_while(row).collect();
    assert!(rows.len() >= 8, "{rows:?}");
    for (room, others) in rows {
        let code = code_of(&room);
        assert!(!code.is_empty(), "there is no {room}");
        for other in others.split(", ") {
            assert!(!names(&code, other), "{room} names {other}");
        }
    }
    assert!(names(&code_of("viewer"), "hub"), "what is named is found");
    assert!(names(&code_of("daemon"), "viewer"), "in a group too");
}
