"""Applications that have taken one module: they do what they promise, and the pages show what stands in them."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from postrmagic_core.testing import spawn, until
from tests.commands import WIDE
from tests.docs.consoles import Console, typed
from tests.docs.playing import ROOT, Block, blocks
from tests.programs import Ran, run

HOW_TO = ROOT / "docs" / "how-to"
ADOPT = ROOT / "examples" / "adopt"
AFTER = ["django/after", "flask/after", "fastapi/after"]
OTHERS = ["django/before", "flask/before", "fastapi/before", "fastapi/further"]
PYTEST = """
import sys
import pytest
sys.path.insert(0, "")
sys.exit(pytest.main(["-q", "-W", "error", "-p", "no:cacheprovider", "shop"]))
"""
DJANGO = """
import os, sys
sys.path.insert(0, "")
sys.argv = ["manage.py", "test", *{settings!r}]
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
LOADED = ["pytest", "django.core.management", "django.test", "flask.testing", "fastapi.testclient", "alembic.command"]
LOADED += [f"postrmagic_core.{name}" for name in ("stack", "cache.manager", "sessions.manager", "jobs.worker")]
LOADED += [f"postrmagic_core.{name}" for name in ("database.relay", "stores.adapters.sql_sqlite", "integrations.flask")]


def copied(name: str, folder: Path) -> Path:
    """The application, in a folder of its own, as the directory ``name`` of the examples has it."""
    ignored = shutil.ignore_patterns("__pycache__", "*.db*", "*.sqlite3")
    return Path(shutil.copytree(ADOPT / name, folder / name.replace("/", "-"), ignore=ignored))


def suite(name: str, folder: Path) -> tuple[Path, str]:
    """A program that runs the application's tests by its framework's own means."""
    settings = ["--settings", "shop.settings_for_tests"] if name == "django/after" else []
    return copied(name, folder), DJANGO.format(settings=settings) if name.startswith("django") else PYTEST


def green(ran: Ran) -> None:
    """A suite ran, and all of it passed."""
    said = ran.stdout + ran.stderr
    assert ran.code == 0, said
    assert re.search(r"^OK$|\d+ passed", said, re.MULTILINE), said
    assert "skipped" not in said


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """The tests of each application as it is after, and two programs more."""
    programs = {name: suite(name, tmp_path_factory.mktemp("shop")) for name in AFTER}
    programs["worked"] = copied("django/after", tmp_path_factory.mktemp("worked")), WORKED
    alone = tmp_path_factory.mktemp("alone")
    (block,) = blocks(HOW_TO / "adopt-one-module.md", "python")
    (alone / "alone.py").write_text(block.text)
    programs["forked"] = alone, FORKED
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        return dict(zip(programs, run([*programs.values()], LOADED), strict=True))


@pytest.mark.parametrize("name", AFTER)
def test_an_application_that_has_taken_a_module_keeps_its_promises(name: str, ran: dict[str, Ran]) -> None:
    """By tests of its own, which a user runs too."""
    green(ran[name])


