"""What new replicas do: whether they become ready, stay so, and how many of their answers are errors."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Final

from ..errors import DataError, DeployFailed
from .conduct import Conduct
from .engine import Engine
from .interface import Layout, Replica, Terms
from .policy import broken, gate, too_many_errors
from .proxy import Answers, Server, Tally, servers_of, up

# Seconds without which a replica that has no health check is not believed.
SETTLED: Final = 3.0
_PAUSE = 0.5
# Runs inside a container of the application, where nothing but Python is sure to be.
_ASK = (
    "import sys,urllib.request as u;"
    "sys.stdout.write(u.build_opener(u.ProxyHandler({})).open(sys.argv[1],timeout=3).read(1<<23).decode())"
)


class Watch:
    """The eyes of a deployment: the engine's and the proxy's word on replicas, and a tally of answers.

    It looks again after each pause of ``conduct``, which raises where the deployment is to end.
    """

    def __init__(self, engine: Engine, layout: Layout, terms: Terms, conduct: Conduct) -> None:
        self._engine = engine
        self._layout = layout
        self._terms = terms
        self._clock = conduct.clock
        self._pause = conduct.pause
        self.tally = Tally()
        self.seen: list[Replica] = []

    def replicas(self) -> list[Replica]:
        """All of the services that are replaced."""
        found = self._engine.replicas(self._layout.project)
        self.seen = [one for one in found if one.service in self._layout.rolled]
        return self.seen

    def servers(self, replicas: Sequence[Replica]) -> list[Server]:
        """The proxy's statistics, read from inside one of its servers; raises :class:`DataError` where none can."""
        problem = "no replica runs that could ask it"
        web = [one for one in replicas if one.service in self._layout.web and one.state == "running"]
        for one in sorted(web, key=lambda each: not each.serving)[:4]:
            done = self._engine.run("exec", one.id, "python3", "-I", "-c", _ASK, self._layout.proxy, check=False)
            if done.status == 0:
                found = servers_of(done.out)
                self.tally.look(found)
                return found
            problem = (done.said.splitlines() or [f"status {done.status}"])[-1]
        raise DataError(f"the proxy's statistics at {self._layout.proxy} cannot be read: {problem}")

    def until_ready(self, ids: Collection[str], *, patient: bool = False) -> None:
        """Wait until all pass the gate; :class:`DeployFailed` when one cannot any more, or not in time.

        ``patient``: an unhealthy one is waited for, as there is nothing better.
        """
        began = self._clock.monotonic()
        while True:
            found = self.replicas()
            waited = self._clock.monotonic() - began
            reasons = [self._waits(one, found, waited, patient) for one in ids]
            if not any(reasons):
                return
            if waited >= self._terms.ready_timeout:
                self._fail(next(one for one, why in zip(ids, reasons, strict=True) if why), found, reasons)
            self._pause(_PAUSE)

    def _waits(self, identity: str, found: Sequence[Replica], waited: float, patient: bool) -> str:
        replica = next((one for one in found if one.id == identity), None)
        known, problem = None, ""
        if replica is not None and self._proxied(replica) and replica.state == "running":
            try:
                known = up(self.servers(found), replica.addresses)
            except DataError as error:
                known, problem = False, str(error)
            if not patient:  # the proxy may have begun to send requests before the engine calls it healthy
                self._judged([replica])
        verdict, why = gate(replica, known, waited >= SETTLED, patient)
        if verdict == "failed":
            self._fail(identity, found, [why])
        return why and (problem or why)

    def _proxied(self, replica: Replica) -> bool:
        return bool(self._layout.proxy) and replica.service in self._layout.web

    def begin(self) -> None:
        """Have a first look at the proxy, from which on requests count; where it says nothing yet, from the next."""
        if self._layout.proxy:
            with suppress(DataError):
                self.servers(self.replicas())

    def _fail(self, identity: str, found: Sequence[Replica], reasons: Sequence[str]) -> None:
        why = next(reason for reason in reasons if reason)
        named = next((one.name for one in found if one.id == identity), identity[:12])
        late = (
            ""
            if broken(next((one for one in found if one.id == identity), None))
            else (f" (not ready within {self._terms.ready_timeout:g} s)")
        )
        raise DeployFailed(f"{named}: {why}{late}", log=self._engine.log(identity))

    def for_a_while(self, ids: Collection[str], seconds: float) -> Answers:
        """Watch replicas; :class:`DeployFailed` as soon as one breaks, or surely fails too many requests."""
        until, read, problem = self._clock.monotonic() + seconds, False, ""
        while True:
            found = self.replicas()
            for identity in ids:
                replica = next((one for one in found if one.id == identity), None)
                if why := broken(replica):
                    raise DeployFailed(
                        f"{identity[:12] if replica is None else replica.name}: it was ready, and then {why}",
                        log=self._engine.log(identity),
                    )
            web = [one for one in found if one.id in ids and self._proxied(one)]
            if web:
                try:
                    self.servers(found)
                    read = True
                except DataError as error:
                    problem = str(error)
            answers = self._judged(web)
            if (left := until - self._clock.monotonic()) <= 0:
                break
            self._pause(min(2 * _PAUSE, left))
        if web and not read:
            raise DeployFailed(f"what new replicas answer is not known: {problem}")
        return answers

    def _judged(self, web: Sequence[Replica]) -> Answers:
        answers = self.tally.of([address for one in web for address in one.addresses])
        if too_many_errors(answers.asked, answers.failed, self._terms.max_error_rate):
            raise DeployFailed(
                f"{answers.failed} of {answers.asked} requests to new replicas failed ({answers.rate:.1%}): more than "
                f"{self._terms.max_error_rate:.1%}",
                log=self._engine.log(web[0].id),
            )
        return answers

    def forget(self, replica: Replica) -> None:
        """What a replica was sent counts no longer: its address is given to another soon."""
        self.tally.forget(replica.addresses)
