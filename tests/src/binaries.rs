//! The programs under test, as cargo has built them for this run.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The program of this name, `target/<profile>/NAME`: a test's own is in `deps` there.
///
/// # Panics
/// If it is not there, or older than its sources: it would not be what is to be tested.
pub fn find(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a process knows its program");
    let mut folder = own.parent().expect("a program is in a folder");
    if folder.ends_with("deps") {
        folder = folder.parent().expect("target/<profile>/deps");
    }
    let program = folder.join(name);
    if let Err(why) = check(&program) {
        panic!("{why}: run `cargo build --workspace` (`cargo test --workspace` does it by itself)");
    }
    program
}

/// The library that a program is preloaded with to have the cameras of [`crate::device`]. This
/// package depends on it: cargo builds it first, and puts it beside the test's own program.
///
/// # Panics
/// If it is not there.
pub fn cameras() -> PathBuf {
    let own = std::env::current_exe().expect("a process knows its program");
    let library = own.with_file_name("libstreamd_tests_device.so");
    assert!(library.exists(), "{} is not there", library.display());
    library
}

/// Whether the program is there and newer than all it was built from, which `cargo build` lists
/// beside it. `cargo test --workspace` writes no list: it has just built the program itself.
fn check(program: &Path) -> Result<(), String> {
    let modified = |path: &Path| {
        let time = fs::metadata(path).and_then(|found| found.modified());
        time.map_err(|error| format!("{}: {error}", path.display()))
    };
    let built = modified(program)?;
    let list = program.with_extension("d");
    let Ok(list) = fs::read_to_string(&list) else {
        return Ok(());
    };
    for source in sources(&list) {
        if modified(&source)? > built {
            return Err(format!(
                "{} is older than {}",
                program.display(),
                source.display()
            ));
        }
    }
    Ok(())
}

/// The files in a list as make reads it: `TARGET: FILE FILE…`, with spaces in names escaped.
fn sources(list: &str) -> Vec<PathBuf> {
    let files = list.split_once(": ").map_or("", |(_, files)| files);
    let marked = files.trim_end().replace("\\ ", "\0");
    let names = marked.split(' ').filter(|name| !name.is_empty());
    names.map(|name| name.replace('\0', " ").into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_sources_are_read() {
        let read = sources("/t/streamd: /a/main.rs /a/my\\ page.html\n");
        assert_eq!(
            read,
            [Path::new("/a/main.rs"), Path::new("/a/my page.html")]
        );
        assert!(sources("/t/streamd:\n").is_empty());
    }

    #[test]
    fn a_program_must_be_there_and_newer_than_its_sources() {
        let dir = tempfile::tempdir().unwrap();
        let (program, source) = (dir.path().join("p"), dir.path().join("s.rs"));
        let missing = check(&program).unwrap_err();
        assert!(missing.contains("No such file"), "{missing}");
        fs::write(&source, "").unwrap();
        fs::write(&program, "").unwrap();
        let list = format!("{}: {}\n", program.display(), source.display());
        fs::write(dir.path().join("p.d"), list).unwrap();
        assert_eq!(check(&program), Ok(()));
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
        let touched = fs::File::options().write(true).open(&source).unwrap();
        touched.set_modified(later).unwrap();
        let stale = check(&program).unwrap_err();
        assert!(stale.contains("is older than"), "{stale}");
    }
}
