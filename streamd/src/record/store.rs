//! The recordings that lie on the disk: which there are, and which have to go.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{names, names::Name, recover};

/// A recording that is whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// What its name says.
    pub name: Name,
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// How much may lie there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// What has ended longer ago goes.
    pub keep: Option<Duration>,
    /// Bytes that the camera's recordings have at most.
    pub most: Option<u64>,
}

/// The days that a camera has recordings of, the oldest first.
pub fn days(folder: &Path) -> Vec<String> {
    let names = names_in(folder).into_iter();
    let mut days: Vec<_> = names.filter(|name| names::is_day(name)).collect();
    days.sort();
    days
}

/// A camera's recordings that have something of the time from `from` to `to` (ms since 1970), the
/// oldest first. None where nothing can be read.
pub fn list(folder: &Path, from: i64, to: i64) -> Vec<Entry> {
    // What began a day before may reach into the time: a time lapse is a day long.
    const DAY: i64 = 24 * 3_600_000;
    let (first, last) = (names::day(from.saturating_sub(DAY)), names::day(to));
    let days = days(folder).into_iter();
    let days = days.filter(|day| (&first..=&last).contains(&day) || from == i64::MIN);
    let mut all: Vec<_> = days
        .flat_map(|day| list_day(&folder.join(day)))
        .filter(|entry| entry.name.from_ms < to && entry.name.to_ms() > from)
        .collect();
    all.sort();
    all
}

