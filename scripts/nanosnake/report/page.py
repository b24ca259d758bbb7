"""What every page has: its head, its headline figures, and its sections in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """The frame of a page; `sections` are the names of templates."""

    kind: str
    """What the page is: `Tokenizer report`."""
    name: str
    on: str
    """What it is about: the dataset, or the dataset and the tokenizer."""
    status: str
    """pass, warn or fail: the colour and the sign of the headline."""
    headline: str
    tiles: Sequence[tuple[str, str, str]]
    """Headline figures: what, how much, and what it is measured on."""
    sections: Sequence[tuple[str, str]]
    """Anchor and title of each section that has something to show."""
    links: Sequence[tuple[str, str]] = ()
    """Neighbours in the folder of the results: address from this page, and title."""
    template: str = ""
    """The template of every section, where it is one for all."""
