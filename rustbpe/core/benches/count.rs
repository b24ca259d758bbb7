//! Counting pre-tokens: splitting and counting, summing and sorting the tables of threads.

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
fn sum_and_sort(bencher: Bencher<'_, '_>, tables: usize) {
    let documents = text::documents();
    let parts = documents.chunks(documents.len().div_ceil(tables));
    let tables: Vec<CountTable> = parts.map(text::counted).collect();
    bencher.bench_local(|| SortedCounts::from_tables(&tables));
}
