//! A restart that viewers hardly notice: at a stop, their connections and what is known of them go
//! into the service manager's store; the next process goes on with them.
//!
//! A viewer is `viewer-ID-TRANSPORT-CAMERA` there; one file in memory, `viewers`, says the rest. A
//! process that does not know the version of that file lets all of them go, and begins afresh.

use std::{
    collections::HashMap,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use streamd_protocol::stats::Transport;

use crate::{
    events,
    http::{Served, h264::ByteStream, ustreamer::mjpeg::Multipart, websocket::WebSocket},
    state::State,
    supervise::store,
    viewer::{
        Viewer,
        framing::{Framing, Goodbye},
        handover::Kept,
        tcp::Tcp,
        viewers::Viewers,
    },
};

/// The version of [`Left`]. Another one is not understood.
const VERSION: u32 = 1;

/// The name of the file that says what is left.
const STATE: &str = "viewers";

/// Bytes of that file at most: a frame and a message for each of many viewers.
const MAX_STATE: u64 = 1 << 30;

/// What one process leaves to the next.
#[derive(Serialize, Deserialize)]
struct Left {
    version: u32,
    /// The last number of a viewer.
    last: u64,
    /// The last number of a frame, by camera.
    sequences: HashMap<String, u64>,
    viewers: Vec<Kept>,
}

/// Tells all viewers that this process ends: as many as the store has room for stay for the next
/// one, the others are told goodbye.
pub fn end_viewers(viewers: &Viewers) {
    let room = store::room().saturating_sub(1);
    for (n, viewer) in viewers.registry.all().iter().enumerate() {
        viewer.end(match n < room {
            true => Goodbye::Kept,
            false => Goodbye::Stopping,
        });
    }
}

/// Puts the viewers that stay into the store.
pub fn leave(viewers: &Viewers) {
    let kept = viewers.take_kept();
    if kept.is_empty() {
        return;
    }
    match put(viewers, kept) {
        Ok(count) => tracing::info!("{count} clients are left to the next process"),
        Err(error) => tracing::warn!("clients are lost by the restart: {error:#}"),
    }
}

fn put(viewers: &Viewers, kept: Vec<(Kept, OwnedFd)>) -> anyhow::Result<usize> {
    let cameras = viewers.cameras.iter();
    let (kept, connections): (Vec<_>, Vec<_>) = kept.into_iter().unzip();
    let left = Left {
        version: VERSION,
        last: viewers.registry.last(),
        sequences: cameras
            .map(|camera| (camera.name.clone(), camera.captured.sequence.get()))
            .collect(),
        viewers: kept,
    };
    let content = serde_json::to_vec(&left).expect("plain data");
    let file = store::memory(&content).context("the file of what is left")?;
    store::put(STATE, file.as_fd()).context("the store of the service manager")?;
    for (viewer, connection) in left.viewers.iter().zip(&connections) {
        store::put(&name(viewer), connection.as_fd()).with_context(|| name(viewer))?;
    }
    store::settle().context("the service manager has not taken them in time")?;
    Ok(connections.len())
}

fn name(viewer: &Kept) -> String {
    let transport = format!("{:?}", viewer.transport).to_lowercase();
    format!("viewer-{}-{transport}-{}", viewer.id, viewer.camera())
}

/// What the process before this one has left.
pub struct Returning {
    left: Left,
    connections: HashMap<String, OwnedFd>,
}

impl Returning {
    /// Takes it out of the store; `None` where there is nothing that can be understood.
    pub fn take(descriptors: Vec<(String, OwnedFd)>) -> Option<Self> {
        if descriptors.is_empty() {
            return None;
        }
        for (name, _) in &descriptors {
            if let Err(error) = store::remove(name) {
                tracing::warn!(%error, name, "the store keeps a descriptor");
            }
        }
        let mut connections: HashMap<_, _> = descriptors.into_iter().collect();
        match read(connections.remove(STATE)) {
            Ok(left) => Some(Self { left, connections }),
            Err(error) => {
                tracing::warn!("no client of the process before is kept: {error:#}");
                None
            }
        }
    }

    /// The last number of a camera's frames.
    pub fn sequence(&self, camera: &str) -> u64 {
        self.left.sequences.get(camera).copied().unwrap_or(0)
    }

    /// Goes on with the viewers. To be called inside the runtime that serves them.
    pub fn serve(self, state: &Arc<State>, served: &Served) {
        let Self {
            left,
            mut connections,
        } = self;
        state.viewers.registry.number_from(left.last);
        let mut count = 0;
        for kept in left.viewers {
            let (id, name) = (kept.id, name(&kept));
            let connection = connections.remove(&name);
            let resumed = connection
                .context("its connection is missing")
                .and_then(|connection| resume(kept, connection, state, served));
            match resumed {
                Ok(viewer) => {
                    count += 1;
                    tokio::spawn(viewer.run());
                }
                Err(error) => tracing::warn!(client = id, "client {name} is lost: {error:#}"),
            }
        }
        tracing::info!(
            message_id = events::CLIENTS_KEPT,
            count,
            "{count} clients of the process before are kept"
        );
    }
}

fn read(file: Option<OwnedFd>) -> anyhow::Result<Left> {
    /// What every version has.
    #[derive(Deserialize)]
    struct Any {
        version: u32,
    }
    let file = file.context("it has left no word of them")?;
    let content = store::content(file, MAX_STATE)?;
    let any: Any = serde_json::from_slice(&content)?;
    anyhow::ensure!(
        any.version == VERSION,
        "version {} is not understood, only {VERSION}",
        any.version
    );
    Ok(serde_json::from_slice(&content)?)
}

fn resume(
    mut kept: Kept,
    connection: OwnedFd,
    state: &Arc<State>,
    served: &Served,
) -> anyhow::Result<Viewer> {
    let framing = std::mem::take(&mut kept.framing);
    let framing = resumed(kept.transport, framing, kept.id, served)?;
    let (http, rtsp) = state.general(|config| (config.http.clone(), config.rtsp.clone()));
    Ok(Viewer::resume(
        &state.viewers,
        kept,
        connection,
        framing,
        (&http, &rtsp),
    )?)
}

/// The framing of a viewer that another process served, by its [`Framing::state`].
fn resumed(
    transport: Transport,
    state: Value,
    viewer: u64,
    served: &Served,
) -> anyhow::Result<Box<dyn Framing>> {
    Ok(match transport {
        Transport::Tcp => Box::new(Tcp),
        Transport::Websocket => Box::new(serde_json::from_value::<WebSocket>(state)?),
        Transport::H264 => Box::new(ByteStream),
        Transport::Mjpeg => Box::new(Multipart::resumed(state, viewer, &served.listing)?),
        #[cfg(feature = "rtsp")]
        Transport::Rtsp => crate::rtsp::resumed(state)?,
        #[cfg(not(feature = "rtsp"))]
        Transport::Rtsp => anyhow::bail!("this streamd was built without RTSP"),
        Transport::Nats => anyhow::bail!("other machines ask for their pictures themselves"),
        Transport::Webrtc => anyhow::bail!("a session of WebRTC has keys that are not handed over"),
    })
}
