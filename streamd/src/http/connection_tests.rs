//! Whole connections over an in-memory socket, on a daemon whose cameras the tests feed.

use proptest::prelude::*;
use tokio::{io::DuplexStream, task::JoinHandle};

use crate::{
    camera::Place,
    fixtures,
    http::{Served, connection::*, router},
    media::{Timestamp, Track},
    state::State,
    viewer::framing::Received,
};

/// Two cameras, of which `side` is full.
struct Daemon {
    site: Arc<Site>,
    _place: Place,
}

/// The viewer that a connection has become, and what it has sent beyond its request.
type Became = Option<(Newcomer, BytesMut)>;

fn daemon(http: &str) -> Daemon {
    let cameras = "[camera.front]\n[camera.side]\nmax-clients = 1\n";
    let state = fixtures::state(&format!(
        "[http]\nallowed-hosts = [\"cam\"]\n{http}\n{cameras}"
    ));
    Daemon {
        _place: state.viewers.admit(Some("side"), "unix").unwrap(),
        site: Site::new(Arc::clone(&state), router(Served::new(state))),
    }
}

impl Daemon {
    fn state(&self) -> &State {
        &self.site.state
    }

    /// Serves a connection, and drops its socket whatever it has become.
    fn serve(&self, socket: DuplexStream) -> JoinHandle<Became> {
        self.serve_peer("1.2.3.4:5", socket)
    }

    fn serve_peer(&self, peer: &'static str, mut socket: DuplexStream) -> JoinHandle<Became> {
        let site = Arc::clone(&self.site);
        tokio::spawn(async move {
            let Some(seat) = enter(&site, peer) else {
                dismiss(&mut socket, NO_PLACE).await;
                return None;
            };
            let became = serve(&site, peer.into(), seat, false, &mut socket).await;
            became.map(|(became, input)| match became {
                crate::http::connection::Became::Viewer(newcomer) => (newcomer, input),
                crate::http::connection::Became::Waiting(_) => panic!("there are no rules"),
            })
        })
    }

    /// What a connection that sends this gets, and what it becomes.
    async fn send(&self, bytes: impl AsRef<[u8]>) -> (String, Became) {
        let (mut socket, ours) = tokio::io::duplex(1 << 20);
        let became = self.serve(ours);
        socket.write_all(bytes.as_ref()).await.unwrap();
        let mut answer = vec![];
        socket.read_to_end(&mut answer).await.unwrap();
        drop(socket);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        (answer, became.await.unwrap())
    }

    /// The whole answer to a request that ends its connection.
    async fn ask(&self, request: &str) -> String {
        let headers = "\r\nHost: cam:8080\r\nConnection: close\r\n";
        let (answer, became) = self.send(request.replacen("\r\n", headers, 1)).await;
        assert!(became.is_none(), "{request}");
        answer
    }

