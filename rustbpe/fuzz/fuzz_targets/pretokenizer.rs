//! The scanners against the regex engine that they replace.
#![no_main]

use std::sync::LazyLock;

use fancy_regex::Regex;
use libfuzzer_sys::fuzz_target;
use rustbpe_core::pretokenize::{PATTERNS, Splitter};

static BOTH: LazyLock<Vec<(Splitter, Regex)>> = LazyLock::new(|| {
    let both =
        |(_, regex): &(&str, &str)| (Splitter::new(regex).unwrap(), Regex::new(regex).unwrap());
    PATTERNS.iter().map(both).collect()
});

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    for (splitter, regex) in BOTH.iter() {
        let mut found = Vec::new();
        splitter
            .for_each(&text, |piece| found.push(piece.to_vec()))
            .unwrap();
        let wanted = regex
            .find_iter(&*text)
            .map(|piece| piece.unwrap().as_str().as_bytes().to_vec());
        assert!(
            found.iter().cloned().eq(wanted),
            "{text:?} by {}",
            splitter.regex()
        );
        assert_eq!(found.concat(), text.as_bytes());
    }
});
