//! Who is at the other end, and what they may do.
//!
//! Connecting is the permission: the socket's mode (0660, group streamd) decides who may, and
//! whoever may connect may read and change. Where an administrator opens the socket to everyone,
//! everyone may read, and only root, the daemon's own user and the socket's group may change.
//! Members of `[control] read-only-group` only read, whatever else they are in. Tokens are for root
//! and the daemon's own user.

use std::{
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{MetadataExt, PermissionsExt},
    },
};

use tokio::net::{UnixListener, UnixStream};

use crate::calls::caller::{Caller, Who};

/// The process at the other end, as the kernel knew it when it connected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    pub(super) uid: u32,
    /// 0 for a process outside of our PID namespace.
    pub(super) pid: i32,
    pub(super) may_change: bool,
    /// Root, or the daemon's own user.
    pub(super) is_administrator: bool,
}

impl Peer {
    /// Who is at the other end of a connection that `listener` has accepted.
    pub(super) fn of(
        stream: &UnixStream,
        listener: &UnixListener,
        read_only: Option<u32>,
    ) -> io::Result<Self> {
        let credentials = stream.peer_cred()?;
        let uid = credentials.uid();
        let own = nix::unistd::geteuid().as_raw();
        let is_administrator = uid == 0 || uid == own;
        let belongs = |group: u32| -> io::Result<bool> {
            Ok(credentials.gid() == group || groups(stream)?.contains(&group))
        };
        let only_reads = !is_administrator
            && match read_only {
                Some(group) => belongs(group)?,
                None => false,
            };
        let may_change = is_administrator
            || !only_reads
                && match group_when_open(listener)? {
                    None => true,
                    Some(group) => belongs(group)?,
                };
        Ok(Self {
            uid,
            pid: credentials.pid().unwrap_or(0),
            may_change,
            is_administrator,
        })
    }

    /// As who makes calls.
    pub(super) fn caller(&self) -> Caller {
        Caller {
            who: Who::Process {
                uid: self.uid,
                pid: self.pid,
            },
            may_change: self.may_change,
            is_administrator: self.is_administrator,
        }
    }
}

/// The socket's group if everyone can connect; `None` if the socket's mode decides who can.
fn group_when_open(listener: &UnixListener) -> io::Result<Option<u32>> {
    let address = listener.local_addr()?;
    let Some(path) = address.as_pathname() else {
        // An abstract socket has no mode: everyone can connect.
        return Ok(Some(nix::unistd::getegid().as_raw()));
    };
    let socket = std::fs::metadata(path)?;
    let everyone = socket.permissions().mode() & 0o002 != 0;
    Ok(everyone.then_some(socket.gid()))
}

/// The peer's supplementary groups.
fn groups(stream: &UnixStream) -> io::Result<Vec<u32>> {
    let mut groups = vec![0u32; 64];
    loop {
        let mut bytes = size_of_val(groups.as_slice()) as libc::socklen_t;
        // SAFETY: the pointer and `bytes` describe the vector's own initialised memory, and the
        // kernel writes at most `bytes` bytes of it.
        let result = unsafe {
            libc::getsockopt(
                stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut bytes,
            )
        };
        let count = bytes as usize / size_of::<u32>();
        if result == 0 {
            groups.truncate(count);
            return Ok(groups);
        }
        let error = io::Error::last_os_error();
        // ERANGE: `bytes` says how much is needed.
        if error.raw_os_error() != Some(libc::ERANGE) || count <= groups.len() {
            return Err(error);
        }
        groups.resize(count, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};

    use super::*;
    use crate::calls::caller::process;

    #[tokio::test]
    async fn the_sockets_mode_decides_until_it_is_open_to_everyone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let listener = UnixListener::bind(&path).unwrap();
        for (mode, open) in [(0o600, false), (0o660, false), (0o666, true), (0o777, true)] {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let group = group_when_open(&listener).unwrap();
            assert_eq!(group.is_some(), open, "{mode:o}");
        }
    }

    #[tokio::test]
    async fn a_peer_is_known_with_its_groups() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let listener = UnixListener::bind(&path).unwrap();
        let _client = UnixStream::connect(&path).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let peer = Peer::of(&stream, &listener, None).unwrap();
        assert_eq!(peer.uid, nix::unistd::geteuid().as_raw());
        assert_eq!(peer.pid, std::process::id() as i32);
        assert!(peer.may_change && !process(peer.pid).is_empty());
        let mut ours: Vec<_> = nix::unistd::getgroups().unwrap();
        let mut theirs = groups(&stream).unwrap();
        ours.sort_by_key(|g| g.as_raw());
        theirs.sort_unstable();
        assert_eq!(theirs, ours.iter().map(|g| g.as_raw()).collect::<Vec<_>>());
    }
}
