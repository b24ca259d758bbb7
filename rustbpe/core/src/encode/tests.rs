//! The encoder against greedy merging written down as plainly as it can be.

use std::collections::HashMap;

use super::*;
use crate::pretokenize::GPT4;
use crate::pretokenize::tests::Random;

/// All single bytes in an order that is not theirs, then random tokens: by merges, out of order, and
/// strings that no merge makes.
fn random_vocabulary(random: &mut Random, alphabet: &[u8], size: usize) -> Vec<Vec<u8>> {
    let mut tokens: Vec<Vec<u8>> = (0..=255).rev().map(|byte| vec![byte]).collect();
    tokens.rotate_left(random.below(256));
    let mut pool: Vec<Vec<u8>> = alphabet.iter().map(|&byte| vec![byte]).collect();
    while pool.len() < size {
        let new = if random.below(10) == 0 {
            (0..2 + random.below(5))
                .map(|_| alphabet[random.below(alphabet.len())])
                .collect()
        } else {
            [
                &pool[random.below(pool.len())][..],
                &pool[random.below(pool.len())][..],
            ]
            .concat()
        };
        if new.len() <= 60 && !pool.contains(&new) {
            pool.push(new);
        }
    }
    let mut grown = pool.split_off(alphabet.len());
    if random.below(2) == 0 {
        for i in (1..grown.len()).rev() {
            grown.swap(i, random.below(i + 1));
        }
    }
    tokens.extend(grown);
    tokens
}

fn ranks(tokens: &[Vec<u8>]) -> HashMap<Vec<u8>, u32> {
    tokens.iter().cloned().zip(0..).collect()
}

#[test]
fn merges_equal_the_definition_for_any_vocabulary() {
    let mut random = Random(11);
    for case in 0..300 {
        let alphabet = &b"abcde fg"[..2 + random.below(7)];
        let size = alphabet.len() + 1 + random.below(120);
        let tokens = random_vocabulary(&mut random, alphabet, size);
        let ranks = ranks(&tokens);
        let encoder = Encoder::new(tokens, Splitter::new("(?s:.+)").unwrap()).unwrap();
        let mut cache = Cache::new();
        for _ in 0..60 {
            let longest = if random.below(3) == 0 { 150 } else { 18 };
            let length = 1 + random.below(longest);
            let piece: Vec<u8> = (0..length)
                .map(|_| alphabet[random.below(alphabet.len())])
                .collect();
            let wanted = reference::encode(&ranks, &piece);
            let text = std::str::from_utf8(&piece).unwrap();
            for pass in ["first", "cached"] {
                let mut ids = Vec::new();
                encoder.encode(text, &mut cache, &mut ids).unwrap();
                assert_eq!(ids, wanted, "case {case}, {pass}, {text:?}");
                assert_eq!(encoder.count(text, &mut cache).unwrap(), wanted.len());
                let mut bytes = Vec::new();
                encoder.decode_bytes(&ids, &mut bytes).unwrap();
                assert_eq!(bytes, piece);
            }
        }
    }
}

/// A vocabulary over bytes of which texts of several alphabets are made: tokens that span characters, parts of them.
fn mixed_vocabulary(random: &mut Random) -> (Vec<Vec<u8>>, Vec<char>) {
    let all: Vec<char> = "ab é ñ中文字体日本語😀👨\0".chars().collect();
    let characters: Vec<char> = (0..2 + random.below(6))
        .map(|_| all[random.below(all.len())])
        .collect();
    let text: String = (0..400)
        .map(|_| characters[random.below(characters.len())])
        .collect();
    let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    let mut known: Vec<Vec<u8>> = text.bytes().map(|byte| vec![byte]).collect();
    known.sort();
    known.dedup();
    for _ in 0..random.below(60) {
        // mostly what merges make of the text, sometimes what none does
        let new = if random.below(8) == 0 {
            let at = random.below(text.len() - 8);
            text.as_bytes()[at..at + 2 + random.below(6)].to_vec()
        } else {
            let left = &known[random.below(known.len())];
            [left.as_slice(), &known[random.below(known.len())]].concat()
        };
        let is_there = text.as_bytes().windows(new.len()).any(|part| part == new);
        if is_there && !tokens.contains(&new) {
            known.push(new.clone());
            tokens.push(new);
        }
    }
    (tokens, characters)
}

#[test]
fn parts_between_seams_equal_the_definition() {
    let mut random = Random(23);
    let mut seams = 0;
    for case in 0..400 {
        let (tokens, characters) = mixed_vocabulary(&mut random);
        let ranks = ranks(&tokens);
        let encoder = Encoder::new(tokens, Splitter::new("(?s:.+)").unwrap()).unwrap();
        let mut cache = Cache::new();
        for _ in 0..40 {
            let text: String = (0..1 + random.below(40))
                .map(|_| characters[random.below(characters.len())])
                .collect();
            let wanted = reference::encode(&ranks, text.as_bytes());
            for pass in ["first", "cached"] {
                let mut ids = Vec::new();
                encoder.encode(&text, &mut cache, &mut ids).unwrap();
                assert_eq!(ids, wanted, "case {case}, {pass}, {text:?}");
            }
            encoder.vocabulary.seams.for_each(&text, |_, _| seams += 1);
            seams -= 1;
        }
    }
    assert!(seams > 10_000, "{seams}");
}

