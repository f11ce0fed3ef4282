"""Find the Context that a command is about: APP, which is `module:attribute`."""

from __future__ import annotations

import importlib
import os
import sys
import tomllib
import traceback
from pathlib import Path
from types import ModuleType
from typing import Final

import click

from cuckmq.cli.refusal import Misuse, Refusal
from cuckmq.context import Context
from cuckmq.errors import CuckmqError

OURS: Final = str(Path(__file__).parents[1])


def load_context(app: str | None) -> Context:
    """Import an app's module from the current folder or the Python path, and take its Context.

    Args:
        app: `module:attribute`, or `module` when it has but one Context. None for CUCKMQ_APP, then
            for `app` under `[tool.cuckmq]` in the current folder's pyproject.toml.

    Raises:
        Misuse: nothing is there. The message lists what is.
        Refusal: the module itself has failed.
    """
    module_name, _, attribute = (app or _default_app()).partition(":")
    module = _import(_checked(module_name))
    contexts = {name: value for name, value in vars(module).items() if isinstance(value, Context)}
    if attribute in contexts:
        return contexts[attribute]
    if not contexts:
        raise Misuse(
            f"module {module_name!r} has no Context: give it one, `context = cuckmq.Context()`, "
            "or name the module that has it"
        )
    if not attribute and len(contexts) == 1:
        return next(iter(contexts.values()))
    there = ", ".join(f"{module_name}:{name}" for name in sorted(contexts))
    raise Misuse(f"{_what_is_wrong(module, attribute)}; there is {there}")


def _default_app() -> str:
    if named := os.environ.get("CUCKMQ_APP"):
        return named
    if named := _configured_app(Path("pyproject.toml")):
        return named
    raise Misuse(
        "which app? Name it as APP (`module:attribute`), in CUCKMQ_APP, or in pyproject.toml as `app` "
        "under [tool.cuckmq]"
    )


def _configured_app(settings: Path) -> str | None:
    if not settings.is_file():
        return None
    try:
        named = tomllib.loads(settings.read_text("utf-8")).get("tool", {}).get("cuckmq", {}).get("app")
    except ValueError as error:
        raise Misuse(f"{settings} cannot be read: {error}") from error
    if named is not None and not isinstance(named, str):
        raise Misuse(f"{settings}: app under [tool.cuckmq] is a string, `module:attribute`")
    return named


def _checked(module_name: str) -> str:
    if all(part.isidentifier() for part in module_name.split(".")) and not module_name.endswith(".py"):
        return module_name
    guess = module_name.removesuffix(".py").strip("./").replace("/", ".")
    hint = f": write {guess!r}" if all(part.isidentifier() for part in guess.split(".")) else ""
    raise Misuse(f"APP is `module:attribute`, and {module_name!r} is not a module's name{hint}")


def _import(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            told = f"there is no module {name!r} in {here}, nor on the Python path"
            raise Misuse(told) from None
        raise _failed(name, error) from error
    except CuckmqError as error:
        raise Refusal(f"{_place(error)}{error}") from error
    except Exception as error:
        raise _failed(name, error) from error


def _failed(name: str, error: Exception) -> Refusal:
    """Show where the user's own module failed, without the frames that led to it."""
    stack = error.__traceback__
    while stack is not None and _is_machinery(stack.tb_frame.f_code.co_filename):
        stack = stack.tb_next
    click.echo("".join(traceback.format_exception(type(error), error, stack)), nl=False, err=True)
    return Refusal(f"module {name!r} fails when it is imported, as shown above")


def _place(error: CuckmqError) -> str:
    """Name the user's line that an error of ours is about."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [each for each in frames if not _is_machinery(each.filename)]
    return f"{os.path.relpath(theirs[-1].filename)}:{theirs[-1].lineno}: " if theirs else ""


def _is_machinery(filename: str) -> bool:
    return filename.startswith((OURS, "<frozen importlib")) or filename == importlib.__file__


def _what_is_wrong(module: ModuleType, attribute: str) -> str:
    if not attribute:
        return f"module {module.__name__!r} has several Contexts"
    if not hasattr(module, attribute):
        return f"module {module.__name__!r} has no {attribute!r}"
    kind = type(getattr(module, attribute)).__name__
    return f"{module.__name__}:{attribute} is not a Context but of type {kind}"
