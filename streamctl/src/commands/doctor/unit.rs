//! The service: whether systemd knows it, runs it, starts it at boot, and lets it have cameras.

use super::{
    finding::Finding,
    program::{self, value},
    scene::Scene,
};

const AREA: &str = "service";

/// What is asked of systemd.
const PROPERTIES: &str = "--property=LoadState,ActiveState,SubState,Result,ExecMainStatus,NRestarts,\
UnitFileState,MainPID,PrivateDevices,DevicePolicy,DeviceAllow,SupplementaryGroups,User,DropInPaths,NeedDaemonReload";

/// Looks at the unit.
pub fn look(scene: &Scene) -> Vec<Finding> {
    if !scene.systemd {
        let what = "systemd does not run here: streamd is started by hand or by something else";
        return vec![Finding::ok(AREA, what)];
    }
    match program::ask("systemctl", &["show", "streamd.service", PROPERTIES]) {
        Some(said) if said.succeeded => judge(&said.output, scene),
        _ => vec![Finding::warning(
            AREA,
            "systemd does not say how the service is",
            "systemctl status streamd says why",
        )],
    }
}

fn judge(text: &str, scene: &Scene) -> Vec<Finding> {
    let of = |key| value(text, key).unwrap_or_default();
    if of("LoadState") != "loaded" {
        let what = format!("systemd has no service streamd ({})", of("LoadState"));
        return vec![match scene.daemon {
            Some(_) => Finding::ok(AREA, what + ": streamd is started by hand"),
            None => Finding::warning(AREA, what, "Install the package, or start streamd by hand"),
        }];
    }
    let mut findings = vec![state(text, scene)];
    if of("NeedDaemonReload") == "yes" {
        let what = "the unit's file has changed since systemd read it";
        findings.push(Finding::warning(
            AREA,
            what,
            "sudo systemctl daemon-reload && sudo systemctl restart streamd",
        ));
    }
    if matches!(of("UnitFileState"), "disabled") {
        let what = "it is not started at boot";
        findings.push(Finding::warning(
            AREA,
            what,
            "sudo systemctl enable streamd",
        ));
    }
    findings.extend(sandbox(text));
    findings
}

/// Whether it runs, and why not.
fn state(text: &str, scene: &Scene) -> Finding {
    let of = |key| value(text, key).unwrap_or_default();
    let log = "journalctl -u streamd -n 30 says why";
    match of("ActiveState") {
        "active" => {
            let restarts: u32 = of("NRestarts").parse().unwrap_or(0);
            let pid = of("MainPID");
            match restarts {
                0 => Finding::ok(AREA, format!("it runs (PID {pid})")),
                n => Finding::warning(
                    AREA,
                    format!("it runs (PID {pid}), after {n} restarts by itself"),
                    log,
                ),
            }
        }
        "failed" | "activating" if of("ExecMainStatus") == "78" => Finding::error(
            AREA,
            "it has ended with 78: its configuration can't be used",
            "streamd --check-config says what is wrong; then: sudo systemctl restart streamd",
        ),
        "failed" | "activating" | "deactivating" => Finding::error(
            AREA,
            format!(
                "it is {} ({}), result {}, exit code {}",
                of("ActiveState"),
                of("SubState"),
                of("Result"),
                of("ExecMainStatus")
            ),
            format!("{log}\nThen: sudo systemctl restart streamd"),
        ),
        _ if scene.daemon.is_some() => Finding::ok(
            AREA,
            "it does not run; another streamd does, started by hand",
        ),
        state => Finding::error(
            AREA,
            format!("it does not run ({state})"),
            "sudo systemctl start streamd",
        ),
    }
}