#[test]
fn rows_of_new_pretokens_equal_the_definition() {
    let mut random = Random(37);
    for case in 0..60 {
        let (tokens, mut characters) = mixed_vocabulary(&mut random);
        characters.push(' ');
        let ranks = ranks(&tokens);
        let encoder = Encoder::new(tokens, Splitter::new(GPT4).unwrap()).unwrap();
        let text: String = (0..3_000)
            .map(|_| characters[random.below(characters.len())])
            .collect();
        let mut wanted = Vec::new();
        let split = encoder.splitter().for_each(&text, |piece| {
            wanted.extend(reference::encode(&ranks, piece));
        });
        split.unwrap();
        let mut cache = Cache::new();
        for pass in ["first", "cached"] {
            let mut ids = Vec::new();
            encoder.encode(&text, &mut cache, &mut ids).unwrap();
            assert_eq!(ids, wanted, "case {case}, {pass}");
        }
    }
}

#[test]
fn windows_equal_the_definition() {
    let mut random = Random(31);
    for case in 0..300 {
        let alphabet = &b"abcd"[..1 + random.below(4)];
        let size = alphabet.len() + 1 + random.below(40);
        let tokens = random_vocabulary(&mut random, alphabet, size);
        let vocabulary = Vocabulary::new(&tokens).unwrap();
        for _ in 0..20 {
            let piece: Vec<u8> = (0..1 + random.below(400))
                .map(|_| alphabet[random.below(alphabet.len())])
                .collect();
            let (mut wanted, mut found) = (Vec::new(), Vec::new());
            let mut list = merge::List::default();
            list.merge(&vocabulary.pairs, &piece, &mut wanted);
            let window = 1 + random.below(60);
            merge::merge_in_windows(&vocabulary.pairs, &piece, window, &mut list, &mut found);
            assert_eq!(found, wanted, "case {case}, window {window}");
        }
    }
}

fn small() -> Vec<Vec<u8>> {
    let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    tokens.extend([&b"th"[..], b"the", b" the", b"  ", b"    "].map(<[u8]>::to_vec));
    tokens
}

#[test]
fn a_full_cache_changes_nothing() {
    // so many pre-tokens that lines run over, and so many ids that the cache starts anew
    let encoder = Encoder::new(small(), Splitter::new(GPT4).unwrap()).unwrap();
    let mut cache = Cache::new();
    let mut ids = Vec::new();
    for _ in 0..2 {
        for i in 0..700_000_u32 {
            let letter = |shift: u32| char::from(b'a' + (i >> shift & 15) as u8);
            let word: String = [0, 4, 8, 12, 16].map(letter).iter().collect();
            ids.clear();
            encoder.encode(&word, &mut cache, &mut ids).unwrap();
            assert!(
                ids.iter().copied().eq(word.bytes().map(u32::from)),
                "{word} {ids:?}"
            );
        }
    }
}

#[test]
fn a_cache_forgets_another_encoder() {
    let mut cache = Cache::new();
    let mut ids = Vec::new();
    let mut tokens = small();
    Encoder::new(tokens.clone(), Splitter::new("gpt4").unwrap())
        .unwrap()
        .encode("the the", &mut cache, &mut ids)
        .unwrap();
    tokens.truncate(256);
    let bytes = Encoder::new(tokens, Splitter::new("gpt4").unwrap()).unwrap();
    bytes.encode("the", &mut cache, &mut ids).unwrap();
    assert_eq!(ids, [257, 258, 116, 104, 101]);
}

#[test]
fn long_runs_stay_about_linear() {
    let encoder = Encoder::new(small(), Splitter::new("gpt4").unwrap()).unwrap();
    let mut cache = Cache::new();
    for run in ["a", " ", "the", "😀", "gattaca"] {
        // one pre-token of 9 MB, far more than a window
        let text = run.repeat(9_000_000 / run.len());
        let (mut ids, mut bytes) = (Vec::new(), Vec::new());
        encoder.encode(&text, &mut cache, &mut ids).unwrap();
        encoder.decode_bytes(&ids, &mut bytes).unwrap();
        assert!(bytes == text.as_bytes(), "{run}");
    }
}

#[test]
fn a_vocabulary_that_cannot_be_is_refused() {
    let splitter = Splitter::new("gpt4").unwrap();
    let refused = |tokens: Vec<Vec<u8>>| {
        Encoder::new(tokens, splitter.clone())
            .unwrap_err()
            .to_string()
    };
    let mut tokens = small();
    tokens[7] = Vec::new();
    assert!(refused(tokens).contains("0x07"));
    let mut tokens = small();
    tokens.push(b"the".to_vec());
    assert!(refused(tokens).contains("tokens 257 and 261"));
    let mut tokens = small();
    tokens.push(vec![65]);
    assert!(refused(tokens).contains("tokens 65 and 261"));
}

#[test]
fn an_id_that_is_not_there_is_an_error() {
    let encoder = Encoder::new(small(), Splitter::new("gpt4").unwrap()).unwrap();
    let error = encoder
        .decode_bytes(&[256, 261], &mut Vec::new())
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "id 261 is not in the vocabulary, whose ids are 0 to 260"
    );
    assert_eq!(encoder.token_bytes(258), Some(&b" the"[..]));
    assert_eq!(encoder.token_bytes(261), None);
}
