//! WebRTC for who watches, by WHEP (draft-ietf-wish-whep): an offer comes over HTTP, pictures go in
//! datagrams from one port.
//!
//! The protocols are str0m's. Ours is what is sent when: a viewer's [`session`] is a subscriber of
//! the camera's H.264 like others, its gate and its bit rate are those of TCP, fed by the receiver's
//! reports ([`crate::link::feedback`]); sound goes beside them ([`listening`]). [`endpoint`] hands each datagram to its session.

pub mod endpoint;
mod listening;
pub mod offer;
pub mod session;

use std::net::IpAddr;

/// Where this machine is for somebody at this address: what the kernel would send from.
fn facing(peer: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match peer {
        IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = std::net::UdpSocket::bind((any, 0)).ok()?;
    // Nothing is sent: the kernel only looks up its way there.
    socket.connect((peer, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
