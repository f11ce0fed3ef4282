"""Read the pages, and run what they show.

A python block that calls `asyncio.run` is a program, and is run as one. Any other is a step of its page:
the blocks of a page run in order, in one namespace, with `context` at hand and `await` allowed. A sql
block runs on a connection of its own whose search_path is the queue's schema.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import sys
from asyncio import create_subprocess_exec, subprocess, timeout
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser

from cuckmq import Context

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


class Block(NamedTuple):
    """A fenced block of a page: its language, its text, and where it begins."""

    language: str
    text: str
    line: int


def read_blocks(page: Path) -> list[Block]:
    """Find the python and sql blocks of a page."""
    found: list[Block] = []

    def note(example: Example) -> None:
        found.append(Block(example.region.lexemes["arguments"], str(example.parsed), example.line))

    parsers = [CodeBlockParser(language=language, evaluator=note) for language in ("python", "sql")]
    for example in Sybil(parsers=parsers, path=str(page.parent)).parse(page).examples():
        example.evaluate()
    return found


async def run_page(page: Path, dsn: str, schema: str, context: Context, folder: Path) -> None:
    """Run all blocks of a page in order."""
    namespace: dict[str, Any] = {"__name__": f"page_{page.stem}", "context": context}
    for block in read_blocks(page):
        if block.language == "sql":
            await run_sql(block, dsn, schema)
        elif "asyncio.run(" in block.text:
            await run_program(block, dsn, schema, folder)
        else:
            await run_step(block, page, namespace)


async def run_step(block: Block, page: Path, namespace: dict[str, Any]) -> None:
    """Run a piece of Python, which may await."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    source = "\n" * block.line + block.text
    code = compile(source, str(page), "exec", flags=flags, dont_inherit=True)
    pending = eval(code, namespace)
    if inspect.iscoroutine(pending):
        await pending


async def run_program(block: Block, dsn: str, schema: str, folder: Path) -> str:
    """Run a whole program in a process of its own, and return what it printed."""
    path = folder / "program.py"
    text = block.text.replace('"postgresql://..."', repr(dsn)).replace('"_job"', repr(schema))
    path.write_text(text, "utf-8")
    process = await create_subprocess_exec(
        sys.executable, "-W", "error", str(path),
        env={**os.environ, "CUCKMQ_DATABASE_URL": dsn}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    async with timeout(60):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def run_sql(block: Block, dsn: str, schema: str) -> None:
    """Run SQL as psql would."""
    text = re.sub(r"\b_cuckmq\b", schema, block.text)
    options = f"-csearch_path={schema}"
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, options=options) as connection:
        await connection.execute(text.encode())
