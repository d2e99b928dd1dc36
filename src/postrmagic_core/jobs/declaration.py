"""Tasks: functions declared without a Stack, bound to one by ``jobs.include``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from .._retry import RetryPolicy
from ..errors import UsageError
from . import policy
from .arguments import Arguments

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Call:
    """A task with the arguments of one call, checked and encoded; they are never shown."""

    task: Task[..., Any]
    payload: bytes

    def __repr__(self) -> str:
        return f"<Call of {self.task.name}>"


class Task(Generic[P, R]):
    """A function that workers run; made by :func:`task`. Called directly it runs here and now, as in tests."""

    def __init__(
        self,
        function: Callable[Concatenate[Any, P], R],
        *,
        name: str | None = None,
        queue: str = "default",
        retries: int = 5,
        time_limit: float = 600.0,
        backoff: RetryPolicy | None = None,
    ) -> None:
        if inspect.iscoroutinefunction(function):
            raise UsageError(f"{function.__qualname__}() is async: a task is a plain function, it runs in a thread")
        if retries < 0 or time_limit <= 0:
            raise ValueError(f"expected retries >= 0 and time_limit > 0 (seconds), got {retries=} {time_limit=}")
        self.function = function
        self.name = policy.checked_task(name or f"{function.__module__}.{function.__qualname__}")
        self.queue = policy.checked_queue(queue)
        self.retries = retries
        self.time_limit = time_limit
        self.backoff = backoff or RetryPolicy(attempts=retries + 1, base=2.0, cap=3600.0)
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
def task(
    *,
    name: str | None = None,
    queue: str = "default",
    retries: int = 5,
    time_limit: float = 600.0,
    backoff: RetryPolicy | None = None,
) -> Callable[[Callable[Concatenate[Any, P], R]], Task[P, R]]: ...


def task(function: Callable[Concatenate[Any, P], R] | None = None, /, **options: Any) -> Any:
    """Declare a function as a task: ``@task`` or ``@task(retries=3)``. Its first parameter is the job's context.

    ``name``: what messages call it, by default module and qualified name; give one before you move the function.
    ``retries``: deliveries after the first, whether a try failed or its worker died; then the job is a dead letter.
    ``time_limit``: seconds, after which :class:`dramatiq.middleware.TimeLimitExceeded` is raised in the function (not
    inside a blocking system call). ``backoff``: waits between tries, by default full jitter up to 2, 4, 8 … 3600 s.
    """
    if function is not None:
        return Task(function)
    return lambda declared: Task(declared, **options)
