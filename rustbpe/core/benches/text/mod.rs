//! Text for the benches: made-up words in the proportions of a natural language, always the same.
//!
//! `NANOSNAKE_BENCH_TEXT=FILE` benches a text file instead, a document a line.

#![allow(dead_code, reason = "each bench uses a part of it")]

use rustbpe_core::count::CountTable;
use rustbpe_core::pretokenize::Splitter;

/// Bytes of made-up text.
const BYTES: usize = 16_000_000;

/// Documents of about 4,000 bytes.
pub fn documents() -> Vec<String> {
    if let Some(path) = std::env::var_os("NANOSNAKE_BENCH_TEXT") {
        return match std::fs::read_to_string(&path) {
            Ok(text) => text.lines().map(str::to_owned).collect(),
            Err(error) => panic!("NANOSNAKE_BENCH_TEXT is {}: {error}", path.display()),
        };
    }
    let mut draw = Draw(11);
    let words: Vec<String> = (0..200_000).map(|_| draw.word()).collect();
    let mut documents = Vec::new();
    let mut bytes = 0;
    while bytes < BYTES {
        let mut document = String::new();
        while document.len() < 4_000 {
            document.push_str(&words[draw.rank(words.len())]);
            document.push_str([" ", " ", " ", ", ", ". ", " 17 ", "\n"][draw.below(7)]);
        }
        bytes += document.len();
        documents.push(document);
    }
    documents
}

/// The pre-tokens of all documents by nanochat's pattern, counted.
pub fn counted(documents: &[String]) -> CountTable {
    let mut table = CountTable::new();
    count_into(&mut table, &splitter(), documents);
    table
}

/// Adds the pre-tokens of documents to a table.
pub fn count_into(table: &mut CountTable, splitter: &Splitter, documents: &[String]) {
    for document in documents {
        let (mut batch, mut start) = (table.batch(document), 0);
        let split = splitter.for_each(document, |pretoken| {
            batch.add(start, start + pretoken.len());
            start += pretoken.len();
        });
        split.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// nanochat's splitter.
pub fn splitter() -> Splitter {
    Splitter::new("nanochat").unwrap_or_else(|error| panic!("{error}"))
}

/// Bytes of all documents.
pub fn size(documents: &[String]) -> usize {
    documents.iter().map(String::len).sum()
}

struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    /// A small number far more often than a large one.
    fn rank(&mut self, n: usize) -> usize {
        let bits = self.below(n.ilog2() as usize + 1);
        self.below((1 << bits).min(n))
    }

    fn word(&mut self) -> String {
        const PARTS: [&str; 16] = [
            "th", "e", "an", "in", "er", "st", "o", "al", "ti", "re", "s", "qu", "é", "ing", "m",
            "l",
        ];
        (0..1 + self.below(5))
            .map(|_| PARTS[self.rank(PARTS.len())])
            .collect()
    }
}
