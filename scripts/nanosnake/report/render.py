"""Render the page: jinja2 with escaping on, styles and script inline, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from nanosnake import __version__
from nanosnake.files import replacing
from nanosnake.report.page import Page
from nanosnake.report.tables import format_size, format_value, label
from nanosnake.report.visible import visible


def shown(value: Any) -> Any:
    """Make every text visible on its way into the page; jinja2 escapes it after that."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def environment() -> Environment:
    """Return the environment of the templates, in which every value is escaped."""
    made = Environment(
        loader=PackageLoader("nanosnake.report"),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # `plain`: text that is already visible and keeps its line breaks
    made.filters.update(value=format_value, size=format_size, label=label, plain=escape)
    return made


def asset(name: str) -> Markup:
    """Read a file of this package that goes into the page unchanged."""
    return Markup((resources.files("nanosnake.report") / name).read_text(encoding="utf-8"))


def content_security_policy(script: str) -> str:
    """Forbid the page to load anything, and to run any script but its own."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )


def render(page: Page, **values: Any) -> str:
    """Return a whole page; `values` are what the templates of its sections ask for."""
    script = asset("report.js")
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            style=asset("style.css"),
            script=script,
            policy=Markup(content_security_policy(script)),
            version=__version__,
            **values,
        )
    )


def write_page(text: str, path: Path) -> int:
    """Write a page; return its size in bytes."""
    content = text.encode("utf-8")
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return len(content)
