"""The nine promises as plain functions of a :class:`Rig`: each returns, or raises :class:`Broken` with what it saw."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest import mock
from uuid import uuid4

from postrmagic_core.errors import BackendError, BackendTimeout, BackendUnavailable, OutcomeUnknown, PostrMagicError

from .rig import Answer, Broken, Caller, Rig, promise, settle

# How often a fault is tried that did not come about.
_TRIES = 5
_NO_EFFECT = (BackendUnavailable, BackendTimeout)


def bounded(rig: Rig[Any], fault: str) -> None:
    """P1: reads and writes, on open and on new connections, return or raise within the budget.

    All four are measured at once, on clients of their own.
    """
    limit = rig.budget.call + rig.budget.slack
    with ExitStack() as stack:
        callers = [stack.enter_context(rig.caller(warm=warm)) for warm in (True, True, False, False)]
        with rig.fault(fault):
            works = [rig.harness.operation, _effect(rig), rig.harness.operation, _effect(rig)]
            begun = [caller.begin(work) for caller, work in zip(callers, works, strict=True)]
            deadline = time.monotonic() + limit
            for future in begun:
                settle(future, max(0.0, deadline - time.monotonic()))
            promise(fault != "blackholed" or rig.proxy.hits, "P1 bounded", "the black hole never bit")


def typed(rig: Rig[Any], fault: str) -> None:
    """P2: a new client's read and write raise our errors, the driver's is the cause, its text is not shown.

    Only a write that may have left can be OutcomeUnknown; who was refused knows that nothing happened.
    """
    read: tuple[type[BackendError], ...] = (BackendUnavailable, BackendTimeout)
    write = (*read, OutcomeUnknown)
    if fault == "refused":
        read = write = (BackendUnavailable,)
    with rig.fault(fault):
        for work, expected in ((rig.harness.operation, read), (_effect(rig), write)):
            with rig.caller(warm=False) as caller:
                error = caller.call(work, rig.budget.call + rig.budget.slack).error
            promise(isinstance(error, expected), "P2 typed", f"{fault}: got {error!r}, expected one of {expected}")
            cause = error.__cause__ if error is not None else None
            promise(cause is not None, "P2 typed", f"{fault}: {error!r} has no cause, the driver's error is lost")
            promise(str(cause) not in str(error), "P2 typed", f"{fault}: the driver's text is shown: {error}")


def no_false_ack(rig: Rig[Any], *, durable: bool = True) -> None:
    """P3: while connections are cut and, where ``durable``, the server is killed, each answer stays true.

    Acknowledged effects are there, none twice; where the error says that nothing was changed, nothing is there.
    """
    bites: list[int] = []
    nemesis = threading.Thread(target=_torment, args=(rig, durable, bites), daemon=True)
    outcomes: dict[str, Answer] = {}
    with rig.caller() as caller:
        nemesis.start()
        deadline = time.monotonic() + 15
        while nemesis.is_alive() and time.monotonic() < deadline:
            token = _token()
            outcomes[token] = caller.call(_effect(rig, token))
            time.sleep(0.005 if outcomes[token].error else 0)
        nemesis.join(15)
        rig.proxy.heal()
    present = rig.effects()
    promise(sum(bites), "P3 no false ack", f"no reply was cut: did a request contain {rig.harness.effect_bytes!r}?")
    acknowledged = {token for token, answer in outcomes.items() if answer.error is None}
    promise(acknowledged, "P3 no false ack", f"none of {len(outcomes)} writes was acknowledged")
    denied = {token for token, answer in outcomes.items() if isinstance(answer.error, _NO_EFFECT)}
    promise(acknowledged <= set(present), "P3 no false ack", f"lost: {sorted(acknowledged - set(present))}")
    promise(not denied & set(present), "P3 no false ack", f"denied, yet there: {sorted(denied & set(present))}")
    twice = {token: n for token, n in present.items() if n > 1}
    promise(not twice, "P3 no false ack", f"more than once: {twice}")


def unknown_is_said(rig: Rig[Any], how: str, after: int = 0) -> None:
    """P4: the server does it, ``after`` bytes of its reply arrive: one effect, and OutcomeUnknown or a true success."""
    token, answer = _cut_off(rig, how, after)
    for _ in range(_TRIES):
        if rig.proxy.hits:
            break
        # It gave up before it asked, or before the proxy had heard it, as on a busy machine: nothing was cut.
        token, answer = _cut_off(rig, how, after)
    told = f"no request contained {rig.harness.effect_bytes!r}; the call ended with {answer.error!r}"
    promise(rig.proxy.hits, "P4 unknown is said", told)
    seen = rig.effects()[token]
    promise(seen == 1, "P4 unknown is said", f"one call made {seen} effects ({how}); it ended with {answer.error!r}")
    honest = answer.error is None or isinstance(answer.error, OutcomeUnknown)
    promise(honest, "P4 unknown is said", f"it was {type(answer.error).__name__}")


def _cut_off(rig: Rig[Any], how: str, after: int) -> tuple[str, Any]:
    """A write whose reply is cut: its token, and what became of the call."""
    token = _token()
    with rig.caller() as caller:
        rig.proxy.cut(after, on=rig.harness.effect_bytes, how=how)  # type: ignore[arg-type]  # a name from a parameter list
        answer = caller.call(_effect(rig, token), rig.budget.call + rig.budget.slack)
        rig.proxy.heal()
    return token, answer


def late_is_unknown(rig: Rig[Any]) -> None:
    """P4: a request that was stuck on its way arrives after the client gave up; it must not have said "no effect"."""
    token = _token()
    with rig.caller() as caller:
        rig.proxy.blackhole("requests", on=rig.harness.effect_bytes)
        answer = caller.call(_effect(rig, token), rig.budget.call + rig.budget.slack)
        promise(rig.proxy.hits, "P4 unknown is said", f"no request contained {rig.harness.effect_bytes!r}")
        rig.proxy.heal()
    _wait(lambda: rig.effects()[token] > 0, 0.5)
    seen = rig.effects()[token]
    promise(seen <= 1, "P4 unknown is said", f"one call made {seen} effects")
    lied = seen == 1 and isinstance(answer.error, _NO_EFFECT)
    promise(not lied, "P4 unknown is said", f"{answer.error!r} says that nothing was changed, then it was")


def no_crossed_replies(rig: Rig[Any], rounds: int = 4) -> None:
    """P5: a reply that comes after its request was given up never answers the next request."""
    limit = rig.budget.call + rig.budget.slack
    with rig.caller() as caller:
        for _ in range(rounds):
            rig.proxy.blackhole("replies")
            _ask(rig, caller, limit)
            promise(rig.proxy.hits, "P5 no crossed replies", "the black hole never bit")
            rig.proxy.heal()
            for _ in range(3):
                _ask(rig, caller, limit)


def no_crossed_replies_when_cancelled(rig: Rig[Any], calls: int = 60) -> None:
    """P5: tasks cancelled at any moment leave no reply behind for the next one (row ``cancel``)."""

    async def storm(subject: Any) -> None:
        rig.proxy.latency(0.002)
        for n in range(calls):
            tags = [_token() for _ in range(4)]
            tasks = [asyncio.ensure_future(rig.harness.tagged_async(subject, tag)) for tag in tags]
            await asyncio.sleep(0.0005 * (n % 12))
            for task in tasks[::2]:
                task.cancel()
            for tag, got in zip(tags, await asyncio.gather(*tasks, return_exceptions=True), strict=True):
                _check_tag(tag, got)
        promise(rig.proxy.hits, "P5 no crossed replies", "no reply was delayed")

    subject = rig.harness.make(rig.proxy.url)
    try:
        asyncio.run(storm(subject))
    finally:
        rig.proxy.heal()
        rig.harness.close(subject)


def closed_for_decisions(rig: Rig[Any], fault: str) -> None:
    """P6: what answered yes does not say yes while it cannot ask."""
    with rig.caller() as caller:
        allowed = caller.call(rig.harness.decide)
        promise(allowed.value is True, "P6 closed", f"without a fault the decision must be yes, got {allowed}")
        with rig.fault(fault):
            blind = caller.call(rig.harness.decide, rig.budget.call + rig.budget.slack)
        promise(blind.value is not True, "P6 closed", f"{fault}: it said yes without having asked")


def heals(rig: Rig[Any], fault: str, *, most_connections: int = 4) -> None:
    """P7: after the fault's end the same client works again within the budget, without a storm of connections."""
    with rig.caller() as caller:
        with rig.fault(fault):
            for _ in range(2):
                caller.call(rig.harness.operation, rig.budget.call + rig.budget.slack)
        before, ended = rig.proxy.accepted, time.monotonic()
        while (answer := caller.call(rig.harness.operation)).error is not None:
            late = time.monotonic() - ended > rig.budget.heal + rig.budget.slack
            promise(not late, "P7 heals", f"{fault}: still {answer.error!r} {rig.budget.heal} s after its end")
            time.sleep(0.02)
        opened = rig.proxy.accepted - before
        promise(opened <= most_connections, "P7 heals", f"{fault}: {opened} connections opened to heal one client")


