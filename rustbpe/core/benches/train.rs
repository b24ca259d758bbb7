//! Finding merges over counted pre-tokens.

mod text;

use divan::Bencher;
use rustbpe_core::progress::Silent;
use rustbpe_core::train::train;

fn main() {
    divan::main();
}

#[divan::bench(args = [1_024, 8_192, 32_512])]
fn merges(bencher: Bencher<'_, '_>, num_merges: usize) {
    let table = text::counted(&text::documents());
    bencher.bench_local(|| train(table.iter(), num_merges, 1, &Silent));
}

#[divan::bench(args = [1, 2])]
fn threads(bencher: Bencher<'_, '_>, threads: usize) {
    let table = text::counted(&text::documents());
    bencher.bench_local(|| train(table.iter(), 8_192, threads, &Silent));
}
