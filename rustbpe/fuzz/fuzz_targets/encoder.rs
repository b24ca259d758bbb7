//! The encoder against the slow one, over any vocabulary; each text twice, so that the cache is asked too.
#![no_main]

use std::collections::HashMap;

use libfuzzer_sys::fuzz_target;
use rustbpe_core::encode::{Cache, Encoder};
use rustbpe_core::pretokenize::Splitter;
use rustbpe_fuzz::encode::slow;

fuzz_target!(|data: &[u8]| {
    let Some((&[tokens, turn], rest)) = data.split_first_chunk() else {
        return;
    };
    let mut vocabulary: Vec<Vec<u8>> = (0..=255)
        .map(|byte: u8| vec![byte.wrapping_add(turn)])
        .collect();
    let mut rest = rest;
    for _ in 0..tokens {
        let Some((&length, more)) = rest.split_first() else {
            return;
        };
        let token = more
            .iter()
            .take(2 + usize::from(length % 40))
            .map(|byte| byte % 6 + b'a');
        let token: Vec<u8> = token.collect();
        rest = &more[token.len()..];
        if token.len() > 1 && !vocabulary.contains(&token) {
            vocabulary.push(token);
        }
    }
    let ranks: HashMap<Vec<u8>, u32> = vocabulary.iter().cloned().zip(0..).collect();
    let encoder = Encoder::new(vocabulary, Splitter::new("(?s:[^ ]+| )").unwrap()).unwrap();
    let text: String = rest
        .iter()
        .take(400)
        .map(|byte| {
            if byte % 16 == 15 {
                ' '
            } else {
                char::from(byte % 6 + b'a')
            }
        })
        .collect();
    let wanted: Vec<u32> = pieces(&text)
        .flat_map(|piece| slow(&ranks, piece.as_bytes()))
        .collect();
    let mut cache = Cache::new();
    for _ in 0..2 {
        let (mut ids, mut bytes) = (Vec::new(), Vec::new());
        encoder.encode(&text, &mut cache, &mut ids).unwrap();
        assert_eq!(ids, wanted, "{text:?}");
        encoder.decode_bytes(&ids, &mut bytes).unwrap();
        assert_eq!(bytes, text.as_bytes());
    }
});

/// What the target's split pattern matches.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
        .flat_map(|part| match part.strip_suffix(' ') {
            Some(word) => [word, " "],
            None => [part, ""],
        })
        .filter(|piece| !piece.is_empty())
}
