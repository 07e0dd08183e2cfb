//! Viewers that send receipts as they should, late, untrue, or no more.

use proptest::prelude::*;

use super::*;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_nanos(1_000_000_000 + ms * 1_000_000)
}

fn sent(sequence: u64, ms: u64, bytes: usize) -> Sent {
    Sent {
        feed: 1,
        sequence,
        captured: at(ms),
        began: at(ms),
        bytes,
        key: 0,
        stamped: false,
        disturbed: false,
        sent_again: 0,
        body: None,
    }
}

fn said(sequence: u64, at: Timestamp) -> Receipt {
    Receipt {
        feed: 1,
        sequence,
        at,
    }
}

fn seen(ms: u64) -> Seen {
    Seen {
        now: at(ms),
        min_rtt: Duration::ZERO,
        sent_again: 0,
        congested: false,
    }
}

/// A viewer that has had so many frames of 10 kB in 20 ms each, and whose receipts take 10 ms.
fn followed(frames: u64) -> Receipts {
    let mut receipts = Receipts::default();
    receipts.listen();
    for n in 0..frames {
        receipts.written(sent(n, n * 50, 10_000));
        let arrived = receipts.receipt(&said(n, at(n * 50 + 30)), &seen(n * 50 + 40));
        let arrived = arrived.unwrap().unwrap();
        assert_eq!(arrived.latency, Duration::from_millis(30));
    }
    receipts
}

const RTT: Duration = Duration::from_millis(20);

#[test]
fn in_flight_is_what_was_not_receipted_and_is_believed_to_come_on_until_it_is_overdue() {
    let mut receipts = followed(10);
    let rate = receipts.estimate().unwrap().rate().unwrap();
    assert!((rate - 500e3).abs() < 5e3, "{rate}");
    assert_eq!(receipts.in_flight(at(495), RTT), Some(0));
    receipts.written(sent(10, 500, 10_000));
    receipts.written(sent(11, 510, 6_000));
    let in_flight = |ms| receipts.in_flight(at(ms), RTT).unwrap();
    assert_eq!(in_flight(515), 16_000, "nothing can have come yet");
    assert!((10_500..11_500).contains(&in_flight(530)));
    assert_eq!(in_flight(545), 16_000, "overdue: nothing is believed");
    assert_eq!(in_flight(1600), 0, "one more may go after a second");
}

#[test]
fn a_frame_that_is_overdue_lowers_the_forecast_and_one_that_is_not_does_not() {
    let mut receipts = followed(10);
    receipts.written(sent(10, 500, 10_000));
    let rate = |ms| {
        let estimate = receipts.estimate().unwrap();
        let progress = receipts.progress(RTT);
        estimate.forecast(at(ms), progress).unwrap().rate
    };
    assert!((rate(530) - 500e3).abs() < 5e3);
    assert!(rate(700) < 400e3);
}

#[test]
fn receipts_count_however_late() {
    let mut receipts = followed(3);
    for n in 3..500 {
        receipts.written(sent(n, n * 50, 10_000));
    }
    for n in 3..500 {
        let at_last = at(60_000 + n);
        let arrived = receipts.receipt(&said(n, at_last), &seen(60_000 + n));
        let arrived = arrived.unwrap().unwrap();
        assert_eq!(arrived.latency, at_last.since(at(n * 50)));
    }
    assert_eq!(receipts.in_flight(at(61_000), RTT), Some(0));
}

#[test]
fn a_viewer_that_receipts_now_and_then_is_not_judged_by_that() {
    let mut receipts = Receipts::default();
    receipts.listen();
    for n in 0..50 {
        receipts.written(sent(n, n * 33, 10_000));
        if n % 2 == 1 {
            let receipt = receipts.receipt(&said(n, at(n * 33 + 5)), &seen(n * 33 + 6));
            assert!(receipt.unwrap().is_some(), "for the figures it counts");
        }
        assert!(receipts.in_flight(at(n * 33 + 7), RTT).is_none());
    }
    assert!(receipts.any());
}

