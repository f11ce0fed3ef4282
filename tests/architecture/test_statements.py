"""Every statement of the protocol fits the migrated schema: its names, its types, its parameters."""

from __future__ import annotations

import importlib
import pkgutil
import re
from types import ModuleType

import psycopg
import pytest

from cuckmq import Context, protocol
from cuckmq.schema import render


def modules() -> list[ModuleType]:
    names = [each.name for each in pkgutil.iter_modules(protocol.__path__)]
    return [importlib.import_module(f"cuckmq.protocol.{name}") for name in names]


PARAMETER = r"%[sb]"  # as psycopg likes it, or as binary

STATEMENTS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": value
    for module in modules()
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, str) and "{schema}" in value
}


def test_every_verb_has_its_statement() -> None:
    silent = {module.__name__.rpartition(".")[2] for module in modules()} - {
        name.partition(".")[0] for name in STATEMENTS
    }
    assert silent == {"statement"}


@pytest.mark.parametrize("name", STATEMENTS)
async def test_the_database_can_prepare_and_plan_it(context: Context, dsn: str, name: str) -> None:
    text = render(STATEMENTS[name], context.schema)
    numbers = iter(range(1, 100))
    numbered = re.sub(PARAMETER, lambda match: f"${next(numbers)}", text)
    num_parameters = len(re.findall(PARAMETER, text))
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(f"prepare it as {numbered}")
        cursor = await connection.execute(
            "select cardinality(parameter_types) from pg_prepared_statements where name = 'it'"
        )
        assert await cursor.fetchone() == (num_parameters,)
        nulls = f"({', '.join(['null'] * num_parameters)})" if num_parameters else ""
        assert await (await connection.execute(f"explain execute it{nulls}")).fetchall()
