"""The registry of types of problems: what it takes, what it gives, and what it knows of the package."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import postrmagic_core
from postrmagic_core._problem import Problem, problem_for
from postrmagic_core.api.problem_types import TITLES
from postrmagic_core.api.problems import PACKAGE, Problems, ProblemType
from postrmagic_core.errors import (
    AccessDenied,
    BackendError,
    ConfigurationError,
    Conflict,
    DataError,
    NotOpen,
    PostrMagicError,
    PreconditionFailed,
    PreconditionRequired,
    UniqueViolation,
    UsageError,
    ValidationFailed,
)

ROOT = Path(postrmagic_core.__file__).parent
CANARY = "c4n4ry-Xy7"
MISSING = ProblemType("media.not_found", 404, "No such medium", "It was deleted, or never was. Ask for the list.")
FULL = ProblemType("quota.exceeded", 413, "The quota is used up", "Delete something, and send the file again.")
BUSY = ProblemType("media.busy", 409, "The medium is being changed", "Send it again in a moment.")


class NotFound(PostrMagicError):
    """A medium that is not there."""

    code = "media.gone_internally"


class Deleted(NotFound):
    """One that was."""


class Busy(Conflict):
    """An application's own kind of conflict."""

    code = "media.busy"


class Rejected(ValidationFailed):
    """Input that the application refuses under a name of its own."""

    code = "media.rejected"


class TestType:
    """One kind of problem, checked when it is declared."""

    @pytest.mark.parametrize("code", ["a", "not_found", "media.not_found", "http.404", "a1.b_2.c3", "a" * 100])
    def test_a_code_is_words_between_dots(self, code: str) -> None:
        """Any that a path, a header and a log take as it is."""
        assert quote(ProblemType(code, 400, "T", "D.").code, safe="") == code

    @pytest.mark.parametrize(
        "code",
        [
            "", ".", "a.", ".a", "a..b", "A.b", "media/not_found", "../etc", "a'b", 'a"b', "a\r\nb", "a\n", "a b",
            "a-b", "m\u00e9dia.x", "\u0430.b", "a\x00", "a?b", "a#b", "a%2fb", "<b>", "1a", "_a", "a\u2028",
            "\u0661", "\ud800", "a" * 101, None, 7, b"a",
        ],
    )  # fmt: skip
    def test_any_other_is_refused(self, code: Any) -> None:
        """It stands in URLs, pages and logs: nothing that means something there."""
        with pytest.raises(ConfigurationError, match=r"as in media\.not_found"):
            ProblemType(code, 400, "T", "D.")

    @settings(deadline=None)
    @given(st.text(max_size=12))
    def test_no_text_slips_through(self, code: str) -> None:
        """What is taken needs no encoding anywhere."""
        try:
            ProblemType(code, 400, "T", "D.")
        except ConfigurationError:
            return
        assert re.fullmatch("[a-z0-9_.]+", code)

    @pytest.mark.parametrize("status", [399, 600, 200, 0, -404, True, 404.0, "404", None])
    def test_a_status_is_an_errors(self, status: Any) -> None:
        """RFC 9110, sections 15.5 and 15.6."""
        with pytest.raises(ConfigurationError, match="status from 400 to 599"):
            ProblemType("a.b", status, "T", "D.")

    @pytest.mark.parametrize("text", ["", "  ", "a\nb", "a\r\nb", "a\x00", "\ud800", "a\u2028b", "\u202eevil", None, 7])
    def test_texts_are_one_printable_line(self, text: Any) -> None:
        """They are shown to people, and go into documents."""
        with pytest.raises(ConfigurationError, match="has a title of"):
            ProblemType("a.b", 400, text, "D.")
        with pytest.raises(ConfigurationError, match="has a description of"):
            ProblemType("a.b", 400, "T", text)

    def test_texts_are_bounded_and_may_be_of_any_language(self) -> None:
        """A title is short."""
        with pytest.raises(ConfigurationError, match="1 to 100"):
            ProblemType("a.b", 400, "t" * 101, "D.")
        assert ProblemType("a.b", 400, "Nicht gefunden \u2013 gel\u00f6scht", "Gel\u00f6scht.").title


