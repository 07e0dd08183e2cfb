//! One stream of RTP: numbers, time stamps, and the reports on them (RFC 3550).

use std::{io, time::Duration};

use serde::{Deserialize, Serialize};

use super::rtcp;
use crate::media::Timestamp;

/// Bytes of a packet's header.
pub const HEAD: usize = 12;

/// Between two reports (RFC 3550, section 6.2).
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// The version, in the first byte of every packet.
const VERSION: u8 = 2 << 6;

/// Set in the last packet of a picture.
const MARKER: u8 = 0x80;

/// Ticks a second of the clock of pictures.
pub const PICTURES: u32 = 90_000;

const fn pictures() -> u32 {
    PICTURES
}

/// What is sent of a stream so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// How its payload is packed, by the session's description.
    payload_type: u8,
    ssrc: u32,
    /// Ticks a second of its clock.
    #[serde(default = "pictures")]
    hertz: u32,
    /// The number of the next packet.
    sequence: u16,
    /// What the clock of the stream shows when that of the frames shows 0.
    offset: u32,
    packets: u32,
    /// Bytes of payload.
    octets: u32,
    /// A process that goes on with it reports at once.
    #[serde(skip)]
    reported: Timestamp,
}

impl Stream {
    /// One that begins, by random numbers (RFC 3550, section 5.1).
    ///
    /// # Errors
    /// The kernel has no random bytes.
    pub fn new(payload_type: u8, hertz: u32) -> io::Result<Self> {
        let mut random = [0; 10];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let [a, b, c, d, e, f, g, h, i, j] = random;
        Ok(Self {
            payload_type,
            hertz,
            ssrc: u32::from_be_bytes([a, b, c, d]),
            sequence: u16::from_be_bytes([e, f]),
            offset: u32::from_be_bytes([g, h, i, j]),
            packets: 0,
            octets: 0,
            reported: Timestamp::default(),
        })
    }

    /// Who sends it.
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The number of the next packet.
    pub const fn sequence(&self) -> u16 {
        self.sequence
    }

    /// What its clock shows at this moment.
    const fn clock(&self, at: Timestamp) -> u32 {
        let ticks = at.as_nanos() as u128 * self.hertz as u128 / 1_000_000_000;
        self.offset.wrapping_add(ticks as u32)
    }

    /// The header of the next packet, of a picture captured then; `payload` is the bytes behind it.
    pub fn head(&mut self, captured: Timestamp, is_last: bool, payload: usize) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        head[0] = VERSION;
        head[1] = self.payload_type | if is_last { MARKER } else { 0 };
        head[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        head[4..8].copy_from_slice(&self.clock(captured).to_be_bytes());
        head[8..].copy_from_slice(&self.ssrc.to_be_bytes());
        self.sequence = self.sequence.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload as u32);
        head
    }

    /// Whether it is time for a report: with the first packet, and then now and again.
    pub fn owes_report(&self, now: Timestamp) -> bool {
        self.reported == Timestamp::default() || now.since(self.reported) >= REPORT_EVERY
    }

    /// Appends a report: which moment of the wall clock the stream's clock means, and what was sent.
    pub fn report(&mut self, now: Timestamp, out: &mut Vec<u8>) {
        self.reported = now;
        rtcp::write_report(
            &rtcp::Sent {
                ssrc: self.ssrc,
                unix_micros: now.unix_micros(),
                clock: self.clock(now),
                packets: self.packets,
                octets: self.octets,
            },
            out,
        );
    }

    /// Appends the last word.
    pub fn bye(&self, out: &mut Vec<u8>) {
        rtcp::write_bye(self.ssrc, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_numbered_and_stamped_by_the_clock_of_the_frames() {
        let mut stream = Stream {
            payload_type: 26,
            hertz: PICTURES,
            ssrc: 0x0102_0304,
            sequence: u16::MAX,
            offset: u32::MAX,
            packets: 0,
            octets: 0,
            reported: Timestamp::default(),
        };
        let at = |nanos| Timestamp::from_nanos(nanos);
        let first = stream.head(at(0), false, 100);
        assert_eq!(
            first,
            [0x80, 26, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4]
        );
        let last = stream.head(at(1_000_000_000), true, 50);
        let clock = 90_000u32 - 1;
        assert_eq!(last[..4], [0x80, 0x80 | 26, 0, 0]);
        assert_eq!(last[4..8], clock.to_be_bytes());
        assert_eq!((stream.packets, stream.octets), (2, 150));
        // After 13 days the clock has gone round more than once, and is not off by a tick.
        let (day, year) = (86_400 * 1_000_000_000, 365 * 86_400 * 1_000_000_000u64);
        for nanos in [13 * day, year, 80 * year] {
            let exact = (u128::from(nanos) * 9 / 100_000) as u32;
            assert_eq!(stream.clock(at(nanos)), exact.wrapping_sub(1));
        }
    }

    #[test]
    fn a_report_is_owed_at_first_and_every_few_seconds() {
        let mut stream = Stream::new(26, PICTURES).unwrap();
        let now = Timestamp::now();
        assert!(stream.owes_report(now));
        stream.report(now, &mut Vec::new());
        assert!(!stream.owes_report(now + Duration::from_secs(4)));
        assert!(stream.owes_report(now + Duration::from_secs(5)));
    }
}
