//! RTSP listeners: from a connection to a conversation, and from there to a viewer.

use std::{io, net::SocketAddr, os::fd::OwnedFd, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, time::Instant};

use super::{
    answer::{Answer, Status},
    connection::{Connection, Ended},
    conversation::{Agreed, By, Conversation, Next},
    datagrams::{Arrived, Watcher},
    interleaved::Interleaved,
    request::Said,
    session::TIMEOUT,
    sockets::Hosts,
};
use crate::{
    camera::Place,
    link::{
        listener::{Listener, Taken},
        socket::Socket,
        tls::Tls,
    },
    viewer::{
        Arrival, Viewer,
        door::{self, Come},
        tcp::log_refused,
        viewers::Viewers,
    },
};

/// For the first request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who is talked with at once and gets no pictures yet: beyond it, the next are sent away.
const MAX_TALKING: usize = 1024;

static TALKING: Semaphore = Semaphore::const_new(MAX_TALKING);

/// Serves RTSP on a listener, whose connections are taken so.
pub async fn serve(listener: Listener, viewers: Arc<Viewers>, taken: Taken) {
    let serve = |connection: OwnedFd| {
        let tls = taken.tls.as_deref().map(Tls::raw);
        let admitted = Socket::new(connection).and_then(|socket| {
            let peer = socket.peer();
            let hosts = hosts(&socket, &peer).filter(|_| tls.is_none());
            let talks = Arc::clone(&viewers);
            door::admit(socket, peer, (&viewers, ""), tls, move |come| {
                tokio::spawn(async move {
                    if let Err(error) = talk(talks, come, hosts).await {
                        tracing::debug!(%error, "a connection ended before it was served");
                    }
                });
                Ok(())
            })
        });
        if let Err(error) = admitted {
            tracing::debug!(%error, "a connection ended before it was served");
        }
    };
    listener.run(b"", serve).await;
}

/// Both ends of a connection, where datagrams can go beside it.
fn hosts(socket: &Socket, peer: &str) -> Option<Hosts> {
    Some(Hosts {
        here: socket.local()?.ip().to_canonical(),
        there: peer.parse::<SocketAddr>().ok()?.ip().to_canonical(),
    })
}

/// Talks with a client until it gets pictures, and then serves it.
async fn talk(viewers: Arc<Viewers>, come: Come, hosts: Option<Hosts>) -> io::Result<()> {
    let Ok(talking) = TALKING.try_acquire() else {
        log_refused(&"too many talk and do not watch", &come.peer, "");
        return Ok(());
    };
    let mut connection = Connection::new(&viewers, come.channel, come.input)?;
    let mut conversation = Conversation::new(Arc::clone(&viewers), come.peer.clone(), hosts);
    let ended = converse(&mut connection, &mut conversation).await;
    let (agreed, place) = match ended {
        Ok(Some(agreed)) => agreed,
        Ok(None) | Err(Ended::Closed) => return Ok(()),
        Err(ended) => {
            viewers.broken.add(1);
            log_refused(&ended, &come.peer, "");
            return Ok(());
        }
    };
    drop(talking);
    let name = std::mem::take(&mut conversation.name);
    let Agreed {
        session,
        limits,
        by,
        sound_by,
        who,
        ..
    } = *agreed;
    let congestion = place.camera().settings().config.congestion;
    let channels = match by {
        By::Blocks(rtp, rtcp) => (rtp, rtcp),
        By::Datagrams(pair) => {
            let arrived = Arrived {
                peer: come.peer,
                name,
                connection,
                session,
                pair,
                sound: sound_by.and_then(By::into_pair),
                limits,
                who,
                place,
                share: come.share,
            };
            let watcher = Watcher::new(viewers, arrived);
            drop(conversation);
            Box::pin(watcher.run()).await;
            return Ok(());
        }
    };
    let sound = match sound_by {
        Some(By::Blocks(rtp, rtcp)) => Some((rtp, rtcp)),
        _ => None,
    };
    let (channel, input) = connection.into_parts();
    let arrival = Arrival {
        id: viewers.registry.reserve(),
        channel,
        peer: come.peer,
        framing: Box::new(Interleaved::new(session, channels, sound)),
        who,
        share: Some(come.share),
        place,
        name,
        input,
        limits,
        congestion,
    };
    let viewer = Viewer::new(viewers, arrival)?.announce();
    drop(conversation);
    Box::pin(viewer.run()).await;
    Ok(())
}

/// Answers requests until pictures are wanted; `None` when the client wants none.
async fn converse(
    connection: &mut Connection,
    conversation: &mut Conversation,
) -> Result<Option<(Box<Agreed>, Place)>, Ended> {
    let mut end = Instant::now() + PATIENCE;
    loop {
        let said = tokio::time::timeout_at(end, connection.said()).await;
        let request = match said {
            Ok(Ok(Said::Request(request))) => request,
            // Reports on a stream that does not run are no sign of life.
            Ok(Ok(Said::Block { .. })) => continue,
            Ok(Err(ended)) => {
                if let Ended::Broken(broken) = &ended {
                    let mut bytes = Vec::new();
                    Answer::refused(Status::BadRequest, broken).write(0, &mut bytes);
                    // It is told as far as it listens.
                    let _ = connection.send(&bytes).await;
                }
                return Err(ended);
            }
            Err(_) => return Ok(None),
        };
        let (answer, next) = conversation.answer(&request).await;
        let mut bytes = Vec::new();
        answer.write(request.number, &mut bytes);
        connection.send(&bytes).await?;
        end = Instant::now() + TIMEOUT;
        match next {
            Next::Stay => {}
            Next::End => return Ok(None),
            Next::Play(agreed, place) => return Ok(Some((agreed, place))),
        }
    }
}
