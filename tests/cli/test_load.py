"""APP, and what is said when it is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import RunCommand


def said_of(run: RunCommand, *arguments: str, code: int, **variables: str) -> str:
    command = run("worker", *arguments, **variables)
    assert command.wait() == code
    assert command.stdout == ""
    return command.stderr


def test_a_missing_attribute_lists_the_contexts(run: RunCommand) -> None:
    said = said_of(run, "app:contxt", code=2)
    assert said == "cuckmq: module 'app' has no 'contxt'; there is app:context, app:other\n"


def test_an_attribute_must_be_a_context(run: RunCommand) -> None:
    said = said_of(run, "app:touch", code=2)
    assert said == (
        "cuckmq: app:touch is not a Context but of type JobDefinition; there is app:context, app:other\n"
    )


def test_several_contexts_need_an_attribute(run: RunCommand) -> None:
    said = said_of(run, "app", code=2)
    assert said == "cuckmq: module 'app' has several Contexts; there is app:context, app:other\n"


def test_a_module_without_a_context_says_so(run: RunCommand, folder: Path) -> None:
    (folder / "empty.py").write_text("x = 1\n")
    assert said_of(run, "empty:x", code=2).startswith("cuckmq: module 'empty' has no Context: give it one")


def test_a_missing_module_says_where_it_was_looked_for(run: RunCommand, folder: Path) -> None:
    said = said_of(run, "nowhere.at_all:context", code=2)
    assert said == f"cuckmq: there is no module 'nowhere.at_all' in {folder}, nor on the Python path\n"


@pytest.mark.parametrize("written", ["app.py:context", "./app.py:context"])
def test_a_file_name_is_answered_with_the_module(run: RunCommand, written: str) -> None:
    assert said_of(run, written, code=2).endswith("is not a module's name: write 'app'\n")


def test_no_app_at_all_tells_the_ways_to_name_one(run: RunCommand) -> None:
    assert said_of(run, code=2).startswith("cuckmq: which app?")


def test_an_error_of_the_module_shows_its_own_traceback(run: RunCommand, folder: Path) -> None:
    (folder / "broken.py").write_text("import app\n\ndef fail():\n    import not_installed\n\nfail()\n")
    said = said_of(run, "broken:context", code=1)
    assert 'broken.py", line 6' in said
    assert "No module named 'not_installed'" in said
    assert "importlib" not in said
    assert "cuckmq/cli" not in said
    assert said.endswith("cuckmq: module 'broken' fails when it is imported, as shown above\n")


def test_an_error_of_ours_names_the_line(run: RunCommand, folder: Path) -> None:
    (folder / "wrong.py").write_text("from cuckmq import Context\n\ncontext = Context(schema='pg_x')\n")
    said = said_of(run, "wrong:context", code=1)
    assert said.startswith("cuckmq: wrong.py:3: schema name 'pg_x' is not allowed")
    assert said.count("\n") == 1


def test_the_app_may_come_from_the_environment(run: RunCommand) -> None:
    assert "'app' has no 'y'" in said_of(run, code=2, CUCKMQ_APP="app:y")


def test_the_app_may_come_from_pyproject(run: RunCommand, folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool.cuckmq]\napp = "app:z"\n')
    assert "'app' has no 'z'" in said_of(run, code=2)


def test_a_broken_pyproject_is_told(run: RunCommand, folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.cuckmq\n")
    assert said_of(run, code=2).startswith("cuckmq: pyproject.toml cannot be read: ")
