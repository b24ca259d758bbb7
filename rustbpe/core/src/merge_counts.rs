//! Sums count files in one streaming pass.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::path::{Path, PathBuf};
use std::sync::atomic::{self, AtomicU64};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::artifacts::count_reader::CountReader;
use crate::artifacts::count_writer::CountWriter;
use crate::artifacts::counts::Counts;
use crate::artifacts::schema::{BATCH_BYTES, BATCH_ROWS, Counting, Totals, check_same};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::threads::{beside, thread_count};

/// Pre-tokens between two looks at the progress.
const STEP: u64 = 1 << 14;
/// Files that are worth a thread.
const LEAST_FILES: usize = 4;

/// Sums count files and tables in memory into one count file.
///
/// Holds one record batch of each file at a time. With several threads, each sums a part of the files and hands on
/// what it has, a few thousand pre-tokens at a time. Pre-tokens whose sum is below `min_count` are left out: the
/// one inexact switch, off at 1.
///
/// With `weights`, one for each file, the sum is that of documents repeated so many times; the files are parts of a
/// mixture then, and each may have a text column of its own.
///
/// # Errors
/// [`Error::File`] where a file is damaged, [`Error::Value`] where two were counted in different ways, there is
/// nothing to sum, or a sum passes 64 bits, [`Error::Io`] for the operating system, [`Error::Interrupted`].
pub fn merge_counts(
    paths: &[PathBuf],
    weights: &[u64],
    out: &Path,
    extra: &[&Counts],
    min_count: u64,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Totals> {
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        files.push(CountReader::open(path)?);
        progress.update(0, 0)?;
    }
    let (counting, totals) = summed(&files, weights, extra, min_count)?;
    let work = Work {
        done: AtomicU64::new(0),
        all: files.iter().map(|file| file.totals.unique).sum(),
        min_count,
        progress,
    };
    let tables = extra.iter().map(|counts| Source::Memory { counts, row: 0 });
    let parts = thread_count(threads).min(files.len() / LEAST_FILES).max(1);
    if parts == 1 {
        let files = files
            .into_iter()
            .enumerate()
            .map(|(index, file)| Source::file(file, weights.get(index)));
        return write(
            out,
            &counting,
            &totals,
            files.chain(tables).collect(),
            &work,
        );
    }
    let mut shares: Vec<Vec<Source<'_>>> = (0..parts).map(|_| Vec::new()).collect();
    for (index, file) in files.into_iter().enumerate() {
        shares[index % parts].push(Source::file(file, weights.get(index)));
    }
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..parts).map(|_| sync_channel(2)).unzip();
    let parts = shares.into_iter().zip(senders);
    beside(
        parts,
        |(share, sender)| pipe(share, &sender, &work),
        || {
            // the threads that still sum end when nobody takes what they send
            let piped = receivers.into_iter().map(Source::piped);
            let sources = piped.chain(tables.map(Ok)).collect::<Result<Vec<_>>>()?;
            write(out, &counting, &totals, sources, &work)
        },
    )
}

/// Rows of the files that were read, of all, and the least sum that is kept.
struct Work<'a> {
    done: AtomicU64,
    all: u64,
    min_count: u64,
    progress: &'a dyn Progress,
}

impl Work<'_> {
    fn add(&self, rows: u64) -> Result<()> {
        let done = self.done.fetch_add(rows, atomic::Ordering::Relaxed) + rows;
        self.progress.update(done.min(self.all), self.all)
    }
}

/// Calls `take` with every pre-token of the sources and the sum of its counts, in order.
fn sum(
    sources: Vec<Source<'_>>,
    work: &Work<'_>,
    mut take: impl FnMut(&[u8], u64) -> Result<()>,
) -> Result<()> {
    let ended = |source: &Source<'_>| source.current().is_none();
    let mut heap: BinaryHeap<Source<'_>> = sources.into_iter().filter(|one| !ended(one)).collect();
    let (mut pretoken, mut rows) = (Vec::new(), 0);
    while let Some((bytes, _)) = heap.peek().and_then(Source::current) {
        pretoken.clear();
        pretoken.extend_from_slice(bytes);
        let mut sum = 0_u64;
        while let Some(mut top) = heap.peek_mut() {
            let Some((_, count)) = top.current().filter(|row| row.0 == pretoken) else {
                break;
            };
            sum = count
                .checked_mul(top.weight())
                .and_then(|count| sum.checked_add(count))
                .ok_or_else(|| too_large(&pretoken))?;
            rows += u64::from(matches!(*top, Source::File { .. }));
            let advanced = top.advance();
            // one that has no row, or a wrong one, cannot be compared with the others
            if advanced.is_err() || ended(&top) {
                PeekMut::pop(top);
            }
            advanced?;
        }
        take(&pretoken, sum)?;
        if rows >= STEP {
            work.add(std::mem::take(&mut rows))?;
        }
    }
    work.add(rows)
}

