//! Starts that can't work: the message says where, what and what to do, and the exit code is right.

use std::{fs, net::TcpListener, process::Command};

use streamd_tests::{
    binaries,
    daemon::{Daemon, Ran},
    setup::Setup,
};

/// Runs a daemon that is not to get far.
#[track_caller]
fn run(setup: &Setup) -> Ran {
    Ran::of(setup.command())
}

#[test]
fn a_bad_configuration_is_shown_by_line_and_caret() {
    let setup = Setup::default();
    for (text, parts) in [
        (
            "[camera.main]\nqualty = 80\n",
            &[":2:1:", "qualty", "^^^^^^", "quality"][..],
        ),
        (
            "[camera.main]\nquality = 101\n",
            &[":2:11:", "101", "^^^", "1 to 100"],
        ),
        ("[camera.main]\nfps = \"fast\"\n", &[":2:7:", "^"]),
        ("[camera.main]\nsize = \"640\"\n", &[":2:8:", "640", "^"]),
        ("[camera.main\n", &[":1:", "^"]),
        (
            "[camera.a]\nlisten = \"127.0.0.1:9\"\n[camera.b]\nlisten = \"127.0.0.1:9\"\n",
            &[":4:", "127.0.0.1:9", "^"],
        ),
    ] {
        fs::write(setup.config_file(), text).unwrap();
        run(&setup).failed(78, parts);
    }
}

#[test]
fn a_configuration_file_that_is_named_must_exist() {
    let setup = Setup::default();
    let path = setup.config_file();
    run(&setup).failed(78, &[path.to_str().unwrap(), "No such file"]);
}

#[test]
fn the_configuration_can_be_checked_and_printed_without_a_start() {
    let setup = Setup::default().camera("quality = 55");
    setup.write_config();
    let streamd = |option: &str| {
        let mut command = Command::new(binaries::find("streamd"));
        command.arg(option).arg("--config").arg(setup.config_file());
        Ran::of(command)
    };
    assert_eq!(streamd("--check-config").succeeded(), "");
    let printed = streamd("--print-config");
    assert!(printed.succeeded().contains("quality = 55"), "{printed:?}");
    // What is printed is a file that means the same.
    fs::write(setup.config_file(), &printed.stdout).unwrap();
    assert_eq!(streamd("--print-config").succeeded(), printed.stdout);
    fs::write(setup.config_file(), "[camera.main]\nfps = 0\n").unwrap();
    streamd("--check-config").failed(78, &["fps", "^"]);
}

#[test]
fn a_port_in_use_is_named() {
    let setup = Setup::default();
    setup.write_config();
    for address in [setup.tcp(0), setup.http()] {
        let taken = TcpListener::bind(address).unwrap();
        let address = address.to_string();
        run(&setup).failed(1, &[&address, "Address already in use", "another streamd"]);
        drop(taken);
    }
}

#[test]
fn a_second_daemon_does_not_take_the_first_ones_control_socket() {
    let first = Daemon::start();
    let setup = Setup::default();
    let text = format!("[control]\nsocket = {:?}\n", first.setup.control());
    fs::write(setup.config_file(), text).unwrap();
    run(&setup).failed(1, &["control", "another streamd"]);
    assert_eq!(first.stats().cameras.len(), 1);
}

#[test]
fn wrong_usage_is_64() {
    let streamd = |option: &str| {
        let mut command = Command::new(binaries::find("streamd"));
        command.arg(option);
        Ran::of(command)
    };
    streamd("--prot").failed(64, &["--prot", "Usage"]);
    let version = streamd("--version");
    assert!(version.succeeded().contains("mozjpeg"), "{version:?}");
}

#[test]
fn the_page_is_a_link_in_the_log() {
    let daemon = Daemon::start();
    let link = format!("the page: http://{}/", daemon.setup.http());
    daemon.log.wait_for(&["listening at", "(HTTP)", &link]);
}
