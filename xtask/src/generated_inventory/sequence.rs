//! Numbers that look like chance and are the same in every run.

/// A sequence of numbers, fixed by what it starts from (SplitMix64).
pub(crate) struct SeededNumberSequence(u64);

impl SeededNumberSequence {
    /// The sequence of a text: that of a place does not depend on what other places took.
    pub(crate) fn from_text(text: &str) -> SeededNumberSequence {
        // FNV-1a.
        let start = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        SeededNumberSequence(start)
    }

    /// A number from 0 to `limit - 1`.
    pub(crate) fn next_below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }

    /// One of several.
    pub(super) fn pick_one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.next_below(of.len())]
    }
}
