//! The exceptions of the module, and which error of the core becomes which.

use std::any::Any;

use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyKeyboardInterrupt, PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};
use rustbpe_core::Error;

create_exception!(
    rustbpe,
    RustbpeError,
    PyException,
    "What went wrong in rustbpe; the base of its errors."
);
create_exception!(
    rustbpe,
    FileFormatError,
    RustbpeError,
    "A file that is not what it should be, or is damaged."
);
create_exception!(
    rustbpe,
    ColumnError,
    FileFormatError,
    "A parquet file without the text column that was named."
);

/// Classes that are both a `RustbpeError` and a `ValueError`, as the public package raises.
struct ValueErrorClass {
    name: &'static str,
    doc: &'static str,
    made: PyOnceLock<Py<PyType>>,
}

static PATTERN_ERROR: ValueErrorClass = ValueErrorClass {
    name: "PatternError",
    doc: "A split pattern that does not compile, or that gave up.",
    made: PyOnceLock::new(),
};
static INVALID_VALUE_ERROR: ValueErrorClass = ValueErrorClass {
    name: "InvalidValueError",
    doc: "A vocabulary, merge list or argument that cannot be right.",
    made: PyOnceLock::new(),
};

impl ValueErrorClass {
    fn class<'py>(&'static self, py: Python<'py>) -> PyResult<&'py Bound<'py, PyType>> {
        let make = || {
            let bases = (py.get_type::<RustbpeError>(), py.get_type::<PyValueError>());
            let members = PyDict::new(py);
            members.set_item("__module__", "rustbpe")?;
            members.set_item("__doc__", self.doc)?;
            let class = py.get_type::<PyType>().call1((self.name, bases, members))?;
            Ok(class.cast_into::<PyType>()?.unbind())
        };
        self.made
            .get_or_try_init(py, make)
            .map(|class| class.bind(py))
    }

    fn error(&'static self, py: Python<'_>, message: String) -> PyErr {
        match self.class(py) {
            Ok(class) => PyErr::from_type(class.clone(), message),
            Err(error) => error,
        }
    }
}

/// Puts the exceptions into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("RustbpeError", py.get_type::<RustbpeError>())?;
    module.add("PatternError", PATTERN_ERROR.class(py)?)?;
    module.add("ColumnError", py.get_type::<ColumnError>())?;
    module.add("FileFormatError", py.get_type::<FileFormatError>())?;
    module.add("InvalidValueError", INVALID_VALUE_ERROR.class(py)?)
}

/// An `InvalidValueError`.
pub fn invalid(py: Python<'_>, message: impl Into<String>) -> PyErr {
    INVALID_VALUE_ERROR.error(py, message.into())
}

/// The exception for an error of the core.
pub fn exception(py: Python<'_>, error: Error) -> PyErr {
    match error {
        Error::Pattern { .. } => PATTERN_ERROR.error(py, error.to_string()),
        Error::Value(message) => invalid(py, message),
        Error::Column { .. } => ColumnError::new_err(error.to_string()),
        Error::File { .. } => FileFormatError::new_err(error.to_string()),
        // Python picks FileNotFoundError and its kin by the number
        Error::Io { path, source } => match source.raw_os_error() {
            Some(number) => {
                let reason = source.to_string();
                let reason = reason
                    .split(" (os error")
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                PyOSError::new_err((number, reason, path.into_os_string()))
            }
            None => {
                std::io::Error::new(source.kind(), format!("{}: {source}", path.display())).into()
            }
        },
        Error::Interrupted => PyKeyboardInterrupt::new_err(()),
        other => RustbpeError::new_err(other.to_string()),
    }
}

/// The exception for a panic of the core.
pub fn panicked(panic: &(dyn Any + Send)) -> PyErr {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    RustbpeError::new_err(format!(
        "a defect in rustbpe: {}; please report it with the call that led here",
        text.unwrap_or("a panic without a message")
    ))
}