@pytest.mark.soak
@pytest.mark.parametrize("name", OTHERS)
def test_so_do_those_before_and_the_one_that_goes_further(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a module is taken for is among the promises of an application that has none: it is what is wrong there."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (found,) = run([suite(name, tmp_path)], LOADED)
    green(found)


FAULTS = [
    ("django/after", "views.py", "lambda: queue().enqueue(confirm.call(made.pk))", "lambda: None", "waits"),
    ("django/after", "views.py", "transaction.on_commit(lambda: queue().enqueue(confirm.call(made.pk)), robust=True)",
     "queue().enqueue(confirm.call(made.pk))", "rolled_back"),
    ("django/after", "jobs.py", "pk=order, confirmed_at=None", "pk=order", "sent_once"),
    ("flask/after", "__init__.py", "session().logout()", "session().data = Visit()", "copied_cookie"),
    ("flask/after", "__init__.py", "sessions.revoke_all(user)", "session().logout()", "every_device"),
    ("fastapi/after", "__init__.py", 'await cache.aio.invalidate("orders")', "pass", "last_order"),
    ("fastapi/after", "__init__.py", ', tags=["orders"]', "", "read_before"),
    ("fastapi/further", "__init__.py", "async with cache, database.relay({\"cache\": cache.deliver}):",
     "async with cache:", "did_not_live"),
]  # fmt: skip


@pytest.mark.soak
@pytest.mark.parametrize(("name", "file", "line", "fault", "red"), FAULTS, ids=[each[4] for each in FAULTS])
def test_a_fault_in_an_application_turns_its_test_red(
    name: str, file: str, line: str, fault: str, red: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the applications' own tests are shown for, they find."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    folder, program = suite(name, tmp_path)
    text = (folder / "shop" / file).read_text(encoding="utf-8")
    assert text.count(line) == 1
    (folder / "shop" / file).write_text(text.replace(line, fault), encoding="utf-8")
    (found,) = run([(folder, program)], LOADED)
    assert found.code == 1, found.stdout + found.stderr
    assert re.search(rf"^FAIL(ED)?:? .*{red}", found.stdout + found.stderr, re.MULTILINE), found.stdout + found.stderr


def test_the_worker_of_django_confirms_what_a_request_has_ordered(ran: dict[str, Ran]) -> None:
    """Given `manage.py migrate` and an order, `manage.py work` sends one mail, and ends by SIGTERM."""
    lines = ran["worked"].lines
    assert (lines[0], lines[-1]) == ("201", "closed")
    assert sorted(lines[-3:-1]) == ["confirmed", "working"]  # a worker's thread may be quicker than the command
    assert ran["worked"].stderr == ""


WORKED = """
import os, signal, sys
sys.path.insert(0, "")
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
import django
django.setup()
from django.core.mail.backends.console import EmailBackend
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
order = {"email": "ann@example.org", "poster": "Gala"}
print(Client().post("/orders", order).status_code)
def write(backend, message):
    print("confirmed")
    os.kill(os.getpid(), signal.SIGTERM)
EmailBackend.write_message = write
call_command("work")
from shop.jobs import database
print("open" if database.is_open else "closed")
"""
FORKED = """
import os, sys
sys.path.insert(0, "")
from alone import cache

cache().set("made by", "the parent", 60)
child = os.fork()
if not child:
    cache().get_or_set("by the child", lambda: "the child", fresh=60, tags=["all"])
    cache().invalidate("all")
    os._exit(0 if cache().get("made by") == "the parent" else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print(cache().get("made by"), cache().get("by the child"))
"""


def test_what_was_open_before_a_fork_is_used_after_it(ran: dict[str, Ran]) -> None:
    """Given the page's module, opened before its server forks, both processes use the cache."""
    assert ran["forked"].lines == ["the parent None"]


PAGES = ["django", "flask", "fastapi"]


def shown(framework: str) -> Iterator[tuple[Path, Block, str]]:
    """What a page shows of each file of the examples."""
    for block in blocks(HOW_TO / f"adopt-in-{framework}.md", "python"):
        first, _, rest = block.text.partition("\n")
        named = re.fullmatch(r"# (\w+/[\w/]+\.py)", first)
        assert named is not None, f"line {block.line} names no file"
        yield ADOPT / framework / named[1], block, rest


@pytest.mark.parametrize("framework", PAGES)
def test_a_page_shows_what_stands_in_the_application(framework: str) -> None:
    """Each block of Python is a part of the file that its first line names: what is tested is what is read."""
    absent = [
        f"line {block.line}: {file.relative_to(ROOT)}"
        for file, block, text in shown(framework)
        if text not in file.read_text(encoding="utf-8")
    ]
    assert absent == []


@pytest.mark.soak
def test_the_page_of_django_works_line_by_line(tmp_path: Path) -> None:
    """Its commands in order: the worker confirms an order, the queue shows it, and in the end nothing is left."""
    folder = copied("django/after", tmp_path)
    console = Console(folder, DJANGO_SETTINGS_MODULE="shop.settings")
    (migrate, work), looks, (test,) = typed(HOW_TO / "adopt-in-django.md")
    assert console.type(migrate).status == 0
    assert console.type(f"python -c '{inspect.cleandoc(ORDER)}'").stdout == "201\n"
    assert [work, test.split()[:3]] == ["python manage.py work", ["python", "manage.py", "test"]]
    with spawn(_work, str(folder), env=WIDE) as worker:
        until((folder / "confirmed").exists, "the worker confirmed nothing")
        os.kill(worker.pid, signal.SIGTERM)
        assert worker.wait(30) == 0
    listed, counted = map(console.type, looks)
    assert re.search(r"shop\.confirm.*succeeded|succeeded.*shop\.confirm", listed.stdout), listed
    assert counted.status == 0
    ((leave,),) = typed(HOW_TO / "adopt-one-module.md")
    assert console.type(leave).status == 0
    assert console.type(looks[0]).status == 1


ORDER = """
import django
django.setup()
from django.test import Client
print(Client().post("/orders", {"email": "ann@example.org", "poster": "Gala"}).status_code)
"""


def _work(folder: str) -> None:
    """``python manage.py work``, whose first mail leaves a file."""
    import sys

    os.chdir(folder)
    sys.path.insert(0, folder)
    sys.argv = ["manage.py", "work"]
    os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
    from django.core.mail.backends import console as backend
    from django.core.management import execute_from_command_line

    def write(self: object, message: object) -> None:
        Path("confirmed").touch()

    backend.EmailBackend.write_message = write
    execute_from_command_line(sys.argv)


@pytest.mark.soak
def test_the_page_of_flask_works_line_by_line(tmp_path: Path) -> None:
    """Its key makes an application that a server finds."""
    console = Console(copied("flask/after", tmp_path))
    (export, load), (test,) = typed(HOW_TO / "adopt-in-flask.md")
    assert console.type(export).status == 0
    assert console.type(load).stdout == "shop\n"
    assert test == "python -m pytest -q shop"  # which the application's own suite has run
