//! Counting pre-tokens: splitting and counting, summing the tables of threads, sorting.

mod text;

use divan::Bencher;
use divan::counter::BytesCount;
use rustbpe_core::count::{CountTable, SortedCounts};

fn main() {
    divan::main();
}

#[divan::bench]
fn split_and_count(bencher: Bencher<'_, '_>) {
    let documents = text::documents();
    let splitter = text::splitter();
    bencher
        .counter(BytesCount::new(text::size(&documents)))
        .bench_local(|| {
            let mut table = CountTable::new();
            text::count_into(&mut table, &splitter, &documents);
            table
        });
}

#[divan::bench(args = [1, 2])]
fn combine_two_tables(bencher: Bencher<'_, '_>, threads: usize) {
    let documents = text::documents();
    let half = documents.len() / 2;
    bencher
        .with_inputs(|| {
            vec![
                text::counted(&documents[..half]),
                text::counted(&documents[half..]),
            ]
        })
        .bench_local_values(|tables| CountTable::combine(tables, threads));
}

#[divan::bench]
fn sort_by_bytes(bencher: Bencher<'_, '_>) {
    let table = [text::counted(&text::documents())];
    bencher.bench_local(|| SortedCounts::from_tables(&table));
}
