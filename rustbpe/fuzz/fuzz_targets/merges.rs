//! The reader of merges files: what it takes is what Arrow's own reader sees, and its tokens are what they say.
#![no_main]

use std::sync::LazyLock;

use arrow_array::{Array, UInt32Array};
use arrow_ipc::reader::FileReader;
use libfuzzer_sys::fuzz_target;
use rustbpe_core::artifacts::merges::Merges;
use rustbpe_core::train::Merge;
use rustbpe_fuzz::{damaged, name_own_panics, scratch};

static SOUND: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let path = scratch();
    let write = |pairs: &[(u32, u32)]| {
        let made: Vec<Merge> = pairs
            .iter()
            .map(|&(left, right)| Merge {
                left,
                right,
                count: 9,
            })
            .collect();
        Merges::new("p", 0, &made).unwrap().write(&path).unwrap();
        std::fs::read(&path).unwrap()
    };
    vec![write(&[]), write(&[(97, 98), (256, 99), (257, 257)])]
});

fuzz_target!(init: name_own_panics(), |data: &[u8]| {
    let path = scratch();
    let bytes = damaged(&SOUND, data);
    std::fs::write(&path, &bytes).unwrap();
    let Ok(merges) = Merges::read(&path) else {
        return;
    };
    let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte: u8| vec![byte]).collect();
    for batch in FileReader::try_new(std::io::Cursor::new(bytes), None).unwrap().map(Result::unwrap) {
        let column = |index: usize| -> &UInt32Array { batch.column(index).as_any().downcast_ref().unwrap() };
        for row in 0..batch.num_rows() {
            let (left, right) = (column(0).value(row) as usize, column(1).value(row) as usize);
            tokens.push([tokens[left].as_slice(), &tokens[right]].concat());
        }
    }
    assert_eq!(merges.token_bytes(), tokens);
    assert_eq!(merges.len() + 256, tokens.len());
    merges.write(&path).unwrap();
    assert_eq!(Merges::read(&path).unwrap().token_bytes(), tokens);
});
