//! The reader of shards: what it takes is what the parquet crate's own page reader sees.
#![no_main]

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use rustbpe_core::check_shard::check_shard;
use rustbpe_core::progress::Silent;
use rustbpe_core::shard::Shard;
use rustbpe_fuzz::{damaged, name_own_panics, scratch};

static SOUND: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let plain = WriterProperties::builder().set_dictionary_enabled(false);
    let second = || {
        WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_dictionary_enabled(false)
    };
    vec![
        shard(
            WriterProperties::builder()
                .set_compression(Compression::SNAPPY)
                .build(),
        ),
        shard(
            plain
                .set_compression(Compression::ZSTD(ZstdLevel::default()))
                .build(),
        ),
        shard(
            WriterProperties::builder()
                .set_compression(Compression::GZIP(Default::default()))
                .build(),
        ),
        shard(second().set_encoding(Encoding::DELTA_BYTE_ARRAY).build()),
        shard(
            second()
                .set_encoding(Encoding::DELTA_LENGTH_BYTE_ARRAY)
                .set_data_page_row_count_limit(2)
                .build(),
        ),
    ]
});

fn shard(properties: WriterProperties) -> Vec<u8> {
    let schema =
        Arc::new(parse_message_type("message m { optional binary text (UTF8); }").unwrap());
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    for texts in [&["one", "two", "", "one", "a longer text"][..], &["three"]] {
        let mut group = file.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let values: Vec<ByteArray> = texts.iter().map(|text| ByteArray::from(*text)).collect();
        let mut levels = vec![1; values.len()];
        levels.insert(1, 0);
        column
            .typed::<ByteArrayType>()
            .write_batch(&values, Some(&levels), None)
            .unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    file.into_inner().unwrap()
}

fuzz_target!(init: name_own_panics(), |data: &[u8]| {
    let path = scratch();
    let bytes = damaged(&SOUND, data);
    std::fs::write(&path, &bytes).unwrap();
    let Ok(facts) = check_shard(&path, "text", Some(1 << 24), &Silent) else {
        return;
    };
    let shard = Shard::open(&path, "text").unwrap();
    let mut texts: Vec<Vec<u8>> = Vec::new();
    for index in 0..shard.row_groups() {
        let mut group = shard.row_group(index).unwrap();
        while let Some(batch) = group.next_batch().unwrap() {
            texts.extend(batch.documents().map(|document| document.text(0).unwrap().as_bytes().to_vec()));
        }
    }
    assert_eq!(texts.len() as u64, facts.rows - facts.nulls);
    assert_eq!(texts, by_parquet(bytes));
});

fn by_parquet(bytes: Vec<u8>) -> Vec<Vec<u8>> {
    let file = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
    let schema = file.metadata().file_metadata().schema_descr_ptr();
    let column = (0..schema.num_columns())
        .find(|&column| schema.column(column).name() == "text")
        .unwrap();
    let mut texts = Vec::new();
    for index in 0..file.num_row_groups() {
        let group = file.get_row_group(index).unwrap();
        let mut reader =
            get_typed_column_reader::<ByteArrayType>(group.get_column_reader(column).unwrap());
        loop {
            let (mut values, mut levels) = (Vec::new(), Vec::new());
            let (read, ..) = reader
                .read_records(1 << 10, Some(&mut levels), None, &mut values)
                .unwrap();
            texts.extend(values.iter().map(|value| value.data().to_vec()));
            if read == 0 {
                break;
            }
        }
    }
    texts
}