class TestRegistry:
    """Problems are made of known types only."""

    def test_it_knows_the_packages_types_and_the_applications(self) -> None:
        """One by one, or in lists; sorted by code."""
        problems = Problems([MISSING, FULL], BUSY)
        assert {kind.code for kind in PACKAGE} < {kind.code for kind in problems.types}
        assert problems["media.not_found"] is MISSING
        assert "media.busy" in problems
        assert "media.burnt" not in problems
        assert [kind.code for kind in problems.types] == sorted(kind.code for kind in problems.types)
        assert Problems().types == Problems().types

    def test_an_unknown_code_names_near_ones(self) -> None:
        """A slip of the pen is seen at once, and is no answer to anybody."""
        problems = Problems([MISSING])
        with pytest.raises(ConfigurationError, match=r"'media\.notfound': did you mean media\.not_found"):
            problems["media.notfound"]
        with pytest.raises(ConfigurationError, match="did you mean csrf"):
            problems.problem("csrf.tokens")
        with pytest.raises(ConfigurationError, match="declare it as a ProblemType"):
            problems["zzz"]

    def test_a_code_has_one_meaning(self) -> None:
        """Declared twice alike is once; another status, title or description is another thing."""
        assert len(Problems([MISSING], [MISSING]).types) == len(PACKAGE) + 1
        for other in [
            ProblemType(MISSING.code, 410, MISSING.title, MISSING.description),
            ProblemType(MISSING.code, 404, "Other", MISSING.description),
            ProblemType(MISSING.code, 404, MISSING.title, "Other."),
            ProblemType("internal", 500, "Ours", "Ours."),
        ]:
            with pytest.raises(ConfigurationError, match="declared twice"):
                Problems([MISSING], other)

    @pytest.mark.parametrize("base", ["/problems/?page=", "/problems", "problems/", "//h/", "/a#/", "/a/\r\n/", ""])
    def test_a_base_is_a_place_for_types(self, base: str) -> None:
        """The same that a pipeline takes."""
        with pytest.raises(ConfigurationError, match="such as /problems/"):
            Problems(base=base)
        assert Problems(base="/problems/").base == "/problems/"
        assert Problems().base is None

    def test_a_problem_has_status_and_title_of_its_type(self) -> None:
        """What is about the occurrence is given."""
        errors = [{"pointer": "/file", "code": "size", "message": "is too large"}]
        problem = Problems([FULL]).problem("quota.exceeded", detail="1 MB is left.", errors=errors, extra={"left": 1})
        assert problem.to_dict("/problems/") == {
            "type": "/problems/quota.exceeded",
            "title": "The quota is used up",
            "status": 413,
            "code": "quota.exceeded",
            "detail": "1 MB is left.",
            "errors": errors,
            "left": 1,
        }

    @pytest.mark.parametrize("member", ["type", "title", "status", "code", "detail", "errors", "instance"])
    def test_extra_members_replace_none(self, member: str) -> None:
        """RFC 9457, section 3.2: extensions stand beside the members."""
        with pytest.raises(UsageError, match=f"another {member}"):
            Problems().problem("internal", extra={member: "x"})

    def test_what_it_is_made_of_may_change_afterwards(self) -> None:
        """A registry is as it was made."""
        own, errors, extra = [MISSING], {NotFound: "media.not_found"}, {"left": 1}
        problems = Problems(own, errors=errors)
        problem = problems.problem("media.not_found", extra=extra)
        own.append(FULL)
        errors.clear()
        extra.clear()
        assert "quota.exceeded" not in problems
        assert problems.maps(NotFound())
        assert problem.extra == {"left": 1}


