//! The clocks of this machine, which server and clients share.

use std::time::{SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

/// Further from both clocks, a server's time is of neither.
const FAR_S: f64 = 3600.0;

/// Now, in µs since the epoch.
pub fn real_us() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("the clock is set after 1970").as_micros() as u64
}

/// Now, in nanoseconds of `CLOCK_MONOTONIC`.
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every kernel has this clock");
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

/// Seconds of the wall clock or of the monotonic clock, in µs since the epoch. Servers say either;
/// the nearer one is meant. `None` if it is of neither clock, or 0: what servers say of a picture that
/// no camera took.
pub fn real_of(seconds: f64, now_us: u64) -> Option<u64> {
    let monotonic = clock_gettime(ClockId::CLOCK_MONOTONIC).ok()?;
    let monotonic = monotonic.tv_sec() as f64 + monotonic.tv_nsec() as f64 / 1e9;
    nearest(seconds, now_us, monotonic)
}

fn nearest(seconds: f64, now_us: u64, monotonic: f64) -> Option<u64> {
    let now = now_us as f64 / 1e6;
    let ago = [now - seconds, monotonic - seconds]
        .into_iter()
        .find(|ago| seconds > 0.0 && ago.abs() < FAR_S)?;
    Some((now_us as f64 - ago * 1e6) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_of_the_clock_it_is_near() {
        let now = 1_700_000_000_000_000;
        assert_eq!(nearest(1_699_999_999.5, now, 7000.0), Some(now - 500_000));
        assert_eq!(nearest(6999.5, now, 7000.0), Some(now - 500_000));
        assert_eq!(nearest(1.0, now, 700_000.0), None);
        assert_eq!(nearest(0.0, now, 700.0), None);
        assert_eq!(nearest(f64::NAN, now, 7000.0), None);
    }
}
