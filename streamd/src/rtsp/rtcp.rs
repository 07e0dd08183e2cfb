//! Reports on a stream, sent and received (RFC 3550, section 6).

use std::time::Duration;

/// Seconds from the beginning of the clock of NTP to that of Unix.
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// The kinds of packets.
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const BYE: u8 = 203;

/// The name that a description gives: it says nothing of the machine.
const NAME: &[u8] = b"streamd";

/// Bytes of one report on one source.
const BLOCK: usize = 24;

/// What a report says of a stream.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// Who sends it.
    pub ssrc: u32,
    /// Now, in µs since the epoch.
    pub unix_micros: u64,
    /// The same moment on the clock of the stream.
    pub clock: u32,
    /// Packets so far.
    pub packets: u32,
    /// Bytes of payload so far.
    pub octets: u32,
}

/// A moment as NTP has it: seconds, and 2³² parts of one.
const fn ntp(unix_micros: u64) -> u64 {
    let seconds = unix_micros / 1_000_000 + NTP_TO_UNIX;
    let fraction = ((unix_micros % 1_000_000) << 32) / 1_000_000;
    (seconds << 32) + fraction
}

/// Appends a sender's report, and the description that has to go with it.
pub fn write_report(sent: &Sent, out: &mut Vec<u8>) {
    out.extend([0x80, SENDER_REPORT, 0, 6]);
    out.extend(sent.ssrc.to_be_bytes());
    out.extend(ntp(sent.unix_micros).to_be_bytes());
    for number in [sent.clock, sent.packets, sent.octets] {
        out.extend(number.to_be_bytes());
    }
    write_description(sent.ssrc, out);
}

fn write_description(ssrc: u32, out: &mut Vec<u8>) {
    /// The kind of item that is the name, and its length byte.
    const CNAME: u8 = 1;
    let start = out.len();
    out.extend([0x81, DESCRIPTION, 0, 0]);
    out.extend(ssrc.to_be_bytes());
    out.extend([CNAME, NAME.len() as u8]);
    out.extend(NAME);
    // At least one zero ends the items, and fills up to whole words.
    out.push(0);
    while !(out.len() - start).is_multiple_of(4) {
        out.push(0);
    }
    out[start + 3] = ((out.len() - start) / 4 - 1) as u8;
}

/// Appends the word that a stream has ended. A packet begins with a report, though an empty one.
pub fn write_bye(ssrc: u32, out: &mut Vec<u8>) {
    out.extend([0x80, RECEIVER_REPORT, 0, 1]);
    out.extend(ssrc.to_be_bytes());
    write_description(ssrc, out);
    out.extend([0x81, BYE, 0, 1]);
    out.extend(ssrc.to_be_bytes());
}

/// What a receiver says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// What it says of our stream.
    pub report: Option<Report>,
    /// It has ended.
    pub is_bye: bool,
}

/// What a receiver says of our stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Packets lost since the report before, in 256ths.
    pub lost: u8,
    /// The middle 32 bits of the moment of the last report it had from us; 0 for none.
    last: u32,
    /// How long ago that was, in 65536ths of a second.
    delay: u32,
}

impl Report {
    /// The time to the receiver and back; `None` if it has had no report of ours, or says that it
    /// has before it was sent.
    pub fn round_trip(&self, unix_micros: u64) -> Option<Duration> {
        let now = (ntp(unix_micros) >> 16) as u32;
        let parts = now.wrapping_sub(self.last).wrapping_sub(self.delay);
        let is_true = self.last != 0 && parts < 1 << 31;
        is_true.then(|| Duration::from_micros((u64::from(parts) * 1_000_000) >> 16))
    }
}

/// Packets that are no reports of a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a report that is none of a receiver of this stream")]
pub struct Forged;

