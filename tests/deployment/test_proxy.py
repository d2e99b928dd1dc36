"""HAProxy's statistics, and what is counted of them."""

from __future__ import annotations

import pytest

from postrmagic_core.deployment.proxy import Answers, Server, Tally, servers_of, up
from postrmagic_core.errors import DataError

HEAD = "# pxname,svname,econ,eresp,wretr,wredis,status,type,"
HEAD += "hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,addr,\n"
TEXT = HEAD + (
    "public,FRONTEND,,,,,OPEN,0,0,90,0,0,9,0,,\n"
    "app,app1,1,2,3,4,UP 1/2,2,0,10,1,2,5,0,10.0.0.3:8000,\n"
    "app,app2,0,0,0,0,DOWN,2,0,0,0,0,0,0,[fd00::5]:8000,\n"
    "app,app3,0,0,0,0,MAINT (resolution),2,0,0,0,0,0,0,,\n"
    "app,BACKEND,0,0,0,0,UP,1,0,10,0,0,0,0,,\n"
)


def server(host: str, asked: int, failed: int = 0, status: str = "UP", slot: str = "app/app1") -> Server:
    """One place of the proxy."""
    return Server(slot, host, status, asked, failed)


def test_servers_are_read() -> None:
    """Given statistics, then servers alone, with addresses of both kinds, and faults counted as failures."""
    first, second, third = servers_of(TEXT)
    assert (first.host, first.asked, first.failed, first.retried, first.up) == ("10.0.0.3", 21, 8, 7, True)
    assert (second.host, second.up) == ("fd00::5", False)
    assert (third.host, third.up) == ("", False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>no statistics</html>",
        HEAD.replace(",addr,", ",") + "app,app1,0,0,0,0,UP,2,0,1,0,0,0,0,\n",
        HEAD + "app,app1,0,0,0,0,UP,2,0,1,0,0,0,0,,\n",
        HEAD + "app,app1,0,0,0,0,UP,2,0,many,0,0,0,0,10.0.0.3:80,\n",
        HEAD + "app,app1,0,0,0,0,UP,2,0,-1,0,0,0,0,10.0.0.3:80,\n",
    ],
)
def test_what_is_no_statistics_is_refused(text: str) -> None:
    """Given another page, statistics without addresses, or no numbers, then it is said."""
    with pytest.raises(DataError, match="proxy"):
        servers_of(text)


def test_who_is_up() -> None:
    """Given an address, then it is up where every server with it is, and not where there is none."""
    servers = servers_of(TEXT)
    assert up(servers, ["10.0.0.3"])
    assert not up(servers, ["fd00::5"])
    assert not up(servers, ["10.0.0.99"])
    assert not up([*servers, server("10.0.0.3", 0, status="DOWN", slot="other/app1")], ["10.0.0.3"])


def test_only_what_is_new_counts() -> None:
    """Given a first look, then what was counted before it does not count."""
    tally = Tally()
    tally.look([server("a", 1000, 900)])
    assert tally.of(["a"]) == Answers()
    tally.look([server("a", 1010, 901)])
    assert tally.of(["a"]) == Answers(10, 1)
    assert tally.of(["b"]) == Answers()
    assert tally.of(["a"]).rate == 0.1


def test_a_place_that_changes_hands() -> None:
    """Given that another address got the place: what came in between is nobody's, unless the place was empty."""
    tally = Tally()
    tally.look([server("a", 100, 50)])
    tally.look([server("b", 120, 60)])
    assert tally.of(["b"]) == Answers()
    tally.look([server("b", 120, 60, status="MAINT (resolution)")])
    tally.look([server("c", 130, 60)])
    assert tally.of(["c"]) == Answers(10, 0)


def test_a_proxy_that_begins_anew() -> None:
    """Given counters that fell, then they are counted from nothing."""
    tally = Tally()
    tally.look([server("a", 1000, 0)])
    tally.look([server("a", 7, 2)])
    assert tally.of(["a"]) == Answers(7, 2)


def test_an_address_is_given_to_the_next() -> None:
    """Given a replica that is gone, then its count is not that of the next with its address."""
    tally = Tally()
    tally.look([server("a", 0)])
    tally.look([server("a", 10, 10)])
    tally.forget(["a", "b"])
    assert tally.of(["a"]) == Answers()
