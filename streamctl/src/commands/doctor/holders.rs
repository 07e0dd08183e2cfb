//! Which programs have a file or a socket open, as far as this user may see.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (PID {})", self.name, self.pid)
    }
}

/// Several of them, in words.
pub fn list(holders: &[Holder]) -> String {
    let names: Vec<_> = holders.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// All other processes that have a file of this name open: a path, or `socket:[INODE]`.
pub fn of(target: &Path) -> Vec<Holder> {
    let target = fs::canonicalize(target).unwrap_or_else(|_| target.into());
    let own = std::process::id();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let found = processes.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let process = entry.path();
        (pid != own && has_open(&process, &target)).then(|| Holder {
            pid,
            name: name(&process),
        })
    });
    found.collect()
}

/// Processes whose files this user may not see.
pub fn hidden() -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok());
    let denied = |entry: fs::DirEntry| {
        fs::read_dir(entry.path().join("fd"))
            .is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
    };
    pids.into_iter().any(denied)
}

fn has_open(process: &Path, target: &PathBuf) -> bool {
    let files = fs::read_dir(process.join("fd")).into_iter().flatten();
    files
        .flatten()
        .any(|file| fs::read_link(file.path()).is_ok_and(|open| open == *target))
}

fn name(process: &Path) -> String {
    let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
    name.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn another_program_is_found_by_what_it_has_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("video0");
        let _ours = fs::File::create(&path).unwrap();
        let own = std::process::id();
        assert!(of(&path).iter().all(|holder| holder.pid != own));
        let mut program = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(fs::File::open(&path).unwrap())
            .spawn()
            .unwrap();
        let found = of(&path);
        let pid = program.id();
        drop(program.stdin.take());
        program.wait().unwrap();
        assert!(found.iter().any(|holder| holder.pid == pid), "{found:?}");
    }
}