#[test]
fn an_untrue_receipt_is_refused_and_its_frame_is_there_all_the_same() {
    let mut receipts = followed(3);
    for (n, untrue) in [(3, at(0)), (4, at(100_000)), (5, Timestamp::from_nanos(0))] {
        receipts.written(sent(n, 1000, 10_000));
        assert_eq!(receipts.receipt(&said(n, untrue), &seen(1010)), Err(Untrue));
    }
    assert_eq!(receipts.in_flight(at(1011), RTT), Some(0));
    let unknown = receipts.receipt(&said(99, at(100_000)), &seen(1010));
    assert_eq!(unknown, Err(Untrue));
    assert_eq!(receipts.receipt(&said(99, at(0)), &seen(1010)), Ok(None));
}

/// Sends a frame a second from 500 ms on, and looks each time; the second in which they are
/// believed to have ceased.
fn ceases(receipts: &mut Receipts, answers: impl Fn(u64) -> bool) -> Option<u64> {
    (1..100).find(|n| {
        let now = n * 1000 + 500;
        if receipts.are_missing(at(now)) && answers(0) {
            receipts.ask(*n);
        }
        if answers(*n) {
            receipts.answered(*n, at(now));
        }
        receipts.written(sent(1000 + n, now, 10_000));
        receipts.look(at(now + 900));
        receipts.estimate().is_none()
    })
}

#[test]
fn a_viewer_that_reads_on_and_sends_none_any_more_is_one_that_talks() {
    let mut receipts = followed(10);
    assert_eq!(
        ceases(&mut receipts, |_| true),
        Some(5),
        "asked in second 2"
    );
    assert!(receipts.only_talks() && !receipts.any());
    assert_eq!(receipts.in_flight(at(7000), RTT), None);
}

#[test]
fn receipts_that_are_merely_late_are_waited_for() {
    // It can be asked, and what was asked is still on its way to it.
    let mut receipts = followed(10);
    assert_eq!(ceases(&mut receipts, |n| n == 0), None);
    assert!(receipts.any() && receipts.estimate().is_some());
}

#[test]
fn where_nothing_can_be_asked_time_tells_and_a_wrong_guess_makes_patient() {
    let mut receipts = followed(10);
    assert_eq!(ceases(&mut receipts, |_| false), Some(31));
    // The oldest one comes after all: then what was sent since is in flight.
    let late = receipts.receipt(&said(1001, at(40_000)), &seen(40_000));
    assert_eq!(late.unwrap().unwrap().sequence, 1001);
    assert!(receipts.any());
    let in_flight = receipts.in_flight(at(40_001), RTT).unwrap();
    assert!((290_000..=300_000).contains(&in_flight), "{in_flight}");
    receipts.look(at(99_000));
    assert!(receipts.any());
    receipts.look(at(101_000));
    assert!(!receipts.any(), "a minute of silence");
}

#[test]
fn a_pause_is_no_silence() {
    let mut receipts = followed(10);
    receipts.written(sent(10, 3_600_000, 10_000));
    receipts.look(at(3_600_500));
    assert!(receipts.any());
}

#[test]
fn nothing_is_kept_for_a_viewer_that_says_nothing() {
    let mut receipts = Receipts::default();
    receipts.written(sent(1, 0, 10_000));
    assert!(receipts.awaited.is_empty() && !receipts.any());
}

proptest! {
    /// Whatever a viewer says, what is in flight is no more than what was sent, and a second of
    /// silence lets a frame go.
    #[test]
    fn no_receipt_shuts_the_gate_for_long(
        said_of in prop::collection::vec((0u64..60, any::<u64>(), 0u64..100), 0..120),
    ) {
        let mut receipts = Receipts::default();
        receipts.listen();
        let (mut now, mut bytes) = (0, 0);
        for (n, (sequence, nanos, later)) in said_of.into_iter().enumerate() {
            now += later;
            receipts.written(sent(n as u64, now, 5_000));
            bytes += 5_000;
            let untrue = Timestamp::from_nanos(nanos);
            let _ = receipts.receipt(&said(sequence, untrue), &seen(now));
            let in_flight = receipts.in_flight(at(now), RTT);
            prop_assert!(in_flight.is_none_or(|in_flight| in_flight <= bytes));
        }
        let later = receipts.in_flight(at(now + 1000), RTT);
        prop_assert!(later.is_none_or(|in_flight| in_flight == 0));
    }
}
