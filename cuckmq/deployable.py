"""What the database knows of a definition: put there, taken away, limited."""

from __future__ import annotations

from collections.abc import Callable

from cuckmq.errors import DefinitionNotFound
from cuckmq.events import DefinitionDeployed, DefinitionLimited
from cuckmq.home import Home
from cuckmq.limits import Limits
from cuckmq.protocol.deploy import deploy, undeploy
from cuckmq.protocol.limits import find_limits, limit_definition
from cuckmq.terms import Terms, as_deployment
from cuckmq.types import Secs


class Deployable:
    """The side of a JobDefinition that faces the database.

    Args:
        home: where it lives.
        name: of the definition.
        terms: of the definition.
        fixed_job_group: tells the group of every job, if it hangs on no payload.
    """

    def __init__(
        self, home: Home, name: str, terms: Terms, fixed_job_group: Callable[[], str | None]
    ) -> None:
        self.name = name
        self.terms = terms
        self.redaction = home.redaction
        self._home = home
        self._fixed_job_group = fixed_job_group

    async def deploy(self) -> None:
        """Make this definition known to the database, or bring it up to date there.

        Must have been done, by any process, before a job can be enqueued. Safe to repeat.
        """
        deployment = as_deployment(self.terms, self._fixed_job_group())
        (definition_id,) = await self._home.database.run(deploy(self.name, deployment))
        self._home.known[definition_id] = self
        self._home.events.tell(DefinitionDeployed(name=self.name, definition_id=definition_id))

    async def undeploy(self) -> bool:
        """Take this definition out of service: no more enqueues, no more repeats.

        Jobs that are there are still run. Returns whether it was in service.
        """
        return (await self._home.database.run(undeploy(self.name)))[0]

    async def limit(
        self, *, concurrency: int | None = None, rate: int | None = None, rate_secs: Secs = 1.0
    ) -> None:
        """Limit the jobs of this definition from now on, over all workers and channels. Commits.

        The limits take the place of those it had, and hold until a deployment says otherwise; one without
        the option `limits` says nothing. A definition that was never limited has shared its lanes with
        others: its jobs move to lanes of their own, which takes time in proportion to the backlog, and
        nothing is taken from them for a second.

        Args:
            concurrency: how many may run at once, claimed ahead included.
            rate: how many may be taken by workers within `rate_secs`.
            rate_secs: that span.

        Raises:
            DefinitionNotFound: it was never deployed.
            ConfigurationError: a limit is out of range.
        """
        limits = Limits(concurrency, rate, rate_secs)
        await self._home.database.run(limit_definition(self.name, limits))
        self._home.events.tell(DefinitionLimited(name=self.name, limits=limits))

    async def limits(self) -> Limits:
        """Tell the limits that hold now.

        Raises:
            DefinitionNotFound: it was never deployed.
        """
        found = await self._home.database.run(find_limits(self.name))
        if not found:
            raise DefinitionNotFound(f"the job {self.name!r} is not deployed: await definition.deploy()")
        return found[0][1]