    async fn get(&self, path: &str) -> String {
        self.ask(&get(path)).await
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\n\r\n")
}

/// The same with the one header that every request needs.
fn whole(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: cam\r\n\r\n")
}

#[tokio::test]
async fn statuses_and_what_they_say() {
    let daemon = daemon("");
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(200));
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(20_000));
    let form = format!(
        "POST /stream HTTP/1.1\r\nContent-Length: 70000\r\n\r\n{}",
        "y".repeat(70_000)
    );
    let cameras = "there are front and side";
    let action = "stream and snapshot are allowed";
    for (request, status, says) in [
        (get("/").as_str(), 200, "<!doctype html"),
        (&get("/?t=1"), 200, "<!doctype html"),
        (&get("/page/app.js"), 200, "text/javascript"),
        (&get("/favicon.ico"), 200, "image/svg+xml"),
        (&get("/state"), 200, "\"ok\":true"),
        (&get("/state/"), 200, "\"camera\":\"front\""),
        (&get("/state/s%69de/"), 200, "\"camera\":\"side\""),
        (&get("http://cam:8080/state"), 200, "\"ok\":true"),
        (
            &get("/nowhere"),
            404,
            "nothing is at /nowhere: there is /, /ws,",
        ),
        (&get("/page/"), 404, "nothing is at /page/"),
        (&get("//"), 404, "nothing is at //"),
        (&get("/../etc/passwd"), 404, "nothing is at /../etc/passwd"),
        (&get("/stream/a/b"), 404, "nothing is at /stream/a/b"),
        (&get("/stream/back"), 404, cameras),
        (&get("/state?camera=back"), 404, "no camera \"back\""),
        (&get("/?action=snapshot_2"), 404, "no camera \"2\""),
        (&get("/?action=reboot"), 400, action),
        (&get("/?action=stream_x"), 400, action),
        (
            &get("/stream?fps=-1"),
            400,
            "fps=\"-1\"; allowed: 0.1 to 1000, or 0",
        ),
        (&get("/ws?quality=101"), 426, "Upgrade: websocket"),
        (
            &get("/snapshot?max_delay=x"),
            400,
            "a whole number of milliseconds",
        ),
        (&get("/stream/%FF"), 400, "is no address here"),
        (&get("/stream/side"), 503, "Retry-After: 2"),
        (
            &get("/?action=stream_1"),
            503,
            "camera side has its 1 clients",
        ),
        (&get("/ws"), 426, "this address speaks WebSocket only"),
        (&get("word"), 400, "\"word\" is no address here"),
        (&get("*"), 400, "\"*\" is no address here"),
        (
            "CONNECT a:80 HTTP/1.1\r\n\r\n",
            400,
            "\"a:80\" is no address here",
        ),
        (&many, 431, "Connection: close"),
        (&long, 431, "Connection: close"),
        (&form, 413, "65536 bytes are allowed"),
        (
            "DELETE / HTTP/1.1\r\n\r\n",
            405,
            "Allow: GET, HEAD, OPTIONS",
        ),
        (
            "POST / HTTP/1.1\r\n\r\n",
            405,
            "POST is not allowed here; allowed: GET, HEAD, OPTIONS",
        ),
        (
            "POST /?action=snapshot HTTP/1.1\r\n\r\n",
            405,
            "Allow: GET, HEAD, OPTIONS",
        ),
        ("HEAD /ws HTTP/1.1\r\n\r\n", 405, "Allow: GET, OPTIONS"),
        (
            "TRACE /stream HTTP/1.1\r\n\r\n",
            405,
            "Allow: GET, HEAD, POST, OPTIONS",
        ),
        (
            "OPTIONS /stream HTTP/1.1\r\n\r\n",
            204,
            "Allow: GET, HEAD, POST, OPTIONS",
        ),
        ("OPTIONS /ws HTTP/1.1\r\n\r\n", 204, "Allow: GET, OPTIONS"),
        ("OPTIONS * HTTP/1.1\r\n\r\n", 204, "Allow: "),
        ("GET / HTTP/9.9\r\n\r\n", 400, "Connection: close"),
    ] {
        let answer = daemon.ask(request).await;
        let shown = &request[..request.len().min(60)];
        let wanted = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&wanted), "{shown}: {answer}");
        assert!(
            answer.contains(says),
            "{shown}: {says} is missing in {answer}"
        );
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let daemon = daemon("");
    let length = |answer: &str| {
        let mut lines = answer.lines();
        let line = lines.find(|line| line.starts_with("Content-Length"));
        line.unwrap().to_owned()
    };
    for path in ["/", "/state"] {
        let whole = daemon.get(path).await;
        let head = daemon.ask(&format!("HEAD {path} HTTP/1.1\r\n\r\n")).await;
        assert!(head.ends_with("\r\n\r\n"), "{head}");
        assert_eq!(length(&head), length(&whole), "{path}");
    }
    let head = daemon.ask("HEAD /stream HTTP/1.1\r\n\r\n").await;
    let kind = "Content-Type: multipart/x-mixed-replace;boundary=boundarydonotcross\r\n";
    assert!(
        head.contains(kind) && !head.contains("Set-Cookie"),
        "{head}"
    );
}

