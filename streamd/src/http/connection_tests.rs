//! Whole connections over an in-memory socket, against a daemon that is made up.

use streamd_protocol::stats::Transport;
use tokio::io::DuplexStream;

use crate::{
    fixtures,
    http::connection::*,
    viewer::framing::{Received, Sending},
};

/// Two cameras; `front` delivers when `shoot` is called, `side` is full.
struct Fake {
    newest: tokio::sync::watch::Sender<Option<Arc<Packet>>>,
    allowed: Vec<String>,
}

impl Source for Arc<Fake> {
    type Place = String;

    fn cameras(&self) -> Vec<String> {
        vec!["front".into(), "side".into()]
    }

    fn stats(&self) -> Stats {
        fixtures::stats()
    }

    async fn picture(&self, _: &str, due: Timestamp) -> Option<Arc<Packet>> {
        let mut newest = self.newest.subscribe();
        let fresh = |frame: &Option<Arc<Packet>>| frame.as_ref().is_some_and(|f| f.captured >= due);
        newest.wait_for(fresh).await.ok()?.clone()
    }

    fn admit(&self, camera: &str, _: &str) -> Result<String, String> {
        match camera {
            "front" => Ok(camera.into()),
            _ => Err("camera side has its 1 clients (max-clients)".into()),
        }
    }

    fn allowed_origins(&self) -> Vec<String> {
        self.allowed.clone()
    }
}

impl Fake {
    fn shoot(&self) {
        let mut frame = fixtures::frame(1);
        frame.captured = Timestamp::now();
        self.newest.send_replace(Some(Arc::new(frame)));
    }
}

fn shared(allowed: &[String]) -> Arc<Shared<Arc<Fake>>> {
    Arc::new(Shared {
        source: Arc::new(Fake {
            newest: tokio::sync::watch::Sender::new(None),
            allowed: allowed.to_vec(),
        }),
        listing: Listing::default(),
    })
}

type Ended = End<DuplexStream, String>;

/// A connection, and what it ends in.
fn connect(shared: &Arc<Shared<Arc<Fake>>>) -> (DuplexStream, tokio::task::JoinHandle<Ended>) {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    (
        ours,
        tokio::spawn(serve(Arc::clone(shared), "1.2.3.4:5".into(), theirs)),
    )
}

/// The whole answer to a request that ends its connection.
async fn ask(shared: &Arc<Shared<Arc<Fake>>>, request: &str) -> String {
    let (mut socket, ended) = connect(shared);
    let request = request.replacen("\r\n", "\r\nHost: cam:8080\r\nConnection: close\r\n", 1);
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![];
    socket.read_to_end(&mut answer).await.unwrap();
    drop(socket);
    assert!(matches!(ended.await.unwrap(), End::Closed), "{request}");
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\n\r\n")
}

#[tokio::test]
async fn statuses_and_what_they_say() {
    let shared = shared(&[]);
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(200));
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(20_000));
    let form = format!(
        "POST /stream HTTP/1.1\r\nContent-Length: 70000\r\n\r\n{}",
        "y".repeat(70_000)
    );
    for (request, status, says) in [
        (get("/"), 200, "<!doctype html"),
        (get("/page/app.js"), 200, "text/javascript"),
        (get("/state"), 200, "\"ok\":true"),
        (
            get("/nowhere"),
            404,
            "nothing is at /nowhere: there is /, /ws,",
        ),
        (
            get("/stream/back"),
            404,
            "no camera \"back\": there is front, side",
        ),
        (
            get("/?action=snapshot_2"),
            404,
            "no camera 2: there is front, side",
        ),
        (
            get("/?action=reboot"),
            400,
            "action=\"reboot\": stream and snapshot are allowed",
        ),
        (get("/stream?fps=-1"), 400, "fps=\"-1\": 0.1 to 1000"),
        (
            get("/snapshot?max_delay=x"),
            400,
            "max_delay=\"x\": a whole number of milliseconds",
        ),
        (get("/stream/side"), 503, "Retry-After: 2"),
        (get("/ws"), 426, "Upgrade: websocket"),
        (many, 431, "Connection: close"),
        (long, 431, "Connection: close"),
        (form, 413, "a body of at most 65536 bytes is taken"),
        (
            "DELETE / HTTP/1.1\r\n\r\n".into(),
            405,
            "Allow: GET, HEAD, OPTIONS",
        ),
        (
            "OPTIONS /stream HTTP/1.1\r\n\r\n".into(),
            204,
            "Allow: GET, HEAD, POST, OPTIONS",
        ),
        ("OPTIONS * HTTP/1.1\r\n\r\n".into(), 204, "Allow: "),
        ("GET / HTTP/9.9\r\n\r\n".into(), 400, "Connection: close"),
    ] {
        let answer = ask(&shared, &request).await;
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
    let shared = shared(&[]);
    shared.source.shoot();
    for path in ["/", "/state", "/snapshot?max_delay=60000"] {
        let whole = ask(&shared, &get(path)).await;
        let head = ask(&shared, &format!("HEAD {path} HTTP/1.1\r\n\r\n")).await;
        let length = |answer: &str| {
            let line = answer
                .lines()
                .find(|line| line.starts_with("Content-Length"))
                .unwrap();
            line.to_owned()
        };
        assert!(head.ends_with("\r\n\r\n"), "{head}");
        assert_eq!(length(&head), length(&whole), "{path}");
    }
    let head = ask(&shared, "HEAD /stream HTTP/1.1\r\n\r\n").await;
    assert!(
        head.contains("Content-Type: multipart/x-mixed-replace;boundary="),
        "{head}"
    );
}

