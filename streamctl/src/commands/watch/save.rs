//! Frames as numbered JPEG files: each there whole or not at all, none ever overwritten.

use std::{
    fs::{self, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct Error {
    /// The file.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

impl Error {
    /// `source` happened to `path`.
    pub fn new(path: &Path, source: io::Error) -> Self {
        Self {
            path: path.to_owned(),
            source,
        }
    }
}

/// A directory that frames are saved to.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    next: u64,
    saved: u64,
}

impl Folder {
    /// Opens the directory, makes it if need be, and goes on after the highest number in it.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let error = |source| Error::new(path, source);
        fs::create_dir_all(path).map_err(error)?;
        let mut next = 1;
        for entry in fs::read_dir(path).map_err(error)? {
            let name = entry.map_err(error)?.file_name();
            next = next.max(number(&name.to_string_lossy()).map_or(1, |n| n.saturating_add(1)));
        }
        Ok(Self {
            path: path.to_owned(),
            next,
            saved: 0,
        })
    }

    /// Frames saved so far.
    pub fn saved(&self) -> u64 {
        self.saved
    }

    /// Saves a frame and tells its file.
    ///
    /// # Errors
    /// When it cannot be written; nothing of it is left behind.
    pub fn save(&mut self, jpeg: &[u8]) -> Result<PathBuf, Error> {
        let mut part = tempfile::Builder::new()
            .prefix(".frame-")
            .suffix(".part")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(&self.path)
            .map_err(|source| Error::new(&self.path, source))?;
        part.write_all(jpeg)
            .map_err(|source| Error::new(&self.path, source))?;
        loop {
            let path = self.path.join(format!("frame-{:06}.jpg", self.next));
            self.next = self.next.saturating_add(1);
            match part.persist_noclobber(&path) {
                Ok(_) => {
                    self.saved += 1;
                    return Ok(path);
                }
                // Another watch saves here too: the next number is tried.
                Err(taken) if taken.error.kind() == io::ErrorKind::AlreadyExists => {
                    part = taken.file;
                }
                Err(failed) => return Err(Error::new(&path, failed.error)),
            }
        }
    }
}

/// The number of a saved frame's name.
fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("frame-")?.strip_suffix(".jpg")?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_and_nothing_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/frames");
        let mut folder = Folder::open(&path).unwrap();
        assert!(folder.save(b"one").unwrap().ends_with("frame-000001.jpg"));
        let mut other = Folder::open(&path).unwrap();
        assert!(other.save(b"two").unwrap().ends_with("frame-000002.jpg"));
        assert!(folder.save(b"three").unwrap().ends_with("frame-000003.jpg"));
        assert_eq!(fs::read(path.join("frame-000002.jpg")).unwrap(), b"two");
        assert_eq!(fs::read_dir(&path).unwrap().count(), 3);
        assert_eq!(folder.saved(), 2);
    }

    #[test]
    fn a_disk_that_takes_nothing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(dir.path()).unwrap();
        let gone = dir.path().to_owned();
        drop(dir);
        let error = folder.save(b"x").unwrap_err();
        assert_eq!(error.path, gone);
        assert!(error.to_string().contains("No such file"), "{error}");
    }
}