/// Reads the reports of a receiver of this stream.
///
/// # Errors
/// When they are none, as a whole.
pub fn read(mut bytes: &[u8], ssrc: u32) -> Result<Heard, Forged> {
    let mut heard = Heard::default();
    let mut is_first = true;
    while !bytes.is_empty() {
        let (head, _) = bytes.split_first_chunk::<4>().ok_or(Forged)?;
        let [first, kind, high, low] = *head;
        let length = 4 * (usize::from(u16::from_be_bytes([high, low])) + 1);
        let is_report = matches!(kind, SENDER_REPORT | RECEIVER_REPORT);
        if first >> 6 != 2 || bytes.len() < length || (is_first && !is_report) {
            return Err(Forged);
        }
        let (packet, rest) = bytes.split_at(length);
        match kind {
            SENDER_REPORT | RECEIVER_REPORT => {
                let skip = if kind == SENDER_REPORT { 28 } else { 8 };
                let blocks = packet.get(skip..).ok_or(Forged)?;
                let count = usize::from(first & 0x1F);
                let blocks = blocks.get(..count * BLOCK).ok_or(Forged)?;
                let (blocks, _) = blocks.as_chunks::<BLOCK>();
                let own = blocks.iter().find(|block| block[..4] == ssrc.to_be_bytes());
                heard.report = heard.report.or(own.map(report));
            }
            BYE => heard.is_bye = true,
            _ => {}
        }
        (bytes, is_first) = (rest, false);
    }
    if is_first { Err(Forged) } else { Ok(heard) }
}

fn report(block: &[u8; BLOCK]) -> Report {
    let number = |at: usize| {
        let bytes = block[at..].first_chunk().expect("a block has 24 bytes");
        u32::from_be_bytes(*bytes)
    };
    Report {
        lost: block[4],
        last: number(16),
        delay: number(20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_report_is_laid_out_as_the_standard_has_it() {
        let mut out = Vec::new();
        write_report(
            &Sent {
                ssrc: 0x0A0B_0C0D,
                unix_micros: 1_500_000,
                clock: 7,
                packets: 8,
                octets: 9,
            },
            &mut out,
        );
        #[rustfmt::skip]
        let wanted = [
            0x80, 200, 0, 6, 0x0A, 0x0B, 0x0C, 0x0D,
            0x83, 0xAA, 0x7E, 0x81, 0x80, 0, 0, 0,
            0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 9,
            0x81, 202, 0, 4, 0x0A, 0x0B, 0x0C, 0x0D,
            1, 7, b's', b't', b'r', b'e', b'a', b'm', b'd', 0, 0, 0,
        ];
        assert_eq!(out, wanted);
        let mut bye = Vec::new();
        write_bye(0x0A0B_0C0D, &mut bye);
        assert!(read(&bye, 0).unwrap().is_bye);
    }

    fn receiver(ssrc: u32, last: u32, delay: u32) -> Vec<u8> {
        let mut out = vec![0x81, 201, 0, 7, 9, 9, 9, 9];
        out.extend(ssrc.to_be_bytes());
        out.extend([64, 0, 0, 3]);
        for number in [1u32, 2, last, delay] {
            out.extend(number.to_be_bytes());
        }
        out
    }

    #[test]
    fn a_receiver_s_report_tells_loss_and_round_trip() {
        let now = 1_700_000_000_000_000;
        let sent = (ntp(now - 120_000) >> 16) as u32;
        let bytes = receiver(5, sent, 65536 / 10);
        let report = read(&bytes, 5).unwrap().report.unwrap();
        assert_eq!(report.lost, 64);
        let round_trip = report.round_trip(now).unwrap();
        assert!(round_trip.abs_diff(Duration::from_millis(20)) < Duration::from_millis(1));
        let too_soon = read(&receiver(5, sent, 65536), 5).unwrap().report.unwrap();
        assert_eq!(too_soon.round_trip(now), None);
        assert_eq!(read(&bytes, 6), Ok(Heard::default()), "of another stream");
    }

    #[test]
    fn what_is_none_is_refused() {
        let good = receiver(5, 1, 2);
        for cut in 1..good.len() {
            assert_eq!(read(&good[..cut], 5), Err(Forged), "{cut}");
        }
        assert_eq!(read(&[], 5), Err(Forged));
        assert_eq!(read(&[0x80, 203, 0, 0], 5), Err(Forged), "no report first");
        let picture = [&[0x80, 26], &good[2..]].concat();
        assert_eq!(read(&picture, 5), Err(Forged));
    }

    proptest! {
        #[test]
        fn any_bytes_are_reports_or_forged(bytes: Vec<u8>, ssrc: u32, now: u64) {
            let now = now % (1 << 60);
            if let Ok(Heard { report: Some(report), .. }) = read(&bytes, ssrc) {
                report.round_trip(now);
            }
        }
    }
}
