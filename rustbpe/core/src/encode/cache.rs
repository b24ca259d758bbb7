//! What pre-tokens were encoded to, so that each is merged once.

use std::collections::HashMap;

use super::key::{Folded, Key, LONGEST, hash};
use super::merge::List;

/// Most lines of the table: 2^19 of 64 bytes are 32 MiB.
const MOST_LINES: usize = 1 << 19;
/// Bytes of a table from which on large pages are asked for.
#[cfg(target_os = "linux")]
const LARGE_PAGE: usize = 1 << 21;
/// Lines that a table begins with.
const FIRST_LINES: usize = 1 << 10;
/// Most ids outside of the lines. When they are used up, the cache starts anew.
const MOST_IDS: usize = 1 << 22;
/// Most long pre-tokens, and the longest of them that are kept.
const MOST_LONG: usize = 1 << 16;
const LONGEST_KEPT: usize = 128;

/// Most ids that stand in the table itself.
pub(super) const FEW: usize = 3;

/// Ids of a pre-token: up to [`FEW`] and their number; or where they stand, how many, and [`MANY`].
pub(super) type Ids = [u32; FEW + 1];

/// In the last place of [`Ids`]: the first is an offset, the second a number.
pub(super) const MANY: u32 = u32::MAX;

/// Two pre-tokens of up to 15 bytes and their ids: one line of the processor's cache.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
struct Line {
    keys: [Key; 2],
    ids: [Ids; 2],
}

/// So many empty lines, on large pages where the system has them: each look-up is at another place, and
/// with small pages the processor would have to find most of them anew.
fn empty_lines(number: usize) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::with_capacity(number);
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 4096;
        let space = lines.spare_capacity_mut();
        let (start, bytes) = (space.as_mut_ptr().cast::<u8>(), size_of_val(space));
        let skip = start.align_offset(PAGE);
        if bytes >= LARGE_PAGE && skip < bytes {
            // SAFETY: the range is within the allocation, and the advice changes no content. That it
            // may be refused does not matter.
            unsafe { libc::madvise(start.add(skip).cast(), bytes - skip, libc::MADV_HUGEPAGE) };
        }
    }
    lines.resize(number, Line::default());
    lines
}

/// A bounded memory of pre-tokens and their ids, for one thread and one [`Encoder`](super::Encoder).
///
/// Short pre-tokens stand in a two-way set-associative table that grows to 32 MiB; a new one drives
/// out the older of the two in its line. A cache that meets another encoder forgets what it knows.
#[derive(Debug)]
pub struct Cache {
    lines: Vec<Line>,
    /// Short pre-tokens entered since the table last grew.
    entered: usize,
    /// Ids of the pre-tokens that have more than three.
    many: Vec<u32>,
    long: HashMap<Box<[u8]>, Box<[u32]>, Folded>,
    /// The encoder that the ids are from.
    owner: u64,
    /// Where pre-tokens that are too long to look over are merged.
    pub(super) list: List,
}

impl Default for Cache {
    fn default() -> Self {
        Self::new()
    }
}

impl Cache {
    /// An empty cache.
    pub fn new() -> Self {
        Self {
            lines: vec![Line::default(); FIRST_LINES],
            entered: 0,
            many: Vec::new(),
            long: HashMap::default(),
            owner: 0,
            list: List::default(),
        }
    }

    /// Forgets everything if it was another encoder's.
    pub(super) fn belong_to(&mut self, owner: u64) {
        if self.owner != owner {
            self.clear();
            self.owner = owner;
        }
    }

    fn clear(&mut self) {
        self.lines.fill(Line::default());
        self.many.clear();
        self.long.clear();
        self.entered = 0;
    }

    #[inline(always)]
    fn line(&self, key: Key) -> usize {
        hash(key) as usize & (self.lines.len() - 1)
    }

    /// Has the processor fetch the line of a key that will be looked up soon.
    #[inline(always)]
    pub(super) fn fetch(&self, key: Key) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            let line: *const Line = &self.lines[self.line(key)];
            // SAFETY: a prefetch reads nothing that the program sees, and the address is a line's
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) };
        }
    }

    /// Ids of a short pre-token; all 0 if it is not there.
    #[inline(always)]
    pub(super) fn get(&self, key: Key) -> Ids {
        let line = &self.lines[self.line(key)];
        let mask = |i: usize| if line.keys[i] == key { u32::MAX } else { 0 };
        let masks = [mask(0), mask(1)];
        std::array::from_fn(|i| line.ids[0][i] & masks[0] | line.ids[1][i] & masks[1])
    }

    /// The ids behind a [`MANY`].
    #[inline]
    pub(super) fn many(&self, ids: Ids) -> &[u32] {
        &self.many[ids[0] as usize..][..ids[1] as usize]
    }

    /// Enters a short pre-token.
    pub(super) fn insert(&mut self, key: Key, ids: &[u32]) {
        if self.entered >= self.lines.len() && self.lines.len() < MOST_LINES {
            self.grow();
        }
        if self.many.len() + ids.len() > MOST_IDS {
            self.clear();
        }
        let packed = match *ids {
            [a] => [a, 0, 0, 1],
            [a, b] => [a, b, 0, 2],
            [a, b, c] => [a, b, c, 3],
            _ => {
                let offset = self.many.len() as u32;
                self.many.extend_from_slice(ids);
                [offset, ids.len() as u32, 0, MANY]
            }
        };
        self.entered += 1;
        self.put(key, packed);
    }

    fn put(&mut self, key: Key, ids: Ids) {
        let at = self.line(key);
        let line = &mut self.lines[at];
        line.keys = [key, line.keys[0]];
        line.ids = [ids, line.ids[0]];
    }

    /// Twice as many lines, or four times while they are few.
    #[cold]
    fn grow(&mut self) {
        let lines = (self.lines.len() * 4).min(MOST_LINES);
        let old = std::mem::replace(&mut self.lines, empty_lines(lines));
        for line in old {
            for i in [1, 0] {
                if line.keys[i] != 0 {
                    self.put(line.keys[i], line.ids[i]);
                }
            }
        }
    }

    /// Ids of a pre-token that is too long for a key.
    pub(super) fn get_long(&self, piece: &[u8]) -> Option<&[u32]> {
        self.long.get(piece).map(|ids| &ids[..])
    }

    /// Enters a long pre-token, unless it is so long that it will hardly come again.
    pub(super) fn insert_long(&mut self, piece: &[u8], ids: &[u32]) {
        debug_assert!(piece.len() > LONGEST);
        if piece.len() <= LONGEST_KEPT {
            if self.long.len() >= MOST_LONG {
                self.long.clear();
            }
            self.long.insert(piece.into(), ids.into());
        }
    }
}
