//! Changes the daemon's configuration file, with its comments and its order kept. The daemon itself
//! can't: its sandbox lets it write nowhere.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike, Value};

use crate::failure::Failure;

/// What was written.
#[derive(Debug)]
pub struct Saved {
    /// The file.
    pub path: PathBuf,
    /// The keys that changed, each as `camera.main.controls.brightness = 128`.
    pub lines: Vec<String>,
}

impl Saved {
    /// Says where it was written, or that there was nothing to write.
    pub fn summary(&self, camera: &str) -> String {
        let path = self.path.display();
        match self.lines.len() {
            0 => format!("{path} already has the controls of camera {camera} as they are set\n"),
            _ => format!("written to {path}\n"),
        }
    }
}

/// Writes controls of a camera into the file at `path`. A control that the file has and `controls`
/// has not stays as it is.
pub fn save_controls(path: &Path, camera: &str, controls: &toml::Table) -> Result<Saved, Failure> {
    // The file itself, not a link to it, is replaced.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let failed = |why: String| Failure::File {
        path: path.clone(),
        why,
    };
    let old = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(advice(&error))),
    };
    let mut document: DocumentMut = old
        .parse()
        .map_err(|error| failed(format!("it is no TOML, so nothing is written: {error}")))?;
    let lines = put(&mut document, camera, controls).map_err(failed)?;
    if !lines.is_empty() {
        replace(path, document.to_string().as_bytes()).map_err(|error| failed(advice(&error)))?;
    }
    Ok(Saved {
        path: path.clone(),
        lines,
    })
}

fn advice(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            format!("{error}: only who may write to its folder can save, such as root (sudo)")
        }
        _ => error.to_string(),
    }
}

/// Changes the document; returns the lines that say what.
fn put(
    document: &mut DocumentMut,
    camera: &str,
    controls: &toml::Table,
) -> Result<Vec<String>, String> {
    if controls.is_empty() {
        return Ok(Vec::new());
    }
    let name = format!("camera.{camera}");
    let no_table = |what: &str| format!("{what} is no table, so nothing is written");
    let table = camera_of(document, camera)?;
    let inline = table.is_inline_table();
    let table = table.as_table_like_mut().ok_or(no_table(&name))?;
    let name = format!("{name}.controls");
    let table = table.entry("controls").or_insert(new_table(inline));
    let table = table.as_table_like_mut().ok_or(no_table(&name))?;
    let mut lines = Vec::new();
    for (control, value) in controls {
        let value = scalar(value).ok_or(format!("{name}.{control} has no value of its own"))?;
        if set(table, control, value.clone()) {
            lines.push(format!("{name}.{control} = {value}"));
        }
    }
    Ok(lines)
}

/// The table of a camera. It is made only in a file that has no camera at all, which means this one.
fn camera_of<'d>(document: &'d mut DocumentMut, camera: &str) -> Result<&'d mut Item, String> {
    let trailing = document.trailing().as_str().unwrap_or("").to_owned();
    let mut all = Table::new();
    all.set_implicit(true);
    let cameras = document.entry("camera").or_insert(Item::Table(all));
    let there = cameras.as_table_like();
    let there = there.ok_or("camera is no table, so nothing is written")?;
    let names: Vec<_> = there.iter().map(|(name, _)| name.to_owned()).collect();
    if names.is_empty() {
        document["camera"][camera] = Item::Table(Table::new());
        if let Some(table) = document["camera"][camera].as_table_mut() {
            // Below the comments that the file ends with.
            table.decor_mut().set_prefix(trailing);
            document.set_trailing("");
        }
    } else if !names.iter().any(|name| name == camera) {
        let names = names.join(", ");
        return Err(format!(
            "it has no camera {camera:?}, so nothing is written; it has {names}"
        ));
    }
    Ok(&mut document["camera"][camera])
}

/// A table of dotted keys, which stand among the other keys of their camera: a header of its own
/// would take the comments below it, and the keys in them, away from that.
fn new_table(inline: bool) -> Item {
    if inline {
        return Item::Value(Value::InlineTable(InlineTable::new()));
    }
    let mut table = Table::new();
    table.set_dotted(true);
    Item::Table(table)
}

fn scalar(value: &toml::Value) -> Option<Value> {
    Some(match value {
        toml::Value::Boolean(truth) => (*truth).into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::String(text) => text.as_str().into(),
        _ => return None,
    })
}