/// Sums sources into a file.
fn write(
    out: &Path,
    counting: &Counting,
    totals: &Totals,
    sources: Vec<Source<'_>>,
    work: &Work<'_>,
) -> Result<Totals> {
    let mut writer = CountWriter::create(out, counting, totals)?;
    sum(sources, work, |pretoken, count| {
        if count < work.min_count {
            return Ok(());
        }
        writer.push(pretoken, count)
    })?;
    work.add(0)?;
    writer.finish()
}

/// Some summed pre-tokens on their way from one thread to another.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    counts: Vec<u64>,
}

impl Chunk {
    fn get(&self, row: usize) -> Option<(&[u8], u64)> {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some((&self.bytes[start..*self.ends.get(row)?], self.counts[row]))
    }
}

/// Sums sources into a channel; an error or an empty chunk is the last thing sent.
fn pipe(sources: Vec<Source<'_>>, sender: &SyncSender<Result<Chunk>>, work: &Work<'_>) {
    let mut chunk = Chunk::default();
    let done = sum(sources, work, |pretoken, count| {
        chunk.bytes.extend_from_slice(pretoken);
        chunk.ends.push(chunk.bytes.len());
        chunk.counts.push(count);
        if chunk.counts.len() < BATCH_ROWS && chunk.bytes.len() < BATCH_BYTES {
            return Ok(());
        }
        let full = std::mem::take(&mut chunk);
        sender.send(Ok(full)).map_err(|_| Error::Interrupted)
    });
    // where nobody listens any more, an error was found elsewhere
    let _ = match done {
        Ok(()) if chunk.counts.is_empty() => sender.send(Ok(chunk)),
        Ok(()) => sender
            .send(Ok(chunk))
            .and_then(|()| sender.send(Ok(Chunk::default()))),
        Err(error) => sender.send(Err(error)),
    };
}

fn receive(receiver: &Receiver<Result<Chunk>>) -> Result<Chunk> {
    // only a panic ends a thread without a last word; the scope passes it on
    receiver.recv().unwrap_or(Err(Error::Interrupted))
}

fn too_large(pretoken: &[u8]) -> Error {
    Error::Value(format!(
        "the counts of {:?} add up to more than 2^64; use fewer shards, or smaller weights",
        String::from_utf8_lossy(pretoken)
    ))
}

/// How and from what the sum was counted; checks that all was counted in one way.
fn summed(
    files: &[CountReader],
    weights: &[u64],
    extra: &[&Counts],
    min_count: u64,
) -> Result<(Counting, Totals)> {
    if !(weights.is_empty() || weights.len() == files.len() && !weights.contains(&0)) {
        return Err(Error::Value(format!(
            "the weights are {weights:?}; give one of 1 or more for each of the {} count files, or none",
            files.len()
        )));
    }
    let files = files.iter().map(|file| {
        (
            file.path().display().to_string(),
            &file.counting,
            &file.totals,
        )
    });
    let tables = extra
        .iter()
        .enumerate()
        .map(|(index, counts)| (format!("extra[{index}]"), &counts.counting, &counts.totals));
    let sources: Vec<_> = files.chain(tables).collect();
    let Some((first, counting, _)) = sources.first() else {
        return Err(Error::Value(
            "no count files to merge; give at least one".to_owned(),
        ));
    };
    let mut sum: Counting = (*counting).clone();
    let mut totals = Totals::default();
    let mut columns: Vec<&str> = vec![&counting.text_column];
    for (index, (name, other, theirs)) in sources.iter().enumerate() {
        if weights.is_empty() {
            check_same((first, counting), (name, other))?;
        } else {
            let same_column = Counting {
                text_column: counting.text_column.clone(),
                ..(*other).clone()
            };
            check_same((first, counting), (name, &same_column))?;
        }
        if !columns.contains(&other.text_column.as_str()) {
            columns.push(&other.text_column);
        }
        totals
            .add_times(theirs, weights.get(index).copied().unwrap_or(1))
            .ok_or_else(|| {
                Error::Value(format!(
                    "{name}: documents or bytes add up to more than 2^64; use smaller weights"
                ))
            })?;
        sum.min_count = sum.min_count.max(other.min_count);
        if sum.max_chars != other.max_chars {
            sum.max_chars = None;
        }
    }
    sum.min_count = sum.min_count.max(min_count);
    sum.text_column = columns.join(", ");
    Ok((sum, totals))
}

/// Something that yields pre-tokens in order.
enum Source<'a> {
    File {
        file: Box<CountReader>,
        weight: u64,
    },
    Memory {
        counts: &'a Counts,
        row: usize,
    },
    Piped {
        receiver: Receiver<Result<Chunk>>,
        chunk: Chunk,
        row: usize,
    },
}

