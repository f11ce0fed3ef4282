"""For the tests of programs that use cuckmq: a queue of their own, and a worker that works on command.

There is no imitation of the queue in memory, which would be true only by luck: tests run on PostgreSQL,
where a schema of one's own costs a few hundredths of a second::

    async def test_sign_up():
        async with temporary_context(define_jobs) as context:
            await sign_up(context, "ada@example.org")
            jobs = await drain(context)
            assert [job.name for job in jobs] == ["send-welcome"]
"""

from cuckmq.testing.drain import drain
from cuckmq.testing.temporary import temporary_context

__all__ = ["drain", "temporary_context"]
