"""Links between documents lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    document.relative_to(REPOSITORY)
    for pattern in ("*.md", "docs/**/*.md", "config/*.md", "profiles/*.md")
    for document in REPOSITORY.glob(pattern)
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_relative_links_resolve(document: Path) -> None:
    text = (REPOSITORY / document).read_text()
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
    missing = [link for link in links if not (REPOSITORY / document).parent.joinpath(link).exists()]
    assert not missing, f"{document} links to files that do not exist"


def test_the_index_names_every_page() -> None:
    index = (REPOSITORY / "docs" / "README.md").read_text()
    pages = {path.relative_to("docs").as_posix() for path in DOCUMENTS if path.is_relative_to("docs")}
    assert not [page for page in pages - {"README.md"} if f"({page})" not in index]
