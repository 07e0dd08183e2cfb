//! The documentation says what the program does: every key is in the reference, and every TOML block is a
//! configuration that streamd takes.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use streamd::config::{
    Config,
    schema::{KEYS, Reload},
};

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

/// The TOML blocks of a page, each with the line on which it begins.
fn toml_blocks(page: &str) -> Vec<(usize, String)> {
    let mut blocks: Vec<(usize, String)> = Vec::new();
    let mut inside = false;
    for (number, line) in page.lines().enumerate() {
        match line.trim() {
            "```toml" => {
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
        for (line, block) in toml_blocks(&page) {
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
