"""Every error cuckmq raises, in one family.

::

    CuckmqError
     +- ConfigurationError (ValueError)    a setting or a call is wrong; nothing was done
     |   +- DefinitionError                a job definition cannot work as written
     |   |   +- DuplicateDefinition        its name is taken in this context
     |   +- InvalidName                    a schema, channel, job or group name is not allowed
     |   +- NoDatabase                     no database was named, and none could be started
     +- SchemaError                        the database and this library do not fit
     |   +- SchemaMissing                  the queue's schema was never migrated
     |   +- SchemaOutdated                 the schema is older than this library
     |   +- SchemaTooNew                   the schema is newer, and serves this library no more
     |   +- SchemaBusy                     a migration found no moment in which nobody held the tables
     +- DatabaseReadOnly                   the server takes no writes: it is a standby, or was demoted
     +- EnqueueError                       the job was refused; nothing was enqueued
     |   +- InvalidPayload (ValueError)    the payload does not fit, or cannot be stored
     |   |   +- PayloadTooLarge            it takes more bytes than are allowed
     |   +- DefinitionNotDeployed          the database does not know this definition
     |   +- DuplicateJob                   its unique key is held by another job
     |   +- ChannelFull                    its channel is of bounded size, and has no room
     +- EnqueueUnknown                     the connection broke: the job is in, or it is not
     +- JobError                           about one job
     |   +- JobNotFound (LookupError)      never enqueued, or purged since
     |   +- JobFailed                      result() of a job that failed
     |   +- JobCancelled                   result() of a job that was cancelled
     |   +- ResultTimeout (TimeoutError)   result() did not come in time
     |   +- CircularWait                   result() of a job that waits for the one that asks
     |   +- InvalidResult                  what the work function returned cannot be stored
     +- NotFound (LookupError)             there is nothing of that name or id
     |   +- DefinitionNotFound             no job definition of that name was ever deployed
     |   +- ChannelNotFound                no job or worker ever named that channel
     |   +- ScheduleNotFound               nothing repeats under that name
     |   +- KeyNotFound                    no job holds that unique key
     |   +- WorkerNotFound                 the worker stopped, or was taken for dead and is gone
     +- ChannelInUse                       a channel that is to be destroyed is needed
     +- ExecutionTimeout (TimeoutError)    an attempt ran longer than it may
     +- ProcessDied                        the process that ran a job is gone
     +- TooManyDeaths                      processes died like flies, and the worker stopped itself
     +- AttemptLost                        the queue gave this job to another worker
     +- WorkerLost                         the queue took this worker for dead

Each message says what to do. Errors of the driver are not wrapped: only those whose meaning the
queue knows are translated.
"""


class CuckmqError(Exception):
    """The root of the family: `except CuckmqError` catches all of ours and nothing else."""


class ConfigurationError(CuckmqError, ValueError):
    """A setting or an argument is wrong. It is said at once, and nothing was done."""


class DefinitionError(ConfigurationError):
    """A job definition cannot work as it is written."""


class DuplicateDefinition(DefinitionError):
    """Two definitions of one context bear the same name."""


class InvalidName(ConfigurationError):
    """A name is empty, too long, or holds characters that the queue does not allow."""


class NoDatabase(ConfigurationError):
    """No database was named, and no PostgreSQL was found to start."""


class SchemaError(CuckmqError):
    """The queue's schema in the database and this library do not fit together."""


class SchemaMissing(SchemaError):
    """The queue's schema is not there: it was never migrated."""


class SchemaOutdated(SchemaError):
    """The queue's schema is older than this library needs."""


class SchemaTooNew(SchemaError):
    """The queue's schema is newer than this library, and serves it no more."""


class SchemaBusy(SchemaError):
    """A migration found no moment in which nobody held a table that it must change. It may be run again."""


class DatabaseReadOnly(CuckmqError):
    """The server takes no writes: it is a standby, or was demoted. Nothing was done."""


