//! The trainer against the slow one, with any counts and threads.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rustbpe_core::progress::Silent;
use rustbpe_core::train::train;
use rustbpe_fuzz::train::slow;

fuzz_target!(|data: &[u8]| {
    let Some(([merges, threads, shift], rest)) = data.split_first_chunk() else {
        return;
    };
    // pre-tokens end at a byte over 0xF0, which says how often they occur
    let words: Vec<(Vec<u8>, u64)> = rest
        .split_inclusive(|byte| *byte > 0xF0)
        .take(64)
        .map(|word| {
            let count = u64::from(word[word.len() - 1] & 0x0F) << (shift % 64);
            (
                word[..word.len() - 1]
                    .iter()
                    .take(64)
                    .map(|byte| byte % 8 + b'a')
                    .collect(),
                count,
            )
        })
        .collect();
    // what is asked for decides the first guess of the floor, and the width of the cells
    let wanted = if merges % 64 == 63 {
        65_281
    } else {
        usize::from(*merges)
    };
    let threads = usize::from(threads % 5);
    let borrowed = words
        .iter()
        .map(|(bytes, count)| (bytes.as_slice(), *count));
    let pairs = words
        .iter()
        .map(|(bytes, count)| u128::from(*count) * bytes.len().saturating_sub(1) as u128);
    match train(borrowed, wanted, threads, &Silent) {
        Ok(found) => assert_eq!(found, slow(&words, wanted), "{words:?}"),
        Err(error) => assert!(pairs.sum::<u128>() > u128::from(u64::MAX), "{error}"),
    }
});
