use std::sync::atomic::{AtomicU64, Ordering};

use super::{Merge, memory_needed, reference, train, train_from};
use crate::error::{Error, Result};
use crate::progress::{Progress, Silent};

type Words = Vec<(Vec<u8>, u64)>;

fn fast(words: &Words, num_merges: usize, threads: usize) -> Vec<Merge> {
    train(
        words
            .iter()
            .map(|(bytes, count)| (bytes.as_slice(), *count)),
        num_merges,
        threads,
        &Silent,
    )
    .unwrap()
}

fn words(text: &[(&str, u64)]) -> Words {
    text.iter()
        .map(|(word, count)| (word.as_bytes().to_vec(), *count))
        .collect()
}

/// A generator of small numbers.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn words(&mut self, n: u64, longest: u64, letters: u64, most: u64) -> Words {
        (0..n)
            .map(|_| {
                let len = 1 + self.below(longest);
                let word = (0..len).map(|_| b'a' + self.below(letters) as u8).collect();
                (word, self.below(most + 1))
            })
            .collect()
    }
}

#[test]
fn equals_the_reference_on_random_words() {
    let mut draw = Draw(1);
    for round in 0..400 {
        let letters = 1 + round % 7;
        let words = draw.words(
            1 + round % 60,
            1 + round % 23,
            letters,
            [1, 3, 1_000][round as usize % 3],
        );
        let wanted = [3, 40, 400][round as usize % 3];
        assert_eq!(
            fast(&words, wanted, 1),
            reference::train(&words, &[], wanted),
            "round {round}: {words:?}"
        );
    }
}

fn pairs(merges: &[Merge]) -> Vec<(u32, u32)> {
    merges
        .iter()
        .map(|merge| (merge.left, merge.right))
        .collect()
}

fn from(words: &Words, start: &[(u32, u32)], num_merges: usize, threads: usize) -> Vec<Merge> {
    let words = words.iter().map(|(word, count)| (word.as_slice(), *count));
    train_from(words, start, num_merges, threads, &Silent).unwrap()
}

#[test]
fn merges_of_other_words_come_first_as_in_the_reference() {
    let mut draw = Draw(7);
    for round in 0..400 {
        let letters = 1 + round % 5;
        let others = draw.words(1 + round % 40, 1 + round % 19, letters, 5);
        let start = pairs(&fast(&others, [1, 9, 100][round as usize % 3], 1));
        let words = draw.words(1 + round % 60, 1 + round % 23, letters + round % 2, 1_000);
        let wanted = [3, 40, 400][round as usize % 3];
        let first = &start[..start.len().min(wanted)];
        assert_eq!(
            from(&words, &start, wanted, 1 + round as usize % 2),
            reference::train(&words, first, wanted),
            "round {round}: {start:?}, {words:?}"
        );
    }
}

#[test]
fn going_on_from_fewer_merges_gives_more_merges() {
    let words = Draw(8).words(400, 12, 6, 30);
    let most = fast(&words, 350, 1);
    for given in [1, 17, 349, 350] {
        assert_eq!(from(&words, &pairs(&most[..given]), 350, 2), most);
    }
}

#[test]
fn a_given_merge_of_a_token_that_is_not_made_yet_is_refused() {
    let words = [(b"ab".as_slice(), 1)];
    let refused = train_from(words.into_iter(), &[(97, 98), (97, 257)], 9, 1, &Silent);
    assert!(
        matches!(refused, Err(Error::Value(message)) if message.contains("merge 1 takes the tokens 97 and 257"))
    );
}

#[test]
fn equals_the_reference_where_the_floor_has_to_fall() {
    // a few counts far above all others make the first guess of the last count much too high
    let mut words = Draw(5).words(300, 12, 20, 4);
    words.extend(self::words(&[
        ("common", 1 << 40),
        ("commoner", 1 << 33),
        ("banana", 1 << 20),
    ]));
    assert_eq!(fast(&words, 500, 1), reference::train(&words, &[], 500));
}

#[test]
fn threads_and_order_change_nothing() {
    let mut words = Draw(2).words(500, 15, 5, 9);
    let expected = fast(&words, 300, 1);
    assert_eq!(expected, reference::train(&words, &[], 300));
    for threads in [0, 2, 16] {
        assert_eq!(fast(&words, 300, threads), expected);
    }
    words.reverse();
    assert_eq!(fast(&words, 300, 2), expected);
    words.sort();
    assert_eq!(fast(&words, 300, 2), expected);
    let half: Words = words
        .iter()
        .map(|(word, count)| (word.clone(), count / 2))
        .collect();
    let rest = words
        .iter()
        .map(|(word, count)| (word.clone(), count - count / 2));
    assert_eq!(
        fast(&half.into_iter().chain(rest).collect(), 300, 2),
        expected
    );
}