fn list_day(folder: &Path) -> Vec<Entry> {
    let entry = |file: String| {
        let name = Name::read(&file)?;
        let path = folder.join(file);
        // A link may lead to what is somebody else's.
        let data = fs::symlink_metadata(&path)
            .ok()
            .filter(fs::Metadata::is_file)?;
        Some(Entry {
            name,
            bytes: data.len(),
            path,
        })
    };
    names_in(folder).into_iter().filter_map(entry).collect()
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// The recording of this name in a camera's folder.
pub fn find(folder: &Path, id: &str) -> Option<Entry> {
    let name = Name::read(&format!("{id}.mp4"))?;
    let path = folder.join(names::day(name.from_ms)).join(name.file());
    let data = fs::symlink_metadata(&path)
        .ok()
        .filter(fs::Metadata::is_file)?;
    Some(Entry {
        name,
        bytes: data.len(),
        path,
    })
}

/// Bytes that are free on the disk on which `folder` is, for who is not root.
///
/// # Errors
/// When the disk does not say.
pub fn free(folder: &Path) -> io::Result<u64> {
    let disk = nix::sys::statvfs::statvfs(folder)?;
    Ok(disk.blocks_available() as u64 * disk.fragment_size() as u64)
}

/// Removes the recordings of a camera that are too old or too many by the rules; returns how many.
pub fn tidy(folder: &Path, rules: &Rules, now_ms: i64) -> usize {
    if rules.keep.is_none() && rules.most.is_none() {
        return 0;
    }
    let all = list(folder, i64::MIN, i64::MAX);
    let mut bytes: u64 = all.iter().map(|entry| entry.bytes).sum();
    let oldest = rules
        .keep
        .map_or(i64::MIN, |keep| now_ms - keep.as_millis() as i64);
    let mut removed = 0;
    for entry in &all {
        let too_much = rules.most.is_some_and(|most| bytes > most);
        if entry.name.to_ms() >= oldest && !too_much {
            continue;
        }
        bytes -= entry.bytes;
        removed += usize::from(remove(entry));
    }
    removed
}

/// Removes the oldest recordings of all these cameras until there is room on their disk; returns how
/// many, and whether there is room now.
///
/// # Errors
/// When the disk does not say how much is free.
pub fn make_room(root: &Path, cameras: &[String], least: u64) -> io::Result<(usize, bool)> {
    if free(root)? >= least {
        return Ok((0, true));
    }
    let folders = cameras.iter().map(|camera| root.join(camera));
    let all = folders.flat_map(|folder| list(&folder, i64::MIN, i64::MAX));
    let mut all: Vec<_> = all.collect();
    all.sort();
    let mut removed = 0;
    for entry in &all {
        removed += usize::from(remove(entry));
        if free(root)? >= least {
            return Ok((removed, true));
        }
    }
    Ok((removed, false))
}

/// Removes a recording, and the folder of its day if that was the last one.
fn remove(entry: &Entry) -> bool {
    match fs::remove_file(&entry.path) {
        Ok(()) => {
            // It stays where something is in it.
            let _ = entry.path.parent().map(fs::remove_dir);
            true
        }
        Err(error) => {
            tracing::warn!("{}: {error}", entry.path.display());
            false
        }
    }
}

/// Makes the files that were being written when the daemon ended whole ones; returns how many.
pub fn recover(folder: &Path) -> usize {
    let mut recovered = 0;
    for day in days(folder) {
        let folder = folder.join(day);
        for file in names_in(&folder) {
            let Some((from_ms, kind)) = names::read_part(&file) else {
                continue;
            };
            let part = folder.join(file);
            match recover::recover(&part, from_ms, kind) {
                Ok(Some(_)) => recovered += 1,
                Ok(None) => {}
                // What is wrong with the disk is said where nothing can be written.
                Err(error) if is_of_disk(&error) => {}
                Err(error) => tracing::warn!("{}: not recovered: {error}", part.display()),
            }
        }
    }
    recovered
}

fn is_of_disk(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, StorageFull};
    matches!(
        error.kind(),
        PermissionDenied | ReadOnlyFilesystem | StorageFull
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::names::Kind;

    const START: i64 = 1_795_725_665_000;

    fn file(folder: &Path, from_ms: i64, bytes: usize) -> PathBuf {
        let name = Name {
            from_ms,
            length_ms: 60_000,
            kind: Kind::Continuous,
        };
        let day = folder.join(names::day(from_ms));
        fs::create_dir_all(&day).unwrap();
        let path = day.join(name.file());
        fs::write(&path, vec![0; bytes]).unwrap();
        path
    }

    fn rules(keep: Option<u64>, most: Option<u64>) -> Rules {
        Rules {
            keep: keep.map(Duration::from_secs),
            most,
        }
    }

    #[test]
    fn the_oldest_go_first_and_nothing_that_is_not_ours() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("front");
        let files: Vec<_> = (0..4)
            .map(|n| file(&folder, START + n * 60_000, 1000))
            .collect();
        let day = folder.join("2026-11-26");
        let foreign = [
            day.join("film.mp4"),
            folder.join("2026-11-26T20-41-05.000Z_60.000s_continuous.mp4"),
            root.path().join("notes.txt"),
        ];
        foreign
            .iter()
            .for_each(|path| fs::write(path, "x").unwrap());
        std::os::unix::fs::symlink(
            "/etc/hostname",
            day.join("2026-11-26T01-00-00.000Z_1.000s_event.mp4"),
        )
        .unwrap();
        let left = || files.iter().map(|f| f.exists()).collect::<Vec<_>>();
        assert_eq!(list(&folder, i64::MIN, i64::MAX).len(), 4);
        assert_eq!(tidy(&folder, &rules(None, None), START), 0);
        // The first has ended 61 s before.
        assert_eq!(tidy(&folder, &rules(Some(60), None), START + 121_000), 1);
        assert_eq!(left(), [false, true, true, true]);
        assert_eq!(tidy(&folder, &rules(None, Some(1500)), START), 2);
        assert_eq!(left(), [false, false, false, true]);
        let (removed, room) = make_room(root.path(), &["front".into()], u64::MAX).unwrap();
        assert_eq!((removed, room), (1, false));
        assert!(foreign.iter().all(|path| path.exists()) && day.exists());
        assert_eq!(
            make_room(root.path(), &["front".into()], 1).unwrap(),
            (0, true)
        );
    }

    #[test]
    fn the_folder_of_a_day_goes_with_its_last_recording() {
        let root = tempfile::tempdir().unwrap();
        let file = file(root.path(), START, 10);
        assert_eq!(tidy(root.path(), &rules(Some(1), None), START + 100_000), 1);
        assert!(!file.parent().unwrap().exists() && root.path().exists());
    }

    #[test]
    fn a_list_has_what_touches_the_time() {
        let root = tempfile::tempdir().unwrap();
        for n in 0..3 {
            file(root.path(), START + n * 60_000, 1);
        }
        let count = |from, to| list(root.path(), START + from, START + to).len();
        assert_eq!(count(0, 1), 1);
        assert_eq!(count(59_999, 60_001), 2);
        assert_eq!(count(60_000, 120_000), 1);
        assert_eq!(count(180_000, 999_000), 0);
        assert_eq!(list(&root.path().join("none"), 0, START).len(), 0);
        let id = list(root.path(), START, START + 1)[0].name.id();
        assert_eq!(find(root.path(), &id).unwrap().bytes, 1);
        assert_eq!(find(root.path(), &format!("../{id}")), None);
    }
}
