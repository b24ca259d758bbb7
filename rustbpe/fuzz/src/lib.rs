//! What the fuzz targets share: the slow references, and files that are damaged a little.

use std::path::PathBuf;

pub mod encode;
pub mod train;

/// Lets panics of the decoders pass, which the readers catch, and names those of a target.
///
/// libfuzzer's own hook ends the process at any panic, caught or not; one that is not caught still does.
pub fn name_own_panics() {
    std::panic::set_hook(Box::new(|panic| {
        if panic
            .location()
            .is_some_and(|place| place.file().contains("fuzz"))
        {
            eprintln!("{panic}");
        }
    }));
}

/// A file whose bytes the fuzzer chooses; one for each process.
pub fn scratch() -> PathBuf {
    std::env::temp_dir().join(format!("rustbpe-fuzz-{}", std::process::id()))
}

/// One of some sound files with some bytes changed, by the fuzzer's bytes.
///
/// The first byte chooses the file; each four after it are a place (two bytes), what to do there, and a value.
/// The first choice past the files is the fuzzer's bytes themselves.
pub fn damaged(sound: &[Vec<u8>], data: &[u8]) -> Vec<u8> {
    let Some((&choice, edits)) = data.split_first() else {
        return Vec::new();
    };
    let Some(file) = sound.get(usize::from(choice) % (sound.len() + 1)) else {
        return edits.to_vec();
    };
    let mut bytes = file.clone();
    for edit in edits.as_chunks::<4>().0 {
        let length = bytes.len().max(1);
        let from_start = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % length;
        let at = length - 1 - from_start; // footers stand at the end
        match (edit[2] % 8, bytes.get_mut(at)) {
            (0..=3, Some(byte)) => *byte = edit[3],
            (4, Some(byte)) => *byte ^= 1 << (edit[3] % 8),
            (5, Some(byte)) => *byte = byte.wrapping_add(edit[3]),
            (6, Some(_)) => bytes.insert(at, edit[3]),
            (7, Some(_)) if edit[3] > 250 => bytes.truncate(at),
            (7, Some(_)) => drop(bytes.remove(at)),
            _ => {}
        }
    }
    bytes
}
