//! The reader of count files: what it takes is what Arrow's own reader sees, in order, and survives a copy.
#![no_main]

use std::sync::LazyLock;

use arrow_array::{Array, LargeBinaryArray, UInt64Array};
use arrow_ipc::reader::FileReader;
use libfuzzer_sys::fuzz_target;
use rustbpe_core::count::{CountTable, SortedCounts};
use rustbpe_core::artifacts::counts::Counts;
use rustbpe_core::artifacts::schema::{Counting, Totals};
use rustbpe_core::progress::Silent;
use rustbpe_fuzz::{damaged, name_own_panics, scratch};

type Rows = Vec<(Vec<u8>, u64)>;

static SOUND: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let path = scratch();
    let write = |words: &[(&[u8], u64)]| {
        let mut table = CountTable::new();
        words
            .iter()
            .for_each(|(word, count)| table.add(word, *count));
        let counting = Counting {
            pattern: "p".to_owned(),
            text_column: "text".to_owned(),
            doc_cap: 0,
            max_chars: Some(7),
            min_count: 1,
        };
        let sorted = SortedCounts::from_tables(&[table]);
        Counts::new(counting, Totals::default(), sorted)
            .unwrap()
            .write(&path)
            .unwrap();
        std::fs::read(&path).unwrap()
    };
    vec![
        write(&[]),
        write(&[(b"a", 1), (b"b", 1 << 40), (b"the", 7)]),
        write(&[
            (b"a pre-token of more than sixteen bytes", 3),
            (b"a pre-token of more than sixteen", 5),
            (&[0; 300], 2),
        ]),
    ]
});

fuzz_target!(init: name_own_panics(), |data: &[u8]| {
    let path = scratch();
    let bytes = damaged(&SOUND, data);
    std::fs::write(&path, &bytes).unwrap();
    let Ok(counts) = Counts::read(&path, &Silent) else {
        return;
    };
    let rows: Rows = counts.iter().map(|(bytes, count)| (bytes.to_vec(), count)).collect();
    assert_eq!(rows, by_arrow(&bytes));
    assert!(rows.windows(2).all(|two| two[0].0 < two[1].0));
    assert_eq!(rows.len() as u64, counts.totals.unique);
    assert_eq!(rows.iter().map(|row| row.1).sum::<u64>(), counts.totals.pretokens);
    counts.write(&path).unwrap();
    let again = Counts::read(&path, &Silent).unwrap();
    assert!(again.iter().eq(rows.iter().map(|(bytes, count)| (bytes.as_slice(), *count))));
    assert_eq!((again.counting, again.totals), (counts.counting, counts.totals));
});

fn by_arrow(bytes: &[u8]) -> Rows {
    let reader = FileReader::try_new(std::io::Cursor::new(bytes), None).unwrap();
    let mut rows = Vec::new();
    for batch in reader.map(Result::unwrap) {
        let pretokens: &LargeBinaryArray = batch.column(0).as_any().downcast_ref().unwrap();
        let counts: &UInt64Array = batch.column(1).as_any().downcast_ref().unwrap();
        rows.extend(
            (0..batch.num_rows()).map(|row| (pretokens.value(row).to_vec(), counts.value(row))),
        );
    }
    rows
}