def leaks_nothing(rig: Rig[Any], cycles: int = 100) -> None:
    """P8: after up to 100 cut replies within 4 s there are no more files and threads than before, and none after close.

    A client whose breaker opens meets fewer cuts.
    """
    gc.collect()
    clean = _held()
    with rig.caller() as caller:
        warm = _held()
        bitten, deadline = 0, time.monotonic() + 4
        while bitten < cycles and time.monotonic() < deadline:
            rig.proxy.cut()
            caller.call(rig.harness.operation)
            if not rig.proxy.hits:  # an open breaker refuses at once: to ask it in a loop would only heat the processor
                time.sleep(0.01)
            bitten += rig.proxy.hits
        rig.proxy.heal()
        promise(bitten, "P8 leaks nothing", "no reply was cut")
        # Two more pooled connections are no leak; each is three descriptors, two of them the proxy's own.
        fits = _wait(lambda: _held()["files"] <= warm["files"] + 6 and _held()["threads"] <= warm["threads"] + 2, 1)
        promise(fits, "P8 leaks nothing", f"after {bitten} cuts: {_held()}, before them: {warm}")
    gone = _wait(lambda: all(_held()[kind] <= clean[kind] for kind in clean), 1)
    promise(gone, "P8 leaks nothing", f"after close: {_held()}, before the client was made: {clean}")


