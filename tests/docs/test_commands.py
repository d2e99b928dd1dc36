"""Every command line of the documentation is one that there is, with options that it has; some are run."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from postrmagic_core.settings import Settings
from tests.docs.lines import OTHERS, Line, command_line, commands, lines, wrong
from tests.docs.looking import SHOPS, failed, looking, prepare
from tests.docs.playing import ROOT, pages

# The changelog is left out: it tells what was called so then.
PAGES = {page.relative_to(ROOT).as_posix(): page for page in pages() if page.name != "CHANGELOG.md"}
SHOWING = [name for name, page in PAGES.items() if any(lines(page))]
VARIABLE = re.compile(r"\bPOSTRMAGIC_[A-Z0-9_]+")


@cache
def variables() -> tuple[frozenset[str], str]:
    """Those of the settings, and all the source in which others are read."""
    settings = {
        f"POSTRMAGIC_{room}__{name}".upper() for room, values in Settings() for name in type(values).model_fields
    }
    sources = [file.read_text(encoding="utf-8") for file in (ROOT / "src").rglob("*.py")]
    return frozenset(settings), "\n".join(sources)


def unknown(text: str) -> set[str]:
    """The variables of the environment that a text names and nothing reads; one that ends with _ is a beginning."""
    settings, sources = variables()
    return {
        name
        for name in VARIABLE.findall(text)
        if name not in settings
        and not (name.endswith("_") and any(known.startswith(name) for known in settings))
        and ("__" in name or f'"{name}"' not in sources)
    }


@pytest.mark.parametrize("name", SHOWING)
def test_the_commands_of_a_page_are_understood(name: str) -> None:
    """By the parsers of the commands themselves, which do nothing of it."""
    assert wrong(PAGES[name]) == []


def test_the_variables_of_the_environment_are_read() -> None:
    """Each that a page names is a setting, or one that the source reads."""
    found = {name: unknown(page.read_text(encoding="utf-8")) for name, page in PAGES.items()}
    assert {name: names for name, names in found.items() if names} == {}


def test_every_page_with_commands_is_looked_at() -> None:
    """And what is typed there is found: hundreds of lines."""
    assert len(SHOWING) > 50
    assert sum(len(list(lines(page))) for page in PAGES.values()) > 600


@pytest.fixture
def _shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The working directory is that of an application which has worked; nothing else is known of the environment."""
    for name in [name for name in os.environ if name.startswith("POSTRMAGIC_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    prepare(tmp_path)
    yield
    for name in SHOPS:
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("_shop")
def test_what_only_looks_runs() -> None:
    """One command of each group; one that there is not, and one of an application that there is not, fail."""
    groups = {words[0]: words for words in looking()}
    assert len(groups) > 12
    wrong = [["jobs", "odd"], ["jobs", "list", "--app", "absent:stack"]]
    told = failed(command_line("postrmagic_core.cli.app"), [*groups.values(), *wrong])
    assert [words for words, _ in told] == [" ".join(words) for words in wrong], told


@pytest.mark.soak
@pytest.mark.usefixtures("_shop")
def test_all_that_only_looks_runs() -> None:
    """Every command that looks, as each page has it."""
    words = looking()
    assert len(words) > 40
    assert failed(command_line("postrmagic_core.cli.app"), words) == []


WRONG = """
```console
$ postrmagic jobs lists --app shop:stack
$ postrmagic jobs list --odd --app shop:stack
$ postrmagic jobs list
$ postrmagic jobs list --app shop:stack --state odd
$ postrmagic events show --app shop:stack
$ postrmagic jobs
$ export A=1 && postrmagic odd
$ make odd
$ python -m benchmarks run strange
$ python -m benchmarks run stack --odd
$ python -m benchmarks run stack --url redis://localhost
$ python -m media_library odd
$ python -m absent.module
$ python odd.py
$ python -c 'print('
$ scripts/odd.sh
$ pip install 'postrmagic-core[odd]'
$ odd --option
$ postrmagic worker --app media_library.odd:stack
$ A=$(postrmagic odd) curl "$A"
```

```ini
ExecStart=/srv/shop/.venv/bin/postrmagic odd --app shop:stack
```

```dockerfile
CMD ["postrmagic", "worker", "--odd"]
```

```yaml
run: postrmagic odd
```

Say `postrmagic jobs odd`, `postrmagic logs search --odd`, `make odd` or `postrmagic api describe|odd`.
"""
RIGHT = r"""
```console
$ postrmagic jobs list --app shop:stack | jq .  # all of them
an answer: postrmagic jobs odd
$ POSTRMAGIC_LOG__LEVEL=DEBUG postrmagic db backup > out.txt 2>&1 || echo "postrmagic odd"
$ postrmagic jobs purge --older-than 7d \
    --yes --app shop:stack
$ git switch main && python -m benchmarks run stack --json base.json
$ export A="[\"$(python -c 'print("a")')\"]"
```

```sh
for name in a b
do postrmagic db backup --note "$name
and a second line"
done
```

```text
postrmagic worker: default, mail (7 tasks)
```

Say `postrmagic jobs show`, `postrmagic logs`, `postrmagic worker --threads` or `make test`.
"""


def test_a_wrong_command_is_found(tmp_path: Path) -> None:
    """Each line of a page of wrong ones, in blocks of every kind and in the text."""
    page = tmp_path / "page.md"
    page.write_text(WRONG)
    found = {int(complaint.split(":")[1]) for complaint in wrong(page)}
    expected = {
        number
        for number, line in enumerate(WRONG.splitlines(), start=1)
        if line.startswith(("$", "ExecStart", "CMD", "run:", "Say"))
    }
    assert found == expected
    assert len([complaint for complaint in wrong(page) if complaint.startswith("page.md:37:")]) == 4


def test_a_right_command_is_left_alone(tmp_path: Path) -> None:
    """However it is written: with a prompt, over several lines, beside others, with what is assigned and redirected."""
    page = tmp_path / "page.md"
    page.write_text(RIGHT)
    assert wrong(page) == []
    assert [line.number for line in lines(page)] == [3, 5, 6, 8, 9, 13, 14, 16, 23, 23, 23, 23]


def test_what_a_line_calls_is_told_apart() -> None:
    """Commands behind each other, in each other, and what is no command."""
    line = 'A=1 b=2 make x && echo "$(curl "a b" | jq .)" 2>&1 > file ; do postrmagic a --b=\'c d\' & # not this'
    assert list(commands(line)) == [
        ["curl", "a b"], ["jq", "."], ["make", "x"], ["echo", "it"], ["postrmagic", "a", "--b=c d"], [],
    ]  # fmt: skip
    assert Line(1, "").whole
    assert "postrmagic" not in OTHERS


def test_a_variable_that_nothing_reads_is_found() -> None:
    """A setting with another name, a room that there is not, and a beginning of none."""
    text = "POSTRMAGIC_DATABASE__URL POSTRMAGIC_LOG__… POSTRMAGIC_DATABASE__ODD POSTRMAGIC_ODD__URL POSTRMAGIC_ODD"
    text += " POSTRMAGIC_O__"
    assert unknown(text) == {"POSTRMAGIC_DATABASE__ODD", "POSTRMAGIC_ODD__URL", "POSTRMAGIC_ODD", "POSTRMAGIC_O__"}
