"""A form with files is read as it comes, each part under its limits, and leaves nothing behind when it fails."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field

from postrmagic_core.errors import ConfigurationError, MissingExtra, OutOfSpace, UsageError, ValidationFailed
from postrmagic_core.testing.growth import growth
from postrmagic_core.validation import AsyncUploads, ImagePolicy, Input, InputLimits, Validator
from postrmagic_core.validation.bodies import validate_body, validate_body_async
from postrmagic_core.validation.groups import In
from postrmagic_core.validation.images import ImageUpload, ReceivedImage
from postrmagic_core.validation.multipart import PartLimits
from postrmagic_core.validation.rules import PlainText
from postrmagic_core.validation.uploads import Receiving

# What a decoder does to its process is the matter of test_images.
pytestmark = pytest.mark.usefixtures("decoder_here")

KIND = "multipart/form-data; boundary=b"
Part = tuple[bytes, bytes]


def part(headers: str | bytes, body: bytes = b"") -> Part:
    """A part with these header lines."""
    lines = headers if isinstance(headers, bytes) else headers.encode()
    return lines + b"\r\n" if lines else b"", body


def text(name: str, value: str | bytes) -> Part:
    """A text field."""
    return part(f'Content-Disposition: form-data; name="{name}"', value if isinstance(value, bytes) else value.encode())


def file(name: str, body: bytes, filename: str = "x.png", kind: str = "application/octet-stream") -> Part:
    """A file as browsers send it."""
    said = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\nContent-Type: {kind}'
    return part(said, body)


def form(*parts: Part, boundary: bytes = b"b") -> bytes:
    """The body of these parts."""
    return b"".join(b"--%s\r\n%s\r\n%s\r\n" % (boundary, *each) for each in parts) + b"--%s--\r\n" % boundary


class Post(Input):
    """A text, a number, one image and several."""

    title: str
    copies: int = 1
    tags: list[str] = Field(default_factory=list)
    poster: Annotated[ReceivedImage, ImageUpload(max_bytes=20_000, reencode=False)] | None = None
    more: list[Annotated[ReceivedImage, ImageUpload(max_bytes=20_000, reencode=False)]] = Field(default_factory=list)


class Texts(Input):
    """Texts only."""

    title: str = ""
    tags: list[str] = Field(default_factory=list)


Little: TypeAlias = Annotated[ReceivedImage, ImageUpload(max_bytes=9)]


class Many(Input):
    """Images in every place."""

    plain: Little | None = None
    renamed: Little | None = Field(default=None, alias="other")
    listed: Annotated[list[Little], Field(max_length=3)] = Field(default_factory=list)
    tupled: tuple[Little, ...] = ()
    both: list[Little] | None = None


POST, TEXTS = Validator(Post), Validator(Texts)


def read(body: bytes | Iterator[bytes], directory: Path, **options: Any) -> Any:
    """The form as a model."""
    return validate_body(POST, KIND, body, directory=directory, **options)


def read_async(body: bytes, directory: Path, *, size: int = 1_000, **options: Any) -> Any:
    """The same, asynchronously."""

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), size):
            await asyncio.sleep(0)
            yield body[at : at + size]

    async def scenario() -> Any:
        async with AsyncUploads() as uploads:
            return await validate_body_async(POST, KIND, pieces(), uploads=uploads, directory=directory, **options)

    return asyncio.run(scenario())


class TestReading:
    """Texts become texts, files become files."""

    @pytest.mark.parametrize("size", [1, 2, 7, 64, 100_000])
    def test_however_it_comes(self, size: int, picture: Any, tmp_path: Path) -> None:
        """In pieces of any size, the parts are the same, line ends and boundaries inside a text included."""
        image = picture("PNG", size=(8, 8))
        title = "a\r\n--\r\n--c\r\n-- b\r\n--ba\r\n--b-\r\nä"
        body = form(text("title", title), text("tags", ""), file("poster", image), text("copies", "3"))
        post = read((body[at : at + size] for at in range(0, len(body), size)), tmp_path)
        assert (post.title, post.copies, post.tags, post.poster.path.read_bytes()) == (title, 3, [""], image)
        post.poster.discard()
        assert list(tmp_path.iterdir()) == []

    def test_both_faces_agree(self, picture: Any, tmp_path: Path) -> None:
        """The async twin gives the same model and the same refusals."""
        image = picture("PNG", size=(8, 8))
        body = form(text("title", "a"), file("more", image), file("more", image, "y.png"))
        for post in (read(body, tmp_path), read_async(body, tmp_path)):
            assert [(each.path.read_bytes(), each.name) for each in post.more] == [(image, "x.png"), (image, "y.png")]
            for each in post.more:
                each.discard()
        broken = form(text("title", "a"), text("copies", "x"), file("poster", b"no"), file("more", b""))
        for face in (read, read_async):
            with pytest.raises(ValidationFailed) as caught:
                face(broken, tmp_path)
            assert {(error["pointer"], error["code"]) for error in caught.value.errors} == {
                ("/copies", "int_parsing"),
                ("/poster", "upload.unknown_format"),
                ("/more/0", "upload.empty"),
            }
        assert list(tmp_path.iterdir()) == []

    def test_an_input_without_a_file_was_not_sent(self, tmp_path: Path) -> None:
        """A browser sends a part without name and content for it."""
        post = read(form(text("title", "a"), file("poster", b"", ""), file("more", b"", "")), tmp_path)
        assert (post.poster, post.more) == (None, [])

    @pytest.mark.parametrize(
        ("parts", "wrong"),
        [
            ([file("title", b"a")], ("/title", "form.text_expected")),
            ([file("title", b"", "")], ("/title", "form.text_expected")),
            ([text("title", "a"), text("poster", "a")], ("/poster", "upload.file_expected")),
            ([text("title", "a"), text("poster", "")], ("/poster", "upload.file_expected")),
            ([text("title", "a"), text("more", "a")], ("/more/0", "upload.file_expected")),
            ([text("title", "a"), file("other", b"a")], ("/other", "form.text_expected")),
            ([text("title", "a"), text("title", "b")], ("/title", "form.repeated")),
        ],
    )
    def test_a_file_is_no_text_and_a_text_no_file(
        self, parts: list[Part], wrong: tuple[str, str], tmp_path: Path, complaints: Any
    ) -> None:
        """Each is refused at its field, and nothing is written."""
        assert complaints(lambda: read(form(*parts), tmp_path)) == [wrong]
        assert list(tmp_path.iterdir()) == []

    def test_one_file_where_one_is_expected(self, picture: Any, tmp_path: Path, complaints: Any) -> None:
        """The second is refused and never stored; so is the first."""
        image = picture("PNG", size=(8, 8))
        body = form(text("title", "a"), file("poster", image), file("poster", image))
        assert complaints(lambda: read(body, tmp_path)) == [("/poster", "form.repeated")]
        assert list(tmp_path.iterdir()) == []

    def test_json_holds_no_file(self, complaints: Any) -> None:
        """A text in its place is refused there too."""
        body = b'{"title":"a","poster":"x.png"}'
        assert complaints(lambda: validate_body(POST, "application/json", body)) == [
            ("/poster", "upload.file_expected")
        ]

    @pytest.mark.parametrize("name", ["../../etc/cron.d/x.png", "/etc/x.png", "C:\\x.png", "..", ".x.png", "a" * 3_000])
    def test_the_client_s_name_is_no_path(self, name: str, picture: Any, tmp_path: Path) -> None:
        """The stored name never derives from it (python-multipart's CVE-2026-24486); the shown one has no directory."""
        image = picture("PNG", size=(8, 8))
        post = read(form(text("title", "a"), file("poster", image, name)), tmp_path)
        assert post.poster.path.parent == tmp_path
        assert post.poster.path.name.startswith(".upload-")
        assert "/" not in post.poster.name
        assert "\\" not in post.poster.name
        assert post.poster.path.stat().st_mode & 0o111 == 0
        post.poster.discard()

    @pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "image/jpeg", "nonsense/", "x" * 900])
    def test_the_client_s_content_type_says_nothing(self, kind: str, picture: Any, tmp_path: Path) -> None:
        """The media type is that of the content."""
        body = form(text("title", "a"), file("poster", picture("PNG", size=(8, 8)), "x.png", kind))
        with read(body, tmp_path).poster as image:
            assert image.mime == "image/png"

    @pytest.mark.parametrize("length", ["-1", "0", "1e9", "99999999999999999999", "x"])
    def test_an_announced_length_says_nothing(self, length: str, complaints: Any) -> None:
        """Of a part, as of a body: bytes are counted as they come; announced twice, the form is none."""
        said = f'Content-Disposition: form-data; name="title"\r\nContent-Length: {length}'
        assert validate_body(TEXTS, KIND, form(part(said, b"abc"))).title == "abc"
        twice = form(part(f"{said}\r\nContent-Length: {length}", b"abc"))
        assert complaints(lambda: validate_body(TEXTS, KIND, twice)) == [("", "body.malformed")]

    @pytest.mark.parametrize("name", ["plain", "other", "listed", "tupled", "both"])
    def test_however_a_field_is_declared_it_takes_files(self, name: str, tmp_path: Path, complaints: Any) -> None:
        """With an alias, optional, in a list or a tuple, under a name of the type."""
        many = name in {"listed", "tupled", "both"}
        body = form(file(name, b"x" * 10), *[file(name, b"x" * 10)] * many)
        validator = Validator(Many)
        found = complaints(lambda: validate_body(validator, KIND, body, directory=tmp_path))
        where = [f"/{name}/0", f"/{name}/1"] if many else [f"/{name}"]
        assert found == [(pointer, "upload.too_large") for pointer in where]

    def test_groups_reach_the_rules(self, tmp_path: Path, complaints: Any) -> None:
        """Of every kind of body, on both faces."""

        class Post(Input):
            title: Annotated[str, In("strict", PlainText(max=3))]

        validator = Validator(Post)
        bodies = [
            (KIND, form(text("title", "long"))),
            ("application/json", b'{"title":"long"}'),
            ("application/x-www-form-urlencoded", b"title=long"),
        ]

        async def asynchronously(kind: str, body: bytes, **options: Any) -> Any:
            async def pieces() -> AsyncIterator[bytes]:
                yield body

            async with AsyncUploads() as uploads:
                return await validate_body_async(validator, kind, pieces(), uploads=uploads, **options)

        for kind, body in bodies:
            assert validate_body(validator, kind, body).title == "long"
            told = complaints(lambda kind=kind, body=body: validate_body(validator, kind, body, groups={"strict"}))
            assert told == [("/title", "string_too_long")]
            assert asyncio.run(asynchronously(kind, body)).title == "long"
            with pytest.raises(ValidationFailed):
                asyncio.run(asynchronously(kind, body, groups={"strict"}))

    def test_files_need_a_directory_and_texts_do_not(self) -> None:
        """The error names the keyword."""
        with pytest.raises(UsageError, match=r"pass directory="):
            validate_body(POST, KIND, form(text("title", "a"), file("poster", b"x")))
        assert validate_body(POST, KIND, form(text("title", "a"))).title == "a"
        assert validate_body(TEXTS, KIND, form(text("title", "a"))).title == "a"

    def test_without_the_parser_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The extra is named."""
        monkeypatch.setitem(__import__("sys").modules, "python_multipart.multipart", None)
        with pytest.raises(MissingExtra, match=r"postrmagic-core\[forms\]"):
            validate_body(TEXTS, KIND, form(text("title", "a")))


MALFORMED: dict[str, bytes] = {
    "no boundary": b"hello",
    "preamble": b"hello\r\n" + form(text("title", "a")),
    "line end before": b"\r\n" + form(text("title", "a")),
    "another boundary": form(text("title", "a"), boundary=b"c"),
    "bare line feeds": form(text("title", "a")).replace(b"\r\n", b"\n"),
    "no header": form(part("", b"a")),
    "no disposition": form(part("Content-Type: text/plain", b"a")),
    "another disposition": form(part('Content-Disposition: attachment; name="title"', b"a")),
    "no name": form(part("Content-Disposition: form-data", b"a")),
    "two names": form(part('Content-Disposition: form-data; name="title"; name="tags"', b"a")),
    "two names in two cases": form(part('Content-Disposition: form-data; name="title"; NAME="tags"', b"a")),
    "two dispositions": form(
        part('Content-Disposition: form-data; name="title"\r\ncontent-disposition: form-data; name="tags"', b"a")
    ),
    "extended name": form(part("Content-Disposition: form-data; name*=utf-8''title", b"a")),
    "continued name": form(part('Content-Disposition: form-data; name="title"; filename*0="a"; filename*1="b"', b"a")),
    "continued and extended": form(part('Content-Disposition: form-data; name="title"; filename*0*="a"', b"a")),
    "escaped quote": form(part('Content-Disposition: form-data; name="title"; filename="a\\"; x="b"', b"a")),
    "open quote": form(part('Content-Disposition: form-data; name="title', b"a")),
    "junk after": form(part('Content-Disposition: form-data; name="title" x', b"a")),
    "last semicolon": form(part('Content-Disposition: form-data; name="title";', b"a")),
    "null in name": form(part('Content-Disposition: form-data; name="ti\0tle"', b"a")),
    "line feed in name": form(part('Content-Disposition: form-data; name="title"; x="\n"', b"a")),
    "folded header": form(part('Content-Disposition: form-data;\r\n name="title"', b"a")),
    "space before colon": form(part('Content-Disposition : form-data; name="title"', b"a")),
    "empty header": form(part(": x", b"a")),
    "base64": form(part('Content-Disposition: form-data; name="title"\r\nContent-Transfer-Encoding: base64', b"YQ==")),
    "wrong type": form(part('Content-Disposition: form-data; name="title"\r\nContent-Type: ;', b"a")),
    "text after boundary": b'--b x\r\nContent-Disposition: form-data; name="title"\r\n\r\na\r\n--b--\r\n',
    "one hyphen": b"--b-",
}


@pytest.mark.parametrize("case", MALFORMED)
@pytest.mark.parametrize("size", [1, 10_000])
def test_what_parsers_read_differently_is_refused(case: str, size: int, tmp_path: Path, complaints: Any) -> None:
    """Alone, as no form was understood; and the parser's own words, which quote the body, reach no log."""
    body = MALFORMED[case]
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    code = "body.truncated" if case == "one hyphen" else "body.malformed"
    assert complaints(lambda: read(pieces, tmp_path)) == [("", code)]


