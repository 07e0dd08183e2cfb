//! `streamctl watch` on a terminal.

use std::{fs, path::Path, thread, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use streamd_protocol::stream::{FromClient, Want};

use super::{
    pty::Pty,
    server::{Manner, Server},
};

fn watch(server: &Server, more: &[&str]) -> Pty {
    let target = server.target();
    let args = [&["watch", target.as_str()][..], more].concat();
    Pty::start(&args, 120, 40, Path::new("/"))
}

fn wait_live(pty: &Pty) {
    pty.wait_for("a picture", |seen| seen.blocks() > 3_000);
    pty.wait_text("● live");
}

fn assert_restored(pty: Pty, code: u32) {
    assert_restored_saying(pty, code, "Session of");
}

fn assert_restored_saying(pty: Pty, code: u32, says: &str) {
    let (ended, seen) = pty.end();
    assert_eq!(ended, code);
    // The last bytes may come after the end.
    for _ in 0..200 {
        let seen = seen.lock().unwrap();
        let screen = seen.terminal.screen();
        let restored = !screen.alternate_screen() && !screen.hide_cursor();
        if restored && seen.text().contains(says) {
            return;
        }
        drop(seen);
        thread::sleep(Duration::from_millis(10));
    }
    panic!("not restored:\n{}", seen.lock().unwrap().text());
}

#[test]
fn the_picture_is_shown_with_its_figures() {
    let server = Server::start(Manner::Talks);
    let mut pty = watch(&server, &[]);
    wait_live(&pty);
    pty.wait_for("figures", |seen| {
        let line = seen.text();
        let line = line.lines().next().unwrap();
        let fps = line.split(" fps").next().unwrap().rsplit(' ').next();
        let known = fps.is_some_and(|fps| fps.parse::<f64>().is_ok_and(|fps| fps > 0.0));
        known && line.contains(" ms (") && line.contains("0 dropped") && line.contains("b/s")
    });
    pty.wait_text("main 640x480 q80");
    pty.wait_for("colours in their places", |seen| {
        let colour = |column| seen.terminal.screen().cell(20, column).unwrap().fgcolor();
        matches!(colour(30), vt100::Color::Rgb(200.., _, 0..60))
            && matches!(colour(90), vt100::Color::Rgb(0..60, _, 200..))
    });
    pty.press("q");
    assert_restored(pty, 0);
}

#[test]
fn colours_are_left_out_of_the_words_when_not_wanted() {
    let server = Server::start(Manner::Talks);
    let args = ["watch", &server.target(), "--graphics", "none"];
    let mut pty = Pty::start_in(&args, 120, 40, Path::new("/"), false);
    pty.wait_text("● live");
    pty.wait_for("reversed words", |seen| {
        seen.terminal.screen().cell(0, 0).unwrap().inverse() && !seen.has_raw(b"\x1b[38;")
    });
    pty.press("q");
    assert_restored(pty, 0);
}

#[test]
fn keys_do_what_the_help_says() {
    let server = Server::start(Manner::Talks);
    let dir = tempfile::tempdir().unwrap();
    let mut pty = Pty::start(&["watch", &server.target()], 120, 40, dir.path());
    wait_live(&pty);
    pty.press("?");
    pty.wait_text("save this frame");
    pty.press("?");
    pty.wait_for("no help", |seen| !seen.text().contains("save this frame"));
    pty.press("s");
    pty.wait_for("no figures", |seen| {
        !seen.text().contains(" fps") && seen.blocks() > 4_000
    });
    pty.press("s");
    pty.wait_text("● live");
    pty.press("w");
    pty.wait_text("saved ./frame-000001.jpg");
    let saved = fs::read(dir.path().join("frame-000001.jpg")).unwrap();
    assert!(saved.starts_with(&[0xFF, 0xD8]) && saved.ends_with(&[0xFF, 0xD9]));
    pty.press("p");
    pty.wait_text("‖ paused");
    let paused = |to: bool| {
        FromClient::Want(Want {
            paused: Some(to),
            ..Want::default()
        })
    };
    pty.wait_for("a pause at the server", |_| {
        server.heard().contains(&paused(true))
    });
    pty.press("p");
    pty.wait_for("its end", |_| server.heard().contains(&paused(false)));
    pty.press("\x03");
    assert_restored(pty, 0);
}

#[test]
fn signals_restore_the_terminal() {
    let server = Server::start(Manner::Talks);
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let pty = watch(&server, &[]);
        wait_live(&pty);
        kill(Pid::from_raw(pty.pid()), signal).unwrap();
        assert_restored(pty, 0);
    }
}

