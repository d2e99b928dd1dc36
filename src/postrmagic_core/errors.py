"""The errors of this package, in one tree.

::

    PostrMagicError
    ├── ConfigurationError            something must change before the application can start
    │   ├── SettingsError             settings are wrong; all of them are listed at once
    │   ├── UnknownScheme             no adapter is registered for a URL's scheme
    │   ├── MissingExtra              the adapter is known, its driver is not installed
    │   ├── PluginRejected            an adapter does not fulfil its Protocol
    │   ├── SchemaMismatch            the database's schema is not the one this version needs
    │   ├── PlanRefused               a plan of a transfer cannot run as it stands
    │   └── IncompatibleChange        revisions that the release which runs could not live with
    ├── UsageError                    the calling code must change
    │   ├── NotOpen                   used before open() or after close()
    │   ├── NestedUnit                a unit inside a unit, or a unit borrowed by another task
    │   ├── OutsideUnit               tx= is missing inside an open unit
    │   ├── RecursiveCompute          get_or_set() of a key inside its own computation
    │   ├── SessionTooLarge           a session's data do not fit into a cookie
    │   ├── UnknownPermission         a permission was asked for that is malformed, or not listed
    │   ├── AuthenticateFailed        the application's function that says who asks has failed
    │   └── Unsupported               this backend lacks the asked capability
    ├── BackendError                  a database, store, broker or disk did not do what was asked
    │   ├── BackendUnavailable  (r)   refused, closed or unreachable
    │   ├── BackendTimeout      (r)   no answer within the time-out; nothing was changed
    │   ├── BackendReadOnly     (r)   the server takes no writes; its connection was evicted
    │   ├── PoolExhausted       (r)   no connection became free in time
    │   ├── Conflict            (r)   deadlock, lock time-out, serialization failure, busy
    │   ├── OutOfSpace                disk or memory of the backend is full
    │   ├── OutcomeUnknown            the answer was cut off: it may have happened
    │   ├── NotRepeatable             rolled back by a conflict after it had acted outside the database
    │   └── BackendRejected           the server refused the request itself (rights, syntax, limits)
    ├── AccessDenied                  who asks may not do this, or nobody is logged in
    ├── OAuthRefused                  a client's request to the authorization server, as OAuth names what is wrong
    ├── DataError                     a value, stored or given, is not acceptable
    │   ├── EncodeError               the value has no lossless encoding
    │   ├── DecodeError               the bytes are not what this package wrote
    │   ├── SealBroken                authenticated decryption failed
    │   ├── IntegrityViolation        a constraint of the database refused the row
    │   │   └── UniqueViolation       with the constraint's name, table and columns
    │   ├── RowRefused                a row that cannot be moved to another database exactly
    │   ├── LastHolder                a role that somebody must have would be nobody's
    │   ├── TooManyTokens             a user has as many access tokens as one may have
    │   ├── PreconditionFailed        what a request names is in another state by now
    │   ├── PreconditionRequired      a change says not which version it is made from
    │   ├── UnsupportedMedia          a body is of no kind that is read here
    │   ├── BodyTooLarge              a request's body has more bytes than it may
    │   ├── BodyTooSlow               a request's body took longer to arrive than it may
    │   ├── QueryTooLong              a request's query has more bytes than are read
    │   ├── NotASpecification         a document is no OpenAPI specification that is understood
    │   └── ValidationFailed          input did not satisfy its rules; every error is listed
    │       └── TooManyItems          a bulk request has more items than it may
    ├── FetchError                    what a URL names was not fetched
    │   ├── DestinationRefused        it leads where this process may not go, or nowhere
    │   ├── FetchFailed               not reached, no valid certificate, no HTTP; it may have got the request
    │   ├── FetchTimeout              not complete within the time-out; it may have got the request
    │   └── AnswerTooLarge            more bytes than allowed
    ├── BackupError                   a backup was not made, or cannot be used
    │   ├── BackupNotFound            there is none of this name
    │   ├── BackupDamaged             what is stored is not what was written
    │   ├── BackupKeyUnknown          it is sealed with a key that is not at hand
    │   ├── BackupFailed              it was not finished; older ones are as they were
    │   ├── RestoreRefused            the target is in use, of another kind, or not what was looked at
    │   └── DrillFailed               what was restored for a trial is not what was backed up
    ├── DeploymentError               a release was not deployed
    │   ├── DeployRefused             nothing was changed
    │   ├── DeployLocked              somebody else deploys
    │   ├── DeployFailed              it was tried and rolled back
    │   ├── DeployUnfinished          neither the old nor the new release stands whole: a person is needed
    │   └── EngineFailed              the container engine did not do what was asked
    │       └── EngineGone            it does not answer
    ├── Overloaded (r)                more is asked for than can be worked off
    ├── ResponseTooSlow               the application took longer to answer than it may
    ├── Overtaken                     another request with the same Idempotency-Key goes on in this one's place
    └── JobError                      a job cannot go on
        ├── UnknownTask               the message names a task that was not included here
        ├── AlreadyDone               this delivery's effect is already committed
        ├── JobFailed                 the job ended without a result
        ├── JobCancelled              somebody asked the job to end, or another worker has it
        └── ResultTimeout             the job did not end within the wait

``(r)`` marks :attr:`PostrMagicError.retryable`: the same call may succeed later and surely had no effect now.
Messages never contain bound values, credentials or the driver's text; the driver's exception is ``__cause__``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import ClassVar


class PostrMagicError(Exception):
    """The root: catch it to catch everything this package raises on purpose."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False


