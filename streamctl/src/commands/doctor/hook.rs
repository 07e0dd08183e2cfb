//! The program that is run when something happens: whether it can be started, by the service too.

use std::{os::unix::fs::PermissionsExt, path::Path};

use super::{
    finding::Finding,
    program::{self, value},
    scene::Scene,
};

const AREA: &str = "hook";

/// Looks at the program of `[hook]`, if there is one.
pub fn look(scene: &Scene) -> Vec<Finding> {
    let hook = scene.config.as_ref().and_then(|config| config.get("hook"));
    let command = hook.and_then(|hook| hook.get("command")?.as_array());
    let program = command.and_then(|words| words.first()?.as_str());
    let Some(path) = program.map(Path::new) else {
        return Vec::new();
    };
    let unit = scene.systemd.then(|| {
        program::ask(
            "systemctl",
            &["show", "streamd.service", "--property=ProtectHome"],
        )
    });
    let hides_home = unit
        .flatten()
        .is_some_and(|said| matches!(value(&said.output, "ProtectHome"), Some("yes" | "tmpfs")));
    vec![judge(path, hides_home)]
}

fn judge(path: &Path, hides_home: bool) -> Finding {
    let shown = path.display();
    let homes = ["/home", "/root", "/run/user"];
    match path.metadata() {
        Err(error) => Finding::error(
            AREA,
            format!("{shown}: {error}"),
            "Put the program there, or change command in [hook]",
        ),
        Ok(meta) if !meta.is_file() => Finding::error(
            AREA,
            format!("{shown} is no file"),
            "Change command in [hook]",
        ),
        Ok(meta) if meta.permissions().mode() & 0o111 == 0 => Finding::error(
            AREA,
            format!("{shown} is not executable"),
            format!("sudo chmod 755 {shown}"),
        ),
        Ok(_) if hides_home && homes.iter().any(|home| path.starts_with(home)) => Finding::error(
            AREA,
            format!("{shown} is hidden from the service (ProtectHome)"),
            "Put the program into /usr/local/bin",
        ),
        Ok(meta) if meta.permissions().mode() & 0o001 == 0 => Finding::warning(
            AREA,
            format!("{shown} may not be executable for the user that streamd runs as"),
            format!("sudo chmod 755 {shown}"),
        ),
        Ok(_) => Finding::ok(AREA, format!("{shown} can be started")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::finding::Status, *};

    #[test]
    fn a_program_must_be_there_and_executable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tell");
        assert_eq!(judge(&path, false).status, Status::Error);
        fs::write(&path, "#!/bin/sh\n").unwrap();
        for (mode, status) in [
            (0o644, Status::Error),
            (0o750, Status::Warning),
            (0o755, Status::Ok),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(judge(&path, true).status, status, "{mode:o}");
        }
        assert_eq!(judge(folder.path(), false).status, Status::Error);
    }
}
