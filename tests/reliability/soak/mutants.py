"""Queues with a promise taken out, so that the judge can show that it notices."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import psycopg


class Edit(NamedTuple):
    """Words in a function, and those that are put in their place."""

    function: str
    words: str
    other_words: str


class Mutant(NamedTuple):
    """A queue with other words in it, the rule that must find out, and the faults and load that show it."""

    edits: tuple[Edit, ...]
    rule: str
    kinds: tuple[str, ...] = ("freeze_worker",)
    slow_share: float = 0.0
    is_deaf: bool = False
    """Whether its workers may not notice that they were taken for dead."""


MUTANTS: Final = {
    # Whoever gives an outcome is believed, also one whose job was given to another. Most outcomes are given
    # with a claim, and a claim by the dead takes them back: so that has to be believed, too.
    "no-fence": Mutant(
        (
            Edit("finish", "and r.attempt = g.attempt and r.worker_id = p_worker_id", ""),
            Edit("settle", "and r.worker_id = p_worker_id\n", "\n"),
            Edit("settle", "(r.job_id, r.attempt) in (select g.job_id, g.attempt from given g)", "true"),
            Edit("exchange", "if not found then\n            raise", "if false then\n            raise"),
        ),
        rule="one_at_a_time",
        kinds=("oversleep_worker",),
        slow_share=0.1,
        is_deaf=True,
    ),
    # A turn is served though its group is leased.
    "no-group-check": Mutant(
        (
            Edit(
                "take_slices",
                "on conflict do nothing returning",
                "on conflict (seat) do update set worker_id = excluded.worker_id returning",
            ),
        ),
        rule="one_at_a_time",
    ),
    # As many at once as a worker asks for.
    "no-concurrency": Mutant(
        (Edit("take_limited", "q.concurrency - (", "q.concurrency + 0 * ("),), rule="concurrency_kept"
    ),
    # What was taken is forgotten long before the span is over.
    "no-rate": Mutant(
        (
            Edit(
                "charge",
                "clock_timestamp() - v_quota.rate_secs * interval",
                "clock_timestamp() - v_quota.rate_secs / 1000 * interval",
            ),
        ),
        rule="rates_kept",
    ),
    # Nobody holds a key.
    "no-keys": Mutant(
        (Edit("hold_keys", "where u.key is not null order by", "where false order by"),), rule="keys_kept"
    ),
    # A job that runs is told to have been asked to stop, and no word is left.
    "no-word": Mutant(
        (
            Edit(
                "cancel",
                "return null;  -- it has just ended\n    end if;",
                "return null;\n    end if;\n    return 'requested';",
            ),
        ),
        rule="cancels_hold",
    ),
    # Whoever has read that a moment is due may put in its job.
    "no-slot": Mutant(
        (Edit("tick", "s.name = p_name and s.next_at = p_due_at", "s.name = p_name"),), rule="slots_kept"
    ),
    # What came to an error is tried again at once.
    "no-backoff": Mutant(
        (Edit("settle", "greatest(m.delay_secs, 0)", "least(m.delay_secs, 0)"),), rule="retries_as_declared"
    ),
}


async def mutate(connection: psycopg.AsyncConnection[Any], schema: str, name: str) -> None:
    """Take a promise out of the functions of a schema."""
    for function, words, other_words in MUTANTS[name].edits:
        cursor = await connection.execute(
            "select pg_get_functiondef(p.oid) from pg_proc p where p.proname = %s"
            " and p.pronamespace = %s::regnamespace",
            [function, schema],
        )
        ((definition,),) = await cursor.fetchall()
        if words not in definition:
            raise LookupError(f"{function} has changed: no {words!r} in it, so mend mutants.py")
        await connection.execute(definition.replace(words, other_words).encode())
