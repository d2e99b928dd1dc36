"""Every block of Python of the documentation runs, as it stands there."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.marking import mark, marked
from tests.docs.playing import PLAYED, ROOT, Page, blocks, pages, preamble
from tests.programs import Ran

Played = Callable[[Path], Ran]

OWN = {
    "README.md": ["project/test_docs.py::test_the_first_example_runs"],
    "docs/tutorials/poster-library.md": ["docs/test_tutorial.py::test_the_tutorial_works_word_by_word"],
    "docs/tutorials/poster-library-2-together.md": ["docs/test_tutorial.py::test_the_tutorial_works_word_by_word"],
    "docs/tutorials/poster-library-3-people.md": ["docs/test_tutorial.py::test_the_tutorial_works_word_by_word"],
} | {
    f"docs/how-to/{name}.md": tests
    for name, tests in {
        "accept-tokens-of-another-server": ["security/test_oauth_docs.py::test_the_guide_s_lines_run"],
        "add-a-second-factor": ["security/test_factors_docs.py::test_the_guide_runs"],
        "add-the-pipeline-to-an-application": ["integrations/test_guide.py::test_a_program_of_the_guide_runs"],
        "adopt-one-module": ["docs/test_adopt.py::test_what_was_open_before_a_fork_is_used_after_it"],
        "avoid-lost-edits": ["api/test_how_tos.py::test_its_lines_run_and_print_what_they_say"],
        "benchmark-your-own-server": ["docs/test_benchmark_how_to.py::test_an_adapter_is_measured"],
        "build-a-form-from-data": ["validation/test_definitions.py::test_the_guide_s_lines_run"],
        "call-the-api-from-python": ["api/client/test_how_to.py::test_the_guide_shows_what_comes_out"],
        "change-many-at-once": ["api/test_how_tos.py::test_its_lines_run_and_print_what_they_say"],
        "change-the-api": ["api/compare/test_verdict.py::test_the_guide_holds"],
        "check-against-the-database": [
            "validation/test_database_rules_how_to.py::test_its_lines_run_and_print_what_they_say"
        ],
        "define-models-migrate-deploy": ["docs/test_models_how_to.py::test_the_page_works_line_by_line"],
        "find-a-slow-query": ["database/analysis/test_analyze_cli.py::test_the_how_to_runs"],
        "give-out-api-tokens": ["security/test_access_tokens_docs.py::test_the_guide_s_lines_run"],
        "keep-passwords": ["security/test_passwords_docs.py::test_the_guide_s_lines_run"],
        "let-other-programs-use-the-api": ["security/test_oauth_docs.py::test_the_guide_s_lines_run"],
        "move-from-sqlite-to-mysql": ["cli/test_transfer.py::test_the_guide_shows_what_the_commands_say"],
        "page-through-a-list": ["api/test_how_tos.py::test_its_lines_run_and_print_what_they_say"],
        "reset-a-password": ["security/test_passwords_docs.py::test_the_guide_s_lines_run"],
        "roll-out-a-feature": ["flags/test_docs.py::test_the_guide_s_lines_run"],
        "show-what-users-wrote": ["validation/test_output_guide.py::test_the_guide_shows_what_comes_out"],
        "test-your-application": [
            "docs/test_test_your_application.py::test_its_tests_pass_on_files",
            "docs/test_test_your_application.py::test_its_tests_pass_on_servers",
        ],
        "work-with-the-outbox": ["database/test_outbox_undelivered.py::test_the_how_to_runs"],
        "write-an-api": [
            "integrations/test_api_guide.py::test_a_program_of_the_guide_answers_what_it_says",
            "integrations/test_api_guide.py::test_what_is_deprecated_says_what_the_guide_says",
        ],
    }.items()
}
"""Pages whose own tests execute every block: they have more to say about a page than that it runs."""

SAME = {
    f"docs/how-to/{name}.md": [test]
    for test, names in {
        "docs/test_adopt.py::test_a_page_shows_what_stands_in_the_application": [
            *("adopt-in-django", "adopt-in-fastapi", "adopt-in-flask")
        ],
        "adapters/test_guides.py::test_a_guide_shows_the_template": [
            *(
                "write-a-broker",
                "write-a-channel",
                "write-a-database-adapter",
                "write-a-log-sink",
                "write-a-middleware",
            ),
            *("write-a-rule", "write-a-store", "write-a-vault", "write-an-alert-channel"),
        ],
    }.items()
    for name in names
}
"""Pages that show parts of the examples: a test compares them, and the tests of the examples execute those."""

SHOWN = {page.relative_to(ROOT).as_posix(): page for page in pages() if blocks(page, "python")}
LEFT = [name for name in SHOWN if name not in OWN | SAME]


@pytest.mark.parametrize("name", LEFT)
def test_the_blocks_of_a_page_run(name: str, played: Played) -> None:
    """One after the other, with what the page takes for granted; their number is counted where they are executed."""
    ran = played(SHOWN[name])
    assert ran.code == 0, f"{ran.stderr}\nWhat the page takes for granted is given in {preamble(SHOWN[name])}"
    assert ran.lines[-1] == f"{len(blocks(SHOWN[name], 'python'))} blocks of Python"


def test_every_page_with_python_is_looked_at() -> None:
    """Each is in one place alone; what is given to a page is given to one that there is."""
    assert not OWN.keys() & SAME.keys()
    assert (OWN | SAME).keys() - SHOWN.keys() == set()
    given = {file.stem for file in PLAYED.glob("*.py")}
    assert given <= {preamble(SHOWN[name]).stem for name in LEFT}


def test_what_is_looked_at_elsewhere_is_looked_at() -> None:
    """The tests that are named exist, and speak of the page."""
    for name, tests in (OWN | SAME).items():
        for test in tests:
            file, _, function = test.partition("::")
            text = (ROOT / "tests" / file).read_text(encoding="utf-8")
            assert f"def {function}(" in text, test
            assert Path(name).stem.removeprefix("adopt-in-").rstrip("-0123456789") in text or "tutorial" in file, name


@pytest.mark.soak
@pytest.mark.timeout(1000)
def test_their_own_tests_execute_every_block(tmp_path: Path) -> None:
    """Each block leaves a mark as it ends: none is missing after those tests."""
    nodes = sorted({f"tests/{test}" for tests in OWN.values() for test in tests})
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.docs.marking", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-m", "soak or not soak", *nodes],
        cwd=ROOT, env=os.environ | {"MARKS": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    wanted = {mark(name, number) for name in OWN for number in range(1, len(blocks(SHOWN[name], "python")) + 1)}
    assert wanted - {file.name for file in tmp_path.iterdir()} == set()


GOOD = """
```python
first = 1
```

