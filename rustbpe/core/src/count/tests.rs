use std::collections::{BTreeMap, HashMap};

use super::{CountTable, SortedCounts};

/// Pre-tokens of all lengths around the inline limit, with repetitions.
fn pretokens(n: u64) -> Vec<Vec<u8>> {
    let mut state = 7_u64;
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    (0..n)
        .map(|_| {
            let len = 1 + next() % if next() % 50 == 0 { 40 } else { 17 };
            let letter = next() % 4;
            (0..len)
                .map(|i| (letter + (next() % 3) * (i % 2)) as u8 * 51)
                .collect()
        })
        .collect()
}

fn expected(pretokens: &[Vec<u8>]) -> BTreeMap<Vec<u8>, u64> {
    let mut counts = BTreeMap::new();
    for pretoken in pretokens {
        *counts.entry(pretoken.clone()).or_default() += 1;
    }
    counts
}

fn as_map(sorted: &SortedCounts) -> BTreeMap<Vec<u8>, u64> {
    sorted
        .iter()
        .map(|(bytes, count)| (bytes.to_vec(), count))
        .collect()
}

fn table_of(pretokens: &[Vec<u8>]) -> CountTable {
    let mut table = CountTable::new();
    pretokens.iter().for_each(|pretoken| table.add(pretoken, 1));
    table
}

#[test]
fn counts_equal_a_map_of_vectors() {
    let pretokens = pretokens(60_000);
    let expected = expected(&pretokens);
    let table = table_of(&pretokens);
    assert_eq!(table.len(), expected.len());
    let unsorted: HashMap<&[u8], u64> = table.iter().collect();
    assert_eq!(unsorted.len(), expected.len());
    assert!(
        expected
            .iter()
            .all(|(bytes, count)| unsorted[bytes.as_slice()] == *count)
    );
    let sorted = SortedCounts::from_tables(&[table]);
    assert!(
        sorted
            .iter()
            .map(|(bytes, _)| bytes)
            .eq(expected.keys().map(Vec::as_slice))
    );
    assert_eq!(as_map(&sorted), expected);
}

#[test]
fn a_batch_counts_slices_of_the_document() {
    let text = "the cat and the other cat, a very-long-pretoken-of-many-bytes the end";
    let mut table = CountTable::new();
    let mut batch = table.batch(text);
    let words: Vec<&str> = text.split_inclusive(' ').collect();
    let mut start = 0;
    for word in &words {
        batch.add(start, start + word.len());
        start += word.len();
    }
    batch.add(start, start);
    drop(batch);
    let all: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
    assert_eq!(as_map(&SortedCounts::from_tables(&[table])), expected(&all));
}

#[test]
fn zeros_at_the_end_make_other_pretokens() {
    let pretokens: Vec<Vec<u8>> = (1..20).map(|len| vec![0; len]).collect();
    let sorted = SortedCounts::from_tables(&[table_of(&pretokens)]);
    assert!(
        sorted
            .iter()
            .map(|(bytes, _)| bytes)
            .eq(pretokens.iter().map(Vec::as_slice))
    );
}

#[test]
fn any_number_of_tables_gives_the_same_sum() {
    let pretokens = pretokens(50_000);
    let whole = SortedCounts::from_tables(&[table_of(&pretokens)]);
    assert!(whole.len() > 1 << 14, "enough for several ranges");
    for number in [1, 2, 3, 5, 16] {
        let chunks = pretokens.chunks(pretokens.len().div_ceil(number));
        let tables: Vec<CountTable> = chunks.map(table_of).collect();
        assert!(number == 1 || tables.iter().map(CountTable::len).sum::<usize>() > whole.len());
        assert_eq!(SortedCounts::from_tables(&tables), whole, "{number} tables");
    }
}

#[test]
fn counts_beyond_32_bits() {
    let mut table = CountTable::new();
    table.add(b"a", u64::from(u32::MAX));
    table.add(b"a", u64::from(u32::MAX));
    assert_eq!(
        table.iter().next(),
        Some((b"a".as_slice(), 2 * u64::from(u32::MAX)))
    );
}

#[test]
fn an_empty_table_has_nothing() {
    let table = CountTable::default();
    assert!(table.is_empty() && table.iter().next().is_none());
    let sorted = SortedCounts::from_tables(&[table]);
    assert!(sorted.is_empty() && sorted.iter().next().is_none());
    assert_eq!(sorted.into_parts(), (vec![], vec![0], vec![]));
}
