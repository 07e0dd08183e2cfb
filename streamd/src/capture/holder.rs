//! Which program holds a device, as far as the kernel lets us see.

use std::{fs, path::Path};

/// Processes that are looked at; a machine with more is not searched to its end.
const MOST_PROCESSES: usize = 4096;

/// Name and number of another program that has `path` open: `cheese (PID 1234)`. `None` if none is
/// seen: of other users' programs only root sees the files, and a sandbox may hide them all.
pub(crate) fn of(path: &Path) -> Option<String> {
    let node = fs::canonicalize(path).ok()?;
    let own = std::process::id();
    let processes = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        (pid != own).then(|| (pid, entry.path()))
    });
    let (pid, process) = processes
        .take(MOST_PROCESSES)
        .find(|(_, process)| has_open(process, &node))?;
    let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    Some(format!("{name} (PID {pid})"))
}

fn has_open(process: &Path, node: &Path) -> bool {
    let files = fs::read_dir(process.join("fd")).into_iter().flatten();
    files
        .flatten()
        .any(|file| fs::read_link(file.path()).is_ok_and(|target| target == node))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn another_program_is_named_and_we_are_not() {
        let dev = tempfile::tempdir().expect("a directory");
        let path = dev.path().join("video0");
        let _ours = fs::File::create(&path).expect("created");
        assert_eq!(of(&path), None);
        let theirs = fs::File::open(&path).expect("opened");
        let mut program = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(theirs)
            .spawn()
            .expect("started");
        let named = of(&path);
        let pid = program.id();
        drop(program.stdin.take());
        program.wait().expect("ended");
        // Before `exec` its name may still be that of this test.
        assert!(named.is_some_and(|name| name.ends_with(&format!(" (PID {pid})"))));
    }
}