#[tokio::test]
async fn a_snapshot_is_captured_after_the_request() {
    let shared = shared(&[]);
    shared.source.shoot();
    let waiting = tokio::spawn({
        let shared = Arc::clone(&shared);
        async move { ask(&shared, &get("/?action=snapshot_0")).await }
    });
    let old = ask(&shared, &get("/snapshot?max_delay=60000")).await;
    assert!(old.contains("X-Ustreamer-Grab-Begin-Timestamp: "), "{old}");
    assert!(
        !waiting.is_finished(),
        "the picture that is there is older than the request"
    );
    shared.source.shoot();
    let new = waiting.await.unwrap();
    assert!(
        new.contains("Content-Length: 5\r\n") && new.contains("X-Ustreamer-Online: true"),
        "{new}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_delivers_nothing_is_no_hanging_request() {
    let answer = ask(&shared(&[]), &get("/snapshot")).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(
        answer.contains("camera front has delivered no picture for 10 s"),
        "{answer}"
    );
}

#[tokio::test(start_paused = true)]
async fn slow_requests_are_told_so() {
    let shared = shared(&[]);
    for (sent, told) in [("GET / HTTP/1.1\r\nHost:", "HTTP/1.1 408 "), ("", "")] {
        let (mut socket, ended) = connect(&shared);
        socket.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        drop(socket);
        assert!(matches!(ended.await.unwrap(), End::Closed));
        assert!(answer.starts_with(told), "{answer}");
        assert_eq!(answer.is_empty(), told.is_empty(), "{answer}");
    }
    let late_body = "POST /stream HTTP/1.1\r\nContent-Length: 10\r\n\r\n12345";
    let answer = ask(&shared, late_body).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_let_go() {
    let shared = shared(&[]);
    let (mut socket, theirs) = tokio::io::duplex(64);
    let ended = tokio::spawn(serve(Arc::clone(&shared), "1.2.3.4:5".into(), theirs));
    socket.write_all(get("/state").as_bytes()).await.unwrap();
    assert!(matches!(ended.await.unwrap(), End::Closed));
}

/// What is sent before everything else to the client that the daemon numbers so.
fn greeting(handover: &mut Handover<String>, client: u64) -> String {
    let mut out = vec![];
    handover.framing.greeting(client, &mut out);
    String::from_utf8(out).unwrap()
}

async fn handed_over(
    socket: DuplexStream,
    ended: tokio::task::JoinHandle<Ended>,
) -> (BytesMut, Handover<String>) {
    let End::Client(_, received, handover) = ended.await.unwrap() else {
        panic!("it was not handed over");
    };
    drop(socket);
    (received, handover)
}

#[tokio::test]
async fn a_stream_is_handed_over_by_either_spelling() {
    let shared = shared(&["https://panel.example".into()]);
    for request in [
        "GET /stream?key=panel&fps=5 HTTP/1.1\r\nHost: cam\r\nOrigin: https://panel.example\r\n\r\n",
        "GET /?action=stream&key=panel&fps=5 HTTP/1.0\r\nOrigin: https://panel.example\r\n\r\n",
        "POST /stream?key=panel&fps=5 HTTP/1.1\r\nHost: cam\r\nOrigin: https://panel.example\r\nContent-Length: 3\r\n\r\na=b",
    ] {
        let (mut socket, ended) = connect(&shared);
        socket.write_all(request.as_bytes()).await.unwrap();
        let (received, mut handover) = handed_over(socket, ended).await;
        assert!(received.is_empty());
        assert_eq!(
            (handover.place.as_str(), handover.name.as_str()),
            ("front", "panel")
        );
        assert_eq!(handover.want.fps, Some(5.0));
        let head = greeting(&mut handover, 26);
        assert!(
            head.contains("Set-Cookie: stream_client=panel/1a;"),
            "{head}"
        );
        assert!(head.contains("Access-Control-Allow-Origin: https://panel.example\r\n"));
        assert_eq!(handover.framing.transport(), Transport::Mjpeg);
    }
}

#[tokio::test]
async fn a_stream_shows_in_the_state_while_it_lives() {
    let shared = shared(&[]);
    let (mut socket, ended) = connect(&shared);
    // The made-up daemon's client 26 is the first one that is admitted.
    socket
        .write_all(get("/stream?key=me&extra_headers=1").as_bytes())
        .await
        .unwrap();
    let (_, mut handover) = handed_over(socket, ended).await;
    greeting(&mut handover, 26);
    let state = ask(&shared, &get("/state")).await;
    let (_, json) = state.split_once("\r\n\r\n").unwrap();
    let state: serde_json::Value = serde_json::from_str(json).unwrap();
    let client = serde_json::json!({
        "fps": 30, "extra_headers": true, "advance_headers": false,
        "dual_final_frames": false, "zero_data": false, "key": "me",
    });
    assert_eq!(state["result"]["stream"]["clients_stat"]["1a"], client);
    assert_eq!(
        state["result"]["encoder"],
        serde_json::json!({"type": "CPU", "quality": 80})
    );
    let source = serde_json::json!({
        "resolution": {"width": 640, "height": 480},
        "online": true, "desired_fps": 30, "captured_fps": 30,
    });
    assert_eq!(state["result"]["source"], source);
    assert_eq!(
        state["result"]["cameras"],
        serde_json::json!(["front", "side"])
    );
    drop(handover);
    assert!(shared.listing.get(26).is_none());
    let side = ask(&shared, &get("/state?camera=side")).await;
    assert!(
        side.contains("\"online\":false") && side.contains("\"clients_stat\":{}"),
        "{side}"
    );
}

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: cam:8080\r\nConnection: Upgrade\r\n\
     Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nUser-Agent: Robot/2.0 (arm)\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://";

#[tokio::test]
async fn a_websocket_is_handed_over_with_what_came_behind_its_request() {
    let shared = shared(&[]);
    let (mut socket, ended) = connect(&shared);
    let ping = [0x89, 0x80, 0, 0, 0, 0];
    let request = [format!("{HANDSHAKE}cam:8080\r\n\r\n").as_bytes(), &ping[..]].concat();
    socket.write_all(&request).await.unwrap();
    let (mut received, mut handover) = handed_over(socket, ended).await;
    let head = greeting(&mut handover, 1);
    assert!(head.starts_with("HTTP/1.1 101 "));
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(handover.name, "Robot/2.0");
    let mut out = vec![];
    let got: Result<Option<Received>, _> = handover.framing.receive(&mut received, &mut out);
    assert_eq!((got, out), (Ok(None), vec![0x8A, 0]));
}

#[tokio::test]
async fn a_foreign_page_gets_no_websocket() {
    let answer = ask(
        &shared(&[]),
        &format!("{HANDSHAKE}evil.example\r\n\r\n")
            .replace("Host: cam:8080\r\n", "")
            .replace("Connection: Upgrade", "Connection: upgrade"),
    )
    .await;
    assert!(
        answer.starts_with("HTTP/1.1 403 ") && answer.contains("http://evil.example"),
        "{answer}"
    );
}

/// A browser shows a page no status of a failed handshake, only a close code and its reason.
#[tokio::test]
async fn a_page_that_finds_no_place_is_told_why() {
    let shared = shared(&[]);
    let (mut socket, ended) = connect(&shared);
    let request = format!("{HANDSHAKE}cam:8080\r\n\r\n").replace("/ws", "/ws?camera=side");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![];
    socket.read_to_end(&mut answer).await.unwrap();
    drop(socket);
    assert!(matches!(ended.await.unwrap(), End::Closed));
    let frame = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let code = u16::from_be_bytes([answer[frame + 2], answer[frame + 3]]);
    let reason = String::from_utf8_lossy(&answer[frame + 4..]);
    assert_eq!((answer[frame], code), (0x88, 1013));
    assert_eq!(reason, "camera side has its 1 clients (max-clients)");
}

/// Responses that hyper still has in its buffer must not be lost when the socket is taken away.
#[tokio::test]
async fn a_pipelined_stream_waits_for_the_answers_before_it() {
    let shared = shared(&[]);
    let (mut socket, theirs) = tokio::io::duplex(512);
    let ended = tokio::spawn(serve(Arc::clone(&shared), "1.2.3.4:5".into(), theirs));
    let requests = format!("{}{}", get("/state").repeat(5), get("/stream"));
    socket.write_all(requests.as_bytes()).await.unwrap();
    let reader = tokio::spawn(async move {
        let mut all = vec![];
        socket.read_to_end(&mut all).await.unwrap();
        String::from_utf8(all).unwrap()
    });
    let End::Client(mut socket, _, mut handover) = ended.await.unwrap() else {
        panic!("it was not handed over");
    };
    let mut out = greeting(&mut handover, 1).into_bytes();
    let sending = Sending {
        client: 1,
        fps: 0.0,
        dropped: 0,
        now: Timestamp::now(),
    };
    handover
        .framing
        .before(&fixtures::frame(1), &sending, &mut out);
    socket.write_all(&out).await.unwrap();
    drop(socket);
    let all = reader.await.unwrap();
    assert_eq!(all.matches("HTTP/1.1 200 OK").count(), 5);
    assert_eq!(all.matches("\"ok\":true").count(), 5);
    assert_eq!(all.matches("HTTP/1.0 200 OK").count(), 1);
}
