//! The module's functions, one file each: what makes a file of the workflow.

pub mod check_parquet;
pub mod count_parquet;
pub mod encode_parquet;
pub mod merge_counts;
pub mod train_merges;