class EnqueueError(CuckmqError):
    """The job was refused. Nothing was enqueued."""


class InvalidPayload(EnqueueError, ValueError):
    """The payload does not fit its definition, or holds what JSON in Postgres cannot keep."""


class PayloadTooLarge(InvalidPayload):
    """The payload, written as JSON, takes more bytes than are allowed. The message never holds it.

    Attributes:
        name: of the job's definition.
        size_bytes: how large it is.
        limit_bytes: how large it may be.
    """

    def __init__(self, message: str, *, name: str, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(message)
        self.name = name
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class DefinitionNotDeployed(EnqueueError):
    """The database does not know this definition: it was never deployed, or was undeployed."""


class ChannelFull(EnqueueError):
    """The channel is of bounded size, and has no room for what was to be put in."""


class DuplicateJob(EnqueueError):
    """Another job holds the unique key, and duplicates are refused.

    Attributes:
        job_id: the job that holds it.
    """

    def __init__(self, message: str, *, job_id: int) -> None:
        super().__init__(message)
        self.job_id = job_id


class EnqueueUnknown(CuckmqError):
    """The connection broke while jobs were put in: all of them are in, or none is, and nobody can say which.

    It is not tried again blindly. With a `unique_key` you may: what is in already is not put in twice.
    """


class JobError(CuckmqError):
    """Something about one job.

    Attributes:
        job_id: the job it is about.
    """

    def __init__(self, message: str, *, job_id: int) -> None:
        super().__init__(message)
        self.job_id = job_id


class JobNotFound(JobError, LookupError):
    """The job was never enqueued, or was finalized and purged since."""


class JobFailed(JobError):
    """The job whose result was asked for has failed.

    Attributes:
        job_id: the job.
        reason: why, as a reason code (`error`, `stalled`, ...).
    """

    def __init__(self, message: str, *, job_id: int, reason: str) -> None:
        super().__init__(message, job_id=job_id)
        self.reason = reason


class JobCancelled(JobError):
    """The job whose result was asked for was cancelled."""


class ResultTimeout(JobError, TimeoutError):
    """The result did not come within the given time. The job itself goes on."""


class CircularWait(JobError):
    """A job was about to wait, without a limit, for one that cannot run before it has ended itself."""


class InvalidResult(JobError):
    """What a work function returned is not JSON, or not of the declared type."""


class NotFound(CuckmqError, LookupError):
    """There is nothing of that name or id."""


class DefinitionNotFound(NotFound):
    """No job definition of that name was ever deployed, or it was undeployed and forgotten."""


class ChannelNotFound(NotFound):
    """No job definition, job or worker ever named that channel."""


class ScheduleNotFound(NotFound):
    """Nothing repeats under that name."""


class KeyNotFound(NotFound):
    """No job of that definition holds that unique key, or holds it any more."""


class WorkerNotFound(NotFound):
    """There is no such worker: it never was, it stopped, or it was taken for dead and is gone."""


class ChannelInUse(CuckmqError):
    """A channel cannot be destroyed: definitions put their jobs there, or jobs still run."""


class ExecutionTimeout(CuckmqError, TimeoutError):
    """An attempt ran longer than its execution_timeout_secs. An error of the try, as any other."""


class ProcessDied(CuckmqError):
    """The process that ran an attempt is gone. An error of the try, as any other.

    Attributes:
        signal: the number of the signal that killed it, or None.
        has_begun: whether the work function may have begun.
    """

    def __init__(self, message: str, *, signal: int | None, has_begun: bool) -> None:
        super().__init__(message)
        self.signal = signal
        self.has_begun = has_begun


class TooManyDeaths(CuckmqError):
    """So many processes died in so short a time that the worker stopped itself. Its jobs are in the queue."""


class AttemptLost(CuckmqError):
    """This attempt no longer owns its job: the queue gave the job to another worker."""


class WorkerLost(CuckmqError):
    """The queue took this worker for dead and gave its jobs to others."""