#[test]
fn a_new_size_is_filled() {
    let server = Server::start(Manner::Talks);
    let mut pty = watch(&server, &[]);
    wait_live(&pty);
    pty.resize(60, 20);
    pty.wait_for("a small picture", |seen| {
        let rows: Vec<String> = seen.text().lines().map(str::to_owned).collect();
        let widest = rows.iter().map(|row| row.trim_end().chars().count()).max();
        seen.blocks() > 400 && seen.blocks() < 1_200 && widest <= Some(60)
    });
    pty.resize(200, 60);
    pty.wait_for("a large picture", |seen| seen.blocks() > 7_000);
    pty.press("q");
    assert_restored(pty, 0);
}

#[test]
fn reconnecting_is_shown() {
    let server = Server::start(Manner::DiesAfter(20));
    let port = server.port;
    let mut pty = watch(
        &server,
        &["--reconnect-delay", "300ms", "--reconnect-attempts", "0"],
    );
    wait_live(&pty);
    drop(server);
    pty.wait_text("Connection refused");
    pty.wait_text("○ reconnecting");
    let _server = Server::start_at(port, Manner::Talks);
    pty.wait_text("● live");
    pty.wait_for("a count", |seen| {
        seen.text().contains("reconnection") && !seen.text().contains("0 reconnections")
    });
    pty.press("q");
    assert_restored(pty, 0);
}

#[test]
fn giving_up_restores_the_terminal_and_says_why() {
    let server = Server::start(Manner::Sends(b"HTTP/1.1 400 Bad Request"));
    let more = ["--reconnect-delay", "50ms", "--reconnect-attempts", "1"];
    let pty = watch(&server, &more);
    assert_restored_saying(pty, 76, "is no stream");
}

#[test]
fn a_broken_picture_is_told_and_the_next_is_shown() {
    let server = Server::start(Manner::Sends(b"\x04\0\0\0\0\0\0\0\xff\xd8\xff\xd9"));
    let mut pty = watch(
        &server,
        &["--stall-timeout", "500ms", "--reconnect-delay", "50ms"],
    );
    pty.wait_text("the picture can't be decoded");
    server.behave(Manner::Talks);
    pty.wait_for("a picture", |seen| seen.blocks() > 3_000);
    pty.press("q");
    assert_restored(pty, 0);
}

#[test]
fn the_best_graphics_that_the_terminal_has_are_taken() {
    let server = Server::start(Manner::Talks);
    for (answers, mark) in [
        (
            "\x1b_Gi=31;OK\x1b\\\x1b[6;20;10t\x1b[?62;4c",
            &b"\x1b_Ga=T,f=24"[..],
        ),
        ("\x1b[6;20;10t\x1b[?62;4c", b"\x1bP"),
    ] {
        let mut pty = watch(&server, &[]);
        pty.wait_for("questions", |seen| seen.has_raw(b"\x1b[c"));
        pty.press(answers);
        pty.wait_for("graphics", |seen| seen.has_raw(mark));
        pty.press("q");
        assert_restored(pty, 0);
    }
    let mut pty = watch(&server, &["--graphics", "none"]);
    pty.wait_text("● live");
    pty.wait_for("no picture", |seen| seen.blocks() == 0);
    pty.press("q");
    assert_restored(pty, 0);
}
