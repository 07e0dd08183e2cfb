//! Who may watch: tokens on every way in, and what they are good for.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use streamd_protocol::{
    client,
    control::{self, AddToken, AuditEntry, ListTokens, RevokeToken, RotateToken},
    stream::{Event, FromClient, ToClient, Want},
};
use streamd_tests::{PATIENCE, daemon::Daemon, eventually, setup::Setup, viewer::Viewer, web};

/// A daemon that lets nobody in without a token.
fn closed() -> Daemon {
    let setup = Setup::default().another("side", "");
    let file = setup.file("tokens.json");
    let tables = format!("[access]\nanonymous = \"none\"\ntoken-file = {file:?}");
    setup.tables(&tables).start()
}

fn add(daemon: &Daemon, name: &str) -> String {
    let call = AddToken {
        name: name.into(),
        ..AddToken::default()
    };
    daemon.call(&call).unwrap().token
}

fn hello(viewer: &mut Viewer, token: &str) {
    viewer.say(&FromClient::Hello {
        name: Some("shows a token".into()),
        token: Some(token.into()),
        want: Want::default(),
    });
}

fn basic(token: &str) -> String {
    let pair = BASE64_STANDARD.encode(format!("anybody:{token}"));
    format!("Authorization: Basic {pair}")
}

#[test]
fn over_raw_tcp_no_picture_comes_before_an_accepted_hello() {
    let daemon = closed();
    let token = add(&daemon, "robot");
    let mut silent = daemon.viewer();
    let mut wrong = daemon.viewer();
    hello(&mut wrong, "wrong");
    assert_eq!(wrong.payload(), None);
    let mut talks = daemon.viewer();
    talks.say(&FromClient::Ping { t: 1 });
    assert_eq!(talks.payload(), None);
    let mut right = daemon.viewer();
    hello(&mut right, &token);
    let welcome = right.message(|m| matches!(m, ToClient::Welcome { .. }));
    assert!(matches!(welcome, ToClient::Welcome { .. }));
    right.picture();
    assert_eq!(silent.payload(), None, "after five seconds");
    daemon.log.wait_for(&["no hello with a token within 5 s"]);
    daemon.wait_for_clients(1);
}

#[test]
fn over_http_a_token_is_shown_as_programs_show_it() {
    let daemon = closed();
    let token = add(&daemon, "panel");
    let http = daemon.setup.http();
    for path in [
        "/",
        "/state",
        "/stream",
        "/snapshot",
        "/page/app.js",
        "/nowhere",
    ] {
        let refused = web::get(http, path, &[]);
        assert_eq!(refused.status, 401, "{path}");
        assert!(refused.header("WWW-Authenticate").is_some(), "{path}");
        assert_eq!(web::get(http, path, &[&basic("wrong")]).status, 401);
    }
    for header in [
        &*basic(&token),
        &format!("Authorization: Bearer {token}"),
        &format!("Cookie: a=b; __Host-streamd={token}"),
    ] {
        assert_eq!(web::get(http, "/state", &[header]).status, 200, "{header}");
        let mut stream = web::get(http, "/stream", &[header]);
        let picture = stream.part("boundarydonotcross");
        assert!(picture.starts_with(&[0xFF, 0xD8]));
    }
    let in_address = format!("/state?token={token}");
    assert_eq!(
        web::get(http, &in_address, &[]).status,
        401,
        "off by default"
    );
}

/// Opens a WebSocket and says this; returns what comes until the end, or until a picture begins.
fn websocket(daemon: &Daemon, path: &str, says: &str) -> Vec<u8> {
    let http = daemon.setup.http();
    let mut socket = TcpStream::connect_timeout(&http, PATIENCE).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let handshake = format!(
        "GET {path} HTTP/1.1\r\nHost: {http}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(handshake.as_bytes()).unwrap();
    // A text message, masked with zeros.
    let length = u16::try_from(says.len()).unwrap().to_be_bytes();
    let frame = [&[0x81, 0xFE], &length[..], &[0; 4], says.as_bytes()].concat();
    socket.write_all(&frame).unwrap();
    let mut got = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) | Err(_) => return got,
            Ok(read) => got.extend_from_slice(&buffer[..read]),
        }
        if got.windows(3).any(|bytes| bytes == [0xFF, 0xD8, 0xFF]) {
            return got;
        }
    }
}

