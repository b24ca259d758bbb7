//! Encoding: loading a vocabulary, a first pass over some documents, and one with a cache that knows them.

mod text;

use divan::Bencher;
use divan::counter::BytesCount;
use rustbpe_core::artifacts::merges::Merges;
use rustbpe_core::encode::{Cache, Encoder};
use rustbpe_core::progress::Silent;
use rustbpe_core::train::train;

fn main() {
    divan::main();
}

/// The bytes and 32,512 merges learned from the documents.
fn vocabulary(documents: &[String]) -> Vec<Vec<u8>> {
    let merges = train(text::counted(documents).iter(), 32_512, 1, &Silent);
    let merges = merges.and_then(|merges| Merges::new(text::splitter().regex(), 0, &merges));
    merges
        .unwrap_or_else(|error| panic!("{error}"))
        .token_bytes()
        .to_vec()
}

fn encoder(vocabulary: Vec<Vec<u8>>) -> Encoder {
    Encoder::new(vocabulary, text::splitter()).unwrap_or_else(|error| panic!("{error}"))
}

fn encode(encoder: &Encoder, documents: &[String], cache: &mut Cache) -> usize {
    let (mut ids, mut number) = (Vec::new(), 0);
    for document in documents {
        ids.clear();
        encoder
            .encode(document, cache, &mut ids)
            .unwrap_or_else(|error| panic!("{error}"));
        number += ids.len();
    }
    number
}

#[divan::bench]
fn load(bencher: Bencher<'_, '_>) {
    let vocabulary = vocabulary(&text::documents());
    bencher
        .with_inputs(|| vocabulary.clone())
        .bench_local_values(encoder);
}

#[divan::bench]
fn first_pass(bencher: Bencher<'_, '_>) {
    let documents = text::documents();
    let encoder = encoder(vocabulary(&documents));
    bencher
        .counter(BytesCount::new(text::size(&documents)))
        .with_inputs(Cache::new)
        .bench_local_refs(|cache| encode(&encoder, &documents, cache));
}

#[divan::bench]
fn second_pass(bencher: Bencher<'_, '_>) {
    let documents = text::documents();
    let encoder = encoder(vocabulary(&documents));
    let mut cache = Cache::new();
    encode(&encoder, &documents, &mut cache);
    bencher
        .counter(BytesCount::new(text::size(&documents)))
        .bench_local(|| encode(&encoder, &documents, &mut cache));
}