#[test]
fn ties_go_to_the_smaller_pair() {
    let merges = fast(&words(&[("zb", 5), ("za", 5), ("ab", 5)]), 9, 1);
    let pairs: Vec<_> = merges
        .iter()
        .map(|merge| (merge.left, merge.right, merge.count))
        .collect();
    let id = u32::from;
    assert_eq!(
        pairs,
        [
            (id(b'a'), id(b'b'), 5),
            (id(b'z'), id(b'a'), 5),
            (id(b'z'), id(b'b'), 5)
        ]
    );
}

#[test]
fn a_run_of_one_letter_is_taken_from_the_left() {
    let a = u32::from(b'a');
    let merge = |left, right, count| Merge { left, right, count };
    assert_eq!(
        fast(&words(&[("aaaaa", 1)]), 9, 1),
        [merge(a, a, 4), merge(256, a, 1), merge(256, 257, 1)]
    );
}

#[test]
fn a_long_run_stays_quick() {
    let merges = fast(&vec![(vec![b'a'; 1 << 20], 1)], 50, 1);
    assert_eq!(merges.len(), 20);
    assert_eq!(merges[0].count, (1 << 20) - 1);
    assert_eq!(merges[19].count, 1);
}

#[test]
fn a_prefix_of_more_merges_is_fewer_merges() {
    let words = Draw(3).words(400, 12, 6, 30);
    let most = fast(&words, 350, 1);
    for fewer in [0, 1, 17, 349] {
        assert_eq!(fast(&words, fewer, 1), most[..fewer]);
    }
}

#[test]
fn counts_beyond_32_bits_are_right() {
    let words = words(&[("abab", 1 << 40), ("ab", (1 << 40) + 1), ("ba", 3 << 40)]);
    assert_eq!(fast(&words, 5, 1), reference::train(&words, &[], 5));
    assert_eq!(fast(&words, 1, 1)[0].count, 1 << 42);
}

#[test]
fn nothing_to_merge_gives_no_merges() {
    assert_eq!(fast(&vec![], 10, 2), []);
    assert_eq!(fast(&words(&[("a", 7), ("", 3), ("never", 0)]), 10, 2), []);
    assert_eq!(fast(&words(&[("ab", 7)]), 0, 2), []);
}

#[test]
fn wide_cells_give_what_narrow_ones_do() {
    let words = Draw(4).words(300, 10, 8, 50);
    let narrow = fast(&words, 65_279, 1);
    assert_eq!(fast(&words, 65_281, 1), narrow);
    assert!(narrow.len() < 65_279, "all pairs get merged");
}

#[test]
fn too_many_merges_are_refused() {
    let refused = train(std::iter::empty(), u32::MAX as usize, 1, &Silent);
    assert!(matches!(refused, Err(Error::Value(message)) if message.contains("4294967295")));
}

/// Asks to stop at the second call.
struct Impatient(AtomicU64);

impl Progress for Impatient {
    fn update(&self, _done: u64, total: u64) -> Result<()> {
        assert_eq!(total, 300);
        if self.0.fetch_add(1, Ordering::Relaxed) == 1 {
            Err(Error::Interrupted)
        } else {
            Ok(())
        }
    }
}

#[test]
fn progress_can_stop_the_training() {
    let words = Draw(6).words(300, 10, 8, 50);
    let impatient = Impatient(AtomicU64::new(0));
    let stopped = train(
        words
            .iter()
            .map(|(bytes, count)| (bytes.as_slice(), *count)),
        300,
        1,
        &impatient,
    );
    assert!(matches!(stopped, Err(Error::Interrupted)));
    assert_eq!(impatient.0.into_inner(), 2);
}

#[test]
fn memory_grows_with_bytes_and_with_the_width_of_cells() {
    let base = memory_needed(800_000, 7_000_000, 32_512);
    assert!((50 << 20..150 << 20).contains(&base), "{base}");
    assert!(memory_needed(1_600_000, 14_000_000, 32_512) < 2 * base);
    assert!(memory_needed(800_000, 7_000_000, 65_281) > base + 2 * 7_800_000);
}