class ConfigurationError(PostrMagicError):
    """Something must change before the application can start."""

    code = "configuration"


class SettingsError(ConfigurationError):
    """Settings are wrong: ``problems`` maps each setting's name to what is wrong with it."""

    code = "configuration.settings"

    problems: dict[str, str]

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        lines = "\n".join(f"  {name}: {problem}" for name, problem in self.problems.items())
        super().__init__(f"{len(self.problems)} setting(s) need attention:\n{lines}")


class UnknownScheme(ConfigurationError):
    """No adapter is registered for a URL's scheme."""

    code = "configuration.scheme"


class MissingExtra(ConfigurationError):
    """The adapter is known, but its driver is not installed."""

    code = "configuration.extra"


class PluginRejected(ConfigurationError):
    """A registered adapter does not fulfil its Protocol."""

    code = "configuration.plugin"


class SchemaMismatch(ConfigurationError):
    """The database's schema is not the one this version needs."""

    code = "configuration.schema"


class PlanRefused(ConfigurationError):
    """A plan of a transfer cannot run as it stands: something in it is undecided, impossible, or of another schema."""

    code = "configuration.plan"


class IncompatibleChange(ConfigurationError):
    """Revisions would break the release that runs while they are applied, or the one that is rolled back to."""

    code = "config.incompatible_change"


class UsageError(PostrMagicError):
    """The calling code must change."""

    code = "usage"


class NotOpen(UsageError):
    """Used before ``open()`` or after ``close()``."""

    code = "usage.not_open"


class NestedUnit(UsageError):
    """A unit was begun inside a unit of the same database, or is borrowed by another task or thread."""

    code = "usage.nested_unit"


class OutsideUnit(UsageError):
    """A transactional call inside an open unit lacks ``tx=``; pass it, or ``detached=True`` to mean it."""

    code = "usage.outside_unit"


class RecursiveCompute(UsageError):
    """``get_or_set`` of a key was called inside the computation of the same key."""

    code = "usage.recursive_compute"


class SessionTooLarge(UsageError):
    """The session's data do not fit into a cookie: keep less in it, or keep sessions in a Store."""

    code = "usage.session_too_large"


class UnknownPermission(UsageError):
    """A permission was asked for that is malformed, or not among those that are listed."""

    code = "usage.unknown_permission"


