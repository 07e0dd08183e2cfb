//! A proxy that takes all that it is given, at once, and passes it on as its client takes it: as
//! proxies with large buffers do. What waits in it, the server's kernel counts as delivered.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::mpsc,
    thread,
};

/// Bytes of one read, and reads that wait: far more than any test leaves here.
const CHUNK: usize = 64 * 1024;
const CHUNKS: usize = 4096;

/// Begins to take connections for the server at `to`; returns where. It goes on for as long as the
/// tests do.
///
/// # Panics
/// If there is no port left.
pub fn before(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("a listener has an address");
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(to).expect("the server listens");
            pass_on(&client, &server);
            pass_on(&server, &client);
        }
    });
    address
}

/// Reads as fast as it comes, and writes as fast as it is taken.
fn pass_on(from: &TcpStream, to: &TcpStream) {
    let mut from = from.try_clone().expect("a descriptor");
    let mut to = to.try_clone().expect("a descriptor");
    let (taken, waiting) = mpsc::sync_channel::<Vec<u8>>(CHUNKS);
    thread::spawn(move || {
        let mut chunk = vec![0; CHUNK];
        while let Ok(read @ 1..) = from.read(&mut chunk) {
            if taken.send(chunk[..read].to_vec()).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        for chunk in waiting {
            if to.write_all(&chunk).is_err() {
                break;
            }
        }
        // The other side may have ended it already.
        let _ = to.shutdown(Shutdown::Both);
    });
}