def test_nothing_of_a_malformed_body_is_logged(caplog: pytest.LogCaptureFixture, complaints: Any) -> None:
    """The parser logs the byte it stumbles over; here it does not."""
    caplog.set_level(logging.DEBUG)
    for body in MALFORMED.values():
        complaints(lambda body=body: validate_body(TEXTS, KIND, body))
    assert caplog.records == []


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("filename=\"a.png\"; filename*=utf-8''b.png", "body.ambiguous"),
        ("filename=\"a.png\"; filename*=utf-8''a.svg", "body.ambiguous"),
        ("filename*=utf-8''a.png", "body.ambiguous"),
        ("filename=\"a.png\"; filename*=iso-8859-1''a.png", "body.ambiguous"),
        ("filename=\"a.png\"; filename*=utf-8''%ff", "body.ambiguous"),
        ('filename="a.png"; filename*=a.png', "body.ambiguous"),
        ('filename="a.png"; filename="b.png"', "body.malformed"),
        ("filename=\"a.png\"; filename*=UTF-8'en'a.png", None),
        ("filename=\"ä.png\"; filename*=utf-8''%C3%A4.png", None),
        ("filename=a.png", None),
    ],
)
def test_a_file_has_one_name(said: str, code: str | None, picture: Any, tmp_path: Path, complaints: Any) -> None:
    """``filename*`` that differs, or stands alone, smuggles a name past who reads only one of them (CVE-2026-53537)."""
    body = form(
        text("title", "a"),
        part(f'Content-Disposition: form-data; name="poster"; {said}', picture("PNG", size=(8, 8))),
    )
    if code is None:
        read(body, tmp_path).poster.discard()
    else:
        assert complaints(lambda: read(body, tmp_path)) == [("", code)]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("charset", ["iso-8859-1", "utf-16", "utf-7", "nonsense", ""])
