//! All connected clients: what they are, what is counted of them, and what they are told to do.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::Waker,
    time::{Duration, SystemTime},
};

use futures_util::task::AtomicWaker;
use streamd_protocol::{
    stats::{ClientStats, DroppedStats, Transport},
    stream::Want,
};

use crate::{
    media::Timestamp,
    meters::{LatencyWindow, RateMeter},
    viewer::framing::Goodbye,
};

/// All clients, by number.
#[derive(Debug, Default)]
pub struct Registry {
    next: AtomicU64,
    count: AtomicUsize,
    clients: Mutex<BTreeMap<u64, Arc<Entry>>>,
}

/// One client in the registry.
#[derive(Debug)]
pub struct Entry {
    /// Its number; never used again.
    pub id: u64,
    /// Its address.
    pub peer: String,
    /// How it is connected.
    pub transport: Transport,
    connected_at: SystemTime,
    connected: Timestamp,
    figures: Mutex<Figures>,
    orders: Mutex<Orders>,
    ordered: AtomicBool,
    waker: AtomicWaker,
}

/// What is counted of a client. Its own task writes it, a frame at a time.
#[derive(Debug, Default)]
pub struct Figures {
    /// The name it gave.
    pub name: String,
    /// The cameras it watches.
    pub cameras: String,
    /// Frames sent.
    pub frames: u64,
    /// Bytes sent.
    pub bytes: u64,
    /// When frames were sent.
    pub rate: RateMeter,
    /// Capture to delivery.
    pub latency: LatencyWindow,
    /// Smoothed round trip time.
    pub rtt: Duration,
    /// Bytes a second that the link carries; 0 while unknown.
    pub link_rate: f64,
    /// Bytes not acknowledged.
    pub backlog: u32,
    /// Frames not sent, by reason.
    pub dropped: DroppedStats,
    /// Bad messages from it.
    pub errors: u64,
    /// JPEG quality it gets.
    pub quality: u8,
    /// Width it gets, pixels.
    pub width: u32,
    /// Height it gets, pixels.
    pub height: u32,
    /// Why.
    pub reason: String,
    /// Changes of rendition.
    pub changes: u64,
    /// Its limits in force.
    pub limits: Limits,
}

/// A client's limits in force.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// Frames a second at most.
    pub fps: Option<f64>,
    /// JPEG quality at most.
    pub quality: Option<u8>,
    /// Width at most, pixels.
    pub max_width: Option<u32>,
    /// No pictures.
    pub paused: bool,
}

impl Limits {
    /// Takes over what `want` says; 0 lifts a limit.
    ///
    /// # Errors
    /// What is out of range, and what is allowed; nothing is changed then.
    pub fn apply(&mut self, want: &Want) -> Result<(), String> {
        let mut new = *self;
        if let Some(fps) = want.fps {
            if !(fps == 0.0 || (0.1..=1000.0).contains(&fps)) {
                return Err(format!(
                    "fps {fps}: 0.1 to 1000 is allowed, or 0 for no limit"
                ));
            }
            new.fps = (fps > 0.0).then_some(fps);
        }
        if let Some(quality) = want.quality {
            if quality > 100 {
                return Err(format!(
                    "quality {quality}: 1 to 100 is allowed, or 0 for no limit"
                ));
            }
            new.quality = (quality > 0).then_some(quality);
        }
        if let Some(width) = want.max_width {
            if !(width == 0 || (16..=16384).contains(&width)) {
                return Err(format!(
                    "maxWidth {width}: 16 to 16384 is allowed, or 0 for no limit"
                ));
            }
            new.max_width = (width > 0).then_some(width);
        }
        new.paused = want.paused.unwrap_or(new.paused);
        *self = new;
        Ok(())
    }
}

/// What a client's task is told from outside.
#[derive(Debug, Default)]
pub struct Orders {
    /// The limits in force have changed.
    pub limits: Option<Limits>,
    /// End the connection.
    pub end: Option<Goodbye>,
}

impl Registry {
    /// Enters a client; it leaves when the guard is dropped.
    pub fn enter(self: &Arc<Self>, peer: String, transport: Transport) -> Guard {
        let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let entry = Arc::new(Entry {
            id,
            peer,
            transport,
            connected_at: SystemTime::now(),
            connected: Timestamp::now(),
            figures: Mutex::default(),
            orders: Mutex::default(),
            ordered: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        });
        self.lock().insert(id, Arc::clone(&entry));
        self.count.fetch_add(1, Ordering::Relaxed);
        Guard {
            entry,
            all: Arc::clone(self),
        }
    }