class AuthenticateFailed(UsageError):
    """The function given to ``authentication`` failed. Its error's text is left out: it may be a credential."""

    code = "usage.authenticate"


class Unsupported(UsageError):
    """This backend lacks the asked capability."""

    code = "usage.unsupported"


class BackendError(PostrMagicError):
    """A database, store, broker or disk did not do what was asked."""

    code = "backend"


class BackendUnavailable(BackendError):
    """Refused, closed or unreachable; nothing was changed."""

    code = "backend.unavailable"
    retryable = True


class BackendTimeout(BackendError):
    """No answer within the time-out; nothing was changed."""

    code = "backend.timeout"
    retryable = True


class BackendReadOnly(BackendError):
    """The server takes no writes (a replica, or a failover under way); its connection was evicted."""

    code = "backend.read_only"
    retryable = True


class PoolExhausted(BackendError):
    """No connection became free within the pool's time-out."""

    code = "backend.pool_exhausted"
    retryable = True


class Conflict(BackendError):
    """Deadlock, lock time-out, serialization failure or busy database: the whole unit was rolled back."""

    code = "backend.conflict"
    retryable = True


class OutOfSpace(BackendError):
    """The backend's disk or memory is full."""

    code = "backend.out_of_space"


class OutcomeUnknown(BackendError):
    """The answer to a write was cut off: it may or may not have happened, and was not tried again.

    ``fingerprint`` names the last statement with which a database's unit may have written, as the query log does; empty
    elsewhere.
    """

    code = "backend.outcome_unknown"

    fingerprint: str

    def __init__(self, message: str, *, fingerprint: str = "") -> None:
        super().__init__(message)
        self.fingerprint = fingerprint


class NotRepeatable(BackendError):
    """A conflict rolled a unit back after it had done something outside the database; it was not run again."""

    code = "backend.not_repeatable"


class BackendRejected(BackendError):
    """The server refused the request itself: missing rights, wrong statement, a limit."""

    code = "backend.rejected"


class AccessDenied(PostrMagicError):
    """Who asks may not do this: 403, or 401 where ``nobody`` is logged in.

    ``permission`` is what was asked for. ``hidden``: that there is such an object must not be told either, so that it
    is answered with 404.
    """

    code = "access.denied"

    permission: str
    hidden: bool
    nobody: bool

    def __init__(self, message: str, *, permission: str = "", hidden: bool = False, nobody: bool = False) -> None:
        self.permission = permission
        self.hidden = hidden
        self.nobody = nobody
        super().__init__(message)


class OAuthRefused(PostrMagicError):
    """The authorization server refuses a request: RFC 6749, sections 4.1.2.1 and 5.2.

    ``error`` is the word of the standard and ``description`` says more; neither tells what would help an attacker.
    ``status`` is that of a direct answer. ``location`` is where the browser is to be sent, with the error in its query;
    ``None`` where nobody may be sent anywhere, as the client or its address is not known.
    """

    code = "oauth.refused"

    error: str
    description: str
    status: int
    location: str | None

    def __init__(self, error: str, description: str, *, status: int = 400, location: str | None = None) -> None:
        self.error = error
        self.description = description
        self.status = status
        self.location = location
        super().__init__(f"{error}: {description}")


class DataError(PostrMagicError):
    """A value, stored or given, is not acceptable."""

    code = "data"


class EncodeError(DataError):
    """The value has no lossless encoding."""

    code = "data.encode"


class DecodeError(DataError):
    """The bytes are not what this package wrote."""

    code = "data.decode"


class SealBroken(DataError):
    """Authenticated decryption failed: tampered, truncated, moved, or sealed under an unknown key."""

    code = "data.seal"


class IntegrityViolation(DataError):
    """A constraint of the database refused the row."""

    code = "data.integrity"


