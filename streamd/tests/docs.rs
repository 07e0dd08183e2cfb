//! The documentation says what the program does: every key, event and message is in the reference, every
//! TOML block is a configuration that streamd takes, and the code is as the architecture says it is.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use streamd::{
    config::{
        Config,
        schema::{KEYS, Reload},
    },
    events,
};
use streamd_protocol::stream::{FromClient, ToClient};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All Markdown files below `dir`.
fn pages(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|e| e == "md") {
            found.push(path);
        }
    }
    found
}

/// The blocks of a page in this language, each with the line on which it begins.
fn blocks(page: &str, language: &str) -> Vec<(usize, String)> {
    let fence = format!("```{language}");
    let mut blocks: Vec<(usize, String)> = Vec::new();
    let mut inside = false;
    for (number, line) in page.lines().enumerate() {
        match line.trim() {
            begin if begin == fence => {
                inside = true;
                blocks.push((number + 2, String::new()));
            }
            "```" => inside = false,
            _ if inside => {
                let (_, block) = blocks.last_mut().unwrap();
                block.push_str(line);
                block.push('\n');
            }
            _ => {}
        }
    }
    blocks
}

#[test]
fn every_toml_block_is_a_valid_configuration() {
    let mut files = pages(&root().join("docs"));
    files.extend(
        [root().join("README.md")]
            .into_iter()
            .filter(|p| p.exists()),
    );
    let mut checked = 0;
    for file in files {
        let page = fs::read_to_string(&file).unwrap();
        for (line, block) in blocks(&page, "toml") {
            let place = format!("{}, block at line {line}", file.display());
            if let Err(error) = streamd::config::parse(&block, &place) {
                panic!("{error}");
            }
            checked += 1;
        }
    }
    assert!(checked > 0, "the reference has an example");
}

/// The value of a key in the default configuration, as it stands in a file.
fn default_of(table: &str, name: &str) -> Option<String> {
    let tree = toml::Table::try_from(Config::default()).unwrap();
    let mut keys = tree[table].as_table().unwrap();
    if table == "camera" {
        keys = keys["main"].as_table().unwrap();
    }
    keys.get(name).map(toml::Value::to_string)
}

#[test]
fn the_reference_has_every_key_with_its_range_default_and_reload() {
    let page = fs::read_to_string(root().join("docs/ref/configuration.md")).unwrap();
    let sections: Vec<&str> = page
        .split("\n## ")
        .filter_map(|section| section.strip_prefix("`["))
        .collect();
    let lines = sections.iter().flat_map(|section| section.lines());
    let rows = lines.filter(|line| line.starts_with("| `")).count();
    assert_eq!(
        rows,
        KEYS.len(),
        "a row a key, and none for a key that is gone"
    );
    for key in KEYS {
        let here = format!("{}.{}", key.table, key.name);
        let section = sections
            .iter()
            .find(|s| {
                s.starts_with(&format!("{}]", key.table))
                    || s.starts_with(&format!("{}.", key.table))
            })
            .unwrap_or_else(|| panic!("no section for {here}"));
        let row = section
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` |", key.name)))
            .unwrap_or_else(|| panic!("no row for {here}"));
        assert!(
            row.contains(&format!("| {} |", key.allowed)),
            "{here}: {}",
            key.allowed
        );
        let change = match key.reload {
            Reload::Live => "| live |",
            Reload::Restart => "| restart |",
        };
        assert!(row.ends_with(change), "{here}: {change}");
        // The one key without a value of its own is where the environment decides.
        if let Some(default) = default_of(key.table, key.name) {
            assert!(
                row.contains(&format!("| `{default}` |")),
                "{here}: {default}"
            );
        }
    }
}

#[test]
fn the_log_reference_has_every_event_and_no_other() {
    let page = read("docs/ref/log.md");
    let row = |line: &str| -> Option<(String, String)> {
        let (name, rest) = line.strip_prefix("| `")?.split_once("` | `")?;
        let (id, _) = rest.split_once("` |")?;
        Some((name.into(), id.into()))
    };
    let written: Vec<_> = page.lines().filter_map(row).collect();
    let there: Vec<_> = events::ALL
        .iter()
        .map(|(name, id)| ((*name).to_owned(), (*id).to_owned()))
        .collect();
    assert_eq!(written, there);
}

#[test]
fn every_message_id_in_the_documentation_is_one() {
    for file in pages(&root().join("docs")) {
        let page = fs::read_to_string(&file).unwrap();
        for (_, rest) in page
            .match_indices("MESSAGE_ID=")
            .map(|(i, m)| page.split_at(i + m.len()))
        {
            let id: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
            assert!(
                id.is_empty() || events::ALL.iter().any(|(_, known)| *known == id),
                "{}: {id}",
                file.display()
            );
        }
    }
}

#[test]
fn the_wire_reference_has_every_message_as_it_is_on_the_wire() {
    let page = read("docs/ref/wire.md");
    let keys = |value: &serde_json::Value| -> Vec<String> {
        let mut keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    let mut types = Vec::new();
    for (line, block) in blocks(&page, "json") {
        let written: serde_json::Value = serde_json::from_str(&block).unwrap();
        let from = serde_json::from_value::<FromClient>(written.clone())
            .map(|message| serde_json::to_value(message).unwrap());
        let to = serde_json::from_value::<ToClient>(written.clone())
            .map(|message| serde_json::to_value(message).unwrap());
        let read = from
            .or(to)
            .unwrap_or_else(|e| panic!("block at line {line}: {e}"));
        // A key that the message does not have is ignored when it is read, and so gone.
        assert_eq!(keys(&read), keys(&written), "block at line {line}");
        types.push(written["type"].as_str().unwrap().to_owned());
    }
    types.sort();
    let all = [
        "hello",
        "notice",
        "ping",
        "pong",
        "receipt",
        "rendition",
        "subscribe",
        "want",
        "welcome",
    ];
    assert_eq!(types, all);
}

/// What GitHub makes of a heading, to link to it.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Where the links of a page lead, but for those that leave the repository.
fn links(page: &str) -> impl Iterator<Item = &str> {
    let links = page.split("](").skip(1);
    let targets = links.filter_map(|rest| Some(rest.split_once(')')?.0));
    targets.filter(|target| !target.contains("://"))
}

#[test]
fn every_link_leads_somewhere() {
    let mut files = pages(&root().join("docs"));
    files.extend(["README.md", "CHANGELOG.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    let mut checked = 0;
    for file in files {
        let page = fs::read_to_string(&file).unwrap();
        for link in links(&page) {
            let (path, part) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => file.clone(),
                path => file.parent().unwrap().join(path),
            };
            let here = format!("{}: {link}", file.display());
            assert!(target.exists(), "{here}");
            if !part.is_empty() {
                let text = fs::read_to_string(&target).unwrap();
                let headings = text.lines().filter(|line| line.starts_with('#'));
                let there = headings.map(anchor).any(|anchor| anchor == part);
                assert!(there, "{here}");
            }
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked}");
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

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
    assert!(names(&code_of("serve"), "hub"), "what is named is found");
    assert!(names(&code_of("daemon"), "serve"), "in a group too");
}