impl Source<'_> {
    fn file(file: CountReader, weight: Option<&u64>) -> Self {
        Self::File {
            file: Box::new(file),
            weight: weight.copied().unwrap_or(1),
        }
    }

    /// How many times its counts are taken; what another thread sums is weighted there.
    fn weight(&self) -> u64 {
        match self {
            Self::File { weight, .. } => *weight,
            Self::Memory { .. } | Self::Piped { .. } => 1,
        }
    }

    /// What another thread sums; waits for the first of it.
    fn piped(receiver: Receiver<Result<Chunk>>) -> Result<Self> {
        let chunk = receive(&receiver)?;
        Ok(Self::Piped {
            receiver,
            chunk,
            row: 0,
        })
    }

    fn current(&self) -> Option<(&[u8], u64)> {
        match self {
            Self::File { file, .. } => file.current(),
            Self::Memory { counts, row } => counts.get(*row),
            Self::Piped { chunk, row, .. } => chunk.get(*row),
        }
    }

    fn advance(&mut self) -> Result<()> {
        match self {
            Self::File { file, .. } => file.advance(),
            Self::Memory { row, .. } => {
                *row += 1;
                Ok(())
            }
            Self::Piped {
                receiver,
                chunk,
                row,
            } => {
                *row += 1;
                if *row >= chunk.counts.len() {
                    *chunk = receive(receiver)?;
                    *row = 0;
                }
                Ok(())
            }
        }
    }
}

/// Sources by their current pre-token: the one that sorts first is the greatest, as a heap wants it.
impl Ord for Source<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::File { file: a, .. }, Self::File { file: b, .. }) => b.compare(a),
            (a, b) => (b.current().map(|row| row.0)).cmp(&a.current().map(|row| row.0)),
        }
    }
}

impl PartialOrd for Source<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Source<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Source<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::{CountTable, SortedCounts};
    use crate::progress::Silent;

    fn counts(words: &[(&str, u64)]) -> Counts {
        let mut table = CountTable::new();
        words
            .iter()
            .for_each(|(word, count)| table.add(word.as_bytes(), *count));
        let counting = Counting {
            pattern: "p".to_owned(),
            text_column: "text".to_owned(),
            doc_cap: 0,
            max_chars: None,
            min_count: 1,
        };
        Counts::new(
            counting,
            Totals::default(),
            SortedCounts::from_tables(&[table]),
        )
        .unwrap()
    }

    #[test]
    fn sums_do_not_depend_on_order_or_threads() {
        let folder = std::env::temp_dir().join(format!("rustbpe-merge-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let tables = [
            counts(&[("b", 1), ("a", 2), ("a long pre-token, number 1", 3)]),
            counts(&[("a long pre-token, number 2", 5), ("a", 7)]),
            counts(&[]),
        ];
        let paths: Vec<_> = (0..9).map(|index| folder.join(index.to_string())).collect();
        paths
            .iter()
            .zip(tables.iter().cycle())
            .for_each(|(path, table)| table.write(path).unwrap());
        let mut seen = Vec::new();
        for threads in [1, 2, 5] {
            let out = folder.join("out");
            let shifted = [&paths[threads..], &paths[..threads]].concat();
            let totals =
                merge_counts(&shifted, &[], &out, &[&tables[0]], 1, threads, &Silent).unwrap();
            assert_eq!((totals.unique, totals.pretokens), (4, 4 * 6 + 3 * 12));
            seen.push(std::fs::read(&out).unwrap());
        }
        assert!(seen.windows(2).all(|pair| pair[0] == pair[1]));
        let read = Counts::read(&folder.join("out"), &Silent).unwrap();
        let expected: Vec<(&[u8], u64)> = vec![
            (b"a", 4 * 2 + 3 * 7),
            (b"a long pre-token, number 1", 12),
            (b"a long pre-token, number 2", 15),
            (b"b", 4),
        ];
        assert_eq!(read.iter().collect::<Vec<_>>(), expected);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_weight_is_so_many_copies() {
        let folder = std::env::temp_dir().join(format!("rustbpe-weights-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (a, b, sum, copies) = (
            folder.join("a"),
            folder.join("b"),
            folder.join("sum"),
            folder.join("copies"),
        );
        counts(&[("a", 2), ("b", 1)]).write(&a).unwrap();
        counts(&[("a", 5), ("c", 4)]).write(&b).unwrap();
        let paths = [a.clone(), b.clone()];
        let repeated = [a.clone(), b.clone(), b.clone(), b.clone(), a];
        for threads in [1, 2] {
            merge_counts(&paths, &[2, 3], &sum, &[], 1, threads, &Silent).unwrap();
            merge_counts(&repeated, &[], &copies, &[], 1, threads, &Silent).unwrap();
            assert_eq!(
                std::fs::read(&sum).unwrap(),
                std::fs::read(&copies).unwrap()
            );
        }
        for (weights, wanted) in [
            (vec![1], "one of 1 or more for each of the 2"),
            (vec![0, 1], "one of 1 or more"),
            (vec![1, u64::MAX / 2], "\"a\" add up to more than 2^64"),
        ] {
            let error = merge_counts(&paths, &weights, &sum, &[], 1, 1, &Silent).unwrap_err();
            assert!(error.to_string().contains(wanted), "{error}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_sum_over_64_bits_is_an_error() {
        let out = std::env::temp_dir().join(format!("rustbpe-overflow-{}", std::process::id()));
        let big = counts(&[("a", u64::MAX)]);
        let error = merge_counts(&[], &[], &out, &[&big, &big], 1, 1, &Silent).unwrap_err();
        assert!(error.to_string().contains("more than 2^64"));
        assert!(!out.exists());
    }
}