def test_a_text_is_utf_8(charset: str, complaints: Any) -> None:
    """Whatever its part says, and whatever its bytes are."""
    said = f'Content-Disposition: form-data; name="title"\r\nContent-Type: text/plain; charset="{charset}"'
    assert complaints(lambda: validate_body(TEXTS, KIND, form(part(said, b"a")))) == [("", "form.encoding")]
    assert complaints(lambda: validate_body(TEXTS, KIND, form(text("title", b"\xe4")))) == [("", "form.encoding")]
    name = part(b'Content-Disposition: form-data; name="\xe4"', b"a")
    assert complaints(lambda: validate_body(TEXTS, KIND, form(name))) == [("", "form.encoding")]
    plain = 'Content-Disposition: form-data; name="title"\r\nContent-Type: text/plain; charset=UTF-8'
    assert validate_body(TEXTS, KIND, form(part(plain, "ä".encode()))).title == "ä"


class TestTruncated:
    """A body that ends early is never taken for a whole one."""

    def test_at_every_byte(self, picture: Any, tmp_path: Path, complaints: Any) -> None:
        """Cut anywhere before the last hyphen, it is refused and no file stays."""
        body = form(file("poster", picture("PNG", size=(2, 2))), text("title", "a"))
        whole = len(body) - len(b"\r\n")
        for cut in range(whole):
            assert complaints(lambda cut=cut: read(body[:cut], tmp_path)) == [("", "body.truncated")], cut
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("error", [ConnectionResetError(), KeyboardInterrupt()])
    def test_a_client_that_goes_leaves_no_file(self, error: BaseException, tmp_path: Path) -> None:
        """What its source raises passes as it is."""

        def broken() -> Iterator[bytes]:
            yield form(file("poster", b"x" * 5_000))[:-9]
            assert len(list(tmp_path.iterdir())) == 1
            raise error

        with pytest.raises(type(error)):
            read(broken(), tmp_path)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.fault
    def test_a_full_disk_leaves_no_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """507, and the files received before are gone too."""
        written = os.fsync

        def full(descriptor: int) -> None:
            written(descriptor)
            if len(list(tmp_path.iterdir())) == 2:
                raise OSError(errno.ENOSPC, "full")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(OutOfSpace):
            read(form(file("more", b"x"), file("more", b"y"), text("title", "a")), tmp_path)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("turns", range(0, 24, 3))
    def test_cancelled_at_any_moment_it_leaves_no_file(self, turns: int, picture: Any, tmp_path: Path) -> None:
        """The model is whole and returned, or everything is gone."""
        body = form(file("poster", picture("PNG", size=(8, 8))), file("more", b"x" * 900), text("title", "a"))

        async def scenario() -> None:
            async def pieces() -> AsyncIterator[bytes]:
                for at in range(0, len(body), 400):
                    await asyncio.sleep(0)
                    yield body[at : at + 400]

            async with AsyncUploads() as uploads:
                reading = validate_body_async(POST, KIND, pieces(), uploads=uploads, directory=tmp_path)
                task = asyncio.create_task(reading)
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                assert task.cancelled() or isinstance(task.exception(), ValidationFailed)

        asyncio.run(scenario())
        assert list(tmp_path.iterdir()) == []


