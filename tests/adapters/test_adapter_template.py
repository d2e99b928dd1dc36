"""The templates of adapters: each keeps the contract of its kind, is found by its entry point, and can be broken."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "examples" / "adapter_template"

_ENDED = re.compile(r"^(PASSED|FAILED|ERROR|SKIPPED) \S*?(\w+)(?:\.py)?::(test_\w+)", re.MULTILINE)

# Other plugins take longer to import than these tests take.
PLUGINS = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_PLUGINS": "postrmagic_core.testing.pytest_plugin,pytest_timeout",
}
# Of the long contracts a part: the whole of each is tried on what is shipped, and on these by `make soak`.
QUICK = {
    "test_published": "",
    "TestOneFile": "byte_exact or atomic or ended_value or clear_deletes or forked",
    "TestCacheOnOneFile": "value_comes_back or seen_by_every_cache",
    "TestDurable": "as_a_whole or leaves_nothing or between_managers or protocol or (p2 and refused)",
    "TestPacked": "compressed or waits_already or as_it_was_put or stale_settlement or held_key or in_order or rests",
    "TestBulletin": "fails_goes_on or payload_is_heard or ends_promptly or do_not_hear",
    "TestTiming": "not nothing_that_a_client_sends",
    "TestPlate": "",
    "TestTableSink": "",
    "TestTicketChannel": "",
    "TestMirrorVault": "",
}


class Planted(NamedTuple):
    """What is done wrong in a module, and the test that has to notice."""

    module: str
    right: str
    wrong: str
    test: str


PLANTED = [
    Planted("onefile", "if values != before:", "if len(values) != len(before):", "a_later_set_replaces_value_and_time"),
    Planted("durable", '"PRAGMA synchronous=FULL"', '"PRAGMA query_only=OFF"', "reading_takes_no_writes"),
    Planted("packed", "[unpacked(claim) for claim in turn.claims]", "turn.claims", "a_job_is_claimed_as_it_was_put"),
    Planted("packed", "serve(Unpacking(taker))", "serve(taker)", "who_rests_is_given_the_job_that_was_put"),
    Planted("bulletin", "first + len(payloads)  #", "first  #", "a_listener_hears_from_its_beginning_to_its_end"),
    Planted("timing", "head.add(", "head.headers.clear(), head.add(", "an_ordinary_response_passes"),
    Planted("plate", "plate = value.upper()", "plate = value", "it_keeps_what_is_told"),
    Planted("intable", "return len(lines)", "return 1", "lines_arrive_whole_and_in_order"),
    Planted("tickets", "raise BackendRejected(", "raise OSError(", "a_refusal_for_good_is_told_apart"),
    Planted("mirror", "        self._second.remove(name)\n", "", "what_is_removed_is_gone"),
]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What says that the package is installed: its metadata, as a wheel would have them."""
    declared = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    folder = tmp_path_factory.mktemp("site") / "postrmagic_template-0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {declared['name']}\nVersion: 0\n")
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in entries.items())
        for group, entries in declared["entry-points"].items()
    ]
    (folder / "entry_points.txt").write_text("\n".join(groups))
    return folder.parent


def environment() -> dict[str, str]:
    """Nothing that says where this checkout is, or what its tests are to do."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "POSTRMAGIC_"))
    } | PLUGINS


def proved(*options: str, path: tuple[Path, ...], seconds: float = 100) -> subprocess.CompletedProcess[str]:
    """Pytest as an adapter's owner would run it, with ``path`` importable."""
    # Nothing is left in the checkout: the last of the path is a folder of the test's own.
    kept = {"HYPOTHESIS_STORAGE_DIRECTORY": str(path[-1] / "hypothesis")}
    env = environment() | kept | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "--tb=line", "-W", "error", "-p", "no:cacheprovider"]
    command += ["-c", os.devnull, "--rootdir", str(TEMPLATE), "-o", "timeout=60", *options]
    return subprocess.run(command, cwd=TEMPLATE, env=env, capture_output=True, text=True, timeout=seconds, check=False)


