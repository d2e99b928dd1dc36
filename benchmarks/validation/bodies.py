"""Hostile bodies of a megabyte, each with the call that reads it: a result or a refusal, but soon.

What a body is tried on is as open as an application could have it: any JSON, texts as long as the body. All that stands
between it and the reader are the limits that a :class:`Validator` has by default. Kept apart, as they are work that was
agreed to: lists without a limit of their own, of nearly ten thousand texts that are each cleaned by a rule in Python.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from types import GenericAlias
from typing import Annotated, Any, Literal

from pydantic import Field

from postrmagic_core.errors import ValidationFailed
from postrmagic_core.validation import Input, Validator
from postrmagic_core.validation.bodies import validate_body, validate_query
from postrmagic_core.validation.rules import Filename, PlainText, SafeHtml, Slug, Tag
from postrmagic_core.validation.rules.named import NAMED
from postrmagic_core.validation.urls import Url

from .models import Poster

SIZE = 1_000_000
_MANY = 9_900  # just below the limit of items
_DEEP = 30  # just below the limit of depth
_HTML = 65_000  # just below the limit of SafeHtml
_ELEMENTS = 990
_CHUNK = 65_536  # bytes that a server hands over at once
_LONGEST_NUMBER = 4_300  # digits, Python's own limit


class Square(Input):
    """One of two shapes, told apart by their kind."""

    kind: Literal["square"]
    side: int


class Disc(Input):
    """The other."""

    kind: Literal["disc"]
    radius: int


class Numbers(Input):
    """What a form says in digits."""

    whole: int | None = None
    real: float | None = None
    exact: Decimal | None = None


class Text(Input):
    """A text as long as the body."""

    text: Annotated[str, PlainText(max=SIZE, lines=True)]


def refused(call: Callable[[], object]) -> None:
    """Call what may raise :class:`ValidationFailed`."""
    with contextlib.suppress(ValidationFailed):
        call()


def cases() -> Iterator[tuple[str, Callable[[], None]]]:
    """What each body is, and the call that reads it."""
    anything = Validator[Any](object)
    for name, body in json_texts().items():
        yield f"JSON: {name}", partial(refused, partial(anything.validate_json, body))
    for name, (model, body) in wrong_values().items():
        yield f"model: {name}", partial(refused, partial(Validator[Any](model).validate_json, body))
    for name, text in texts().items():
        for rule, annotation in RULES.items():
            body = json.dumps(text).encode()
            yield f"{rule}: {name}", partial(refused, partial(_reader(annotation).validate_json, body))
    for rule, annotation in catalogue().items():
        body = json.dumps(PUMPS, ensure_ascii=False).encode()
        yield f"rule: {rule}", partial(refused, partial(_reader(GenericAlias(list, (annotation,))).validate_json, body))
    html = _reader(Annotated[str, SafeHtml()])
    for name, markup in pages().items():
        yield f"HTML: {name}", partial(refused, partial(html.validate, markup))
    form, text_form = Validator(Numbers), Validator(Text)
    for field in Numbers.model_fields:
        yield f"form: digits for {field}", partial(refused, partial(form.validate_form, [(field, "1" * SIZE)]))
    for name, query in queries().items():
        yield f"query: {name}", partial(refused, partial(validate_query, form, query))
    for name, (kind, parts) in forms().items():
        chunks = [parts[at : at + _CHUNK] for at in range(0, len(parts), _CHUNK)]
        yield f"multipart: {name}", partial(refused, partial(validate_body, form, kind, chunks))
    yield "form: pairs", partial(refused, partial(form.validate_form, [("whole", "")] * (SIZE // 6)))
    yield "form: one text", partial(refused, partial(text_form.validate_form, [("text", "é" * (SIZE // 2))]))


def long_lists() -> Iterator[tuple[str, Callable[[], None]]]:
    """The same of :func:`many_texts`."""
    for name, (annotation, values) in many_texts().items():
        body = json.dumps(values, ensure_ascii=False).encode()
        yield f"list: {name}", partial(refused, partial(_reader(GenericAlias(list, (annotation,))).validate_json, body))


def _reader(annotation: Any) -> Validator[Any]:
    return Validator[Any](annotation)


def filled(unit: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    """A megabyte of ``unit`` between the two."""
    return before + unit * ((SIZE - len(before) - len(after)) // len(unit)) + after


def json_texts() -> Mapping[str, bytes]:
    """What JSON parsers are known to be slow with, or to disagree about."""
    pad = "x" * (SIZE // _MANY - 20)
    twice = [f'"{number:05}{pad}":{value}' for number in range(_MANY // 2) for value in (1, 2)]
    return {
        "arrays that never close": b"[" * SIZE,
        "arrays inside each other": b"[" * (SIZE // 2) + b"]" * (SIZE // 2),
        "deep arrays, side by side": filled(b"[" * _DEEP + b"]" * _DEEP + b",", b"[", b"[]]"),
        "objects that never close": filled(b'{"a":'),
        "a wide object": b"{" + b",".join(b'"%d":1' % number for number in range(SIZE // 11)) + b"}",
        "an object as wide as may be": json.dumps({f"{number:05}{pad}": 1 for number in range(_MANY)}).encode(),
        "one name, over and over": filled(b'"a":1,', b"{", b'"a":1}'),
        "one name, as often as may be": b'{"a":1' + b',"a":1' * (_MANY - 1) + b" " * (SIZE - 6 * _MANY - 2) + b"}",
        "names given twice": b"{%b}" % ",".join(twice).encode(),
        "quotation marks": b'"' * SIZE,
        "escaped quotation marks": filled(b'\\"', b'"', b'"'),
        "backslashes": filled(b"\\", b'["'),
        "escapes": filled(b"\\u0061", b'"', b'"'),
        "pairs of surrogates": filled(b"\\ud83d\\ude00", b'"', b'"'),
        "half surrogates": filled(b"\\ud83d", b'"', b'"'),
        "commas": b"," * SIZE,
        "white space": filled(b" ", b"[", b"]"),
        "one text": filled(b"x", b'"', b'"'),
        "one text of wide characters": filled("\U0001f600".encode(), b'"', b'"'),
        "no UTF-8 at the end": filled(b"x", b'"', b'\xff"'),
        "one whole number": b"1" * SIZE,
        "long whole numbers": filled(b"1" * _LONGEST_NUMBER + b",", b"[", b"1]"),
        "a long fraction": filled(b"1", b"1."),
        "a long exponent": filled(b"0", b"1e-", b"1"),
        "many fractions": b"[%b]" % b",".join([b"1." + b"1" * (SIZE // _MANY - 4)] * _MANY),
        "a constant at the end": filled(b" ", b"[1,", b"NaN]"),
    }


def wrong_values() -> Mapping[str, tuple[Any, bytes]]:
    """What is JSON, and wrong nearly everywhere."""
    unknown = {f"{number:05}".ljust(SIZE // _MANY - 10, "x"): 1 for number in range(_MANY)}
    shapes: Any = list[Annotated[Square | Disc, Field(discriminator="kind")]]
    return {
        "unknown fields": (Poster, json.dumps(unknown).encode()),
        "texts for whole numbers": (list[int], json.dumps(["x" * (SIZE // _MANY - 4)] * _MANY).encode()),
        "objects without their eight fields": (list[Poster], json.dumps([{}] * _MANY).encode()),
        "kinds that nobody knows": (shapes, json.dumps([{"kind": "x" * 150}] * (_MANY // 2)).encode()),
        "shapes of no kind": (list[Square | Disc], json.dumps([{"kind": "x" * 150}] * (_MANY // 2)).encode()),
        "a text of digits for a decimal": (Decimal, filled(b"1", b'"', b'"')),
        "digits for a decimal": (Decimal, b"1" * _LONGEST_NUMBER),
        "digits for a number": (float, filled(b"1", b"1.")),
    }


RULES: Mapping[str, Any] = {
    "PlainText": Annotated[str, PlainText(max=SIZE, lines=True)],
    "Slug": Slug,
    "Tag": Tag,
    "Filename": Filename,
    "SafeHtml": Annotated[str, SafeHtml()],
    "Url": Annotated[str, Url(max=SIZE)],
}


_UNITS = ("a", "1", "a.", "a-", "a@", "a ", "Aa1", "é", "[", '{"":', "1.", "A1:", "=", "-", "٣")
PUMPS = [unit * (SIZE // len(_UNITS) // len(unit.encode()) - 10) for unit in _UNITS]
"""Texts of what the rules of the catalogue look for, over and over; together they fill the body."""


def catalogue() -> Mapping[str, Any]:
    """Every rule for texts that needs no parameters, by its name."""
    rules = {name: rule for name, rule in NAMED.items() if "text" in rule.kinds and not rule.required}
    return {name: Annotated[str, rule.make()] for name, rule in rules.items()}


def texts() -> Mapping[str, str]:
    """One text that fills the body."""
    return {
        "letters": "a" * (SIZE - 2),
        "accented letters": "é" * (SIZE // 6),
        "direction marks": "\u202e" * (SIZE // 6),
        "a direction mark at the end": "é" * (SIZE // 6 - 1) + "\u202e",
        "accents without end": "a" + "\u0301" * (SIZE // 6),
        "as many accents as may be": ("a" + "\u0301" * 30) * (SIZE // 181),
        "accents in the wrong order": ("a" + "\u0301\u0323" * 15) * (SIZE // 181),
    }


def many_texts() -> Mapping[str, tuple[Any, list[str]]]:
    """As many texts as fill the body, each as long as its rule has it."""
    many = range(_MANY)
    return {
        "plain texts": (Annotated[str, PlainText(max=200)], ["é" * 48] * _MANY),
        "plain texts of accents": (Annotated[str, PlainText(max=200)], [("a" + "\u0301" * 30)] * _MANY),
        "tags": (Tag, ["é" * 40 for _ in many]),
        "tags of accents": (Tag, ["ΐ" * 3 + "a" + "\u0301" * 30 for _ in many]),
        "file names": (Filename, ["é" * 40 + ".jpeg" for _ in many]),
        "slugs": (Slug, ["a-" * 39 + "a" for _ in many]),
        "HTML": (Annotated[str, SafeHtml()], ["<b>" * 30 for _ in many]),
    }


def pages() -> Mapping[str, str]:
    """Markup as large as the sanitizer takes, of the shapes that HTML parsers are slow with."""
    nested = {f"nested <{tag}>": f"<{tag}>" * _ELEMENTS for tag in ("div", "b", "a href=x", "p", "ul", "table", "svg")}
    return nested | {
        "misnested": "<b><i><p>" * (_ELEMENTS // 3),
        "text between": ("<b>" + "x" * 60) * _ELEMENTS,
        "closing tags": "</b>" * (_HTML // 4),
        "attributes": "<a " + "".join(f"a{number}=1 " for number in range(_HTML // 9)) + ">",
        "an open attribute": '<a href="' + "x" * _HTML,
        "references": "&amp;" * (_HTML // 5),
        "references without end": "&" * _HTML,
        "comments": "<!--" * (_HTML // 4),
        "less-than signs": "<" * _HTML,
    }


def queries() -> Mapping[str, bytes]:
    """Floods of an urlencoded body."""
    return {
        "pairs": filled(b"whole=1&"),
        "as many pairs as may be": b"whole=1&" * _MANY + b"x" * (SIZE - 8 * _MANY),
        "names": b"&".join(b"%05d=" % number + b"x" * (SIZE // _MANY - 8) for number in range(_MANY)),
        "ampersands": b"&" * SIZE,
        "equals signs": filled(b"=", b"whole"),
        "escapes": filled(b"%41", b"whole="),
        "escapes of wide characters": filled(b"%f0%9f%98%80", b"whole="),
        "an escape cut off at the end": filled(b"%41", b"whole=", b"%"),
        "plus signs": filled(b"+", b"whole="),
    }


_FORM = "multipart/form-data; boundary=b"
_HEAD = b'--b\r\nContent-Disposition: form-data; name="whole"\r\n'


def forms() -> Mapping[str, tuple[str, bytes]]:
    """Floods of a form with parts."""
    end = b"\r\n--b--\r\n"
    longest = "b" * 70
    return {
        "parts": (_FORM, filled(_HEAD + b"\r\n1\r\n", after=end)),
        "empty parts": (_FORM, filled(b"--b\r\n\r\n\r\n", after=end)),
        "headers": (_FORM, filled(b"X: y\r\n", _HEAD, end)),
        "a long header": (_FORM, filled(b"y", _HEAD + b"X: ", end)),
        "parameters": (_FORM, filled(b"; a=b", _HEAD[:-2], end)),
        "a long name": (_FORM, filled(b"a", b'--b\r\nContent-Disposition: form-data; name="', b'"\r\n\r\n' + end)),
        "a preamble": (_FORM, filled(b"x", after=b"\r\n" + _HEAD)),
        "line ends before": (_FORM, filled(b"\r\n", after=_HEAD)),
        "line ends in a part": (_FORM, filled(b"\r\n", _HEAD + b"\r\n", end)),
        "carriage returns in a part": (_FORM, filled(b"\r", _HEAD + b"\r\n", end)),
        "hyphens in a part": (_FORM, filled(b"\r\n--", _HEAD + b"\r\n", end)),
        "nearly the boundary": (
            f"multipart/form-data; boundary={longest}",
            filled(b"\r\n--" + b"b" * 69, b"--" + longest.encode() + _HEAD[3:] + b"\r\n"),
        ),
        "one text": (_FORM, filled(b"1", _HEAD + b"\r\n", end)),
        "a file where there is none": (_FORM, filled(b"x", _HEAD[:-2] + b'; filename="a.png"\r\n\r\n', end)),
        "line ends after": (_FORM, filled(b"\r\n", _HEAD + b"\r\n1" + end)),
    }
