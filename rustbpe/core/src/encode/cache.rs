//! What pre-tokens were encoded to, so that each is merged once.

use std::collections::HashMap;

use super::merge::List;
use crate::bytes::{Key, LONGEST, Words, hash, prefetch, table};

/// Most lines of the table of pre-tokens: 2^19 of 64 bytes are 32 MiB.
const MOST_LINES: usize = 1 << 19;
/// Most lines of the table of parts between seams: 1 MiB, in the processor's nearer caches.
const MOST_PART_LINES: usize = 1 << 14;
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

/// A two-way set-associative table that grows; a new string drives out the older of the two in its line.
#[derive(Debug)]
struct Table {
    lines: Vec<Line>,
    most: usize,
    /// Strings entered since the table last grew.
    entered: usize,
}

/// A bounded memory of pre-tokens and their ids, for one thread and one [`Encoder`](super::Encoder).
///
/// Short pre-tokens are in a table of up to 32 MiB, parts of long ones in another. A cache that meets another encoder
/// forgets what it knows.
#[derive(Debug)]
pub struct Cache {
    whole: Table,
    parts: Table,
    /// Ids of the strings that have more than three.
    many: Vec<u32>,
    long: HashMap<Box<[u8]>, Box<[u32]>, Words>,
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
            whole: Table::new(MOST_LINES),
            parts: Table::new(MOST_PART_LINES),
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
        self.whole.clear();
        self.parts.clear();
        self.many.clear();
        self.long.clear();
    }

    /// The line of a short pre-token, which the processor begins to fetch.
    #[inline(always)]
    pub(super) fn fetch(&self, key: Key) -> u32 {
        let line = self.whole.line(key);
        prefetch(&self.whole.lines, line);
        line as u32
    }

    /// Ids of a short pre-token in its line; all 0 if it is not there.
    #[inline(always)]
    pub(super) fn at(&self, line: u32, key: Key) -> Ids {
        self.whole.at(line as usize, key)
    }

    /// Ids of a short pre-token; all 0 if it is not there.
    pub(super) fn get(&self, key: Key) -> Ids {
        self.whole.get(key)
    }

    /// Ids of a short part between seams; all 0 if it is not there.
    #[inline(always)]
    pub(super) fn get_part(&self, key: Key) -> Ids {
        self.parts.get(key)
    }

    /// The ids behind a [`MANY`].
    #[inline]
    pub(super) fn many(&self, ids: Ids) -> &[u32] {
        &self.many[ids[0] as usize..][..ids[1] as usize]
    }

    /// Enters a short pre-token, unless it is there, and returns its ids.
    pub(super) fn insert(&mut self, key: Key, ids: &[u32]) -> Ids {
        let known = self.get(key);
        if known[FEW] != 0 {
            return known;
        }
        let packed = self.pack(ids);
        self.whole.insert(key, packed);
        packed
    }

    /// Enters a short part between seams.
    pub(super) fn insert_part(&mut self, key: Key, ids: &[u32]) {
        let packed = self.pack(ids);
        self.parts.insert(key, packed);
    }

    fn pack(&mut self, ids: &[u32]) -> Ids {
        match *ids {
            [a] => [a, 0, 0, 1],
            [a, b] => [a, b, 0, 2],
            [a, b, c] => [a, b, c, 3],
            _ => {
                if self.many.len() + ids.len() > MOST_IDS {
                    self.clear();
                }
                let offset = self.many.len() as u32;
                self.many.extend_from_slice(ids);
                [offset, ids.len() as u32, 0, MANY]
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

impl Table {
    fn new(most: usize) -> Self {
        Self {
            lines: vec![Line::default(); FIRST_LINES],
            most,
            entered: 0,
        }
    }

    fn clear(&mut self) {
        self.lines.fill(Line::default());
        self.entered = 0;
    }

    #[inline(always)]
    fn line(&self, key: Key) -> usize {
        hash(key) as usize & (self.lines.len() - 1)
    }

    #[inline(always)]
    fn get(&self, key: Key) -> Ids {
        self.at(self.line(key), key)
    }

    #[inline(always)]
    fn at(&self, line: usize, key: Key) -> Ids {
        let line = &self.lines[line];
        let mask = |i: usize| if line.keys[i] == key { u32::MAX } else { 0 };
        let masks = [mask(0), mask(1)];
        std::array::from_fn(|i| line.ids[0][i] & masks[0] | line.ids[1][i] & masks[1])
    }

    fn insert(&mut self, key: Key, ids: Ids) {
        if self.entered >= self.lines.len() && self.lines.len() < self.most {
            self.grow();
        }
        self.entered += 1;
        self.put(key, ids);
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
        let lines = (self.lines.len() * 4).min(self.most);
        let old = std::mem::replace(&mut self.lines, table(lines, Line::default()));
        for line in old {
            for i in [1, 0] {
                if line.keys[i] != 0 {
                    self.put(line.keys[i], line.ids[i]);
                }
            }
        }
    }
}