def planted(folder: Path) -> list[str]:
    """Write a module with each fault, and its tests, into ``folder``; which of these are to be tried."""
    (folder / "tests").mkdir()
    for number, plant in enumerate(PLANTED):
        text = (TEMPLATE / "src" / "postrmagic_template" / f"{plant.module}.py").read_text(encoding="utf-8")
        assert text.count(plant.right) == 1, plant
        (folder / f"planted{number}.py").write_text(text.replace(plant.right, plant.wrong))
        proof = (TEMPLATE / "tests" / f"test_{plant.module}.py").read_text(encoding="utf-8")
        proof = proof.replace(f"postrmagic_template.{plant.module}", f"planted{number}")
        proof = proof.replace("class Test", f"class Test{number}x")
        (folder / "tests" / f"test_planted{number}.py").write_text(proof)
    return [f"(test_planted{number}.py and {plant.test})" for number, plant in enumerate(PLANTED)]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, installed: Path) -> dict[str, set[str]]:
    """By outcome the tests, ``Class::test`` or ``module::test``: those of the template, and those of the plants."""
    folder = tmp_path_factory.mktemp("planted")
    chosen = [f"({name} and ({some}))" if some else name for name, some in QUICK.items()] + planted(folder)
    options = ("-k", " or ".join(chosen), f"--basetemp={tmp_path_factory.mktemp('tests') / 'of'}")
    done = proved(*options, "tests", str(folder / "tests"), path=(TEMPLATE / "src", installed, folder))
    found: dict[str, set[str]] = {"PASSED": set(), "FAILED": set()}
    for state, where, test in re.findall(_ENDED, done.stdout):
        found.setdefault(state, set()).add(f"{where}::{test}")
    sys.stdout.write(done.stdout)  # shown where a test fails
    return found


def test_each_keeps_its_contract_and_is_found(ended: dict[str, set[str]]) -> None:
    """Of every kind, with nothing but the package's metadata to say where it is; none is skipped."""
    assert ended.keys() == {"PASSED", "FAILED"}
    assert {test.partition("::")[0] for test in ended["PASSED"]} == QUICK.keys()


def test_each_is_red_where_it_does_something_wrong(ended: dict[str, set[str]]) -> None:
    """The contract of its kind notices, by the test that is about it, and nothing else fails."""
    failed = {re.sub(r"x\w+::", "x::", test) for test in ended["FAILED"]}
    assert failed == {f"Test{number}x::test_{plant.test}" for number, plant in enumerate(PLANTED)}


def test_every_module_is_published_told_and_planted() -> None:
    """None is in the folder that has no entry point, no row in the README and no way to be red."""
    modules = {path.stem for path in (TEMPLATE / "src" / "postrmagic_template").glob("*.py")} - {"__init__"}
    declared = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    targets = [target for entries in declared.values() for target in entries.values()]
    readme = (TEMPLATE / "README.md").read_text(encoding="utf-8")
    assert sorted(target.partition(":")[0] for target in targets) == sorted(f"postrmagic_template.{m}" for m in modules)
    assert set(re.findall(r"^\| [\w ]+ \| `(\w+)\.py` \|", readme, re.MULTILINE)) == modules
    assert {plant.module for plant in PLANTED} == modules
    guides = re.findall(r"`(write-an?-[\w-]+\.md)`", readme)
    assert len(guides) == len(modules)
    assert all((ROOT / "docs" / "how-to" / guide).is_file() for guide in guides)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_each_keeps_the_whole_contract(tmp_path: Path, installed: Path) -> None:
    """All of it; what is skipped does not apply to it."""
    options = (f"--basetemp={tmp_path / 'of'}", "tests")
    done = proved(*options, path=(TEMPLATE / "src", installed), seconds=800)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.soak
def test_it_is_installed_by_itself(tmp_path: Path) -> None:
    """Into an environment of its own, with nothing of this checkout in the path: its adapters are found and used."""
    copy = shutil.copytree(TEMPLATE, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True, timeout=100)
    python = tmp_path / "venv" / "bin" / "python"
    (own,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    others = [place for place in sys.path if place.endswith("site-packages")]
    # `site` carries out what is written there: what is installed beside this interpreter, editable or not.
    (own / "others.pth").write_text("".join(f"import site; site.addsitedir({place!r})\n" for place in others))
    build = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(copy)]
    subprocess.run([sys.executable, *build], check=True, capture_output=True, timeout=100)
    (wheel,) = tmp_path.glob("*.whl")
    shutil.unpack_archive(wheel, own, "zip")
    shutil.rmtree(copy / "src")
    command = [str(python), "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-c", os.devnull]
    done = subprocess.run(
        [*command, "tests/test_published.py", "tests/test_timing.py"],
        cwd=copy,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