class TestErrors:
    """Exceptions as problems: by class, the most specific first, and never by their text."""

    def test_an_error_of_the_application_has_its_type(self) -> None:
        """And so have those beneath it."""
        problems = Problems([MISSING], errors={NotFound: "media.not_found"})
        for error in (NotFound(CANARY), Deleted(CANARY)):
            assert problems.maps(error)
            assert problems.for_error(error) == Problem(404, "media.not_found", "No such medium")

    def test_the_most_specific_class_counts(self) -> None:
        """Whichever of them the application, or the package, names; in any order."""
        given = {PostrMagicError: "quota.exceeded", Deleted: "media.busy", NotFound: "media.not_found"}
        problems = Problems([MISSING, FULL, BUSY], errors=given)
        told = [problems.for_error(error).code for error in (Deleted(), NotFound(), NotOpen(), UniqueViolation("x"))]
        assert told == ["media.busy", "media.not_found", "quota.exceeded", "data.unique"]
        assert not problems.maps(UniqueViolation("x"))
        assert not problems.maps(KeyError("x"))
        mapped = Problems([BUSY], errors={UniqueViolation: "media.busy"})
        assert mapped.for_error(UniqueViolation("x")).code == "media.busy"

    @pytest.mark.parametrize("error", [KeyError(CANARY), NotFound(CANARY), NotOpen(CANARY), DataError(CANARY)])
    def test_what_nobody_knows_is_internal(self, error: Exception) -> None:
        """500, a title and nothing of the text."""
        problem = Problems().for_error(error)
        assert problem == Problem(500, "internal", TITLES["internal"])
        assert CANARY not in repr(problem)

    def test_invalid_input_keeps_its_errors(self) -> None:
        """Field by field, also under an application's own type."""
        errors = [{"pointer": "/a", "code": "missing", "message": "is required"}]
        assert Problems().for_error(ValidationFailed(errors)).errors == errors
        refused = ProblemType("media.rejected", 422, "The medium is refused", "Send another.")
        told = Problems([refused], errors={Rejected: "media.rejected"}).for_error(Rejected(errors))
        assert (told.code, told.title, told.errors) == ("media.rejected", "The medium is refused", errors)

    def test_an_error_of_an_undeclared_code_is_told_as_the_one_above_it(self) -> None:
        """No client meets a code that the reference lacks; one that is declared has its own status."""
        assert problem_for(Busy(CANARY)).code == "media.busy"
        assert Problems().for_error(Busy(CANARY)) == Problem(503, "backend.conflict", TITLES["backend.conflict"])
        assert Problems([BUSY]).for_error(Busy(CANARY)) == Problem(409, "media.busy", BUSY.title)
        assert Problems().for_error(Rejected([])).code == "data.invalid"

    def test_a_hidden_refusal_stays_hidden(self) -> None:
        """However refusals are named: that there is something must not be told, nor that somebody is to log in."""
        forbidden = ProblemType("media.forbidden", 403, "Not yours", "Ask its owner.")
        problems = Problems([forbidden], errors={AccessDenied: "media.forbidden"})
        assert problems.for_error(AccessDenied(CANARY)).code == "media.forbidden"
        assert problems.for_error(AccessDenied(CANARY, hidden=True)).status == 404
        assert problems.for_error(AccessDenied(CANARY, nobody=True)).status == 401
        assert not problems.maps(AccessDenied(CANARY, hidden=True))

    def test_conditions_that_do_not_hold(self) -> None:
        """RFC 9110, section 15.5.13, and RFC 6585, section 3."""
        assert Problems().for_error(PreconditionFailed(CANARY)).status == 412
        assert Problems().for_error(PreconditionRequired(CANARY)).status == 428

    def test_errors_are_classes_of_known_types(self) -> None:
        """Said when it is made."""
        with pytest.raises(ConfigurationError, match="did you mean"):
            Problems([MISSING], errors={NotFound: "media.notfound"})
        strange: Any
        for strange in ("NotFound", int, NotFound()):
            with pytest.raises(ConfigurationError, match="class of exceptions"):
                Problems([MISSING], errors={strange: "media.not_found"})


# The catalogue of the package's own.

# What is passed on, not said there: the codes it can be.
PASSED_ON = {
    ("api/bulk.py", "problem.code"): (),
    ("api/problem_pages.py", "kind.code"): (),
    ("api/problems.py", "kind.code"): (),
    ("_problem.py", "error.code"): (),  # every class of errors is asked below
    ("_problem.py", "error.code if isinstance(error, errors.PostrMagicError) and status != 500 else 'internal'"): (
        "internal",
    ),
    ("middleware/idempotency.py", "f'idempotency.{name}'"): (),  # its callers are read
}


def sources(holding: str) -> Iterator[tuple[str, ast.Module]]:
    """Every module of the package in whose text ``holding`` is, but those of the test kit."""
    for path in sorted(ROOT.rglob("*.py")):
        name, text = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        if holding in text and not name.startswith("testing/"):
            yield name, ast.parse(text)