/// What of the sandbox keeps cameras away.
fn sandbox(text: &str) -> Vec<Finding> {
    let of = |key| value(text, key).unwrap_or_default();
    let edit = "sudo systemctl edit streamd, then: sudo systemctl restart streamd";
    let mut findings = Vec::new();
    if of("PrivateDevices") == "yes" {
        let what = "PrivateDevices=yes hides all cameras from it";
        findings.push(Finding::error(
            AREA,
            what,
            format!("Set PrivateDevices=no: {edit}"),
        ));
    }
    if matches!(of("DevicePolicy"), "closed" | "strict")
        && !of("DeviceAllow").contains("video4linux")
        && !of("DeviceAllow").contains("/dev/video")
    {
        let what = format!("DevicePolicy={} lets it open no camera", of("DevicePolicy"));
        findings.push(Finding::error(
            AREA,
            what,
            format!("Set DeviceAllow=char-video4linux rw: {edit}"),
        ));
    }
    if !of("SupplementaryGroups")
        .split(' ')
        .any(|group| group == "video")
        && !matches!(of("User"), "" | "root")
    {
        let what = format!(
            "its user {} is not put into group video, to which cameras belong",
            of("User")
        );
        findings.push(Finding::warning(
            AREA,
            what,
            format!("Set SupplementaryGroups=video: {edit}"),
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(AREA, "its sandbox lets it have cameras"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Status, *};

    fn scene() -> Scene {
        Scene {
            sockets: Vec::new(),
            daemon: None,
            file: "/etc/streamd/streamd.toml".into(),
            fault: None,
            config: None,
            user: "ada".into(),
            root: false,
            systemd: true,
        }
    }

    /// The findings for the packaged unit, with these lines in the place of its own.
    fn judged(changes: &str) -> Vec<(Status, String, String)> {
        let text = format!(
            "{changes}LoadState=loaded\nActiveState=active\nSubState=running\nResult=success\n\
             ExecMainStatus=0\nNRestarts=0\nUnitFileState=enabled\nMainPID=7\nPrivateDevices=no\n\
             DevicePolicy=closed\nDeviceAllow=char-video4linux rw\nSupplementaryGroups=video\n\
             User=streamd\nNeedDaemonReload=no\n"
        );
        let found = judge(&text, &scene());
        found
            .into_iter()
            .map(|f| (f.status, f.message, f.advice))
            .collect()
    }

    #[test]
    fn the_packaged_unit_is_well() {
        let found = judged("");
        assert!(
            found.iter().all(|(status, ..)| *status == Status::Ok),
            "{found:?}"
        );
    }

    #[test]
    fn what_is_wrong_with_a_unit_is_named_with_what_to_do() {
        for (change, status, message, advice) in [
            (
                "LoadState=not-found\n",
                Status::Warning,
                "no service",
                "Install",
            ),
            (
                "ActiveState=inactive\n",
                Status::Error,
                "does not run",
                "systemctl start streamd",
            ),
            (
                "ActiveState=failed\nExecMainStatus=78\n",
                Status::Error,
                "configuration",
                "--check-config",
            ),
            (
                "ActiveState=failed\nExecMainStatus=1\n",
                Status::Error,
                "exit code 1",
                "journalctl",
            ),
            ("NRestarts=3\n", Status::Warning, "3 restarts", "journalctl"),
            (
                "UnitFileState=disabled\n",
                Status::Warning,
                "boot",
                "systemctl enable",
            ),
            (
                "NeedDaemonReload=yes\n",
                Status::Warning,
                "changed",
                "daemon-reload",
            ),
            (
                "PrivateDevices=yes\n",
                Status::Error,
                "hides all cameras",
                "systemctl edit",
            ),
            (
                "DeviceAllow=char-tty rw\n",
                Status::Error,
                "open no camera",
                "char-video4linux",
            ),
            (
                "SupplementaryGroups=\n",
                Status::Warning,
                "group video",
                "SupplementaryGroups=video",
            ),
        ] {
            let found = judged(change);
            let fits = |(s, m, a): &(Status, String, String)| {
                *s == status && m.contains(message) && a.contains(advice)
            };
            assert!(found.iter().any(fits), "{change}: {found:?}");
        }
    }
}
