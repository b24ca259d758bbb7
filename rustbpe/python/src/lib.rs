//! Python binding of `rustbpe-core`.

mod arrow;
mod counts;
mod documents;
mod doorway;
mod encoder;
mod errors;
mod json_lines;
mod merges;
mod stages;
mod tokenizer;

use pyo3::prelude::*;

/// Exact byte-pair encoding: pre-tokenize, count, train, encode.
#[pymodule]
fn rustbpe(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    // what the public package of the same module name does not have
    module.add("__distribution__", "nanosnake-rustbpe")?;
    module.add("PATTERNS", tokenizer::patterns(module.py())?)?;
    module.add_class::<tokenizer::Tokenizer>()?;
    module.add_class::<counts::Counts>()?;
    module.add_class::<merges::Merges>()?;
    module.add_class::<encoder::Encoder>()?;
    module.add_class::<documents::Documents>()?;
    module.add_class::<json_lines::JsonLines>()?;
    module.add_function(wrap_pyfunction!(
        stages::check_parquet::check_parquet,
        module
    )?)?;
    module.add_function(wrap_pyfunction!(stages::check_parquet::row_groups, module)?)?;
    module.add_function(wrap_pyfunction!(
        stages::count_parquet::count_parquet,
        module
    )?)?;
    module.add_function(wrap_pyfunction!(
        stages::merge_counts::merge_counts,
        module
    )?)?;
    module.add_function(wrap_pyfunction!(
        stages::train_merges::training_memory,
        module
    )?)?;
    module.add_function(wrap_pyfunction!(
        stages::train_merges::train_merges,
        module
    )?)?;
    module.add_function(wrap_pyfunction!(
        stages::encode_parquet::encode_parquet,
        module
    )?)?;
    errors::register(module)
}
