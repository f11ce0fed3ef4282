"""Queues with a promise taken out, so that the judge can show that it notices."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import psycopg


class Mutant(NamedTuple):
    """Functions with other words in them, and workers that may not notice."""

    functions: tuple[str, ...]
    words: str
    other_words: str
    is_deaf: bool = False


MUTANTS: Final = {
    # Whoever gives an outcome is believed, also one whose job was given to another.
    "no-fence": Mutant(
        ("finish", "settle"), "and r.attempt = g.attempt and r.worker_id = p_worker_id", "", is_deaf=True
    ),
    # A turn is served though its group is leased.
    "no-group-check": Mutant(
        ("take_slices",),
        "on conflict do nothing returning",
        "on conflict (seat) do update set worker_id = excluded.worker_id returning",
    ),
}


async def mutate(connection: psycopg.AsyncConnection[Any], schema: str, name: str) -> None:
    """Take a promise out of the functions of a schema."""
    mutant = MUTANTS[name]
    for function in mutant.functions:
        cursor = await connection.execute(
            "select pg_get_functiondef(p.oid) from pg_proc p where p.proname = %s"
            " and p.pronamespace = %s::regnamespace",
            [function, schema],
        )
        ((definition,),) = await cursor.fetchall()
        if mutant.words not in definition:
            raise LookupError(f"{function} has changed: no {mutant.words!r} in it, so mend mutants.py")
        await connection.execute(definition.replace(mutant.words, mutant.other_words).encode())