class UniqueViolation(IntegrityViolation):
    """A unique constraint refused the row: ``constraint`` is its name, of ``table``, and ``columns`` what it covers.

    A primary key's constraint is ``PRIMARY`` on every database. What the database does not tell is ``None``, or empty.
    """

    code = "data.unique"

    constraint: str | None
    table: str | None
    columns: tuple[str, ...]

    def __init__(
        self, message: str, *, constraint: str | None = None, table: str | None = None, columns: Sequence[str] = ()
    ) -> None:
        self.constraint = constraint
        self.table = table
        self.columns = tuple(columns)
        super().__init__(message)


class RowRefused(DataError):
    """A row cannot be moved exactly: ``column`` of ``table``, in the row whose ``key`` is written as SQL would.

    ``column`` is empty where the target does not tell which it refused. The message never shows the value itself.
    """

    code = "data.row"

    def __init__(self, reason: str, *, table: str, key: str, column: str = "") -> None:
        self.table = table
        self.key = key
        self.column = column
        place = f"{table}.{column}" if column else table
        super().__init__(f"{place}, row {key}: {reason}")


class LastHolder(DataError):
    """A role that somebody must always hold would be revoked from the last user who has it."""

    code = "data.last_holder"


class TooManyTokens(DataError):
    """The user has as many good access tokens as one may have: one of them is to be revoked first."""

    code = "access_token.too_many"


class PreconditionFailed(DataError):
    """What a request asks to change, or to get, is not in the state that the request names: 412, nothing was done."""

    code = "precondition.failed"


class PreconditionRequired(DataError):
    """A change that may overwrite somebody else's says not which version it is made from: 428 (RFC 6585)."""

    code = "precondition.required"


class ValidationFailed(DataError):
    """Input did not satisfy its rules.

    ``errors`` is a list of mappings with ``pointer`` (RFC 6901), ``code`` and ``message``; none repeats the input.
    """

    code = "data.invalid"

    errors: list[dict[str, str]]

    def __init__(self, errors: Sequence[Mapping[str, str]]) -> None:
        self.errors = [dict(error) for error in errors]
        listed = "; ".join(f"{error['pointer'] or '/'}: {error['message']}" for error in self.errors)
        super().__init__(f"{len(self.errors)} problem(s): {listed}")

    def __reduce__(self) -> tuple[type[ValidationFailed], tuple[list[dict[str, str]]]]:
        return type(self), (self.errors,)


class TooManyItems(ValidationFailed):
    """A bulk request has more items than it may: 422, and none was tried."""

    code = "bulk.too_many"


class UnsupportedMedia(DataError):
    """A body is of no kind that is read here, or in no encoding but UTF-8: 415, and nothing of it was read."""

    code = "body.unsupported_type"


class BodyTooLarge(DataError):
    """The request's body is larger than allowed: raised where the application reads it."""

    code = "data.too_large"


class BodyTooSlow(DataError):
    """The request's body took longer to arrive than was agreed: raised where the application reads it."""

    code = "data.too_slow"


class QueryTooLong(DataError):
    """The query has more bytes than are read: 414."""

    code = "request.target_too_long"


class NotASpecification(DataError):
    """A document is no OpenAPI 3.1 specification that can be compared, or a list of reviewed changes is none."""

    code = "api.specification"


class FetchError(PostrMagicError):
    """What a URL names was not fetched."""

    code = "fetch"


class DestinationRefused(FetchError):
    """The URL, or a redirect, leads where this process may not go, or nowhere.

    A name that does not resolve ends alike, so that nobody outside learns which names exist inside.
    """

    code = "fetch.refused"


class FetchFailed(FetchError):
    """The server was not reached, did not prove its name, or did not answer in HTTP. It may have got the request."""

    code = "fetch.failed"


class FetchTimeout(FetchError):
    """The answer was not complete within the time-out. The server may have got the request."""

    code = "fetch.timeout"


class AnswerTooLarge(FetchError):
    """The answer has more bytes than were allowed; reading it ended there."""

    code = "fetch.too_large"


class BackupError(PostrMagicError):
    """A backup was not made, or cannot be used."""

    code = "backup"


