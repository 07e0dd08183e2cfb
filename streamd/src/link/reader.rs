//! Whether who is at the other end takes the frames that its kernel has taken for it.
//!
//! A script that looks at each picture for 100 ms takes ten a second. Its kernel acknowledges thirty,
//! and keeps them: megabytes, and so seconds. What tells of it is the window that the peer's kernel
//! advertises (RFC 9293, section 3.8.6): what its buffer has room for. It shrinks by what is not read.
//!
//! It does not tell when that is read later, unless more is sent. So the time between two frames is
//! what is adapted: longer by half after each frame that found others unread, shorter by a fifth after
//! each that did not, as multiplicative increase and decrease have it in congestion control. Frames
//! are left out then, and the newest goes: the picture stays as good as it is, because it is not the
//! bytes that such a reader has no time for.
//!
//! No I/O, no clock.

use std::time::Duration;

use crate::media::Timestamp;

/// So much unread, in frames and in bytes, makes a slow reader: who keeps up on the whole may have some.
const MUCH: (f64, u32) = (3.0, 24 * 1024);

/// The window of a slow one shrinks by the frame that has just come, and by the bookkeeping of its
/// kernel: by so many times the frame's bytes at most, and so many more.
const OWN: (f64, u32) = (1.25, 4 * 1024);

/// So many frames in a row find others unread before anything is done about it: on a busy machine who
/// keeps up on the whole stands still for some.
const FIRST: u32 = 5;

/// The time between two frames grows and shrinks by this; a long one by half, since who has only
/// paused has soon read what there is.
const LONGER: f64 = 1.5;
const SHORTER: f64 = 0.8;
const HALF: f64 = 0.5;
const LONG: Duration = Duration::from_millis(200);

/// A window that has no room for so many frames is full, and nothing is waited for any more: the next
/// ones would stand still on this side, and look like a link that is slow.
const FULL: u32 = 2;

/// A window with room for so many frames is not full: where it stays as it is, the buffer has become
/// smaller. One that is full stays as it is because nothing is read.
const ROOM: u32 = 4;

/// It is not shorter than this, or it is none.
const SHORTEST: Duration = Duration::from_millis(10);

/// It is not longer than this; and than that after so many frames that found others unread.
const LONGEST: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(2));
const MANY: u32 = 20;

/// So many frames, ever further apart, that left the window as it was were all read: the buffer has
/// become smaller.
const ALL_READ: u32 = 5;

/// A frame has been acknowledged whole.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    /// Its bytes on the wire.
    pub bytes: u32,
    /// The window that the peer advertises, in bytes; `None` where the kernel does not say.
    pub window: Option<u32>,
}

/// The reader at the other end of a connection.
#[derive(Debug, Default)]
pub struct Reader {
    /// The largest window, and the last one.
    most: u32,
    last: u32,
    /// Frames in a row that found others unread, and the window at the first of them.
    behind: u32,
    from: u32,
    /// Of them, those that left the window as it was.
    unchanged: u32,
    /// Time from one frame to the next at least; zero for any.
    interval: Duration,
    /// When the last one went out, and the time from the one before.
    sent: Timestamp,
    gap: Duration,
}

impl Reader {
    /// A frame goes out now.
    pub fn sent(&mut self, now: Timestamp) {
        self.gap = now.since(self.sent);
        self.sent = now;
    }

    /// No frame is to go out before this.
    pub fn due(&self) -> Timestamp {
        self.sent + self.interval
    }

    /// Whether it takes less than it could be sent.
    pub fn is_slow(&self) -> bool {
        !self.interval.is_zero()
    }

    /// Whether a frame of so many bytes waits for it, and not for the link.
    pub fn holds_up(&self, bytes: usize) -> bool {
        self.is_slow() && (self.last as usize) < bytes.saturating_mul(FULL as usize)
    }