def monotonic_time(rig: Rig[Any]) -> None:
    """P9: an operator sets the wall clock while a call waits; it ends neither later nor earlier for that.

    ``time.time`` runs an hour back, then an hour forward, at each reading.
    """
    limit = rig.budget.call + rig.budget.slack
    with rig.caller() as caller, rig.fault("blackholed"), _wall_clock_jumping(-3600):
        try:
            caller.call(rig.harness.operation, limit)
        except Broken:
            raise Broken("P9 monotonic time: a clock set back made a time-out longer") from None
    with rig.caller() as caller:
        rig.proxy.latency(rig.budget.call / 20)
        with _wall_clock_jumping(3600):
            answer = caller.call(rig.harness.operation)
        rig.proxy.heal()
        promise(answer.error is None, "P9 monotonic time", f"a clock set forward ended a call: {answer.error!r}")


def _torment(rig: Rig[Any], durable: bool, bites: list[int]) -> None:
    for _ in range(3):
        time.sleep(0.05)
        rig.proxy.cut(on=rig.harness.effect_bytes, how="reset")
        _wait(lambda: rig.proxy.hits > 0, 0.5)
        bites.append(rig.proxy.hits)
        if durable:
            rig.server.kill()
            rig.server.start()
        else:
            rig.proxy.reset_all()
    time.sleep(0.05)


def _ask(rig: Rig[Any], caller: Caller[Any], limit: float) -> None:
    tag = _token()
    answer = caller.call(lambda subject: rig.harness.tagged(subject, tag), limit)
    _check_tag(tag, answer.value if answer.error is None else answer.error)


def _check_tag(tag: str, got: object) -> None:
    if not isinstance(got, BaseException):
        promise(got == tag, "P5 no crossed replies", f"asked for {tag}, was given {got!r}")
    elif not isinstance(got, PostrMagicError | asyncio.CancelledError | OSError):
        promise(False, "P5 no crossed replies", f"a parser was confused: {got!r}")


def _held() -> dict[str, int]:
    return {"files": len(os.listdir("/proc/self/fd")), "threads": threading.active_count()}  # noqa: PTH208 - counted only


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _effect(rig: Rig[Any], token: str | None = None) -> Callable[[Any], object]:
    return lambda subject: rig.harness.effect(subject, token or _token())


def _token() -> str:
    return uuid4().hex


def _wall_clock_jumping(seconds: int) -> Any:
    real, readings = time.time, itertools.count(1)
    return mock.patch("time.time", side_effect=lambda: real() + seconds * next(readings))
