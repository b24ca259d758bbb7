"""What the readers of Python and of Rust take for the same, and what they follow."""

from __future__ import annotations

from pathlib import Path

import pytest

from nanosnake.closures import python
from nanosnake.closures.rust import RustFile, read
from nanosnake.closures.rust_closure import Workspace
from nanosnake.closures.rust_tokens import tokens


def of_python(text: str) -> python.PythonFile:
    return python.read(text.encode(), "nanosnake.deep.one")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 1  # a comment"),
        ("def f():\n    return 1", 'def f():\n    """Text."""\n    return (1)'),
        ("class A:\n    x: int = 1", 'class A:\n    """Text."""\n\n    x: int = 1\n    """Text."""'),
        ("f(1, 2)", "f(\n    1,\n    2,\n)"),
        ("x = 'ab'", 'x = "a" "b"'),
    ],
)
def test_python_that_means_the_same(one: str, other: str) -> None:
    assert of_python(one).digest == of_python(other).digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 2"),
        ("x = 1", "x = True"),
        ("x: int = 1", "x: str = 1"),
        ("f(1)", "f((1,))"),
        ("f('')", "f()"),
    ],
)
def test_python_that_means_something_else(one: str, other: str) -> None:
    assert of_python(one).digest != of_python(other).digest


def test_the_digest_of_python_is_the_same_for_every_python() -> None:
    """Newer versions add fields to nodes; all that the project supports gave this one."""
    text = "@f\nasync def g(*a, b: int = 1, **c) -> None: ...\n"
    text += 'class A(B, c=1):\n    x = f"{y!r:>{width}} and {z}"\n    with a as b: pass\n    match x:\n        case [1, *_]: ...\n'
    assert of_python(text).digest[:16] == "934fbcfdd95694b3"


def test_imports_of_python() -> None:
    text = """
from typing import TYPE_CHECKING
import os, nanosnake.a
from nanosnake.b import c as d
from . import near
from .near import thing
if TYPE_CHECKING:
    from nanosnake.types import never
else:
    import nanosnake.sometimes
def f():
    from nanosnake.late import g
    return rustbpe.count(rustbpe.Encoder)
"""
    found = of_python(text)
    assert found.imports == (
        "nanosnake.a",
        "nanosnake.b:c",
        "nanosnake.deep.near:thing",
        "nanosnake.deep:near",
        "nanosnake.late:g",
        "nanosnake.sometimes",
    )
    assert found.crate == ("Encoder", "count")


def test_the_crate_under_another_name_is_refused() -> None:
    with pytest.raises(ValueError, match="under another name"):
        of_python("import rustbpe as r\nr.count()\n")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "fn f() { a(1, 2) }",
            "/// Text.\nfn f() {\n    // why\n    a(\n        1,\n        2,\n    ) /* a /* b */ c */\n}",
        ),
        ("fn f() {}", "#[allow(dead_code)]\n#[must_use]\nfn f() {}"),
        ("fn f() {}", "fn f() {}\n#[cfg(test)]\nmod tests { fn g() {} }"),
        ("fn f() {}", "#[cfg(test)]\nuse a::{b, c};\n#[cfg(test)]\nconst X: A = A { b: 1 };\nfn f() {}"),
        ("fn f() { match a { A => b, C => d } }", "fn f() { match a { A => { b } C => { d } } }"),
        ("fn f() { match a { A => return b, C => d } }", "fn f() { match a { A => { return b; } C => d, } }"),
        ("fn f() { a(|x| b(x)) }", "fn f() { a(|x| { b(x) }) }"),
        ("use a::b; use c::d; fn f() {}", "use c::d;\nuse a::b;\nfn f() {}"),
        ("use a::{b, c::{self, D as E}};", "use a::b;\nuse a::c;\nuse a::c::D as E;"),
        ("fn f<A, B>() {}", "fn f<\n    A,\n    B,\n>() {}"),
    ],
)
def test_rust_that_means_the_same(one: str, other: str) -> None:
    assert read(one.encode()) == read(other.encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fn f() { a }", "fn f() { a; }"),
        ("fn f() { (a) }", "fn f() { (a,) }"),
        ('const A: &str = "// b";', 'const A: &str = "// c";'),
        ('const A: &str = r#"a"b"#;', 'const A: &str = r#"a"c"#;'),
        ("const A: char = '\\'';", "const A: char = '\"';"),
        ("fn f<'a>(x: &'a u8) {}", "fn f<'b>(x: &'b u8) {}"),
        ("#[cfg(unix)] fn f() {}", "#[cfg(windows)] fn f() {}"),
        ("use a::b;", "use a::c as b;"),
    ],
)
def test_rust_that_means_something_else(one: str, other: str) -> None:
    assert read(one.encode()) != read(other.encode())


def test_what_is_not_rust_is_refused() -> None:
    with pytest.raises(ValueError, match="not Rust"):
        tokens('fn f() { "no end')


