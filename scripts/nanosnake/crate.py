"""The module `rustbpe` of our crate: the library imports it from here, never by its name.

The public package rustbpe is imported under the same name and lacks most of ours.
"""

from __future__ import annotations

import rustbpe as rustbpe

from nanosnake.files import NanosnakeError

DISTRIBUTION = "nanosnake-rustbpe"
"""What the crate is called where packages are installed."""


def foreign(module: object) -> str | None:
    """Return an error message if `module` is another package called `rustbpe`; None if it is ours."""
    if getattr(module, "__distribution__", None) == DISTRIBUTION:
        return None
    return (
        f"{getattr(module, '__file__', 'rustbpe')} is the public package rustbpe, not the crate of nanosnake; "
        f"run `pip uninstall rustbpe`, then install {DISTRIBUTION} again "
        f"(`uv sync --reinstall-package {DISTRIBUTION}` in a checkout)"
    )


if problem := foreign(rustbpe):
    raise NanosnakeError(problem)