class BackupNotFound(BackupError):
    """There is no backup of this name, or none at all."""

    code = "backup.not_found"


class BackupDamaged(BackupError):
    """What is stored is not what was written: bytes were changed, lost or added. The message says where."""

    code = "backup.damaged"


class BackupKeyUnknown(BackupError):
    """The backup is sealed with a key that is not among ``backups.keys``."""

    code = "backup.key_unknown"


class BackupFailed(BackupError):
    """The backup was not finished; nothing of it counts, and older ones are as they were."""

    code = "backup.failed"


class RestoreRefused(BackupError):
    """The target is in use, of another kind, or not what it was when it was looked at. Nothing was changed."""

    code = "backup.restore_refused"


class DrillFailed(BackupError):
    """What was restored for a trial is not what was backed up, or the application finds fault with it."""

    code = "backup.drill_failed"


class DeploymentError(PostrMagicError):
    """A release was not deployed."""

    code = "deploy"


class DeployRefused(DeploymentError):
    """The deployment was not begun, or its database's part was refused: no replica was touched."""

    code = "deploy.refused"


class DeployLocked(DeploymentError):
    """Somebody else deploys to the same project, or was killed while doing so."""

    code = "deploy.locked"


class DeployFailed(DeploymentError):
    """The release was tried and did not stand; what ran before runs again. ``log`` ends what its replica said."""

    code = "deploy.failed"

    log: str

    def __init__(self, message: str, *, log: str = "") -> None:
        self.log = log
        super().__init__(message)


class DeployUnfinished(DeploymentError):
    """Neither the old nor the new release stands whole: the message says what stands, and what to run."""

    code = "deploy.unfinished"

    log: str

    def __init__(self, message: str, *, log: str = "") -> None:
        self.log = log
        super().__init__(message)


class EngineFailed(DeploymentError):
    """A command to the container engine failed: ``said`` is the end of what it said."""

    code = "deploy.engine"

    said: str

    def __init__(self, message: str, *, said: str = "") -> None:
        self.said = said
        super().__init__(message)


class EngineGone(EngineFailed):
    """The container engine does not answer."""

    code = "deploy.engine_gone"


class Overloaded(PostrMagicError):
    """More is asked for than can be worked off, and the caller is to wait or to give up."""

    code = "overloaded"
    retryable = True


class ResponseTooSlow(PostrMagicError):
    """The application took longer to answer than was agreed; what it was doing was cancelled."""

    code = "response.too_slow"


class Overtaken(PostrMagicError):
    """The request's ``Idempotency-Key`` is no longer its own, as it took too long: the unit is rolled back."""

    code = "idempotency.overtaken"


class JobError(PostrMagicError):
    """A job cannot go on."""

    code = "job"


class UnknownTask(JobError):
    """The message names a task that was not included in this process."""

    code = "job.unknown_task"


class AlreadyDone(JobError):
    """The effect of this delivery is already committed; the worker acknowledges it as success."""

    code = "job.already_done"


class JobFailed(JobError):
    """The job ended without a result."""

    code = "job.failed"


class JobCancelled(JobError):
    """The job was asked to end, or another worker has taken it over: what it does from here on counts for nothing."""

    code = "job.cancelled"


class ResultTimeout(JobError):
    """The job did not end within the wait."""

    code = "job.result_timeout"


class translating:  # noqa: N801 - reads as a verb at its call site, like contextlib's own
    """``with translating(map_error): …``: a driver's exception leaves as ours, with the driver's as ``__cause__``.

    ``map_error`` takes the driver's exception and returns one of ours, or ``None`` to let it pass unchanged.
    """

    __slots__ = ("_map",)

    def __init__(self, map_error: Callable[[BaseException], PostrMagicError | None]) -> None:
        self._map = map_error

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if error is None or isinstance(error, PostrMagicError) or not isinstance(error, Exception):
            return
        ours = self._map(error)
        if ours is not None:
            raise ours from error
