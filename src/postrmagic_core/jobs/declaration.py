"""Tasks: functions declared without a Stack, bound to one by ``jobs.include``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypedDict, TypeVar, Unpack, overload

from .._retry import RetryPolicy
from . import policy
from .arguments import Arguments

if TYPE_CHECKING:
    from .interface import Priority, Unique

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Call:
    """A task with the arguments of one call, checked and encoded; they are never shown."""

    task: Task[..., Any]
    payload: bytes

    def __repr__(self) -> str:
        return f"<Call of {self.task.name}>"


class Options(TypedDict, total=False):
    """What a task declares beside its function; see :func:`task`."""

    name: str
    queue: str
    priority: Priority
    retries: int
    backoff: RetryPolicy
    retry_for: tuple[type[BaseException], ...]
    give_up_on: tuple[type[BaseException], ...]
    time_limit: float
    keep: float
    unique: Unique


class Declare(Protocol):
    """What ``task(…)`` with options returns."""

    def __call__(self, function: Callable[Concatenate[Any, P], R], /) -> Task[P, R]:
        """The function as a task."""
        ...


class Task(Generic[P, R]):
    """A function that workers run; made by :func:`task`. Called directly it runs here and now, as in tests."""

    name: str
    queue: str

    def __init__(self, function: Callable[Concatenate[Any, P], R], **options: Unpack[Options]) -> None:
        self.function = function
        self.is_async = inspect.iscoroutinefunction(function)
        self.name = policy.checked_task(options.get("name") or f"{function.__module__}.{function.__qualname__}")
        self.queue = policy.checked_queue(options.get("queue", "default"))
        self.priority: Priority = policy.checked_priority(options.get("priority", "normal"))
        self.retries = options.get("retries", 5)
        self.retry_for = options.get("retry_for", ())
        self.give_up_on = options.get("give_up_on", ())
        self.time_limit = options.get("time_limit", 600.0)
        self.keep = options.get("keep", 86_400.0)
        self.unique = options.get("unique")
        if self.retries < 0 or self.time_limit <= 0 or self.keep <= 0:
            raise ValueError(
                "expected retries >= 0, time_limit > 0 and keep > 0 (seconds), got "
                f"retries={self.retries} time_limit={self.time_limit} keep={self.keep}"
            )
        if unknown := options.keys() - Options.__annotations__.keys():
            raise TypeError(f"@task has no option {', '.join(sorted(unknown))}")
        self.backoff = options.get("backoff") or RetryPolicy(attempts=self.retries + 1, base=2.0, cap=3600.0)
        self.arguments = Arguments(function)

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call:
        """This task with arguments, for ``enqueue``; they are checked now.

        Raises :class:`ValidationFailed`, or :class:`EncodeError` for a value that cannot be kept without loss.
        """
        return Call(self, self.arguments.encode(args, kwargs))

    def __call__(self, ctx: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(ctx, *args, **kwargs)

    def __repr__(self) -> str:
        return f"<Task {self.name}>"


@overload
def task(function: Callable[Concatenate[Any, P], R], /) -> Task[P, R]: ...


@overload
def task(**options: Unpack[Options]) -> Declare: ...


def task(function: Callable[Concatenate[Any, P], R] | None = None, /, **options: Any) -> Any:
    """Declare a function, plain or async, as a task: ``@task`` or ``@task(retries=3)``. First comes the context.

    ``name``: what stored jobs call it, by default module and qualified name; give one before you move the function.
    ``priority``: ``high``, ``normal`` or ``low``; orders the jobs of a queue. ``retries``: deliveries after the first,
    whether a try failed or its worker died; ``backoff``: waits between tries, by default full jitter up to 2, 4, 8 …
    3600 s. ``retry_for``: only these errors are worth a try (empty: any); ``give_up_on``: these are not.
    ``time_limit``: seconds, after which :class:`dramatiq.middleware.TimeLimitExceeded` is raised in the function (not
    inside a blocking system call). ``keep``: seconds for which status and result are kept after it succeeded.
    ``unique``: one job at a time for the same arguments; ``Unique()`` says until when.
    """
    if function is not None:
        return Task(function)
    return lambda declared: Task(declared, **options)
