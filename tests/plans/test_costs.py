"""Every hot statement costs what it is about, however full the tables and whatever the planner believes.

One queue is looked at by sessions of five beliefs. The first made its plans on empty tables, and keeps
them. The others make new ones: by statistics of the empty tables; by statistics of tables that held dead rows
only, from which the planner concludes that there is one row, however many come; by none; and by those of now.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from tests.plans.verbs import LOOKS, WORK, Hand, Verb
from tests.plans.world import NUM_WORKERS, TABLES, build, fill
from tests.support.buffers import buffers
from tests.support.queue import Queue
from tests.support.session import Session

#: The first five calls of a function are planned for their values; from then on a plan for all may be kept.
NUM_CALLS = 7
#: A session's first calls read the catalogs as well.
NUM_UNCOUNTED = 2


@pytest.mark.fault("H1", "H2", "H3")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [0, 100_000, pytest.param(1_000_000, marks=pytest.mark.full)])
def test_a_statement_costs_what_it_is_about(dsn: str, schema: str, number: int) -> None:
    """G6: at most so many pages for each job that it names, be the others none or a million."""
    with Queue(dsn, schema) as queue:
        queue.migrate()
        build(queue)
        queue.eye.rows("vacuum analyze " + ", ".join(f"{{schema}}.{table}" for table in TABLES))
        early = queue.session()
        _costs(early, WORK + LOOKS)
        fill(queue, number)
        walks = {}
        for belief, session in _beliefs(queue, early):
            # Charts may wait until statistics are better; work may not.
            verbs = WORK if "dead" in belief else WORK + LOOKS
            for verb, (rows, pages) in _costs(session, verbs).items():
                if pages > verb.max_pages:
                    walks[f"{verb.name}, {belief}"] = f"{pages} pages, not {verb.max_pages}"
                elif number and verb.rows not in (None, rows):
                    walks[f"{verb.name}, {belief}"] = f"{rows} rows, not {verb.rows}"
        assert walks == {}, "\n".join(f"{what}: {why}" for what, why in walks.items())


def _beliefs(queue: Queue, early: Session) -> Iterator[tuple[str, Session]]:
    yield "by plans of empty tables", early
    yield "by statistics of empty tables", queue.session()
    believe = (
        "update pg_class set relpages = %s, reltuples = %s"
        " where relnamespace = '{schema}'::regnamespace and relkind in ('r', 'i')"
    )
    queue.eye.rows(believe, 100, 0)
    yield "by statistics of dead rows", queue.session()
    queue.eye.rows(believe, 0, -1)
    yield "without statistics", queue.session()
    queue.eye.rows("analyze " + ", ".join(f"{{schema}}.{table}" for table in TABLES))
    yield "by statistics of now", queue.session()


def _costs(session: Session, verbs: Sequence[Verb]) -> dict[Verb, tuple[int, int]]:
    """Rows of the last call of each verb, and pages of its dearest."""
    hand = _hand(session)
    costs = {}
    for verb in verbs:
        calls = [_cost(hand, verb) for _ in range(NUM_CALLS)]
        costs[verb] = calls[-1][0], max(pages for _, pages in calls[NUM_UNCOUNTED:])
    return costs


def _cost(hand: Hand, verb: Verb) -> tuple[int, int]:
    hand.session.begin()
    statement = verb.make(hand)
    cost = buffers(hand.session, statement.sql, *statement.parameters)
    hand.session.rollback()
    return cost


def _hand(session: Session) -> Hand:
    def ids(table: str) -> dict[str, int]:
        return dict(session.rows(f"select name, id from {{schema}}.{table}"))  # type: ignore[arg-type]

    return Hand(session, NUM_WORKERS, ids("job_definition"), ids("channel"))
