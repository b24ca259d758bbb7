"""What decides the result of a stage, by meaning: our files, crates, packages. One edit, and just that is outdated."""

from nanosnake.closures.closures import Closures, differences, meaning, read_closure

__all__ = ["Closures", "differences", "meaning", "read_closure"]
