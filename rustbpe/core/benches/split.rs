//! Pre-tokenization: the scanner of each known pattern, and a regex without one.

mod text;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use rustbpe_core::pretokenize::Splitter;

fn main() {
    divan::main();
}

#[divan::bench(args = ["gpt2", "gpt4", "gpt4o", "nanochat"])]
fn scanner(bencher: Bencher<'_, '_>, pattern: &str) {
    bench(bencher, pattern);
}

#[divan::bench(sample_count = 3)]
fn regex(bencher: Bencher<'_, '_>) {
    // nanochat's pattern with an empty alternative that never matters, so that it has no scanner
    let (_, pattern) = rustbpe_core::pretokenize::PATTERNS[3];
    bench(bencher, &format!("{pattern}|"));
}

fn bench(bencher: Bencher<'_, '_>, pattern: &str) {
    let documents = text::documents();
    let splitter = Splitter::new(pattern).unwrap_or_else(|error| panic!("{error}"));
    bencher
        .counter(BytesCount::new(text::size(&documents)))
        .bench_local(|| {
            let mut bytes = 0;
            for document in &documents {
                let split =
                    splitter.for_each(document, |pretoken| bytes += black_box(pretoken).len());
                split.unwrap_or_else(|error| panic!("{error}"));
            }
            bytes
        });
}