#[tokio::test]
async fn a_snapshot_is_captured_after_the_request() {
    let daemon = daemon("");
    let front = daemon.state().cameras.find(Some("front")).unwrap();
    // Somebody watches: the hub keeps the picture.
    let mut watching = front.hub.subscribe();
    watching.select(Track::Jpeg(front.settings().ladder[0]));
    fixtures::publish(daemon.state(), "front", 1);
    let asked = Timestamp::now();
    let grabbed = |answer: &str| {
        let (_, rest) = answer.split_once("X-Ustreamer-Grab-Timestamp: ").unwrap();
        let seconds: f64 = rest.lines().next().unwrap().parse().unwrap();
        Timestamp::from_nanos((seconds * 1e9) as u64 + 1000)
    };
    let old = daemon.get("/snapshot?max_delay=60000").await;
    assert!(grabbed(&old) < asked, "{old}");
    let publish = async {
        for sequence in 2.. {
            tokio::task::yield_now().await;
            fixtures::publish(daemon.state(), "front", sequence);
        }
    };
    let new = tokio::select! {
        new = daemon.get("/?action=snapshot_0") => new,
        () = publish => unreachable!(),
    };
    assert!(grabbed(&new) > asked, "{new}");
    for says in [
        "Content-Length: 5\r\n",
        "X-Ustreamer-Online: true",
        "Pragma: no-cache",
    ] {
        assert!(new.contains(says), "{says} is missing in {new}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_delivers_nothing_is_no_hanging_request() {
    let answer = daemon("").get("/snapshot").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let says = "camera front has delivered no picture for 10 s";
    assert!(answer.contains(says), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn slow_requests_are_told_so() {
    let daemon = daemon("");
    let (answer, _) = daemon.send("GET / HTTP/1.1\r\nHost:").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let (answer, _) = daemon.send("").await;
    assert_eq!(answer, "");
    let (answer, _) = daemon.send(whole("/state")).await;
    assert_eq!(
        answer.matches("HTTP/1.1").count(),
        1,
        "no word between two requests: {answer}"
    );
    let late_body = "POST /stream HTTP/1.1\r\nContent-Length: 10\r\n\r\n12345";
    let answer = daemon.ask(late_body).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_let_go() {
    let (mut socket, ours) = tokio::io::duplex(64);
    let became = daemon("").serve(ours);
    socket.write_all(whole("/state").as_bytes()).await.unwrap();
    assert!(became.await.unwrap().is_none());
}

/// By DNS rebinding, a page on the internet gets its own name to lead here.
#[tokio::test]
async fn a_request_for_another_host_is_misdirected_wherever_it_leads() {
    let daemon = daemon("allowed-origins = [\"*\"]");
    for path in [
        "/",
        "/state",
        "/stream",
        "/snapshot",
        "/ws",
        "/nowhere",
        "*",
    ] {
        for (target, host, status) in [
            (path, "Host: evil.example\r\n", "421"),
            ("http://evil.example/state", "Host: cam\r\n", "421"),
            ("http://cam/state", "Host: evil.example\r\n", "421"),
            (path, "", "400"),
            (path, "Host: cam\r\nHost: cam\r\n", "400"),
            (path, "Host: cam, evil.example\r\n", "400"),
        ] {
            let request = format!(
                "GET {target} HTTP/1.1\r\n{host}Origin: http://evil.example\r\nConnection: close\r\n\r\n"
            );
            let (answer, became) = daemon.send(&request).await;
            assert!(became.is_none());
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{request}{answer}"
            );
            assert!(!answer.contains("Access-Control"), "{answer}");
        }
    }
}

#[tokio::test]
async fn over_a_unix_socket_any_name_is_good() {
    let daemon = daemon("");
    let (mut socket, ours) = tokio::io::duplex(1 << 20);
    let served = daemon.serve_peer("unix", ours);
    let request = b"GET /state HTTP/1.1\r\nHost: streamd\r\nConnection: close\r\n\r\n";
    socket.write_all(request).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(served.await.unwrap().is_none());
}

/// What a flood has left no place for is said, and what the daemon does can still be asked.
#[tokio::test]
async fn in_a_crowd_the_silent_give_way_and_the_state_is_told() {
    let daemon = daemon("");
    let mut silent = Vec::new();
    for _ in 0..1100 {
        let (socket, ours) = tokio::io::duplex(1024);
        silent.push((socket, daemon.serve(ours)));
        tokio::task::yield_now().await;
    }
    let (answer, _) = daemon.send(whole("/snapshot/nowhere")).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    let (mut first, _) = silent.remove(0);
    let mut said = String::new();
    first.read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 503 "), "{said}");
    drop(silent);
}

#[tokio::test]
async fn who_closes_the_sending_side_is_answered() {
    let (mut socket, ours) = tokio::io::duplex(1 << 20);
    let became = daemon("").serve(ours);
    socket.write_all(whole("/state").as_bytes()).await.unwrap();
    socket.shutdown().await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("\"ok\":true"), "{answer}");
    assert!(became.await.unwrap().is_none());
}

#[tokio::test]
async fn a_stream_becomes_a_viewer_by_either_spelling() {
    let daemon = daemon("allowed-origins = [\"https://panel.example\"]");
    for request in [
        "GET /stream?key=panel&fps=5 HTTP/1.1\r\nHost: cam\r\n",
        "GET /?action=stream&key=panel&fps=5 HTTP/1.0\r\n",
        "GET /?action=stream_0/?key=panel&fps=5 HTTP/1.0\r\n",
        "GET /stream/front/?fps=5&key=panel HTTP/1.1\r\nHost: cam\r\nConnection: keep-alive\r\n",
        "POST /stream?key=panel&fps=5 HTTP/1.1\r\nHost: cam\r\nContent-Length: 3\r\nExpect: 100-continue\r\n",
    ] {
        let body = if request.starts_with("POST") {
            "a=b"
        } else {
            ""
        };
        let request = format!("{request}Origin: https://panel.example\r\n\r\n{body}");
        let (answer, became) = daemon.send(&request).await;
        let (newcomer, input) = became.unwrap();
        assert!(input.is_empty());
        let place = newcomer.place.camera().name.as_str();
        assert_eq!((place, newcomer.name.as_str()), ("front", "panel"));
        assert_eq!(newcomer.limits.fps, Some(5.0));
        let head = answer
            .strip_prefix("HTTP/1.1 100 Continue\r\n\r\n")
            .unwrap_or(&answer);
        assert!(head.starts_with("HTTP/1.0 200 OK\r\n"), "{request}: {head}");
        assert!(head.ends_with("\r\n\r\n"), "nothing but the head: {head}");
        let cookie = format!(
            "Set-Cookie: stream_client=panel/{:x}; path=/; max-age=30",
            newcomer.id
        );
        for line in [
            "Connection: close",
            "Content-Type: multipart/x-mixed-replace;boundary=boundarydonotcross",
            "Pragma: no-cache",
            "Access-Control-Allow-Origin: https://panel.example",
            &cookie,
        ] {
            let lines = head.split("\r\n").filter(|l| *l == line);
            assert_eq!(lines.count(), 1, "{line} in {head}");
        }
        for absent in ["Content-Length", "Transfer-Encoding", "keep-alive"] {
            assert!(!head.contains(absent), "{absent} in {head}");
        }
    }
}

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: cam:8080\r\nConnection: Upgrade\r\n\
     Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nUser-Agent: Robot/2.0 (arm)\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://";

#[tokio::test]
async fn a_websocket_becomes_a_viewer_with_what_came_behind_its_request() {
    let ping = [0x89, 0x80, 0, 0, 0, 0];
    let request = [format!("{HANDSHAKE}cam:8080\r\n\r\n").as_bytes(), &ping[..]].concat();
    let (head, became) = daemon("").send(request).await;
    let (mut newcomer, mut input) = became.unwrap();
    assert!(
        head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
        "{head}"
    );
    for line in [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-Websocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ] {
        assert!(
            head.split("\r\n").any(|l| l == line),
            "{line} is missing in {head}"
        );
    }
    assert!(
        head.ends_with("\r\n\r\n") && !head.contains("Content-Length"),
        "{head}"
    );
    assert_eq!(newcomer.name, "Robot/2.0");
    let mut out = vec![];
    let got: Result<Option<Received>, _> = newcomer.framing.receive(&mut input, &mut out);
    assert_eq!((got, out), (Ok(None), vec![0x8A, 0]));
}

#[tokio::test]
async fn a_foreign_page_gets_no_websocket_and_no_camera() {
    for path in ["/ws", "/ws/nowhere"] {
        let request = format!("{HANDSHAKE}evil.example\r\n\r\n").replace("/ws", path);
        let answer = daemon("")
            .send(request.replace("Upgrade\r", "Upgrade, close\r"))
            .await
            .0;
        let refused = answer.starts_with("HTTP/1.1 403 ") && answer.contains("http://evil.example");
        assert!(refused && !answer.contains("front"), "{answer}");
    }
}

/// A browser shows a page no status of a failed handshake, only a close code and its reason.
#[tokio::test]
async fn a_page_that_finds_no_place_is_told_why() {
    let daemon = daemon("");
    let (mut socket, ours) = tokio::io::duplex(1 << 20);
    let became = daemon.serve(ours);
    let request = format!("{HANDSHAKE}cam:8080\r\n\r\n").replace("/ws", "/ws?camera=side");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![];
    socket.read_to_end(&mut answer).await.unwrap();
    drop(socket);
    assert!(became.await.unwrap().is_none());
    let frame = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let code = u16::from_be_bytes([answer[frame + 2], answer[frame + 3]]);
    let reason = String::from_utf8_lossy(&answer[frame + 4..]);
    assert_eq!((answer[frame], code), (0x88, 1013));
    assert_eq!(reason, "camera side has its 1 clients (max-clients)");
}

/// One camera that is full locks nobody out of the others.
#[tokio::test]
async fn of_several_cameras_the_first_that_has_a_place_is_entered() {
    let daemon = daemon("");
    for (asked, entered) in [
        ("side,front", Some("front")),
        ("*", Some("front")),
        ("attic,front", Some("front")),
        ("side,attic", None),
    ] {
        let path = format!("/ws?camera={asked}");
        let request = format!("{HANDSHAKE}cam:8080\r\n\r\n").replace("/ws", &path);
        let (head, became) = daemon.send(request).await;
        let camera = became.map(|(newcomer, _)| newcomer.place.camera().name.clone());
        assert_eq!(camera.as_deref(), entered, "{asked}: {head}");
    }
    let request = format!("{HANDSHAKE}cam:8080\r\n\r\n").replace("/ws", "/ws?camera=attic,shed");
    let (head, _) = daemon.send(request).await;
    assert!(
        head.starts_with("HTTP/1.1 404 ") && head.contains("front"),
        "{head}"
    );
}

/// A place is taken for as long as the newcomer lives, whether it ever becomes a viewer or not.
#[tokio::test]
async fn a_newcomer_that_goes_gives_its_place_back() {
    let daemon = daemon("");
    let front = daemon.state().cameras.find(None).unwrap();
    let (_, became) = daemon.send(whole("/stream")).await;
    assert_eq!(front.clients(), 1);
    drop(became);
    assert_eq!(front.clients(), 0);
}

#[tokio::test]
async fn a_pipelined_stream_waits_for_the_answers_before_it() {
    let (mut socket, ours) = tokio::io::duplex(512);
    let became = daemon("").serve(ours);
    let requests = format!("{}{}", whole("/state").repeat(5), whole("/stream"));
    socket.write_all(requests.as_bytes()).await.unwrap();
    let mut all = String::new();
    socket.read_to_string(&mut all).await.unwrap();
    assert!(became.await.unwrap().is_some());
    assert_eq!(all.matches("HTTP/1.1 200 OK").count(), 5);
    assert_eq!(all.matches("\"ok\":true").count(), 5);
    assert_eq!(all.matches("HTTP/1.0 200 OK").count(), 1);
    assert!(all.ends_with("\r\n\r\n"), "{all}");
}

#[tokio::test]
async fn a_preflight_of_an_allowed_page_may_send_headers() {
    let daemon = daemon("allowed-origins = [\"https://panel.example\"]");
    for (page, may) in [("panel", true), ("other", false)] {
        let preflight = format!(
            "OPTIONS /state HTTP/1.1\r\nOrigin: https://{page}.example\r\n\
             Access-Control-Request-Headers: x-requested-with\r\n\r\n"
        );
        let answer = daemon.ask(&preflight).await;
        let granted = answer.contains("Access-Control-Allow-Headers: x-requested-with\r\n");
        assert_eq!(granted, may, "{answer}");
    }
}

/// Requests that are nearly right: most get as far as the table of addresses.
fn request_head() -> impl Strategy<Value = Vec<u8>> {
    let one_of = |list: &'static str| {
        let list: Vec<_> = list.split('|').map(str::to_owned).collect();
        prop::sample::select(list)
    };
    let method = prop_oneof![
        4 => Just("GET".to_owned()),
        3 => one_of("HEAD|POST|OPTIONS|PUT|CONNECT|TRACE"),
        1 => one_of("PRI|get|G,T|"),
    ];
    let target = prop_oneof![
        one_of("/|*||word|a:80|http://cam|http://cam/state?|//|/stream?fps=|/?action=stream_1|/ws"),
        "/(stream|snapshot|state|ws|page)?[/?&=%#a-z0-9_.-]{0,20}",
        "/\\?action=(stream|snapshot)?[/?&=%a-z0-9_]{0,20}",
        "[!-~]{0,20}",
    ];
    let handshake = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let header = prop_oneof![
        8 => one_of("Host: cam|Connection: close|Origin: http://cam|Origin: null|If-None-Match: *"),
        4 => one_of(handshake),
        2 => one_of("Content-Length: 3|Transfer-Encoding: chunked|Expect: 100-continue"),
        2 => "[A-Za-z-]{1,10}: [ -~]{0,20}",
        1 => "[!-~]{0,10}: ?[ -~]{0,20}",
    ];
    let version = prop_oneof![8 => Just("HTTP/1.1"), 3 => Just("HTTP/1.0"), 1 => Just("HTTP/2")];
    let parts = (method, target, version, prop::collection::vec(header, 0..5));
    parts.prop_map(|(method, target, version, headers)| {
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        format!("{method} {target} {version}\r\n{headers}\r\n").into_bytes()
    })
}

proptest! {
    /// Whatever is asked is answered as HTTP, if it is answered, and ends in no panic.
    #[test]
    fn any_head_is_answered(head in request_head(), noise: Vec<u8>, cut in 0usize..300) {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let daemon = daemon("allowed-origins = [\"*\"]");
            for bytes in [&head[..], &head[..cut.min(head.len())], &noise] {
                let (answer, became) = daemon.send(bytes).await;
                let answered = answer.starts_with("HTTP/1.1 ") || answer.starts_with("HTTP/1.0 ");
                assert!(answered || answer.is_empty(), "{answer}");
                assert!(became.is_none() || answer.contains(" 200 ") || answer.contains(" 101 "));
            }
        });
    }
}