/// Sets a key, with the comment beside it kept. False if it has this value already.
fn set(table: &mut dyn TableLike, key: &str, mut value: Value) -> bool {
    if let Some(old) = table.get_mut(key).and_then(Item::as_value_mut) {
        let same = match (&*old, &value) {
            (Value::Boolean(a), Value::Boolean(b)) => a.value() == b.value(),
            (Value::Integer(a), Value::Integer(b)) => a.value() == b.value(),
            (Value::String(a), Value::String(b)) => a.value() == b.value(),
            _ => false,
        };
        if same {
            return false;
        }
        *value.decor_mut() = old.decor().clone();
        *old = value;
        return true;
    }
    table.insert(key, Item::Value(value));
    true
}

/// Puts a file in the place of another one at once, with the owner and mode of that one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(bytes)?;
    let file = new.as_file();
    match fs::metadata(path) {
        Ok(old) => {
            let mine = file.metadata()?;
            if (old.uid(), old.gid()) != (mine.uid(), mine.gid()) {
                std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid()))?;
            }
            file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            file.set_permissions(fs::Permissions::from_mode(0o644))?;
        }
        Err(error) => return Err(error),
    }
    file.sync_all()?;
    new.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTROLS: &str = "brightness = 128\nauto-exposure = \"Manual Mode\"\n";

    fn saved(file: &str) -> Result<(String, Vec<String>), String> {
        let mut document: DocumentMut = file.parse().unwrap();
        let lines = put(&mut document, "main", &CONTROLS.parse().unwrap())?;
        let text = document.to_string();
        let table: toml::Table = text.parse().unwrap();
        let controls = &table["camera"]["main"]["controls"];
        assert_eq!(controls["brightness"].as_integer(), Some(128), "{text}");
        assert_eq!(controls["auto-exposure"].as_str(), Some("Manual Mode"));
        Ok((text, lines))
    }

    #[test]
    fn comments_and_order_stay_and_only_what_differs_is_written() {
        let file = "# mine\n[camera.main]\nfps = 30 # often\ncontrols.brightness = 3 # dark\n\
                    #quality = 80\n\n# the other\n[camera.rear]\nfps = 5\n";
        let (text, lines) = saved(file).unwrap();
        assert_eq!(
            text,
            "# mine\n[camera.main]\nfps = 30 # often\ncontrols.brightness = 128 # dark\n\
             controls.auto-exposure = \"Manual Mode\"\n#quality = 80\n\n# the other\n[camera.rear]\nfps = 5\n"
        );
        assert_eq!(
            lines,
            [
                "camera.main.controls.brightness = 128",
                "camera.main.controls.auto-exposure = \"Manual Mode\""
            ]
        );
        assert_eq!(saved(&text).unwrap(), (text, Vec::new()));
    }

    #[test]
    fn keys_that_are_commented_out_stay_keys_of_their_camera() {
        let shipped = include_str!("../../etc/streamd/streamd.toml");
        let (text, _) = saved(shipped).unwrap();
        let used = text.replace("#quality = 80", "quality = 80");
        let table: toml::Table = used.parse().unwrap();
        assert_eq!(table["camera"]["main"]["quality"].as_integer(), Some(80));
        let camera = table["camera"]["main"].as_table().unwrap();
        let mut keys: Vec<_> = camera.keys().collect();
        keys.sort_unstable();
        assert_eq!(keys, ["controls", "quality", "record"]);
    }

    #[test]
    fn a_file_without_cameras_gets_one_at_its_end() {
        for file in ["", "# nothing\n", "[http]\nlisten = []\n# more\n"] {
            let (text, _) = saved(file).unwrap();
            assert!(text.starts_with(file), "{text}");
        }
        for file in [
            "camera = { main = { fps = 3 } }",
            "[camera.main.controls]\ngain = 1",
            "camera.main.controls.gain = 1",
            "[camera.main]\ncontrols = { gain = 1 }",
        ] {
            let (text, lines) = saved(file).unwrap();
            assert_eq!(lines.len(), 2, "{text}");
        }
    }

    #[test]
    fn what_is_not_there_is_named_and_nothing_is_written() {
        assert!(
            saved("[camera.front]")
                .unwrap_err()
                .contains("it has front")
        );
        assert!(saved("camera = 3").unwrap_err().contains("no table"));
        let why = saved("[camera.main]\ncontrols = 3").unwrap_err();
        assert!(why.contains("camera.main.controls"), "{why}");
    }

    #[test]
    fn the_file_keeps_its_mode_and_the_link_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "[camera.main]\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let controls = CONTROLS.parse().unwrap();
        let saved = save_controls(&link, "main", &controls).unwrap();
        assert_eq!(saved.path, fs::canonicalize(&file).unwrap());
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o640);
        assert!(fs::read_to_string(&file).unwrap().contains("brightness"));
        fs::write(&file, "camera = ").unwrap();
        let failed = save_controls(&link, "main", &controls).unwrap_err();
        assert!(failed.to_string().contains("no TOML"), "{failed}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "camera = ");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
