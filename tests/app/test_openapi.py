"""The specification and the client that are committed are those of the code, and break nobody who knows version 1."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import media_library
from media_library.problems import PROBLEMS
from media_library.specification import SPECIFICATION
from postrmagic_core.cli.api import api as command

HERE = Path(media_library.__file__).parent
DOCUMENT, CLIENT = HERE / "openapi.json", HERE / "client.py"
# What clients of version 1.0.0 know. It is replaced by the next release's and never edited.
RELEASED, REVIEWED = HERE / "openapi_released.json", HERE / "openapi_reviewed.toml"
_DOC = "examples/media_library/openapi.json"
MEND = f"""
PYTHONPATH=examples postrmagic api describe --app media_library.specification:SPECIFICATION -o {_DOC}
postrmagic api client {_DOC} -o examples/media_library/client.py
"""
# A field of one of these names says what it is; of all others somebody has to say it.
SPEAKING = {"id", "name", "title", "password", "roles", "data", "next", "meta", "action", "succeeded", "failed"}
# Of a problem document (RFC 9457), which the reference explains once, and of an item of many.
SPEAKING |= {"type", "status", "code", "detail", "errors", "pointer", "message", "problem", "index"}


@pytest.fixture
def document() -> dict[str, Any]:
    """The specification that is committed."""
    found: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return found


def run(*arguments: object) -> Result:
    """``postrmagic api`` with these arguments."""
    return CliRunner().invoke(command, list(map(str, arguments)), env={"COLUMNS": "220"})


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What is said of each operation."""
    for item in document["paths"].values():
        yield from (said for method, said in item.items() if method != "parameters")


def test_the_committed_specification_is_the_code_s() -> None:
    """A change of the code that clients may notice is a change of the file."""
    found = run("describe", "--app", "media_library.specification:SPECIFICATION", "--check", DOCUMENT)
    assert found.exit_code == 0, found.output + MEND


def test_the_committed_client_is_the_specification_s() -> None:
    """Nobody edits what is generated."""
    found = run("client", DOCUMENT, "--check", CLIENT)
    assert found.exit_code == 0, found.output + MEND


def test_nothing_breaks_the_clients_of_the_released_version() -> None:
    """A breaking change is undone, or reviewed with a reason in the file beside."""
    found = run("compare", RELEASED, DOCUMENT, "--reviewed", REVIEWED)
    assert found.exit_code == 0, found.output


def test_a_field_that_is_gone_is_found(document: dict[str, Any], tmp_path: Path) -> None:
    """The control: the check above fails for what breaks clients, until somebody gives the reason."""
    broken = copy.deepcopy(document)
    del broken["components"]["schemas"]["Medium"]["properties"]["size"]
    broken["components"]["schemas"]["Medium"]["required"].remove("size")
    new, reviews = tmp_path / "new.json", tmp_path / "reviewed.toml"
    new.write_text(json.dumps(broken))
    refused = run("compare", RELEASED, new, "--reviewed", REVIEWED, "--json")
    assert refused.exit_code == 1
    unreviewed = json.loads(refused.output)["unreviewed"]
    assert {change["code"] for change in unreviewed} == {"response.field_removed"}
    # Media are told at five places: shown, changed, added, listed, and as items of many.
    reviews.write_text(
        "\n".join(
            f'[[reviewed]]\ncode = "{change["code"]}"\nplace = "{change["place"]}"\nreason = "nobody read it"\n'
            "date = 2026-11-28"
            for change in unreviewed
        )
    )
    assert run("compare", RELEASED, new, "--reviewed", reviews).exit_code == 0
    assert run("compare", RELEASED, DOCUMENT, "--reviewed", reviews).exit_code == 1, "a review of no change is stale"


def test_every_operation_has_an_example(document: dict[str, Any]) -> None:
    """The reference shows each once, with what comes back where that is JSON."""
    assert [one.name for one in SPECIFICATION.operations if not one.examples] == []
    assert [
        one.name
        for one in SPECIFICATION.operations
        for example in one.examples
        if example.answer is None and any(hasattr(model, "model_fields") for model in one.answers.values())
    ] == []
    assert {said["operationId"] for said in operations(document)} == {one.name for one in SPECIFICATION.operations}


def test_every_problem_of_the_specification_is_known(document: dict[str, Any]) -> None:
    """Each code that an answer may have is one that ``/problems/`` explains, with the status it is told with."""
    found = {
        (value["code"], value["status"])
        for said in [*operations(document), {"responses": document["components"].get("responses", {})}]
        for response in said["responses"].values()
        for value in _problems(document, response)
    }
    assert len(found) > 20
    assert {code for code, _ in found if code not in PROBLEMS} == set()
    assert {(code, status) for code, status in found if PROBLEMS[code].status != status} == set()


def _problems(document: dict[str, Any], response: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for content in _resolved(document, response).get("content", {}).values():
        for example in content.get("examples", {}).values():
            value = _resolved(document, example).get("value")
            if isinstance(value, dict) and {"type", "code", "status"} <= set(value):
                yield value


def _resolved(document: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in said:
        found: Any = document
        for step in said["$ref"].removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        said = found
    return said


def test_everything_is_described_that_its_name_does_not_tell(document: dict[str, Any]) -> None:
    """Operations, groups, parameters and fields; units, nulls and formats are said where they are."""
    assert [said["operationId"] for said in operations(document) if not said["summary"]] == []
    assert [group["name"] for group in document["tags"] if not group["description"]] == []
    assert [
        f"{said['operationId']} {parameter['name']}"
        for said in operations(document)
        for parameter in (_resolved(document, one) for one in said.get("parameters", ()))
        if not parameter.get("description") and parameter["name"] not in SPEAKING | {"role"}
    ] == []
    assert [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, said in schema.get("properties", {}).items()
        if not said.get("description") and "$ref" not in said and field not in SPEAKING
    ] == []