class TestLimits:
    """Each part of a form has its limit, and nothing passes it."""

    @pytest.mark.parametrize(
        ("body", "limits", "parts", "code"),
        [
            (form(*[text("tags", "a")] * 4), {}, {"parts": 3}, "limit.items"),
            (form(*[text("tags", "a")] * 4), {"items": 3}, {}, "limit.items"),
            (form(*[file("title", b"a")] * 4), {}, {"parts": 3}, "limit.items"),
            (form(text("title", "a" * 40)), {"bytes": 40}, {}, "limit.bytes"),
            (form(text("a" * 40, "")), {"bytes": 30}, {}, "limit.bytes"),
            (form(file("title", b"a" * 400)), {}, {"bytes": 300}, "limit.bytes"),
            (form(text("title", "a")) + b"\r\n" * 400, {}, {"bytes": 300}, "limit.bytes"),
            (form(part("X: a\r\n" * 9 + 'Content-Disposition: form-data; name="title"')), {}, {}, "body.malformed"),
            (form(part("X: " + "a" * 5_000)), {}, {}, "body.malformed"),
            (form(part("X" * 5_000 + ": a")), {}, {}, "body.malformed"),
            (b"--b\r\nX: " + b"a" * 9_000, {}, {}, "body.malformed"),
        ],
    )
    @pytest.mark.parametrize("size", [1, 100_000])
    def test_the_form(
        self, body: bytes, limits: dict[str, int], parts: dict[str, int], code: str, size: int, complaints: Any
    ) -> None:
        """Parts, texts, headers, everything together; whole and byte by byte."""
        narrow = Validator(Texts, limits=InputLimits(**limits))
        pieces = (body[at : at + size] for at in range(0, len(body), size))
        assert complaints(lambda: validate_body(narrow, KIND, pieces, parts=PartLimits(**parts))) == [("", code)]

    def test_a_file_too_large_is_told_with_everything_else(self, tmp_path: Path, complaints: Any) -> None:
        """Its rest is read and not kept; what it had is gone at once."""

        def body() -> Iterator[bytes]:
            yield form(file("poster", b"x" * 20_001))[:-7]
            assert list(tmp_path.iterdir()) == []
            yield b"x" * 50_000 + b"\r\n" + form(text("copies", "x"))

        assert complaints(lambda: read(body(), tmp_path)) == [
            ("/title", "missing"),
            ("/copies", "int_parsing"),
            ("/poster", "upload.too_large"),
        ]

    def test_files_are_counted(self, tmp_path: Path, complaints: Any) -> None:
        """A list of files ends at the limit, before the next is created."""
        body = form(*[file("more", b"x")] * 3)
        assert complaints(lambda: read(body, tmp_path, parts=PartLimits(files=2))) == [("", "limit.files")]
        assert list(tmp_path.iterdir()) == []

    def test_an_endless_form_is_left_at_the_limit(self, tmp_path: Path, complaints: Any) -> None:
        """Its source is asked no further."""
        asked = []

        def endless() -> Iterator[bytes]:
            yield form(file("title", b"x"))[:-7]
            while True:
                asked.append(1)
                yield b"x" * 1_000

        assert complaints(lambda: read(endless(), tmp_path, parts=PartLimits(bytes=5_000))) == [("", "limit.bytes")]
        assert len(asked) == 5

    def test_limits_that_cannot_be_are_refused(self) -> None:
        """At construction."""
        for name in ("parts", "files", "headers", "header_bytes", "bytes"):
            with pytest.raises(ConfigurationError, match="PartLimits"):
                PartLimits(**{name: 0})


