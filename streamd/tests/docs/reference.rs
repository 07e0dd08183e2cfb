//! The references have what there is, and nothing else.

use std::fs;

use streamd::{
    config::{
        Audio, Config,
        schema::{AUDIO, AUDIO_KEYS, KEYS, Reload},
    },
    events,
};
use streamd_protocol::stream::{FromClient, ToClient};

use crate::{blocks, pages, read, root};

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
    let mut config = Config::default();
    if table == AUDIO {
        config.camera[0].audio = Some(Audio::default());
    }
    let tree = toml::Table::try_from(config).unwrap();
    if table == AUDIO {
        let keys = tree["camera"]["main"]["audio"].as_table().unwrap();
        return keys.get(name).map(toml::Value::to_string);
    }
    let (table, within) = table.split_once('.').unwrap_or((table, ""));
    let mut keys = tree[table].as_table().unwrap();
    if table == "camera" {
        keys = keys["main"].as_table().unwrap();
    }
    if !within.is_empty() {
        keys = keys[within].as_table().unwrap();
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
        KEYS.len() + AUDIO_KEYS.len(),
        "a row a key, and none for a key that is gone"
    );
    for key in KEYS.iter().chain(AUDIO_KEYS) {
        let here = format!("{}.{}", key.table, key.name);
        let title = match key.table.split_once('.') {
            _ if key.table == AUDIO => format!("{AUDIO}]"),
            Some((table, within)) => format!("{table}.NAME.{within}]"),
            None if key.is_of_camera() => format!("{}.NAME]", key.table),
            None => format!("{}]", key.table),
        };
        let section = sections
            .iter()
            .find(|section| section.starts_with(&title))
            .unwrap_or_else(|| panic!("no section for {here}"));
        let row = section
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` |", key.name)))
            .unwrap_or_else(|| panic!("no row for {here}"));
        assert!(
            row.contains(&format!("| {} |", key.allowed())),
            "{here}: {}",
            key.allowed()
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
