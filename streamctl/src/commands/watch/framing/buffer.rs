//! What has arrived and is not cut yet: one buffer that is used again and grows with what arrives.

use streamd_protocol::stream::MAX_TO_CLIENT;

/// Room offered to one read, bytes: more than a usual picture, so that it takes one or two.
pub(super) const READ: usize = 128 * 1024;

/// The bytes.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Default for Buffer {
    fn default() -> Self {
        Self {
            bytes: vec![0; 2 * READ],
            start: 0,
            end: 0,
        }
    }
}

impl Buffer {
    /// What has arrived.
    pub fn arrived(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Where the next bytes are to be read to; at least [`READ`] long.
    pub fn space(&mut self) -> &mut [u8] {
        if self.bytes.len() - self.end < READ && self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.bytes.len() - self.end < READ {
            let doubled = (self.bytes.len() * 2).min(MAX_TO_CLIENT + 2 * READ);
            self.bytes.resize(doubled.max(self.end + READ), 0);
        }
        &mut self.bytes[self.end..]
    }

    /// Says that `count` bytes have been read into [`Buffer::space`].
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// So many bytes are done with.
    pub fn done(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// A part of what has arrived; what is before `end` is done with.
    pub fn take(&mut self, from: usize, length: usize, end: usize) -> &[u8] {
        let from = self.start + from;
        self.done(end);
        &self.bytes[from..from + length]
    }

    /// Its whole size.
    #[cfg(test)]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}
