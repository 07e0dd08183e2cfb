//! `streamctl watch` against web servers: MJPEG of every kind, and whatever else is found there.

use std::{
    io::{Read, Write},
    net::TcpListener,
    process::{Output, Stdio},
    sync::Arc,
    thread,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::{
    headless::{code, output, streamctl, text},
    server::jpeg,
};

/// A certificate for localhost, and its key; both are for these tests alone.
const CERTIFICATE: &[u8] = include_bytes!("tls/localhost.pem");
const KEY: &[u8] = include_bytes!("tls/localhost.key");

/// Who has signed it.
const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/terminal/tls/ca.pem");

/// Answers every request with this, then closes; the port.
fn server(answer: Vec<u8>, tls: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = tls.then(|| {
        let chain = vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        Arc::new(config.with_single_cert(chain, key).unwrap())
    });
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, answer, config) = (stream.unwrap(), answer.clone(), config.clone());
            thread::spawn(move || match config {
                None => serve(stream, &answer),
                Some(config) => {
                    let connection = ServerConnection::new(config).unwrap();
                    serve(StreamOwned::new(connection, stream), &answer);
                }
            });
        }
    });
    port
}

/// Who is refused or has enough hangs up.
fn serve(mut stream: impl Read + Write, answer: &[u8]) {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => request.push(byte[0]),
            _ => return,
        }
        if !b"GET".starts_with(&request[..request.len().min(3)]) {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            // Else the kernel would take back what was said.
            while matches!(stream.read(&mut byte), Ok(1)) {}
            return;
        }
    }
    let _ = stream.write_all(answer).and_then(|()| stream.flush());
    if !answer.is_empty() {
        let _ = stream.read(&mut byte);
    }
}

/// Three pictures.
fn mjpeg(with_length: bool) -> Vec<u8> {
    let mut answer =
        b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=--frame\r\n\r\n"
            .to_vec();
    for _ in 0..3 {
        let jpeg = jpeg();
        let length = match with_length {
            true => format!("Content-Length: {}\r\n", jpeg.len()),
            false => String::new(),
        };
        answer.extend(format!("--frame\r\nContent-Type: image/jpeg\r\n{length}\r\n").bytes());
        answer.extend(jpeg);
        answer.extend(b"\r\n");
    }
    answer.extend(b"--frame\r\n");
    answer
}

fn watch(args: &[&str], trusted: Option<&str>) -> Output {
    let mut command = streamctl(args);
    command.arg("--reconnect-delay").arg("20ms");
    match trusted {
        Some(file) => command.env("SSL_CERT_FILE", file),
        None => command.env_remove("SSL_CERT_FILE"),
    };
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    output(command.spawn().unwrap())
}

#[test]
fn mjpeg_of_any_server_is_watched() {
    for with_length in [true, false] {
        let port = server(mjpeg(with_length), false);
        let target = format!("http://127.0.0.1:{port}/cam.mjpg");
        let output = watch(&[&target, "--frames", "3"], None);
        assert_eq!(code(&output), 0, "{output:?}");
        let said = text(&output.stdout);
        assert!(said.contains("frames received  3"), "{said}");
        // It is no streamd: nobody says when its pictures are from.
        assert!(said.contains("average latency  —"), "{said}");
    }
}

#[test]
fn an_encrypted_stream_is_watched_where_its_server_is_trusted() {
    let port = server(mjpeg(true), true);
    let target = format!("https://localhost:{port}/");
    let output = watch(&[&target, "--frames", "3"], Some(AUTHORITY));
    assert_eq!(code(&output), 0, "{output:?}");
    for (host, trusted, words) in [
        ("localhost", None, "nobody whom this system trusts"),
        ("127.0.0.1", Some(AUTHORITY), "certificate"),
    ] {
        let output = watch(&[&format!("https://{host}:{port}/")], trusted);
        assert_eq!(code(&output), 69, "{output:?}");
        let said = text(&output.stderr);
        // A machine may have no certificates at all.
        assert!(
            said.contains(words) || said.contains("no certificates"),
            "{said}"
        );
    }
    let plain = server(mjpeg(true), false);
    let output = watch(&[&format!("https://localhost:{plain}/")], Some(AUTHORITY));
    assert!(
        text(&output.stderr).contains("no TLS is spoken there"),
        "{output:?}"
    );
}

#[test]
fn what_is_spoken_there_is_named_and_left_at_once() {
    for (answer, scheme, expected, words) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>",
            "http",
            76,
            "a page for browsers",
        ),
        (
            "HTTP/1.1 401 Unauthorized\r\n\r\nwho are you?",
            "http",
            77,
            "401: who are you?",
        ),
        (
            "HTTP/1.1 404 Not Found\r\n\r\nno such camera",
            "ws",
            66,
            "no such camera",
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: /cam\r\n\r\n",
            "http",
            76,
            "302: try /cam",
        ),
        ("HTTP/1.1 200 OK\r\n\r\n", "ws", 76, "200"),
        ("RTSP/1.0 400 Bad Request\r\n\r\n", "http", 76, "RTSP/1.0"),
        ("", "http", 76, "without an answer"),
    ] {
        let port = server(answer.into(), false);
        let output = watch(&[&format!("{scheme}://127.0.0.1:{port}/x")], None);
        assert_eq!(code(&output), expected, "{answer}: {output:?}");
        let said = text(&output.stderr);
        assert!(
            said.contains(words) && !said.contains("attempt"),
            "{answer}: {said}"
        );
        assert_eq!(text(&output.stdout), "", "no summary of zeros");
    }
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let port = server(
        b"HTTP/1.1 503 Service Unavailable\r\n\r\nfull".to_vec(),
        false,
    );
    let target = format!("http://127.0.0.1:{port}/");
    let output = watch(&[&target, "--reconnect-attempts", "2"], None);
    assert_eq!(code(&output), 69, "{output:?}");
    let said = text(&output.stderr);
    assert!(
        said.contains("attempt 2 of 2") && said.contains("503: full"),
        "{said}"
    );
}

#[test]
fn a_raw_stream_is_recognised() {
    let picture = jpeg();
    let answer = [&(picture.len() as u64).to_le_bytes(), &picture[..]].concat();
    let port = server(answer, false);
    let output = watch(&[&format!("http://127.0.0.1:{port}/")], None);
    assert_eq!(code(&output), 76, "{output:?}");
    let words = format!("try 127.0.0.1:{port}");
    assert!(text(&output.stderr).contains(&words), "{output:?}");
}
