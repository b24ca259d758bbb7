"""What decides a stage's result: our files, crates and packages, by meaning. Edits outdate only what they affect."""

from nanosnake.closures.closures import Closures, differences, meaning, read_closure

__all__ = ["Closures", "differences", "meaning", "read_closure"]
