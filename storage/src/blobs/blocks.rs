//! Blocks of memory that reads use again and again: neither cleared nor given back to the system in between, which
//! under load costs more than reading does.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// What one read takes from the disk.
pub(super) const BLOCK_BYTES: usize = 256 * 1024;
/// Blocks that are kept for later: 8 MiB.
const KEPT: usize = 32;

/// Blocks that nobody uses at the moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Blocks(Arc<Mutex<Vec<Box<[u8]>>>>);

/// A block in use. It goes back when it is dropped.
#[derive(Debug)]
pub(super) struct Block {
    memory: Box<[u8]>,
    filled: usize,
    home: Blocks,
}

impl Blocks {
    /// A block, whatever stands in it.
    pub(super) fn take(&self) -> Block {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let memory = kept.unwrap_or_else(|| vec![0; BLOCK_BYTES].into_boxed_slice());
        Block { memory, filled: 0, home: self.clone() }
    }
}

impl Block {
    /// Reads exactly `size` bytes, of at most [`BLOCK_BYTES`], into the block.
    pub(super) fn fill(&mut self, from: &mut impl std::io::Read, size: usize) -> std::io::Result<()> {
        from.read_exact(&mut self.memory[..size])?;
        self.filled = size;
        Ok(())
    }

    /// What was read, as bytes that are shared without copying.
    pub(super) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.filled]
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let mut kept = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(std::mem::take(&mut self.memory));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_used_again_and_show_only_what_was_read() {
        let blocks = Blocks::default();
        let mut block = blocks.take();
        block.fill(&mut &b"first and long"[..], 14).unwrap();
        let bytes = block.into_bytes();
        assert_eq!(&bytes[..], b"first and long");
        assert_eq!(blocks.0.lock().unwrap().len(), 0);
        drop(bytes);
        assert_eq!(blocks.0.lock().unwrap().len(), 1);
        let mut again = blocks.take();
        assert_eq!(again.as_ref(), b"");
        again.fill(&mut &b"short"[..], 5).unwrap();
        assert_eq!(again.as_ref(), b"short");
        assert!(again.fill(&mut &b"x"[..], 2).is_err());
        let many: Vec<_> = (0..KEPT + 5).map(|_| blocks.take()).collect();
        drop(many);
        assert_eq!(blocks.0.lock().unwrap().len(), KEPT);
    }
}
