//! What a reload changes, and what of it can be applied at once.

use std::fmt;

use toml::{Table, Value};

use super::{
    Config,
    schema::{CAMERA, KEYS, Key, Reload},
    values::CameraName,
};

/// The difference between two configurations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// What can be applied at once.
    pub live: Vec<Change>,
    /// Dotted keys of what waits for a restart: `http.listen`, `camera.rear` if it came or went.
    pub needs_restart: Vec<String>,
}

/// A key whose value changed. Its `Display` is the dotted key: `camera.main.quality`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The camera, for a key of one.
    pub camera: Option<CameraName>,
    /// The table, as in [`super::schema::TABLES`].
    pub table: &'static str,
    /// The key in it.
    pub name: &'static str,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.camera {
            Some(camera) => {
                let (table, within) = self.table.split_once('.').unwrap_or((self.table, ""));
                let dot = if within.is_empty() { "" } else { "." };
                write!(f, "{table}.{camera}.{within}{dot}{}", self.name)
            }
            None => write!(f, "{}.{}", self.table, self.name),
        }
    }
}

impl Changes {
    fn add(&mut self, key: &Key, camera: Option<&CameraName>) {
        let change = Change {
            camera: camera.cloned(),
            table: key.table,
            name: key.name,
        };
        match key.reload {
            Reload::Live => self.live.push(change),
            Reload::Restart => self.needs_restart.push(change.to_string()),
        }
    }
}

/// What is in force once `new` takes the place of `old` without a restart, and what changed. What
/// needs a restart stays as it is, so that the next reload names it again.
pub fn reloaded(old: &Config, new: &Config) -> (Config, Changes) {
    let (was, mut is) = (tree(old), tree(new));
    for key in KEYS.iter().filter(|key| key.reload == Reload::Restart) {
        if key.is_of_camera() {
            for name in old.camera.keys() {
                keep(&was, &mut is, &path(name, key));
            }
        } else {
            keep(&was, &mut is, &[key.table, key.name]);
        }
    }
    let mut config: Config = is
        .try_into()
        .expect("what is allowed in one configuration is in another");
    // Cameras that come or go wait for a restart as well.
    let cameras = old.camera.iter().map(|(name, camera)| {
        let new = config.camera.shift_remove(name);
        (name.clone(), new.unwrap_or_else(|| camera.clone()))
    });
    config.camera = cameras.collect();
    (config, changes(old, new))
}

/// Where the value of a camera's key stands.
fn path<'p>(camera: &'p CameraName, key: &Key) -> Vec<&'p str> {
    let mut path = vec![CAMERA, camera.as_str()];
    for name in key.path_in_camera() {
        path.push(name);
    }
    path
}

/// Puts the value at `path` as it was.
fn keep(was: &Table, is: &mut Table, path: &[&str]) {
    let Some((name, tables)) = path.split_last() else {
        return;
    };
    let mut table = is;
    for inner in tables {
        match table.get_mut(*inner).and_then(Value::as_table_mut) {
            Some(inner) => table = inner,
            None => return,
        }
    }
    match at(was, path) {
        Some(value) => table.insert((*name).into(), value.clone()),
        None => table.remove(*name),
    };
}

/// Compares two configurations, key by key.
fn changes(old: &Config, new: &Config) -> Changes {
    let mut changes = Changes::default();
    let (was, is) = (tree(old), tree(new));
    for key in KEYS.iter().filter(|key| !key.is_of_camera()) {
        if at(&was, &[key.table, key.name]) != at(&is, &[key.table, key.name]) {
            changes.add(key, None);
        }
    }
    for name in old.camera.keys().filter(|n| new.camera.contains_key(*n)) {
        for key in KEYS.iter().filter(|key| key.is_of_camera()) {
            let path = path(name, key);
            if at(&was, &path) != at(&is, &path) {
                changes.add(key, Some(name));
            }
        }
    }
    let gone = old.camera.keys().filter(|n| !new.camera.contains_key(*n));
    let come = new.camera.keys().filter(|n| !old.camera.contains_key(*n));
    let cameras = gone.chain(come).map(|name| format!("{CAMERA}.{name}"));
    changes.needs_restart.extend(cameras);
    changes
}

fn tree(config: &Config) -> Table {
    Table::try_from(config).expect("the tree holds tables, text and numbers only")
}

fn at<'v>(table: &'v Table, path: &[&str]) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    let value = table.get(*first)?;
    match rest {
        [] => Some(value),
        _ => at(value.as_table()?, rest),
    }
}

impl Config {
    /// All values in force, as a file that reads back to the same configuration.
    pub fn to_toml(&self) -> String {
        let mut config = self.clone();
        config.control.socket = Some(self.control_socket());
        toml::to_string(&config).expect("the tree holds tables, text and numbers only")
    }
}
