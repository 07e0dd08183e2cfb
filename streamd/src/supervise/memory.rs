//! Memory that a crowd of connections has used goes back to the system when the crowd has gone: the
//! C library keeps what was freed, scattered over its arenas, for ever.

/// Connections from which on it is worth the walk through the heap.
const CROWD: usize = 200;

/// The largest number of connections since memory was last given back.
#[derive(Debug, Default)]
pub struct Memory {
    most: usize,
}

impl Memory {
    /// Gives memory back if most of a crowd has gone. The walk takes some milliseconds, on a thread
    /// that serves nobody.
    pub fn look(&mut self, connections: usize) {
        if self.crowd_has_gone(connections) {
            tokio::task::spawn_blocking(give_back);
        }
    }

    fn crowd_has_gone(&mut self, connections: usize) -> bool {
        self.most = self.most.max(connections);
        let gone = self.most >= CROWD && connections < self.most / 4;
        if gone {
            self.most = connections;
        }
        gone
    }
}

fn give_back() {
    // SAFETY: it takes no pointer, and may be called at any time from any thread.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_goes_back_once_after_each_crowd() {
        let mut memory = Memory::default();
        let gone = |memory: &mut Memory, counts: &[usize]| {
            let looks = counts.iter().map(|count| memory.crowd_has_gone(*count));
            looks.collect::<Vec<_>>()
        };
        let looks = gone(&mut memory, &[3000, 2000, 700, 600, 0, 100, 0]);
        assert_eq!(looks, [false, false, true, false, true, false, false]);
        assert_eq!(gone(&mut memory, &[300, 10, 10]), [false, true, false]);
    }
}