#[test]
fn over_websocket_the_token_may_come_in_the_hello() {
    let daemon = closed();
    let token = add(&daemon, "page");
    let pictures = |got: &[u8]| got.windows(3).any(|bytes| bytes == [0xFF, 0xD8, 0xFF]);
    let hello = |token: &str| {
        format!(
            r#"{{"type":"hello","name":"a page of its own, with so long a name that the length of its message takes the longer form of two bytes","token":"{token}"}}"#
        )
    };
    let right = websocket(&daemon, "/ws", &hello(&token));
    assert!(pictures(&right) && String::from_utf8_lossy(&right).contains("\"welcome\""));
    for says in [hello("wrong"), r#"{"type":"hello","name":"nobody at all, as far as anybody knows, and with nothing to show for it at all"}"#.into()] {
        let got = websocket(&daemon, "/ws", &says);
        let text = String::from_utf8_lossy(&got);
        assert!(text.starts_with("HTTP/1.1 101 ") && !pictures(&got), "{text}");
        assert!(!text.contains("main"), "not even a name: {text}");
        // A close frame with code 1008.
        assert!(got.windows(2).any(|bytes| bytes == 1008_u16.to_be_bytes()), "{got:?}");
    }
}

#[test]
fn the_login_form_gives_a_cookie_for_a_token() {
    let daemon = closed();
    let token = add(&daemon, "browser");
    let http = daemon.setup.http();
    let form = web::get(http, "/?camera=side&embed", &["Accept: text/html"]);
    assert_eq!(form.status, 401);
    // No window of the browser's own comes before the form, nor when the page asks by script.
    let challenge = form.header("WWW-Authenticate").unwrap();
    assert!(challenge.starts_with("Bearer"), "{challenge}");
    let by_script = web::get(http, "/state", &["X-Requested-With: page"]);
    let challenge = by_script.header("WWW-Authenticate").unwrap();
    assert!(challenge.starts_with("Bearer"), "{challenge}");
    let page = String::from_utf8(form.body()).unwrap();
    assert!(
        page.contains("<form method=\"post\" action=\"login\">"),
        "{page}"
    );
    let back = "name=\"to\" value=\"/?camera=side&amp;embed\"";
    assert!(page.contains(back), "{page}");
    let post = |body: &str, origin: &str| {
        let mut socket = TcpStream::connect_timeout(&http, PATIENCE).unwrap();
        let length = body.len();
        let request = format!(
            "POST /login HTTP/1.1\r\nHost: {http}\r\nOrigin: {origin}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    };
    let own = format!("http://{http}");
    let wrong = post("token=wrong", &own);
    assert!(
        wrong.starts_with("HTTP/1.1 401 ") && wrong.contains("This is no token"),
        "{wrong}"
    );
    let foreign = post(&format!("token={token}"), "http://evil.example");
    assert!(foreign.starts_with("HTTP/1.1 403 "), "{foreign}");
    let right = post(&format!("token={token}"), &own);
    assert!(right.starts_with("HTTP/1.1 303 "), "{right}");
    assert!(right.contains("HttpOnly; SameSite=Strict"), "{right}");
    assert!(right.contains("Location: ./\r\n"), "{right}");
    for (to, location) in [
        ("/?camera=side%26embed", "./?camera=side&embed"),
        ("//evil.example/", "./"),
    ] {
        let back = post(&format!("token={token}&to={to}"), &own);
        assert!(
            back.contains(&format!("Location: {location}\r\n")),
            "{back}"
        );
    }
    let (_, cookie) = right.split_once("Set-Cookie: ").unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let page = web::get(http, "/", &[&format!("Cookie: {cookie}")]);
    assert_eq!(page.status, 200);
}

#[test]
fn a_revoked_token_is_good_for_nothing_at_once() {
    let daemon = closed();
    let (kept, lost) = (add(&daemon, "kept"), add(&daemon, "lost"));
    let mut stays = daemon.viewer();
    hello(&mut stays, &kept);
    let mut goes = daemon.viewer();
    hello(&mut goes, &lost);
    goes.picture();
    let mut stream = web::get(daemon.setup.http(), "/stream", &[&basic(&lost)]);
    stream.part("boundarydonotcross");
    let name = "lost".to_owned();
    let reply = daemon.call(&RevokeToken { name }).unwrap();
    assert_eq!(reply.disconnected, 2);
    let said = goes.until_closed();
    let told = |m: &ToClient| {
        matches!(
            m,
            ToClient::Notice {
                event: Event::Kicked,
                ..
            }
        )
    };
    assert!(said.iter().any(told), "{said:?}");
    assert_eq!(
        web::get(daemon.setup.http(), "/state", &[&basic(&lost)]).status,
        401
    );
    daemon.wait_for_clients(1);
    stays.picture();
    let name = "lost".to_owned();
    match daemon.call(&RevokeToken { name }) {
        Err(client::Error::Refused(control::Error::NoSuchToken { name })) => {
            assert_eq!(name, "lost");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn after_a_rotation_both_are_good_and_the_list_has_no_secret() {
    let daemon = closed();
    let old = add(&daemon, "phone");
    let name = "phone".to_owned();
    let new = daemon.call(&RotateToken { name }).unwrap().token;
    for token in [&old, &new] {
        let state = web::get(daemon.setup.http(), "/state", &[&basic(token)]);
        assert_eq!(state.status, 200);
    }
    let listed = daemon.call(&ListTokens {}).unwrap().tokens;
    assert_eq!((listed.len(), listed[0].role.as_str()), (1, "viewer"));
    let kept = std::fs::read_to_string(daemon.setup.file("tokens.json")).unwrap();
    assert!(!kept.contains(&old) && !kept.contains(&new));
}

#[test]
fn a_token_for_one_camera_shows_no_other() {
    let daemon = closed();
    let call = AddToken {
        name: "side".into(),
        camera: Some("side".into()),
        ..AddToken::default()
    };
    let token = daemon.call(&call).unwrap().token;
    let mut main = daemon.viewer();
    hello(&mut main, &token);
    assert_eq!(main.payload(), None);
    let mut side = Viewer::connect(daemon.setup.tcp(1));
    hello(&mut side, &token);
    side.picture();
    side.say(&FromClient::Subscribe {
        cameras: vec!["main".into()],
    });
    let refused = side.message(|m| matches!(m, ToClient::Notice { .. }));
    let ToClient::Notice {
        event,
        camera,
        message,
        ..
    } = refused
    else {
        unreachable!()
    };
    let refused = (event, camera.as_deref(), message.as_str());
    let expected = (Event::CameraRefused, Some("main"), "you may not watch it");
    assert_eq!(refused, expected);
    let http = daemon.setup.http();
    for (path, status) in [
        ("/snapshot/main", 403),
        ("/state/main", 403),
        ("/snapshot", 200),
    ] {
        assert_eq!(
            web::get(http, path, &[&basic(&token)]).status,
            status,
            "{path}"
        );
    }
}

#[test]
fn a_websocket_for_several_cameras_shows_those_that_the_token_is_for() {
    let daemon = closed();
    let call = AddToken {
        name: "side".into(),
        camera: Some("side".into()),
        ..AddToken::default()
    };
    let token = daemon.call(&call).unwrap().token;
    let says = format!(
        r#"{{"type":"hello","name":"a page of its own, with so long a name that the length of its message takes the longer form of two bytes","token":"{token}"}}"#
    );
    for path in ["/ws?camera=*", "/ws?camera=main,side", "/ws/side", "/ws"] {
        let got = websocket(&daemon, path, &says);
        let text = String::from_utf8_lossy(&got);
        assert!(text.contains("\"welcome\""), "{path}: {text}");
        assert!(text.contains(r#""cameras":["side"]"#), "{path}: {text}");
        assert!(!text.contains("main"), "{path}: {text}");
    }
    let got = websocket(&daemon, "/ws?camera=main", &says);
    assert!(got.windows(2).any(|bytes| bytes == 1008_u16.to_be_bytes()));
    let http = daemon.setup.http();
    let handshake = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    for (path, with, without) in [
        ("/ws?camera=main,side", 101, 101),
        ("/ws?camera=main", 403, 101),
        // Not even whether it exists is told.
        ("/ws?camera=nowhere", 403, 401),
        ("/ws?camera=side&fps=nonsense", 400, 401),
    ] {
        let basic = basic(&token);
        let headers = [&handshake[..], &[basic.as_str()]].concat();
        assert_eq!(web::get(http, path, &headers).status, with, "{path}");
        assert_eq!(web::get(http, path, &handshake).status, without, "{path}");
    }
}

#[test]
fn over_a_restart_a_token_is_good_for_those_who_came_with_it_until_it_is_revoked() {
    let setup = Setup::default().storing(64);
    let file = setup.file("tokens.json");
    let tables = format!("[access]\nanonymous = \"none\"\ntoken-file = {file:?}");
    let mut daemon = setup.tables(&tables).start();
    let kept = add(&daemon, "kept");
    let before = std::fs::read(&file).unwrap();
    let lost = add(&daemon, "lost");
    let mut viewers = [&kept, &lost].map(|token| {
        let mut viewer = daemon.viewer();
        hello(&mut viewer, token);
        viewer.picture();
        viewer
    });
    let mut stream = web::get(daemon.setup.http(), "/stream", &[&basic(&lost)]);
    stream.part("boundarydonotcross");
    daemon.wait_for_clients(3);
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    daemon.wait_for_end();
    // Meanwhile, one is taken away.
    std::fs::write(&file, before).unwrap();
    let daemon = daemon.restart();
    let [stays, goes] = &mut viewers;
    goes.until_closed();
    daemon.wait_for_clients(1);
    stays.picture();
    let name = "kept".to_owned();
    let reply = daemon.call(&RevokeToken { name }).unwrap();
    assert_eq!(reply.disconnected, 1);
    stays.until_closed();
    daemon.wait_for_clients(0);
}

#[test]
fn the_audit_says_who_did_what_from_where_whatever_the_log_says() {
    let daemon = closed();
    daemon.streamctl("log-level off").succeeded();
    let token = add(&daemon, "robot");
    let mut viewer = daemon.viewer();
    hello(&mut viewer, &token);
    viewer.picture();
    let http = daemon.setup.http();
    assert_eq!(web::get(http, "/state", &[&basic("wrong")]).status, 401);
    let call = AddToken {
        name: "side".into(),
        camera: Some("side".into()),
        ..AddToken::default()
    };
    let side = daemon.call(&call).unwrap().token;
    assert_eq!(
        web::get(http, "/snapshot/main", &[&basic(&side)]).status,
        403
    );
    let foreign = ["Host: evil.example"];
    assert_eq!(
        web::get(http, "/state", &foreign).status,
        400,
        "two of them"
    );
    daemon.streamctl("set fps 7 --camera main").succeeded();
    daemon
        .streamctl("kick --all --reason maintenance")
        .succeeded();
    viewer.until_closed();
    daemon.wait_for_clients(0);
    let said = daemon.streamctl("audit --json");
    let said = said.succeeded();
    let entries: Vec<AuditEntry> = serde_json::from_str(said).unwrap();
    let has = |kind: &str, who: &str, from: &str, what: &str| {
        let is_it = |entry: &AuditEntry| {
            entry.kind == kind
                && entry.who.contains(who)
                && entry.from.contains(from)
                && entry.what.contains(what)
        };
        assert!(
            entries.iter().any(is_it),
            "{kind} {who} {from} {what}: {entries:#?}"
        );
    };
    let own = viewer.address();
    has(
        "change",
        "uid ",
        "control",
        "AddToken: done {\"camera\":\"side\"",
    );
    has("change", "streamctl", "control", "SetCamera: done");
    has("change", "streamctl", "control", "KickClient: done");
    has("login", "robot", &own, "client connected");
    has("refusal", "", "127.", "a token was refused");
    has("refusal", "side", "127.", "GET /snapshot/main refused: 403");
    has("refusal", "", "127.", "GET /state refused: 400");
    has("kick", "", &own, "maintenance");
    assert!(!said.contains(&token), "no secrets");
    let table = daemon.streamctl("audit -n 1");
    let table = table.succeeded();
    assert!(
        table.starts_with("AGO") && table.lines().count() == 2,
        "{table}"
    );
}

/// Asks with a wrong token over a connection of its own, and waits for nothing.
fn tries(daemon: &Daemon) -> TcpStream {
    let http = daemon.setup.http();
    let mut socket = TcpStream::connect_timeout(&http, PATIENCE).unwrap();
    let request = format!(
        "GET /snapshot HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\nAuthorization: Bearer wrong\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// The status of an answer that may not have come yet.
fn status(mut socket: &TcpStream) -> Option<u16> {
    let mut head = [0; 12];
    match socket.read(&mut head) {
        Ok(12) => String::from_utf8_lossy(&head[9..]).parse().ok(),
        _ => None,
    }
}

#[test]
fn who_tries_tokens_is_slowed_down_and_keeps_nobody_out() {
    let daemon = closed();
    let token = add(&daemon, "kept");
    let mut watching = daemon.viewer();
    hello(&mut watching, &token);
    watching.picture();
    let lines = daemon.log.count();
    let mut crowd: Vec<_> = (0..1000).map(|_| tries(&daemon)).collect();
    let mut answers = Vec::new();
    // All but the few that are held back are answered, the first ones as any wrong token is.
    eventually("answers", || {
        crowd.retain(|socket| {
            status(socket)
                .inspect(|status| answers.push(*status))
                .is_none()
        });
        let words = format!("{} to come, {answers:?}", crowd.len());
        (crowd.len() <= 8).then_some(()).ok_or(words)
    });
    let count = |status| answers.iter().filter(|got| **got == status).count();
    assert!(count(401) >= 3 && count(429) >= 900, "{answers:?}");
    let mut refused = web::get(daemon.setup.http(), "/state", &[&basic("wrong")]);
    while refused.status == 401 {
        refused = web::get(daemon.setup.http(), "/state", &[&basic("wrong")]);
    }
    assert_eq!(refused.status, 429);
    let after: u32 = refused.header("Retry-After").unwrap().parse().unwrap();
    assert!((1..=16).contains(&after), "{after}");
    // From the same address, good ones are let in by every door, and who watches goes on.
    let state = web::get(daemon.setup.http(), "/state", &[&basic(&token)]);
    assert_eq!(state.status, 200);
    let mut comes = daemon.viewer();
    hello(&mut comes, &token);
    comes.picture();
    watching.picture();
    let lines = &daemon.log.all()[lines..];
    assert!(lines.len() < 25, "{}", lines.join("\n"));
}

/// Runs streamd with this configuration, which it is to refuse; returns what it says.
fn refused(setup: &Setup, config: &str) -> String {
    std::fs::write(setup.config_file(), config).unwrap();
    let mut command: Command = setup.command();
    let output = command
        .stderr(std::process::Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{said}");
    said
}

#[test]
fn what_the_network_reaches_does_not_start_without_rules() {
    let setup = Setup::default();
    let (control, file) = (setup.control(), setup.file("tokens.json"));
    let base = format!("[control]\nsocket = {control:?}\n[access]\ntoken-file = {file:?}\n");
    let open = format!(
        "{base}[http]\nlisten = \"0.0.0.0:0\"\n[camera.main]\ndevice = \"test\"\nlisten = []\n"
    );
    let said = refused(&setup, &open);
    for word in [
        "http.listen: 0.0.0.0:0",
        "anonymous = \"viewer\"",
        "streamctl token add",
    ] {
        assert!(said.contains(word), "{said}");
    }
    let checked = setup.command().arg("--check-config").output().unwrap();
    assert_eq!(checked.status.code(), Some(78));
    std::fs::write(&file, "{broken").unwrap();
    let said = refused(&setup, &open);
    assert!(said.contains("tokens.json can't be used"), "{said}");
}
