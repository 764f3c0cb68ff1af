//! Bytes that no compression shrinks, the same for the same seed in every release.

/// `SplitMix64` (Steele, Lea, Flood 2014): enough for bytes that only have to look random.
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn bytes(&mut self, size_bytes: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(size_bytes + 8);
        while bytes.len() < size_bytes {
            bytes.extend(self.next().to_le_bytes());
        }
        bytes.truncate(size_bytes);
        bytes
    }
}
