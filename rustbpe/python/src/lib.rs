//! Python binding of `rustbpe-core`.

mod calls;
mod documents;
mod doorway;
mod encoder;
mod errors;
mod tables;
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
    module.add_class::<tables::Counts>()?;
    module.add_class::<tables::Merges>()?;
    module.add_class::<encoder::Encoder>()?;
    module.add_class::<encoder::TokenBuffer>()?;
    module.add_class::<documents::Documents>()?;
    module.add_function(wrap_pyfunction!(calls::check_parquet, module)?)?;
    module.add_function(wrap_pyfunction!(calls::count_parquet, module)?)?;
    module.add_function(wrap_pyfunction!(calls::merge_counts, module)?)?;
    module.add_function(wrap_pyfunction!(calls::training_memory, module)?)?;
    module.add_function(wrap_pyfunction!(calls::train_merges, module)?)?;
    module.add_function(wrap_pyfunction!(calls::encode_parquet, module)?)?;
    errors::register(module)
}