SOURCES = {
    "rustbpe/Cargo.lock": """
[[package]]
name = "outer"
version = "1.0.0"
checksum = "aa"
dependencies = ["inner"]

[[package]]
name = "inner"
version = "2.0.0"
checksum = "bb"

[[package]]
name = "pyo3"
version = "1.0.0"
""",
    "rustbpe/core/Cargo.toml": '[dependencies]\nouter = { version = "1", features = ["f"] }\n',
    "rustbpe/python/Cargo.toml": '[dependencies]\npyo3 = "1"\nrustbpe-core = { path = "../core" }\n',
    "rustbpe/core/src/lib.rs": "pub mod deep;\npub mod other;\npub use deep::part::work;\npub mod traits;",
    "rustbpe/core/src/deep/mod.rs": "pub mod part;\nmod child;\npub use child::{Child, unused};",
    "rustbpe/core/src/deep/part.rs": """
use super::Child;
use crate::traits::Act as _;
use crate::traits::Act;
pub fn work() { Child::new().act(); helper() }
fn helper() { outer::call() }
pub fn alone() { Act::name() }
""",
    "rustbpe/core/src/deep/child.rs": """
pub struct Child;
impl Child { pub fn new() -> Self { Child } }
pub fn unused() { crate::other::thing() }
""",
    "rustbpe/core/src/traits.rs": "pub trait Act { fn act(&self); }",
    "rustbpe/core/src/other.rs": """
use crate::deep::Child;
use crate::traits::Act;
impl Act for Child { fn act(&self) {} }
pub fn thing() {}
""",
    "rustbpe/python/src/lib.rs": """
mod calls;
#[pymodule]
fn rustbpe(module: &M) { module.add("NAMES", calls::names(1))?; module.add_function(wrap!(calls::run, module)) }
""",
    "rustbpe/python/src/calls.rs": """
use rustbpe_core::deep;
use pyo3::prelude::*;
#[pyfunction]
fn run() { rustbpe_core::work() }
#[pyfunction]
fn lone() { deep::part::alone() }
pub fn names(n: u8) {}
#[pyclass(name = "Thing")]
struct Inner;
create_exception!(rustbpe, SomeError);
""",
}


@pytest.fixture
def crates(tmp_path: Path) -> Path:
    """Return a small workspace."""
    for name, text in SOURCES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def workspace(root: Path) -> Workspace:
    def read_file(path: str) -> RustFile:
        return read((root / path).read_bytes())

    return Workspace(root, read_file)


def test_rust_is_followed_through_modules_and_what_they_hand_on(crates: Path) -> None:
    found = workspace(crates).of(["run"])
    assert sorted(found) == [
        "crate outer",
        "rustbpe/core/src/deep/child.rs",
        "rustbpe/core/src/deep/mod.rs",
        "rustbpe/core/src/deep/part.rs",
        "rustbpe/core/src/other.rs",
        "rustbpe/core/src/traits.rs",
        "rustbpe/python/src/calls.rs",
    ]
    assert found["crate outer"].startswith("1.0.0:")


def changed(root: Path, file: str, old: str, new: str, names: list[str]) -> list[str]:
    """Return the parts of a closure that differ after an edit."""
    before = workspace(root).of(names)
    path = root / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    after = workspace(root).of(names)
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        (
            "rustbpe/core/src/deep/part.rs",
            "outer::call()",
            "outer::other()",
            ["rustbpe/core/src/deep/part.rs"],
        ),
        (
            "rustbpe/core/src/deep/part.rs",
            "Act::name()",
            "Act::title()",
            [],
        ),  # of `alone`, which run does not use
        ("rustbpe/core/src/deep/child.rs", "other::thing()", "other::it()", []),
        ("rustbpe/core/src/other.rs", "(&self) {}", "(&self) { 1 }", ["rustbpe/core/src/other.rs"]),
        ("rustbpe/core/src/lib.rs", "pub mod other;", "pub mod other; pub mod new;", []),
        ("rustbpe/python/src/calls.rs", "part::alone()", "part::alone2()", []),
        ("rustbpe/Cargo.lock", '"2.0.0"', '"2.0.1"', ["crate outer"]),
        ("rustbpe/Cargo.lock", 'name = "pyo3"\nversion = "1', 'name = "pyo3"\nversion = "2', []),
        ("rustbpe/core/Cargo.toml", '["f"]', '["g"]', ["crate outer"]),
    ],
)
def test_an_edit_of_rust_changes_what_uses_it(
    crates: Path, file: str, old: str, new: str, expected: list[str]
) -> None:
    assert changed(crates, file, old, new, ["run"]) == expected


def test_names_of_the_extension_are_found_however_they_are_defined(crates: Path) -> None:
    found = workspace(crates)
    calls = "rustbpe/python/src/calls.rs"
    assert found.defined("run") == (calls, "run")
    assert found.defined("Thing") == (calls, "Thing")
    assert found.defined("NAMES") == (calls, "names")
    assert found.defined("SomeError") == (calls, "*")
    with pytest.raises(ValueError, match="nothing in rustbpe/python defines it"):
        found.defined("Absent")