and then

```python
# second.py
second = first + 1
```

- in a list:

  ```python
  from second import second

  assert await asyncio.sleep(0, second) == 2
  ```
"""


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ("assert first == 2", 'page.md", line 3'),
        ("nowhere", "NameError"),
        ("first = ", "SyntaxError"),
        ("open('/var/log/absent.log', 'w')", "the page writes to /var/log/absent.log"),
        ("__import__('socket').getaddrinfo('example.org', 80)", "the page asks for example.org"),
        ("__import__('warnings').warn('it is old')", "UserWarning: it is old"),
    ],
)
def test_a_page_that_does_not_run_is_found(wrong: str, complaint: str, tmp_path: Path, played: Played) -> None:
    """With the line that is wrong in it, whether it fails, leaves the machine or is warned of."""
    page = tmp_path / "page.md"
    page.write_text(f"{GOOD}```python\n{wrong}\n```\n".replace("first = 1", wrong, 1))
    ran = played(page)
    assert ran.code != 0
    assert complaint in ran.stderr


def test_a_block_that_was_not_executed_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks are executed in one namespace, those with a name as modules; what is left is counted."""
    monkeypatch.chdir(tmp_path)
    for name in ("shown", "second"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    page = tmp_path / "page.md"
    page.write_text(GOOD)
    shown = Page(page, {})
    shown.names["asyncio"] = asyncio
    assert [shown.run(1).get("second"), shown.left] == [None, 2]
    assert [shown.run(1)["second"], shown.left] == [2, 1]
    shown.run()
    assert (shown.left, shown.count) == (0, 3)
    shown.instead["not an address"] = "x"
    with pytest.raises(AssertionError, match="is no address"):
        shown._placed("anything")


def test_a_mark_is_left_by_a_block_that_ended(tmp_path: Path) -> None:
    """And by no other."""
    text = marked("```python\na = 1\n```\n```python\nif a > 1:\n    pass\nb\n```\n", "docs/page.md", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(text)
    first, second = blocks(page, "python")
    names: dict[str, object] = {}
    exec(compile(first.text, "page.md", "exec"), names)  # noqa: S102 - the lines above
    with pytest.raises(NameError):
        exec(compile(second.text, "page.md", "exec"), names)  # noqa: S102 - as above
    assert [file.name for file in tmp_path.iterdir() if file != page] == [mark("docs/page.md", 1)]
