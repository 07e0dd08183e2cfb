//! A look at a process that rests, and what many of them say.

use std::{fmt, fs, time::Duration};

use anyhow::Context;

use crate::{figures::Spread, process::Usage, table::figures};

/// Growth that is no noise: the kernel and the allocator give and take a page here and there.
const MEMORY_MIB: f64 = 2.0;

/// What a process has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Since the beginning.
    pub at: Duration,
    /// Resident, in MiB.
    pub memory_mib: f64,
    /// Open descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: usize,
}

impl Look {
    /// At a process, now.
    pub fn at(pid: u32, at: Duration) -> anyhow::Result<Self> {
        let count = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            let entries = fs::read_dir(&path).with_context(|| path.clone())?;
            anyhow::Ok(entries.count())
        };
        Ok(Self {
            at,
            memory_mib: Usage::of(pid)?.rss_mib,
            descriptors: count("fd")?,
            threads: count("task")?,
        })
    }

    /// For who waits.
    pub fn line(&self, latency: &Spread) -> String {
        format!(
            "{:6.0} s  {:7.2} MiB  {} descriptors  {} threads  latency p50/p99 {} ms",
            self.at.as_secs_f64(),
            self.memory_mib,
            self.descriptors,
            self.threads,
            figures(&[latency.at(50.0), latency.at(99.0)], 2)
        )
    }
}

/// What became of a process over many looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// MiB an hour, by least squares.
    pub memory_mib_per_hour: f64,
    grown_mib: f64,
    descriptors: (usize, usize),
    threads: (usize, usize),
}

impl Trend {
    /// Of these looks.
    pub fn of(looks: &[Look]) -> Self {
        let hours = |look: &Look| look.at.as_secs_f64() / 3600.0;
        let slope = slope(looks.iter().map(|look| (hours(look), look.memory_mib)));
        let span = match (looks.first(), looks.last()) {
            (Some(first), Some(last)) => hours(last) - hours(first),
            _ => 0.0,
        };
        // The least of either half: a look may come while something is being given back.
        let half = |n: usize, of: fn(&Look) -> usize| {
            let middle = looks.len() / 2;
            let part = if n == 0 {
                &looks[..middle]
            } else {
                &looks[middle..]
            };
            part.iter().map(of).min().unwrap_or(0)
        };
        let halves = |of: fn(&Look) -> usize| (half(0, of), half(1, of));
        Self {
            memory_mib_per_hour: slope,
            grown_mib: slope * span,
            descriptors: halves(|look| look.descriptors),
            threads: halves(|look| look.threads),
        }
    }

    /// What grows.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.grown_mib > MEMORY_MIB {
            faults.push(format!(
                "memory grows by {:.1} MiB an hour",
                self.memory_mib_per_hour
            ));
        }
        for (what, (first, second)) in
            [("descriptors", self.descriptors), ("threads", self.threads)]
        {
            if second > first {
                faults.push(format!("{what} grow from {first} to {second}"));
            }
        }
        faults
    }
}

impl fmt::Display for Trend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "memory {:+.2} MiB an hour ({:+.2} MiB in all), descriptors {} → {}, threads {} → {}",
            self.memory_mib_per_hour,
            self.grown_mib,
            self.descriptors.0,
            self.descriptors.1,
            self.threads.0,
            self.threads.1
        )
    }
}

/// Of the line through these points, by least squares.
fn slope(points: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let n = points.clone().count() as f64;
    let (sx, sy) = points
        .clone()
        .fold((0.0, 0.0), |(sx, sy), (x, y)| (sx + x, sy + y));
    let (mx, my) = (sx / n, sy / n);
    let (mut covariance, mut variance) = (0.0, 0.0);
    for (x, y) in points {
        covariance += (x - mx) * (y - my);
        variance += (x - mx) * (x - mx);
    }
    if variance > 0.0 {
        covariance / variance
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(minutes: u64, memory_mib: f64, descriptors: usize) -> Look {
        Look {
            at: Duration::from_secs(minutes * 60),
            memory_mib,
            descriptors,
            threads: 9,
        }
    }

    #[test]
    fn what_grows_is_a_fault_and_what_swings_is_none() {
        let swings: Vec<_> = (0..60)
            .map(|n| look(n, 20.0 + (n % 3) as f64, 30 + (n % 2) as usize))
            .collect();
        let trend = Trend::of(&swings);
        assert_eq!(trend.faults(), [""; 0], "{trend}");
        let grows: Vec<_> = (0..60)
            .map(|n| look(n, 20.0 + n as f64 / 10.0, 30 + n as usize / 20))
            .collect();
        let trend = Trend::of(&grows);
        assert!((trend.memory_mib_per_hour - 6.0).abs() < 0.01, "{trend}");
        assert_eq!(trend.faults().len(), 2, "{trend}");
    }

    #[test]
    fn this_process_can_be_looked_at() {
        let look = Look::at(std::process::id(), Duration::ZERO).unwrap();
        assert!(
            look.descriptors > 2 && look.threads > 0 && look.memory_mib > 0.0,
            "{look:?}"
        );
        assert!(Look::at(u32::MAX, Duration::ZERO).is_err());
    }
}