def module_of(where: str) -> Any:
    """The module of a file."""
    return importlib.import_module(f"postrmagic_core.{where.removesuffix('.py').replace('/', '.')}")


def literals(where: str, tree: ast.AST) -> Iterator[tuple[ast.expr, ast.expr, str]]:
    """Status, code and the code's prefix of each problem that is written there."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        named = {keyword.arg: keyword.value for keyword in node.keywords}
        given = [*node.args, *(named[each] for each in ("status", "code")[len(node.args) :] if each in named)]
        if name == "Problem":
            yield given[0], given[1], ""
        elif (where, name) == ("middleware/idempotency.py", "_problem"):
            yield given[0], given[1], "idempotency."


def said(where: str, status: ast.expr, code: ast.expr) -> Iterator[tuple[str, int]]:
    """What such a problem can be, as ``(code, status)``."""
    if isinstance(code, ast.Constant):
        yield str(code.value), ast.literal_eval(status)
    elif (where, ast.unparse(code)) in PASSED_ON:
        for known in PASSED_ON[where, ast.unparse(code)]:
            yield known, Problems()[known].status
    elif where == "middleware/errors.py" and ast.unparse(code) == "error.code":
        # Of those that have no status of their own.
        unknown = (kind.code for kind in classes(BackendError) if problem_for(kind.__new__(kind)).status == 500)
        yield from ((each, ast.literal_eval(status)) for each in unknown)
    elif isinstance(code, ast.Attribute) and isinstance(code.value, ast.Name) and code.attr == "code":
        yield getattr(module_of(where), code.value.id).code, ast.literal_eval(status)
    else:
        raise AssertionError(f"{where}:{code.lineno} the code {ast.unparse(code)} cannot be read: write it, or name it")


def classes(root: type[PostrMagicError]) -> set[type[PostrMagicError]]:
    """The package's classes beneath ``root``, and that itself."""
    found = {root}.union(*(classes(kind) for kind in root.__subclasses__()))
    return {kind for kind in found if re.match(r"postrmagic_core\.(?!testing\.)", kind.__module__)}


def test_the_registry_knows_every_problem_that_is_written_in_the_package() -> None:
    """With the status that is answered."""
    found = {
        (where, prefix + known, number)
        for where, tree in sources("Problem(")
        for status, code, prefix in literals(where, tree)
        for known, number in said(where, status, code)
    }
    problems = Problems()
    assert len(found) > 30
    assert [entry for entry in sorted(found) if entry[1] not in problems or problems[entry[1]].status != entry[2]] == []


def test_the_registry_knows_every_error_of_the_package() -> None:
    """As any layer, and any API, answers it."""
    for where, tree in sources("    code = "):
        bodies = [node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        if any(
            isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "code" for body in bodies for line in body
        ):
            module_of(where)
    problems, found = Problems(), classes(PostrMagicError)
    for kind in found:
        error = kind.__new__(kind)
        vars(error).update({"errors": [], "hidden": False, "nobody": False})
        told = problem_for(error)
        assert (told.code, told.status) == (problems[told.code].code, problems[told.code].status), kind
        assert problems.for_error(error).status in {told.status, 412, 428}, kind
    assert len(found) > 40
    for denied in (AccessDenied("", hidden=True), AccessDenied("", nobody=True)):
        assert problem_for(denied).code in problems


@pytest.mark.parametrize("status", [400, 404, 405, 406, 411, 412, 413, 414, 415, 417, 426, 428, 431, 501])
def test_plain_errors_of_frameworks_have_types(status: int) -> None:
    """What Starlette, Werkzeug or Django say by a status alone."""
    assert Problems()[f"http.{status}"].status == status


def test_the_packages_types_are_told_in_plain_text() -> None:
    """Each in a short title and whole sentences; nothing that a renderer would take for markup."""
    assert len({kind.code for kind in PACKAGE}) == len(PACKAGE)
    for kind in PACKAGE:
        assert len(kind.title) <= 60, kind.code
        assert not kind.title.endswith("."), kind.code
        assert kind.title[0].isupper(), kind.code
        assert kind.description.endswith("."), kind.code
        assert not set("`*<>[]{}#|") & set(kind.title + kind.description), kind.code
        assert not kind.code.startswith("http.") or kind.code == f"http.{kind.status}"
