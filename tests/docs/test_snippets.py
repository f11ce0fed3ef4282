"""Every snippet in README.md and docs/ runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cuckmq import Context
from tests.docs.pages import PAGES, ROOT, read_blocks, run_page, run_program

README = ROOT / "README.md"
WITH_SNIPPETS = [page for page in PAGES if read_blocks(page) and page != README]


@pytest.mark.parametrize("page", WITH_SNIPPETS, ids=lambda page: str(page.relative_to(ROOT)))
async def test_page(page: Path, dsn: str, schema: str, context: Context, tmp_path: Path) -> None:
    await run_page(page, dsn, schema, context, tmp_path)


async def test_the_readme_program(dsn: str, schema: str, tmp_path: Path) -> None:
    """N1: the program of the first screen prints a thousand distinct lines and ends by itself."""
    (program,) = read_blocks(README)
    printed = (await run_program(program, dsn, schema, tmp_path)).splitlines()
    assert len(printed) == len(set(printed)) == 1000


def test_every_block_is_found() -> None:
    """A fence that the reader of blocks overlooks would be a snippet that nobody runs."""
    for page in PAGES:
        fences = re.findall(
            r"^ *```(?:python|sql|py|pycon|postgresql)\b", page.read_text("utf-8"), re.MULTILINE
        )
        assert len(read_blocks(page)) == len(fences), page


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