    /// A client.
    pub fn get(&self, id: u64) -> Option<Arc<Entry>> {
        self.lock().get(&id).cloned()
    }

    /// All clients, the oldest first.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        self.lock().values().cloned().collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Entry>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Its figures, for a moment.
    pub fn figures(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the limits that are set for it.
    ///
    /// # Errors
    /// What is out of range, and what is allowed; nothing is changed then.
    pub fn set_limits(&self, want: &Want) -> Result<(), String> {
        let mut limits = self.figures().limits;
        limits.apply(want)?;
        self.order(|orders| orders.limits = Some(limits));
        Ok(())
    }

    /// Tells its task something.
    pub fn order(&self, order: impl FnOnce(&mut Orders)) {
        order(&mut self.orders.lock().unwrap_or_else(PoisonError::into_inner));
        self.ordered.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// What its task was told since the last call; `waker` is called when there is more.
    pub fn take_orders(&self, waker: &Waker) -> Option<Orders> {
        self.waker.register(waker);
        self.ordered.swap(false, Ordering::AcqRel).then(|| {
            std::mem::take(&mut *self.orders.lock().unwrap_or_else(PoisonError::into_inner))
        })
    }

    /// For how long it has been connected.
    pub fn age(&self, now: Timestamp) -> Duration {
        now.since(self.connected)
    }

    /// Everything that is known of it.
    pub fn stats(&self, now: Timestamp) -> ClientStats {
        let figures = self.figures();
        let seconds = self.age(now).as_secs_f64();
        let since = self
            .connected_at
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        ClientStats {
            id: self.id as i64,
            name: figures.name.clone(),
            peer: self.peer.clone(),
            transport: self.transport,
            camera: figures.cameras.clone(),
            connected_since: since.as_secs_f64(),
            connected_seconds: seconds,
            frames: figures.frames as i64,
            bytes: figures.bytes as i64,
            average_fps: if seconds > 0.0 {
                figures.frames as f64 / seconds
            } else {
                0.0
            },
            fps: figures.rate.rate(now),
            latency: figures.latency.stats(),
            rtt_ms: figures.rtt.as_secs_f64() * 1e3,
            link_rate: figures.link_rate * 8.0,
            backlog_bytes: figures.backlog.into(),
            dropped: figures.dropped.clone(),
            errors: figures.errors as i64,
            quality: figures.quality.into(),
            width: figures.width.into(),
            height: figures.height.into(),
            reason: figures.reason.clone(),
            rendition_changes: figures.changes as i64,
            limit_fps: figures.limits.fps.unwrap_or(0.0),
            limit_quality: figures.limits.quality.unwrap_or(0).into(),
            limit_width: figures.limits.max_width.unwrap_or(0).into(),
            paused: figures.limits.paused,
        }
    }
}

/// A client's entry while it is connected.
#[derive(Debug)]
pub struct Guard {
    entry: Arc<Entry>,
    all: Arc<Registry>,
}

impl std::ops::Deref for Guard {
    type Target = Arc<Entry>;
    fn deref(&self) -> &Arc<Entry> {
        &self.entry
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.all.lock().remove(&self.entry.id);
        self.all.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_checked_as_a_whole_and_lifted_by_zero() {
        let mut limits = Limits::default();
        let bad = Want {
            fps: Some(10.0),
            quality: Some(101),
            ..Want::default()
        };
        assert!(limits.apply(&bad).unwrap_err().contains("1 to 100"));
        assert_eq!(limits, Limits::default());
        limits
            .apply(&Want {
                fps: Some(10.0),
                max_width: Some(320),
                ..Want::default()
            })
            .unwrap();
        limits
            .apply(&Want {
                fps: Some(0.0),
                paused: Some(true),
                ..Want::default()
            })
            .unwrap();
        assert_eq!(
            limits,
            Limits {
                max_width: Some(320),
                paused: true,
                ..Limits::default()
            }
        );
        assert!(
            limits
                .apply(&Want {
                    fps: Some(f64::NAN),
                    ..Want::default()
                })
                .is_err()
        );
    }

    #[test]
    fn numbers_are_never_used_again() {
        let all = Arc::<Registry>::default();
        let first = all.enter("a".into(), Transport::Tcp);
        assert_eq!(all.count(), 1);
        drop(first);
        assert_eq!(all.count(), 0);
        assert_eq!(all.enter("b".into(), Transport::Tcp).id, 2);
    }
}
