"""What decides the result of a stage, by meaning: our files, crates, packages. One edit, and just that is outdated."""

from nanosnake.closures.closures import FOLDER, Closures, differences

__all__ = ["FOLDER", "Closures", "differences"]
