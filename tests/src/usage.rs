//! What a process uses, by the kernel's account.

use std::{fs, time::Duration};

/// What a process uses at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Of all cores together, since it began.
    pub cpu: Duration,
    /// Memory that is there, bytes.
    pub memory: u64,
    /// Threads.
    pub threads: usize,
    /// Open descriptors.
    pub descriptors: usize,
}

impl Usage {
    /// Of a process.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn of(pid: i64) -> Self {
        let read = |name: &str| {
            let file = format!("/proc/{pid}/{name}");
            fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"))
        };
        let list = |name: &str| {
            let folder = format!("/proc/{pid}/{name}");
            fs::read_dir(&folder).map_or(0, Iterator::count)
        };
        let stat = read("stat");
        // proc_pid_stat(5): the name, in brackets, may have anything in it; 14 and 15 are the times.
        let behind = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let fields: Vec<&str> = behind.split(' ').collect();
        let number = |n: usize| fields[n - 3].parse::<u64>().expect("a number");
        let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE);
        let page = page.ok().flatten().expect("there are pages") as u64;
        let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK);
        let ticks = ticks.ok().flatten().expect("there are ticks") as u64;
        Self {
            cpu: Duration::from_millis((number(14) + number(15)) * 1000 / ticks),
            memory: number(24) * page,
            threads: list("task"),
            descriptors: list("fd"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let used = Usage::of(std::process::id().into());
        assert!(
            used.memory > 100_000 && used.threads >= 1 && used.descriptors >= 3,
            "{used:?}"
        );
    }
}
