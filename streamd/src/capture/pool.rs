//! A few buffers that pictures drawn by ourselves are made in, used again and again.

use std::sync::Arc;

use parking_lot::Mutex;

/// Pictures that may be on their way at once: one being encoded, one waiting for it, one being
/// drawn, and one to spare. Whoever holds them all is too slow for a further one anyway.
const PICTURES: usize = 4;

/// Buffers of one size.
#[derive(Debug)]
pub struct Pool {
    bytes: usize,
    made: usize,
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// A picture; its buffer returns to the pool when it is dropped.
#[derive(Debug)]
pub struct Picture {
    bytes: Vec<u8>,
    home: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Pool {
    /// For pictures of so many bytes. Buffers are made as they are needed.
    pub fn new(bytes: usize) -> Self {
        Self {
            bytes,
            made: 0,
            free: Arc::default(),
        }
    }

    /// A picture with whatever was drawn in it before; `None` while all are on their way.
    pub fn take(&mut self) -> Option<Picture> {
        let free = self.free.lock().pop();
        let bytes = match free {
            Some(bytes) => bytes,
            None if self.made < PICTURES => {
                self.made += 1;
                vec![0; self.bytes]
            }
            None => return None,
        };
        Some(Picture {
            bytes,
            home: Arc::clone(&self.free),
        })
    }
}

impl Picture {
    /// To draw in it.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for Picture {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        self.home.lock().push(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_pictures_and_they_come_back() {
        let mut pool = Pool::new(3);
        let mut out: Vec<_> = (0..PICTURES).map_while(|_| pool.take()).collect();
        assert_eq!(out.len(), PICTURES);
        assert!(pool.take().is_none());
        out[0].bytes_mut().copy_from_slice(&[1, 2, 3]);
        out.truncate(1);
        drop(out);
        let seen = (0..PICTURES)
            .filter_map(|_| pool.take())
            .any(|p| p.as_ref() == [1, 2, 3]);
        assert!(seen, "the same buffers are used again");
    }

    #[test]
    fn a_picture_outlives_its_pool() {
        let picture = Pool::new(2).take().expect("a new pool has pictures");
        assert_eq!(picture.as_ref(), [0, 0]);
    }
}
