//! Reads one string out of each line of JSON Lines; serde_json parses.

use std::fmt;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use serde::de::{
    DeserializeSeed, Deserializer as _, Error as _, IgnoredAny, MapAccess, Unexpected, Visitor,
};
use serde_json::Deserializer;

use crate::error::{Error, Result};

/// Returns what `data` holds: a row for each line that is not blank, with `line` (from 0), `text` (null where the
/// object has no such key, or no value), and `unread`: the bytes of a line that cannot be read so, or null.
///
/// `keys` lead to the string, from the outermost object inwards. A line cannot be read if it is not an object, if
/// the value is not a string, or if one of these keys is there twice. Neither can a line with an escape in a key of
/// an object on the way, which may be right: leave it to another reader.
///
/// # Errors
/// [`Error::Value`] if there is no key.
pub fn texts(data: &[u8], keys: &[String]) -> Result<RecordBatch> {
    if keys.is_empty() {
        return Err(Error::Value(
            "no key is given; wanted: one or more".to_owned(),
        ));
    }
    let (mut lines, mut texts, mut unread) = (
        Int64Builder::new(),
        StringBuilder::new(),
        BinaryBuilder::new(),
    );
    let mut text = String::new();
    let ends = memchr::memchr_iter(b'\n', data).chain([data.len()]);
    let mut start = 0;
    for (number, end) in ends.enumerate() {
        let line = &data[start..end];
        start = end + 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        lines.append_value(number as i64);
        text.clear();
        let found = read(line, keys, &mut text);
        texts.append_option(matches!(found, Ok(true)).then_some(&text));
        unread.append_option(found.is_err().then_some(line));
    }
    let columns: [(&str, ArrayRef); 3] = [
        ("line", Arc::new(lines.finish())),
        ("text", Arc::new(texts.finish())),
        ("unread", Arc::new(unread.finish())),
    ];
    RecordBatch::try_from_iter(columns).map_err(|error| Error::Value(error.to_string()))
}

/// Reads a line's text and returns whether it has one.
fn read(line: &[u8], keys: &[String], text: &mut String) -> serde_json::Result<bool> {
    let mut json = Deserializer::from_slice(line);
    let found = json.deserialize_map(Text { keys, text })?;
    json.end()?;
    Ok(found)
}

/// Takes a value: the text, or an object in which the first of the keys leads to it.
struct Text<'a> {
    keys: &'a [String],
    text: &'a mut String,
}

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = bool;

    fn deserialize<D: serde::Deserializer<'de>>(
        self,
        value: D,
    ) -> std::result::Result<bool, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Text<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.keys.is_empty() {
            "a string"
        } else {
            "an object"
        })
    }

    fn visit_unit<E>(self) -> std::result::Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<bool, E> {
        if !self.keys.is_empty() {
            return Err(E::invalid_type(Unexpected::Str(text), &self));
        }
        self.text.push_str(text);
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<bool, A::Error> {
        let Some((wanted, keys)) = self.keys.split_first() else {
            return Err(A::Error::invalid_type(Unexpected::Map, &self));
        };
        let mut found = None;
        while let Some(key) = map.next_key::<&str>()? {
            if key != wanted {
                map.next_value::<IgnoredAny>()?;
            } else if found.is_some() {
                return Err(A::Error::custom("a key is there twice"));
            } else {
                let text = &mut *self.text;
                found = Some(map.next_value_seed(Text { keys, text })?);
            }
        }
        Ok(found.unwrap_or(false))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;

    use super::*;

    type Row = (i64, Option<String>, bool);

    fn rows(data: &[u8], keys: &[&str]) -> Vec<Row> {
        let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        let batch = texts(data, &keys).unwrap();
        let lines = batch.column(0).as_primitive::<Int64Type>();
        let found = batch.column(1).as_string::<i32>();
        let unread = batch.column(2).as_binary::<i32>();
        (0..batch.num_rows())
            .map(|row| {
                let text = found.is_valid(row).then(|| found.value(row).to_owned());
                (lines.value(row), text, unread.is_valid(row))
            })
            .collect()
    }

    #[test]
    fn texts_nulls_and_blank_lines() {
        let data =
            b"{\"text\": \"a\\nb\", \"x\": [1]}\r\n \n{\"text\": null}\n{\"x\": {\"text\": 1}}";
        let wanted = [
            (0, Some("a\nb".to_owned()), false),
            (2, None, false),
            (3, None, false),
        ];
        assert_eq!(rows(data, &["text"]), wanted);
        assert_eq!(rows(b"", &["text"]), []);
    }

    #[test]
    fn keys_that_are_there_twice() {
        for (line, unread) in [
            (r#"{"meta": {"text": "a"}, "text": 1}"#, false),
            (r#"{"meta": {"text": "a", "text": "b"}}"#, true),
            (r#"{"meta": {"text": "a"}, "meta": null}"#, true),
            (r#"{"meta": {"text": "a", "te\u0078t": "b"}}"#, true),
            (r#"{"meta": {"text": "a", "x": {"y": 1, "y": 2}}}"#, false),
        ] {
            assert_eq!(
                rows(line.as_bytes(), &["meta", "text"])[0].2,
                unread,
                "{line}"
            );
        }
    }

    #[test]
    fn lines_that_are_not_what_they_should_be() {
        let lines: [&[u8]; 9] = [
            b"null",
            b"\"a\"",
            b"{\"text\": 1}",
            b"{\"text\": {}}",
            b"{\"text\": [\"a\"]}",
            b"{\"text\": \"\xff\"}",
            b"{\"text\": \"\\ud83d\"}",
            b"{\"text\": \"a\0\"}",
            b"{\"text\": \"a\"} {}",
        ];
        for line in lines {
            assert_eq!(rows(line, &["text"]), [(0, None, true)], "{line:?}");
        }
        assert_eq!(
            rows(b"{\"meta\": \"a\"}", &["meta", "text"]),
            [(0, None, true)]
        );
    }

    #[test]
    fn values_that_are_not_wanted_may_be_deep() {
        let line = format!(
            "{{\"x\": {}{}, \"text\": \"a\"}}",
            "[".repeat(10_000),
            "]".repeat(10_000)
        );
        assert_eq!(
            rows(line.as_bytes(), &["text"]),
            [(0, Some("a".to_owned()), false)]
        );
    }
}
