//! What `streamctl watch` writes: saved frames, and frames one after the other.

use std::{
    fs::{self, File},
    io::Read,
    process::Stdio,
};

use streamd_protocol::stream::AppSegment;

use super::{
    headless::{code, output, run, streamctl, text},
    server::{Manner, Server},
};

#[test]
fn frames_are_saved_and_none_is_overwritten() {
    let server = Server::start(Manner::Talks);
    let dir = tempfile::tempdir().unwrap();
    let frames = dir.path().join("frames");
    fs::create_dir(&frames).unwrap();
    fs::write(frames.join("frame-000002.jpg"), b"precious").unwrap();
    let path = frames.to_str().unwrap();
    for _ in 0..2 {
        let output = run(&[&server.target(), "--frames", "3", "--save", path]);
        assert_eq!(code(&output), 0, "{output:?}");
        assert!(text(&output.stdout).contains("frames saved     3"));
    }
    let mut names: Vec<_> = fs::read_dir(&frames)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected: Vec<_> = (2..=8).map(|n| format!("frame-{n:06}.jpg")).collect();
    assert_eq!(names, expected);
    assert_eq!(
        fs::read(frames.join("frame-000002.jpg")).unwrap(),
        b"precious"
    );
    let saved = fs::read(frames.join("frame-000008.jpg")).unwrap();
    assert_eq!(AppSegment::find(&saved).unwrap().camera, "main");
    assert!(saved.ends_with(&[0xFF, 0xD9]));
}

#[test]
fn the_output_is_nothing_but_pictures() {
    let server = Server::start(Manner::Talks);
    let output = run(&[&server.target(), "--frames", "4", "--output", "-"]);
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(text(&output.stderr).contains("frames received  4"));
    let starts = output
        .stdout
        .windows(4)
        .filter(|four| *four == [0xFF, 0xD8, 0xFF, 0xE0]);
    assert_eq!(starts.count(), 4);
    assert!(output.stdout.starts_with(&[0xFF, 0xD8]) && output.stdout.ends_with(&[0xFF, 0xD9]));

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.mjpeg");
    let path = path.to_str().unwrap();
    let output = run(&[&server.target(), "--frames", "4", "--output", path]);
    assert_eq!(code(&output), 0, "{output:?}");
    let again = run(&[&server.target(), "--frames", "4", "--output", path]);
    assert_eq!(code(&again), 73, "{again:?}");
    assert!(
        text(&again.stderr).contains("a.mjpeg: File exists"),
        "{again:?}"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let server = Server::start(Manner::Talks);
    let mut command = streamctl(&[&server.target(), "--output", "-"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut reader = child.stdout.take().unwrap();
    reader.read_exact(&mut [0; 1000]).unwrap();
    drop(reader);
    assert_eq!(code(&output(child)), 0);
}

#[test]
fn a_full_disk_is_an_error() {
    let server = Server::start(Manner::Talks);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = streamctl(&[&server.target(), "--output", "-"]);
    command.stdout(full).stderr(Stdio::piped());
    let output = output(command.spawn().unwrap());
    assert_eq!(code(&output), 74, "{output:?}");
    assert!(
        text(&output.stderr).contains("No space left on device"),
        "{output:?}"
    );
}
