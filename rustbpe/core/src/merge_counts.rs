//! Sums count files in one streaming pass.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use crate::counts::{Counting, Counts, Totals};
use crate::counts_file::{CountFile, CountWriter, check_same};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// Pre-tokens between two looks at the progress.
const STEP: u64 = 1 << 16;

/// Sums count files and tables in memory into one count file.
///
/// Reads one record batch of each file at a time. Pre-tokens whose sum is below `min_count` are left out: the
/// one inexact switch, off at 1.
///
/// # Errors
/// [`Error::File`] where a file is damaged, [`Error::Value`] where two were counted in different ways or there
/// is nothing to sum, [`Error::Io`] for the operating system, [`Error::Interrupted`].
pub fn merge_counts(
    paths: &[PathBuf],
    out: &Path,
    extra: &[&Counts],
    min_count: u64,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Totals> {
    let _ = threads;
    let mut sources = Vec::with_capacity(paths.len() + extra.len());
    for path in paths {
        sources.push(Source::File(Box::new(CountFile::open(path)?)));
        progress.update(0, 0)?;
    }
    for (index, counts) in extra.iter().enumerate() {
        sources.push(Source::memory(counts, index));
    }
    let (counting, totals) = summed(&sources, min_count)?;
    let work: u64 = sources.iter().map(|source| source.totals().unique).sum();
    let mut writer = CountWriter::create(out, &counting, &totals)?;
    let mut heap = Heap::new(sources);
    let mut pretoken = Vec::new();
    let mut done = 0;
    while let Some((bytes, count)) = heap.top() {
        pretoken.clear();
        pretoken.extend_from_slice(bytes);
        let mut sum = count;
        heap.advance()?;
        let mut summed = 1;
        while let Some((_, count)) = heap.top().filter(|(bytes, _)| *bytes == pretoken) {
            sum = sum
                .checked_add(count)
                .ok_or_else(|| Error::Value("the counts add up to more than 2^64".to_owned()))?;
            heap.advance()?;
            summed += 1;
        }
        if sum >= min_count {
            writer.push(&pretoken, sum)?;
        }
        if (done + summed) / STEP > done / STEP {
            progress.update(done + summed, work)?;
        }
        done += summed;
    }
    progress.update(done, work)?;
    writer.finish()
}

/// How and from what the sum was counted; checks that the sources agree.
fn summed(sources: &[Source<'_>], min_count: u64) -> Result<(Counting, Totals)> {
    let Some(first) = sources.first() else {
        return Err(Error::Value(
            "no count files to merge; give at least one".to_owned(),
        ));
    };
    let mut counting = first.counting().clone();
    let mut totals = Totals::default();
    for source in sources {
        check_same(
            (&first.name(), first.counting()),
            (&source.name(), source.counting()),
        )?;
        totals.add_source(source.totals());
        counting.min_count = counting.min_count.max(source.counting().min_count);
        if counting.max_chars != source.counting().max_chars {
            counting.max_chars = None;
        }
    }
    counting.min_count = counting.min_count.max(min_count);
    Ok((counting, totals))
}

/// Something that yields pre-tokens in order.
enum Source<'a> {
    File(Box<CountFile>),
    Memory {
        counts: &'a Counts,
        index: usize,
        row: usize,
    },
}

impl<'a> Source<'a> {
    fn memory(counts: &'a Counts, index: usize) -> Self {
        Self::Memory {
            counts,
            index,
            row: 0,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::File(file) => file.path().display().to_string(),
            Self::Memory { index, .. } => format!("extra[{index}]"),
        }
    }

    fn counting(&self) -> &Counting {
        match self {
            Self::File(file) => &file.counting,
            Self::Memory { counts, .. } => &counts.counting,
        }
    }

    fn totals(&self) -> &Totals {
        match self {
            Self::File(file) => &file.totals,
            Self::Memory { counts, .. } => &counts.totals,
        }
    }

    fn current(&self) -> Option<(&[u8], u64)> {
        match self {
            Self::File(file) => file.current(),
            Self::Memory { counts, row, .. } => counts.get(*row),
        }
    }

    fn advance(&mut self) -> Result<()> {
        match self {
            Self::File(file) => file.advance(),
            Self::Memory { row, .. } => {
                *row += 1;
                Ok(())
            }
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::File(a), Self::File(b)) => a.compare(b),
            (a, b) => a
                .current()
                .map(|row| row.0)
                .cmp(&b.current().map(|row| row.0)),
        }
    }
}

/// A binary heap of sources by their current pre-token, smallest first; ended sources are dropped.
struct Heap<'a> {
    sources: Vec<Source<'a>>,
}

impl<'a> Heap<'a> {
    fn new(mut sources: Vec<Source<'a>>) -> Self {
        sources.retain(|source| source.current().is_some());
        let mut heap = Self { sources };
        for at in (0..heap.sources.len() / 2).rev() {
            heap.sink(at);
        }
        heap
    }

    fn top(&self) -> Option<(&[u8], u64)> {
        self.sources.first().and_then(Source::current)
    }

    fn advance(&mut self) -> Result<()> {
        if let Some(top) = self.sources.first_mut() {
            top.advance()?;
            if top.current().is_none() {
                self.sources.swap_remove(0);
            }
        }
        self.sink(0);
        Ok(())
    }

    fn sink(&mut self, mut at: usize) {
        loop {
            let mut child = 2 * at + 1;
            if child >= self.sources.len() {
                return;
            }
            if child + 1 < self.sources.len() && self.less(child + 1, child) {
                child += 1;
            }
            if !self.less(child, at) {
                return;
            }
            self.sources.swap(at, child);
            at = child;
        }
    }

    fn less(&self, a: usize, b: usize) -> bool {
        self.sources[a].compare(&self.sources[b]) == Ordering::Less
    }
}

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
            let totals = merge_counts(&shifted, &out, &[&tables[0]], 1, threads, &Silent).unwrap();
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
    fn a_sum_over_64_bits_is_an_error() {
        let out = std::env::temp_dir().join(format!("rustbpe-overflow-{}", std::process::id()));
        let big = counts(&[("a", u64::MAX)]);
        let error = merge_counts(&[], &out, &[&big, &big], 1, 1, &Silent).unwrap_err();
        assert!(error.to_string().contains("more than 2^64"));
        assert!(!out.exists());
    }
}