def open_part(name: str = "title") -> bytes:
    """A body that is inside a text."""
    return b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n' % name.encode()


FLOODS: dict[str, Callable[[int], bytes]] = {
    "line ends before": lambda n: b"\r\n" * (n // 2),
    "preamble": lambda n: b"-" * n,
    "line ends": lambda n: open_part() + b"\r\n" * (n // 2),
    "returns": lambda n: open_part() + b"\r" * n,
    "half boundaries": lambda n: open_part() + b"\r\n--" * (n // 4),
    "nearly boundaries": lambda n: open_part() + b"\r\n--b\r" * (n // 6),
    "nearly last": lambda n: open_part() + b"\r\n--b-" * (n // 6),
    "padding": lambda n: open_part() + b"\r\n--b" + b" " * n,
    "empty parts": lambda n: form(*[text("tags", "")] * (n // 55)),
    "short parts": lambda n: form(*[part("A:", b"")] * (n // 12)),
    "header lines": lambda n: b"--b\r\n" + b"A: b\r\n" * (n // 6),
    "header value": lambda n: b"--b\r\nA: " + b"b" * n,
    "header spaces": lambda n: b"--b\r\nA:" + b" " * n,
    "header name": lambda n: b"--b\r\n" + b"A" * n,
    "parameters": lambda n: b"--b\r\nContent-Disposition: form-data" + b";a=b" * (n // 4) + b"\r\n\r\n",
    "epilogue": lambda n: form(text("title", "a")) + b"\r\n" * (n // 2),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_floods_take_linear_time(flood: str) -> None:
    """Twice the flood takes less than three times as long, in pieces too, with limits that stop none of it.

    Werkzeug's CVE-2023-25577 and CVE-2023-46136, Starlette's CVE-2024-47874, python-multipart's CVE-2026-40347 and
    CVE-2026-42561.
    """
    wide = Validator(Texts, limits=InputLimits(items=1_000_000, bytes=1 << 24))
    parts = PartLimits(parts=1_000_000, headers=1_000_000, header_bytes=1 << 24, bytes=1 << 24)
    bodies = {size: FLOODS[flood](size) for size in (60_000, 120_000)}

    def flooded(size: int) -> None:
        body = bodies[size]
        with contextlib.suppress(ValidationFailed):
            validate_body(wide, KIND, (body[at : at + 4_099] for at in range(0, len(body), 4_099)), parts=parts)

    assert growth(flooded, 60_000) < 3


@given(data=st.data())
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_nothing_breaks_it(data: st.DataObject, tmp_path: Path) -> None:
    """A form with bytes changed, cut, doubled or put in anywhere is a model or ValidationFailed, and leaves no file."""
    body = bytearray(form(text("title", "a"), file("poster", b"xyz"), text("copies", "2"), file("more", b"", "")))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body)))
        new = data.draw(
            st.one_of(st.binary(max_size=3), st.sampled_from([b"\r\n", b"--b", b'"', b";", b"--b--", b":"]))
        )
        body[at : at + data.draw(st.integers(0, 20))] = new
    size = data.draw(st.integers(1, 200))
    with contextlib.suppress(ValidationFailed):
        read((bytes(body[at : at + size]) for at in range(0, len(body), size)), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_files_are_written_off_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, complaints: Any) -> None:
    """No write, sync or look at a file happens in the event loop's thread (Starlette's CVE-2025-54121)."""
    seen: set[str] = set()
    for name in ("__init__", "write", "finish"):
        original = getattr(Receiving, name)

        def recording(self: Receiving, *given: Any, original: Any = original) -> Any:
            seen.add(threading.current_thread().name)
            return original(self, *given)

        monkeypatch.setattr(Receiving, name, recording)
    accept = ImageUpload.accept

    def looking(self: ImageUpload, *given: Any) -> Any:
        seen.add(threading.current_thread().name)
        return accept(self, *given)

    monkeypatch.setattr(ImageUpload, "accept", looking)
    body = form(text("title", "a"), *[file("more", b"x" * 15_000)] * 19)
    assert {code for _, code in complaints(lambda: read_async(body, tmp_path, size=16_384))} == {
        "upload.unknown_format"
    }
    assert seen
    assert all(name.startswith(("postrmagic-uploads", "postrmagic-decoders")) for name in seen)


def test_the_policy_of_each_field_holds(picture: Any, tmp_path: Path, complaints: Any) -> None:
    """Size, formats and pixels are those of the field the file was sent for."""

    class Two(Input):
        small: Annotated[ReceivedImage, ImageUpload(max_pixels=64)]
        other: Annotated[ReceivedImage, ImageUpload(ImagePolicy(formats=("JPEG",)))]

    image = picture("PNG", size=(9, 9))
    body = form(file("small", image), file("other", image))
    assert complaints(lambda: validate_body(Validator(Two), KIND, body, directory=tmp_path)) == [
        ("/small", "upload.too_many_pixels"),
        ("/other", "upload.unknown_format"),
    ]