    /// A frame has been acknowledged whole.
    pub fn taken(&mut self, frame: &Taken) {
        if !self.is_behind(frame) {
            self.behind = 0;
            let by = if self.interval > LONG { HALF } else { SHORTER };
            self.interval = self.interval.mul_f64(by);
            if self.interval < SHORTEST {
                self.interval = Duration::ZERO;
            }
            return;
        }
        self.behind += 1;
        if self.behind == 1 {
            self.from = self.last;
        }
        if self.is_slow() {
            let most = match self.behind > MANY {
                true => LONGEST.1,
                false => LONGEST.0,
            };
            self.interval = self.interval.mul_f64(LONGER).min(most);
        } else if self.behind >= FIRST || self.last < frame.bytes.saturating_mul(FULL) {
            // A window that stays as it is has nothing more unread in it.
            let shrinks = self.from >= self.last.saturating_add(frame.bytes);
            if !shrinks && self.last > frame.bytes.saturating_mul(ROOM) {
                self.most = self.last;
                self.behind = 0;
                return;
            }
            self.interval = self.gap.clamp(SHORTEST, LONGEST.0).mul_f64(LONGER);
        }
    }

    /// Whether the window tells of more unread than this frame.
    fn is_behind(&mut self, frame: &Taken) -> bool {
        let Some(window) = frame.window else {
            return false;
        };
        let last = std::mem::replace(&mut self.last, window);
        self.most = self.most.max(window);
        let unread = self.most - window;
        let times = |times: f64| (f64::from(frame.bytes) * times) as u32;
        let behind = match self.is_slow() {
            false => unread > times(MUCH.0).max(MUCH.1),
            // Or nothing was read since the last frame.
            true => {
                unread > times(OWN.0).saturating_add(OWN.1)
                    || last.saturating_sub(window) > frame.bytes / 2
            }
        };
        if !behind || !self.is_slow() {
            self.unchanged = 0;
            return behind;
        }
        if window.abs_diff(last) <= frame.bytes / 4 {
            self.unchanged += 1;
        } else {
            self.unchanged = 0;
        }
        if self.unchanged >= ALL_READ {
            self.most = window;
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that works on each picture for a while, and its kernel.
    struct Peer {
        /// Bytes of its buffer, and how many of them it advertises at most.
        buffer: u32,
        window: u32,
        bytes: u32,
        /// When the unread frames went out, and one that it has no room for.
        unread: Vec<u64>,
        waits: Option<u64>,
        /// When it will read again.
        reads: u64,
        /// How long it works on a picture.
        works: Duration,
    }

    impl Peer {
        fn new(works: u64) -> Self {
            Self {
                buffer: 950_000,
                window: 900_000,
                bytes: 20_000,
                unread: Vec::new(),
                waits: None,
                reads: 0,
                works: Duration::from_millis(works),
            }
        }

        /// Reads until then; how old the pictures were, milliseconds.
        fn read_until(&mut self, now: u64) -> Vec<u64> {
            let mut ages = Vec::new();
            while let Some(sent) = self.unread.first().copied() {
                let at = self.reads.max(sent);
                if at > now {
                    break;
                }
                self.unread.remove(0);
                ages.push(at - sent);
                self.reads = at + self.works.as_millis() as u64;
            }
            ages
        }

        fn room(&self) -> u32 {
            let unread = self.bytes * self.unread.len() as u32;
            self.buffer.saturating_sub(unread)
        }

        fn has_room(&self) -> bool {
            self.room() >= self.bytes
        }

        fn window(&self) -> u32 {
            self.room().min(self.window)
        }
    }

    /// Plays a camera of 30 frames a second to it for so many seconds; pictures read a second, and
    /// the greatest age in the last half, milliseconds.
    fn play(reader: &mut Reader, peer: &mut Peer, from: u64, seconds: u64) -> (u64, u64) {
        let end = from + seconds * 1000;
        let (mut read, mut oldest) = (0, 0);
        for now in from..end {
            let at = Timestamp::from_nanos(now * 1_000_000);
            let ages = peer.read_until(now);
            read += ages.len() as u64;
            if now > from + seconds * 500 {
                oldest = ages.into_iter().fold(oldest, u64::max);
            }
            if now % 33 == 0 && at >= reader.due() && peer.waits.is_none() {
                reader.sent(at);
                peer.waits = Some(now);
            }
            if let Some(sent) = peer.waits
                && peer.has_room()
            {
                peer.waits = None;
                peer.unread.push(sent);
                reader.taken(&Taken {
                    bytes: peer.bytes,
                    window: Some(peer.window()),
                });
            }
        }
        (read / seconds, oldest)
    }

    #[test]
    fn who_reads_at_once_gets_every_frame() {
        let mut reader = Reader::default();
        let (read, oldest) = play(&mut reader, &mut Peer::new(5), 0, 10);
        assert_eq!((read, oldest, reader.is_slow()), (30, 0, false));
    }

    #[test]
    fn who_is_slow_gets_new_frames_at_its_own_pace() {
        // Part of the buffer is not in the window: two frames and a half.
        for (works, least, most) in [(50, 14, 500), (100, 7, 800), (300, 2, 2000)] {
            let mut reader = Reader::default();
            let mut peer = Peer::new(works);
            let (read, oldest) = play(&mut reader, &mut peer, 0, 40);
            assert!(
                read >= least && oldest <= most,
                "{works} ms: {read} a second, up to {oldest} ms old"
            );
        }
    }

    #[test]
    fn a_full_window_is_waited_for_no_longer() {
        let mut reader = Reader::default();
        let mut peer = Peer::new(300);
        (peer.buffer, peer.window) = (106_000, 106_000);
        // Five frames fill it.
        play(&mut reader, &mut peer, 0, 1);
        assert!(reader.holds_up(20_000));
        let (read, oldest) = play(&mut reader, &mut peer, 1000, 40);
        assert!(
            read >= 2 && oldest <= 2000,
            "{read} a second, up to {oldest} ms old"
        );
    }

    #[test]
    fn who_is_quick_again_gets_every_frame_again() {
        let mut reader = Reader::default();
        let mut peer = Peer::new(300);
        play(&mut reader, &mut peer, 0, 20);
        assert!(reader.is_slow());
        peer.works = Duration::from_millis(5);
        play(&mut reader, &mut peer, 20_000, 10);
        let (read, oldest) = play(&mut reader, &mut peer, 30_000, 10);
        assert_eq!((read, oldest), (30, 0));
    }

    #[test]
    fn who_has_paused_gets_every_frame_again_soon() {
        let mut reader = Reader::default();
        let mut peer = Peer::new(5);
        play(&mut reader, &mut peer, 0, 5);
        peer.reads = 9000;
        play(&mut reader, &mut peer, 5000, 4);
        play(&mut reader, &mut peer, 9000, 3);
        let (read, oldest) = play(&mut reader, &mut peer, 12_000, 5);
        assert_eq!((read, oldest), (30, 0));
    }

    #[test]
    fn who_keeps_up_late_gets_every_frame() {
        let mut reader = Reader::default();
        for n in 0..300 {
            reader.sent(Timestamp::from_nanos(n * 33_000_000));
            // One or two frames are unread whenever one arrives.
            let unread = 20_000 * (1 + n as u32 % 2);
            reader.taken(&Taken {
                bytes: 20_000,
                window: Some(900_000 - unread),
            });
            assert!(!reader.is_slow(), "{n}");
        }
    }

    #[test]
    fn a_buffer_that_has_become_smaller_holds_nobody_up() {
        let mut reader = Reader::default();
        let mut peer = Peer::new(5);
        play(&mut reader, &mut peer, 0, 5);
        peer.window = 300_000;
        let (read, _) = play(&mut reader, &mut peer, 5000, 10);
        assert_eq!((read, reader.is_slow()), (30, false));
    }

    #[test]
    fn who_stops_gets_little_more() {
        let mut reader = Reader::default();
        let mut peer = Peer::new(5);
        play(&mut reader, &mut peer, 0, 5);
        peer.reads = u64::MAX / 2;
        play(&mut reader, &mut peer, 5000, 30);
        assert!(
            peer.unread.len() < 45,
            "{} frames unread",
            peer.unread.len()
        );
    }
}
