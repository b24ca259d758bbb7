//! Counts the pre-tokens of shards on several threads.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::artifacts::counts::Counts;
use crate::artifacts::schema::{Counting, Totals};
use crate::count::{CountTable, SortedCounts};
use crate::error::Result;
use crate::feed::{AnyOrder, InOrder, Limit};
use crate::pretokenize::Splitter;
use crate::progress::Progress;
use crate::shard::{Batch, Shard, characters_in, cut};
use crate::threads::{in_parallel, thread_count};

/// Sums the pre-tokens of one shard after the other.
pub struct Counter {
    splitter: Splitter,
    counting: Counting,
    limit: Option<Limit>,
    totals: Totals,
    tables: Vec<CountTable>,
}

impl Counter {
    /// A counter with `threads` threads; 0 is one a core.
    ///
    /// `max_chars` runs over all shards in the order in which they are added: documents are counted until their
    /// characters exceed it, the document that exceeds it included.
    #[must_use]
    pub fn new(
        splitter: &Splitter,
        text_column: &str,
        doc_cap: u64,
        max_chars: Option<u64>,
        threads: usize,
    ) -> Self {
        let counting = Counting {
            pattern: splitter.regex().to_owned(),
            text_column: text_column.to_owned(),
            doc_cap,
            max_chars,
            min_count: 1,
        };
        Self {
            splitter: splitter.clone(),
            counting,
            limit: max_chars.map(|left| Limit {
                left,
                reached: false,
            }),
            totals: Totals::default(),
            tables: (0..thread_count(threads))
                .map(|_| CountTable::new())
                .collect(),
        }
    }

    /// Whether `max_chars` is used up: further shards add nothing.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| limit.reached)
    }

    /// Counts the documents of a shard. Rows without a value are no documents; empty ones are, with no pre-token.
    /// Progress is in bytes.
    ///
    /// # Errors
    /// Those of [`Shard`] and of the splitter, and [`crate::Error::Interrupted`].
    pub fn add_shard(&mut self, path: &Path, progress: &dyn Progress) -> Result<()> {
        let shard = Shard::open(path, &self.counting.text_column)?;
        if let Some(limit) = self.limit {
            let feed = InOrder::new(&shard, self.counting.doc_cap, Some(limit));
            let next = |_: usize| Ok(feed.next()?.map(|(_, batch)| batch));
            self.run(&shard, &next, progress)?;
            self.limit = feed.into_limit();
        } else {
            let feed = AnyOrder::new(&shard, self.tables.len());
            let next = |worker: usize| feed.next(worker);
            self.run(&shard, &next, progress)?;
        }
        Ok(())
    }

    /// Counts documents that do not come from a shard; `max_chars` does not apply to them.
    ///
    /// # Errors
    /// Those of the splitter and [`crate::Error::Interrupted`].
    pub fn add_texts(
        &mut self,
        texts: &[impl AsRef<str> + Sync],
        progress: &dyn Progress,
    ) -> Result<()> {
        let doc_cap = self.counting.doc_cap;
        let chunk = 64;
        let next = AtomicU64::new(0);
        let workers = self.workers(|worker| {
            loop {
                let start = next.fetch_add(chunk, Ordering::Relaxed) as usize;
                if start >= texts.len() {
                    return Ok(());
                }
                for text in &texts[start..texts.len().min(start + chunk as usize)] {
                    worker.add_text(cut(text.as_ref(), doc_cap))?;
                }
                progress.update(0, 0)?;
            }
        });
        self.sum(workers)
    }

    /// All counts.
    ///
    /// # Errors
    /// [`crate::Error::Value`] where the counts add up to more than 64 bits.
    pub fn finish(self) -> Result<Counts> {
        Counts::new(
            self.counting,
            self.totals,
            SortedCounts::from_tables(&self.tables),
        )
    }

    fn run(
        &mut self,
        shard: &Shard,
        next: &(dyn Fn(usize) -> Result<Option<Batch>> + Sync),
        progress: &dyn Progress,
    ) -> Result<()> {
        let (done, bytes) = (AtomicU64::new(0), shard.text_bytes());
        let doc_cap = self.counting.doc_cap;
        let workers = self.workers(|worker| {
            while let Some(batch) = next(worker.number)? {
                for document in batch.documents() {
                    let added = worker.add_text(document.text(doc_cap)?);
                    added.map_err(|error| document.named_in(error))?;
                }
                worker.totals.nulls += batch.nulls() as u64;
                let rows = batch.rows() as u64;
                let rows = done.fetch_add(rows, Ordering::Relaxed) + rows;
                progress.update(shard.bytes_of_rows(rows), bytes)?;
            }
            Ok(())
        });
        self.sum(workers)
    }

    /// Runs a job on every thread, each with a table of its own.
    fn workers(
        &mut self,
        job: impl Fn(&mut Worker<'_>) -> Result<()> + Sync,
    ) -> Vec<Result<Totals>> {
        let splitter = &self.splitter;
        in_parallel(self.tables.iter_mut().enumerate(), |(number, table)| {
            let (splitter, totals) = (splitter.clone(), Totals::default());
            let mut worker = Worker {
                number,
                splitter,
                table,
                totals,
            };
            job(&mut worker).map(|()| worker.totals)
        })
    }

    fn sum(&mut self, workers: Vec<Result<Totals>>) -> Result<()> {
        for totals in workers {
            self.totals.add_source(&totals?);
        }
        Ok(())
    }
}

struct Worker<'a> {
    number: usize,
    splitter: Splitter,
    table: &'a mut CountTable,
    totals: Totals,
}

impl Worker<'_> {
    fn add_text(&mut self, text: &str) -> Result<()> {
        self.totals.documents += 1;
        self.totals.characters += characters_in(text.as_bytes());
        self.totals.bytes += text.len() as u64;
        let mut batch = self.table.batch(text);
        self.splitter.for_each_row(text, |mut start, ends| {
            for &end in ends {
                batch.add(start, end);
                start = end;
            }
        })
    }
}
