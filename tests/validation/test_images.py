"""A field that is an image gets pixels, whatever was sent, and what costs too much costs this process nothing."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import io
import os
import re
import struct
import subprocess
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter

from postrmagic_core.errors import (
    BackendRejected,
    BackendUnavailable,
    ConfigurationError,
    OutOfSpace,
    ValidationFailed,
)
from postrmagic_core.validation import AsyncUploads, ImagePolicy, Input, Validator, _decoder_process
from postrmagic_core.validation.bodies import validate_body
from postrmagic_core.validation.images import ImageUpload, ReceivedImage
from postrmagic_core.validation.messages import ENGLISH
from tests.validation.test_multipart import KIND, file, form, text

Image = pytest.importorskip("PIL.Image")


class Post(Input):
    """One image, or several."""

    poster: Annotated[ReceivedImage, ImageUpload()] | None = None
    more: list[Annotated[ReceivedImage, ImageUpload(max_pixels=10_000)]] = Field(default_factory=list, max_length=3)


POST = Validator(Post)


def send(body: bytes, directory: Path, validator: Validator[Any] = POST) -> Any:
    """The form as a model."""
    return validate_body(validator, KIND, body, directory=directory)


def one(data: bytes, directory: Path, name: str = "x.png", kind: str = "image/png", **options: Any) -> ReceivedImage:
    """The image that a field with these options makes of ``data``."""
    upload = ImageUpload(**options)

    class Single(Input):
        poster: Annotated[ReceivedImage, upload]

    image: ReceivedImage = send(form(file("poster", data, name, kind)), directory, Validator(Single)).poster
    return image


class TestAccepted:
    """What reaches the model is a file of pixels."""

    @pytest.mark.parametrize(("kind", "mime"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")])
    def test_it_is_written_anew(self, kind: str, mime: str, picture: Any, tmp_path: Path) -> None:
        """In the format it came in, described as it is now; what came is gone."""
        sent = picture(kind)
        with one(sent, tmp_path, f"Plakat ä.{kind}") as image:
            data = image.path.read_bytes()
            assert list(tmp_path.iterdir()) == [image.path]
            assert (image.width, image.height, image.mime, image.name) == (64, 48, mime, f"Plakat ä.{kind}")
            assert (image.size, image.sha256) == (len(data), hashlib.sha256(data).hexdigest())
            assert Image.open(io.BytesIO(data)).format == kind
            assert image.path.stat().st_mode & 0o777 == 0o600
            assert repr(image) == f"ReceivedImage({mime}, 64 x 48, {len(data)} bytes)"
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.usefixtures("decoder_here")
    @pytest.mark.parametrize("output", [None, "WEBP", "JPEG", "PNG"])
    def test_it_is_upright_and_bare(self, output: Any, tmp_path: Path) -> None:
        """The camera's orientation is applied before its metadata goes, place and comment with it."""
        exif = Image.Exif()
        exif[0x0112], exif[0x010F] = 6, "CANARY camera"
        exif.get_ifd(0x8825)[1] = "N"
        source, sent = Image.new("RGB", (80, 40), "red"), io.BytesIO()
        source.paste("blue", (0, 0, 40, 40))
        source.save(sent, "JPEG", exif=exif, comment=b"CANARY comment", xmp=b"<x:xmpmeta>CANARY</x:xmpmeta>")
        assert sent.getvalue().count(b"CANARY") == 3
        with one(sent.getvalue(), tmp_path, "x.jpg", format=output) as image:
            data = image.path.read_bytes()
            made = Image.open(io.BytesIO(data))
            assert (made.format, made.size) == (output or "JPEG", (40, 80))
            assert (image.width, image.height) == (40, 80)
            assert made.convert("RGB").getpixel((20, 10))[2] > 200
            assert (b"CANARY" in data, dict(made.getexif()), made.info.get("comment")) == (False, {}, None)

    def test_it_may_stay_as_it_came(self, picture: Any, tmp_path: Path) -> None:
        """Without re-encoding the bytes are those that were sent."""
        sent = picture("PNG")
        with one(sent, tmp_path, reencode=False) as image:
            assert (image.path.read_bytes(), image.width, image.mime) == (sent, 64, "image/png")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.usefixtures("decoder_here")
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
    def test_what_was_accepted_is_accepted_again(self, kind: str, picture: Any, tmp_path: Path) -> None:
        """With the same size in pixels, and the same type."""
        with one(picture(kind), tmp_path, "") as first, one(first.path.read_bytes(), tmp_path, "") as second:
            assert (first.width, first.height, first.mime) == (second.width, second.height, second.mime)

    def test_a_side_is_at_most_8192(self, tmp_path: Path) -> None:
        """A longer one is made shorter, its proportions kept."""
        sent = io.BytesIO()
        Image.new("L", (10_000, 100)).save(sent, "PNG")
        with one(sent.getvalue(), tmp_path) as image:
            assert (image.width, image.height) == (8192, 82)

    def test_moved_it_stays(self, picture: Any, tmp_path: Path) -> None:
        """In one step, over what is there; neither discarding nor leaving takes it away again."""
        target = tmp_path / "mine"
        target.write_bytes(b"old")
        with one(picture("PNG"), tmp_path) as image:
            assert image.move_to(target) == target == image.path
        image.discard()
        assert [path.name for path in tmp_path.iterdir()] == ["mine"]
        assert hashlib.sha256(target.read_bytes()).hexdigest() == image.sha256

    def test_moved_it_is_on_disk(self, picture: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The directory that names it is synced too, and left open by nobody."""
        synced, sync, before = [], os.fsync, descriptors()

        def recording(descriptor: int) -> None:
            synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
            sync(descriptor)

        with one(picture("PNG"), tmp_path) as image:
            monkeypatch.setattr("os.fsync", recording)
            image.move_to(tmp_path / "mine")
        assert synced == [tmp_path]
        assert descriptors() <= before

    def test_what_cannot_be_moved_is_still_there(self, picture: Any, tmp_path: Path) -> None:
        """The error is told in our words; leaving discards the file as ever."""
        with one(picture("PNG"), tmp_path) as image:
            with pytest.raises(BackendRejected, match="ENOENT"):
                image.move_to(tmp_path / "none" / "mine")
            assert image.path.exists()
        assert list(tmp_path.iterdir()) == []

    def test_an_image_made_elsewhere_is_one_too(self, picture: Any, tmp_path: Path) -> None:
        """Python data may hold an image that was accepted before; nothing else."""
        with one(picture("PNG"), tmp_path) as image:
            assert POST.validate({"poster": image}).poster is image
        others: list[object] = ["x", b"x", 1, tmp_path, {}]
        for other in others:
            with pytest.raises(ValidationFailed, match="must be a file"):
                POST.validate({"poster": other})

    def test_an_api_s_description_says_file(self) -> None:
        """As JSON Schema."""
        schema = TypeAdapter(Post).json_schema()["properties"]
        assert schema["more"]["items"] == {"type": "string", "format": "binary"}

    def test_what_cannot_be_meant_is_refused_at_declaration(self) -> None:
        """Another type, other formats, a quality that is none."""
        others: list[Any] = [str, Path, ReceivedImage | None]
        for other in others:
            declared: Any = Annotated[other, ImageUpload()]
            with pytest.raises(ConfigurationError, match=r"Annotated\[ReceivedImage"):
                TypeAdapter(declared)
        wrongs: list[dict[str, Any]] = [{"quality": 0}, {"format": "GIF"}, {"formats": ("SVG",)}, {"max_pixels": 0}]
        for wrong in wrongs:
            with pytest.raises(ConfigurationError):
                ImageUpload(**wrong)
        assert ImageUpload(ImagePolicy(max_frames=3), max_pixels=9).policy == ImagePolicy(max_frames=3, max_pixels=9)

    @pytest.mark.usefixtures("decoder_here")
    def test_all_problems_come_at_once(self, picture: Any, tmp_path: Path, complaints: Any) -> None:
        """Each file's at its own pointer, and the accepted one goes with the others."""
        parts = [
            file("poster", picture("PNG"), "x.jpg"),
            file("more", picture("PNG")),
            file("more", picture("JPEG")[:-9], "x.jpg"),
            file("more", picture("PNG", size=(200, 100))),
            text("other", "a"),
        ]
        assert complaints(lambda: send(form(*parts), tmp_path)) == [
            ("/poster", "upload.name_mismatch"),
            ("/more/1", "upload.truncated"),
            ("/more/2", "upload.too_many_pixels"),
            ("/other", "extra_forbidden"),
        ]
        assert list(tmp_path.iterdir()) == []

    def test_messages_tell_the_limit(self, picture: Any, tmp_path: Path) -> None:
        """The developer's own, in the validator's language."""
        german = {"upload.too_many_pixels": "höchstens {limit} Pixel"}

        class Single(Input):
            poster: Annotated[ReceivedImage, ImageUpload(max_pixels=99)]

        validator = Validator(Single, locale="xx", catalogues={"xx": german})
        with pytest.raises(ValidationFailed) as caught:
            send(form(file("poster", picture("PNG"))), tmp_path, validator)
        assert caught.value.errors[0]["message"] == "höchstens 99 Pixel"


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'
XML = b'<?xml version="1.0" encoding="UTF-8"?>' + SVG
ENTITIES = b'<!DOCTYPE svg [<!ENTITY a "<script>alert(1)</script>">]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>'
BOMB = b'<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><svg>&b;</svg>'
EXTERNAL = b'<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>'
PNG_MAGIC, JPEG_MAGIC = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def in_png(data: bytes) -> bytes:
    """A whole PNG that carries ``data`` as a comment."""
    return tiny("PNG")[:-12] + chunk(b"tEXt", b"Comment\0" + data) + chunk(b"IEND", b"")


def in_jpeg(data: bytes) -> bytes:
    """A whole JPEG that carries ``data`` as a comment."""
    return tiny("JPEG")[:2] + b"\xff\xfe" + (len(data) + 2).to_bytes(2, "big") + data + tiny("JPEG")[2:]


def in_webp(data: bytes) -> bytes:
    """A whole WebP that carries ``data`` in a chunk of its own."""
    padded = data + b"\0" * (len(data) % 2)
    body = tiny("WEBP")[8:] + b"SVG " + len(data).to_bytes(4, "little") + padded
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def tiny(kind: str) -> bytes:
    """A small image."""
    output = io.BytesIO()
    Image.new("RGB", (9, 9), "red").save(output, kind)
    return output.getvalue()


GUISES: dict[str, tuple[bytes, str, str]] = {
    "as it is": (SVG, "x.svg", "image/svg+xml"),
    "called .png": (SVG, "x.png", "image/png"),
    "called .jpg": (SVG, "x.jpg", "image/jpeg"),
    "called .webp": (SVG, "x.webp", "image/webp"),
    "called .svg.png": (SVG, "x.svg.png", "image/png"),
    "called nothing": (SVG, "", "image/svg+xml"),
    "called .png with a null": (SVG, "x.svg%00.png", "image/png"),
    "declared": (XML, "x.png", "image/png"),
    "marked": (b"\xef\xbb\xbf" + XML, "x.png", "image/svg+xml"),
    "entities": (ENTITIES, "x.png", "image/png"),
    "entity bomb": (BOMB, "x.png", "image/png"),
    "external entity": (EXTERNAL, "x.png", "text/xml"),
    "after spaces": (b" \t\r\n" * 4_000 + SVG, "x.png", "image/png"),
    "after a comment": (b"<!-- " + b"x" * 20_000 + b" -->" + SVG, "x.png", "image/png"),
    "after nulls": (b"\0" * 64 + SVG, "x.png", "image/png"),
    "UTF-16": (SVG.decode().encode("utf-16"), "x.png", "image/png"),
    "UTF-16 big-endian": (SVG.decode().encode("utf-16-be"), "x.png", "image/png"),
    "UTF-32": (SVG.decode().encode("utf-32"), "x.png", "image/png"),
    "UTF-7": (SVG.decode().encode("utf-7"), "x.png", "image/png"),
    "EBCDIC": (SVG.decode().encode("cp037"), "x.png", "image/png"),
    "gzip": (gzip.compress(SVG, mtime=0), "x.svgz", "image/svg+xml"),
    "gzip called .png": (gzip.compress(SVG, mtime=0), "x.png", "image/png"),
    "deflated": (zlib.compress(SVG), "x.png", "image/png"),
    "in HTML": (b"<!doctype html>" + SVG, "x.png", "text/html"),
    "upper case": (SVG.upper(), "x.png", "image/png"),
    "with a prefix": (
        SVG.replace(b"<svg xmlns", b"<s:svg xmlns:s").replace(b"</svg", b"</s:svg"),
        "x.png",
        "image/png",
    ),
    "in a data URL": (b"data:image/svg+xml," + SVG, "x.png", "image/png"),
    "after PNG's first bytes": (PNG_MAGIC + SVG, "x.png", "image/png"),
    "after JPEG's first bytes": (JPEG_MAGIC + SVG, "x.jpg", "image/jpeg"),
    "after a JPEG header": (tiny("JPEG")[:200] + SVG, "x.jpg", "image/jpeg"),
    "after WebP's first bytes": (b"RIFF" + struct.pack("<I", len(SVG) + 4) + b"WEBP" + SVG, "x.webp", "image/webp"),
    "after GIF's first bytes": (b"GIF89a" + SVG, "x.gif", "image/gif"),
    "after a PDF's first bytes": (b"%PDF-1.7\n" + SVG, "x.pdf", "image/svg+xml"),
    "behind a PNG": (tiny("PNG") + SVG, "x.png", "image/png"),
    "behind a JPEG": (tiny("JPEG") + SVG, "x.jpg", "image/jpeg"),
    "behind a WebP": (tiny("WEBP") + SVG, "x.webp", "image/webp"),
    "PNG called .svg": (in_png(SVG), "x.svg", "image/svg+xml"),
    "in a PNG's comment": (in_png(SVG), "x.png", "image/svg+xml"),
    "in a JPEG's comment": (in_jpeg(SVG), "x.jpg", "image/svg+xml"),
    "in a JPEG's comment, with entities": (in_jpeg(ENTITIES), "", "image/svg+xml"),
    "as a chunk of a WebP": (in_webp(SVG), "x.webp", "image/svg+xml"),
}
PIXELS = {name for name in GUISES if "comment" in name.split(" ")[-1] or "entities" in name or "chunk" in name} - {
    "entities",
    "after a comment",
}


@pytest.mark.usefixtures("decoder_here")
@pytest.mark.parametrize("guise", GUISES)
def test_svg_never_arrives(guise: str, tmp_path: Path) -> None:
    """Under every guise it is refused, or what is left are pixels (OWASP ASVS 1.3.4, 5.2.2)."""
    data, name, kind = GUISES[guise]
    if guise in PIXELS:
        with one(data, tmp_path, name, kind) as image:
            made = image.path.read_bytes()
            assert (image.width, image.height) == (9, 9)
            assert not any(word in made.lower() for word in (b"svg", b"script", b"entity", b"alert"))
            assert Image.open(io.BytesIO(made)).format in {"PNG", "JPEG", "WEBP"}
    else:
        with pytest.raises(ValidationFailed) as caught:
            one(data, tmp_path, name, kind)
        (error,) = caught.value.errors
        assert (error["pointer"], error["code"].split(".")[0]) == ("/poster", "upload")
    assert list(tmp_path.iterdir()) == []


def test_there_are_enough_guises() -> None:
    """Forty, of which four hide in a whole image."""
    assert len(GUISES) >= 40
    assert len(PIXELS) == 4


ZIP = b"PK\x03\x04" + b"\0" * 26 + b"PK\x05\x06" + b"\0" * 18
HTML = b"<!doctype html><script>alert(1)</script>"


@pytest.mark.usefixtures("decoder_here")
@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"GIF89a\x01\0\x01\0\0\0\0;" + ZIP, "x.gif"),
        (b"GIF89a\x01\0\x01\0\0\0\0;" + ZIP, "x.png"),
        (tiny("PNG") + ZIP, "x.png"),
        (tiny("JPEG") + HTML, "x.jpg"),
        (tiny("WEBP") + b"%PDF-1.7", "x.webp"),
        (b"%PDF-1.7\n" + tiny("JPEG"), "x.jpg"),
        (ZIP + tiny("PNG"), "x.png"),
        (ZIP, "x.zip"),
        (b"\x1f\x8b\x08" + b"\0" * 40, "x.png"),
        (b"Rar!\x1a\x07\x00" + b"\0" * 40, "x.png"),
        (b"7z\xbc\xaf\x27\x1c" + b"\0" * 40, "x.png"),
        (b"BZh9" + b"\0" * 40, "x.png"),
        (b"\xfd7zXZ\0" + b"\0" * 40, "x.png"),
        (b"\0" * 257 + b"ustar\0", "x.png"),
        (b"MZ" + b"\0" * 60, "x.png"),
        (b"\x7fELF" + b"\0" * 60, "x.png"),
        (b"#!/bin/sh\n", "x.png"),
        (b"<?php system($_GET[0]);", "x.png"),
        (tiny("PNG"), "x.jpg"),
        (tiny("PNG"), "x.php"),
        (tiny("JPEG"), "x.jpg.html"),
        (tiny("PNG")[:-1], "x.png"),
        (tiny("JPEG")[:-1], "x.jpg"),
        (tiny("WEBP")[:-1], "x.webp"),
    ],
)
def test_what_is_two_things_or_no_image_is_refused(data: bytes, name: str, tmp_path: Path, complaints: Any) -> None:
    """Archives, documents and programs, before, behind or instead of an image; endings that lie; halves."""
    ((pointer, code),) = complaints(lambda: one(data, tmp_path, name))
    assert (pointer, code.split(".")[0]) == ("/poster", "upload")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("decoder_here")
@pytest.mark.parametrize("make", [in_png, in_jpeg, in_webp])
@pytest.mark.parametrize("payload", [HTML, ZIP, b"<?php system($_GET[0]);", b"%PDF-1.7"])
def test_what_hides_inside_an_image_does_not_pass(
    make: Callable[[bytes], bytes], payload: bytes, tmp_path: Path
) -> None:
    """Only pixels are written anew."""
    with one(make(payload), tmp_path, "") as image:
        assert payload[:4] not in image.path.read_bytes()


class TestBombs:
    """What a header promises is judged before it is fetched."""

    @pytest.mark.usefixtures("decoder_here")
    @pytest.mark.parametrize(("width", "height"), [(40_001, 1_000), (65_535, 65_535), (2**31 - 1, 1)])
    def test_pixels(self, width: int, height: int, png_header: Any, tmp_path: Path, complaints: Any) -> None:
        """By the policy of the field."""
        told = complaints(lambda: one(png_header(width, height), tmp_path))
        assert told == [("/poster", "upload.too_many_pixels")]

    @pytest.mark.usefixtures("decoder_here")
    @pytest.mark.parametrize("kind", ["PNG", "WEBP"])
    def test_frames(self, kind: str, tmp_path: Path, complaints: Any) -> None:
        """An animation is refused; where it is allowed, its first frame is left."""
        frames = [Image.new("RGB", (8, 8), (shade, 0, 0)) for shade in range(0, 200, 20)]
        output = io.BytesIO()
        frames[0].save(output, kind, save_all=True, append_images=frames[1:], duration=10)
        assert complaints(lambda: one(output.getvalue(), tmp_path, "")) == [("/poster", "upload.animated")]
        with one(output.getvalue(), tmp_path, "", policy=ImagePolicy(max_frames=10)) as image:
            made = Image.open(io.BytesIO(image.path.read_bytes()))
            assert getattr(made, "n_frames", 1) == 1

    @pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
    def test_what_is_packed_into_metadata(self, kind: bytes, tmp_path: Path, complaints: Any) -> None:
        """16 MB of text or profile behind 70 kB are given up by the decoder, in its own process."""
        packed = chunk(kind, b"x\0\0" + zlib.compress(bytes(16 << 20), 1))
        data = tiny("PNG")[:33] + packed + tiny("PNG")[33:]
        before = forget_peak()
        assert complaints(lambda: one(data, tmp_path)) == [("/poster", "upload.corrupt")]
        assert peak() - before < 16 << 20
        assert list(tmp_path.iterdir()) == []

    def test_a_small_file_that_would_be_written_large(self, tmp_path: Path, complaints: Any) -> None:
        """The new file has its limit too: four times what may be sent, and a little."""
        output = io.BytesIO()
        Image.effect_noise((700, 700), 90).save(output, "JPEG", quality=2)
        told = complaints(lambda: one(output.getvalue(), tmp_path, "", format="PNG", max_bytes=len(output.getvalue())))
        assert told == [("/poster", "upload.too_large")]
        assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("decoder_here")
class TestScanning:
    """A scan sees every file before anybody gets it (OWASP ASVS 5.4.3)."""

    @pytest.mark.parametrize("reencode", [True, False])
    def test_what_is_clean_passes(self, reencode: bool, picture: Any, tmp_path: Path) -> None:
        """The file that is scanned is the file that is given out."""
        seen = []

        def scan(path: Path) -> bool:
            seen.append((path, path.read_bytes()))
            return True

        with one(picture("PNG"), tmp_path, scan=scan, reencode=reencode) as image:
            assert seen == [(image.path, image.path.read_bytes())]

    @pytest.mark.parametrize("verdict", [False, None, 1, "clean"])
    @pytest.mark.parametrize("reencode", [True, False])
    def test_anything_but_true_refuses(
        self, verdict: Any, reencode: bool, picture: Any, tmp_path: Path, complaints: Any
    ) -> None:
        """The file is removed."""
        told = complaints(lambda: one(picture("PNG"), tmp_path, scan=lambda _: verdict, reencode=reencode))
        assert told == [("/poster", "upload.scan")]
        assert list(tmp_path.iterdir()) == []

    def test_a_scanner_that_fails_lets_nothing_pass(self, picture: Any, tmp_path: Path) -> None:
        """503 in our words, or its own error of ours; every file of the form is removed."""
        answers = [RuntimeError("CANARY"), OutOfSpace("full"), KeyboardInterrupt()]
        for error, told in zip(answers, (BackendUnavailable, OutOfSpace, KeyboardInterrupt), strict=True):

            def scan(_: Path, error: BaseException = error) -> bool:
                raise error

            upload = ImageUpload(scan=scan)

            class Two(Input):
                one: Annotated[ReceivedImage, ImageUpload()]
                two: Annotated[ReceivedImage, upload]

            body = form(file("one", picture("PNG")), file("two", picture("PNG")))
            with pytest.raises(told) as caught:
                send(body, tmp_path, Validator(Two))
            assert "CANARY" not in str(caught.value)
            assert list(tmp_path.iterdir()) == []

    def test_what_is_refused_before_is_not_scanned(self, tmp_path: Path, complaints: Any) -> None:
        """No image, no scan."""
        told = complaints(lambda: one(SVG, tmp_path, scan=lambda _: pytest.fail("scanned")))
        assert told == [("/poster", "upload.unknown_format")]


def test_the_guide_s_lines_run(tmp_path: Path, picture: Any) -> None:
    """What docs/how-to/accept-uploads.md shows is a form that takes an image, on both faces, with limits and a scan."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "accept-uploads.md").read_text(encoding="utf-8")
    section = page.partition("## Receive, inspect, then keep")[0]
    lines = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert len(lines) == 4
    names: dict[str, Any] = {"uploads_directory": tmp_path, "media_directory": tmp_path, "__name__": "guide"}
    for block in lines:
        exec(compile(block, "guide", "exec", dont_inherit=True), names)  # noqa: S102 - the guide's own lines
    body = form(text("title", "Spring"), file("poster", picture("PNG")))
    assert names["upload"](KIND, io.BytesIO(body)) == ("Spring", "x.png", "image/png", 64, 48)

    async def scenario() -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield body

        async with AsyncUploads() as uploads:
            await names["upload_async"](uploads, KIND, chunks())

    asyncio.run(scenario())
    assert len(list(tmp_path.iterdir())) == 1
    assert {row.split("`")[1] for row in section.splitlines() if row.startswith("| `")} <= ENGLISH.keys()


# Row F5: a decoder that takes too much, in a process that stays as it was


class Narrow(ImagePolicy):
    """A policy whose decoder may hold no more than 128 MB, whatever the pixels."""

    @property
    def memory(self) -> int:
        """Bytes of address space."""
        return 128 << 20


def grey(side: int) -> bytes:
    """A whole PNG of one bit a pixel, made row by row: making it must not take the memory that decoding it does."""
    pack = zlib.compressobj(1)
    row = bytes(1 + (side + 7) // 8)
    data = b"".join(pack.compress(row) for _ in range(side)) + pack.flush()
    header = side.to_bytes(4, "big") * 2 + b"\x01\0\0\0\0"
    return PNG_MAGIC + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def kin() -> set[int]:
    """The processes that this one has started and not waited for, by whichever thread."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended and was waited for meanwhile
            parent = status.read_text().rpartition(")")[2].split()[1]
            found |= {int(status.parent.name)} if int(parent) == os.getpid() else set()
    return found


def descriptors() -> set[str]:
    """What this process holds open: each pipe and socket has a name of its own."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the one that this directory is read through
            found.add(str(link.readlink()))
    return found


def peak() -> int:
    """The most memory this process has held since :func:`forget_peak`, in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def forget_peak() -> int:
    """Count the peak anew (proc(5), clear_refs); returns what is held now."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


@pytest.mark.fault
def test_thirty_hostile_images_leave_this_process_as_it_was(tmp_path: Path) -> None:
    """Each would take 400 MB: each is refused at its field, and no memory, process, file or descriptor stays."""

    class Gallery(Input):
        posters: list[Annotated[ReceivedImage, ImageUpload(Narrow(max_pixels=2**40))]]

    validator, vast = Validator(Gallery), grey(20_000)
    body = form(*[file("posters", vast)] * 15)
    children, files, before = kin(), descriptors(), forget_peak()
    for _ in range(2):
        with pytest.raises(ValidationFailed) as caught:
            send(body, tmp_path, validator)
        assert [(error["pointer"], error["code"]) for error in caught.value.errors] == [
            (f"/posters/{number}", "upload.too_costly") for number in range(15)
        ]
    assert peak() - before < 32 << 20
    assert (kin() - children, descriptors() - files, list(tmp_path.iterdir())) == (set(), set(), [])


@pytest.mark.fault
@pytest.mark.parametrize("reencode", [True, False])
@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("import time; time.sleep(6)", "upload.too_costly"),
        ("import os; os.kill(os.getpid(), 9)", "upload.too_costly"),
        ("import os; os.abort()", "upload.corrupt"),
        ("import sys; sys.stdout.write('{\"width\": 1, \"height\": 1, \"size\": 9}\\nhalf'); sys.stdout.flush()\n"
         "import os; os.abort()", "upload.corrupt"),
        ("import sys; sys.stdout.write('x' * 9000)", "upload.too_costly"),
    ],
    ids=["hangs", "is killed", "crashes", "crashes in the middle", "floods"],
)  # fmt: skip
def test_whatever_the_decoder_does_is_one_refused_file(
    program: str, code: str, reencode: bool, tmp_path: Path, complaints: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hangs, is killed, crashes: 422 at the field, its process waited for, its files gone."""
    decoder = tmp_path / "decoder.py"
    decoder.write_text(program)
    monkeypatch.setattr(_decoder_process, "_DECODER", str(decoder))
    received = tmp_path / "received"
    received.mkdir()
    policy = ImagePolicy(timeout=0.5 if "sleep" in program else 20.0)
    children, files = kin(), descriptors()
    told = complaints(lambda: one(tiny("PNG"), received, policy=policy, reencode=reencode))
    assert told == [("/poster", code)]
    assert (kin() - children, descriptors() - files, list(received.iterdir())) == (set(), set(), [])


@pytest.mark.fault
@pytest.mark.parametrize("status", [0, 120])
def test_a_flood_is_refused_however_its_process_ended(
    status: int, tmp_path: Path, complaints: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By itself, well or not, before the signal came."""
    decoder = tmp_path / "decoder.py"
    decoder.write_text(f"import sys; sys.stdout.write('x' * 9000); sys.stdout.flush(); sys.exit({status})")
    monkeypatch.setattr(_decoder_process, "_DECODER", str(decoder))
    monkeypatch.setattr(subprocess.Popen, "kill", subprocess.Popen.wait)
    received = tmp_path / "received"
    received.mkdir()
    assert complaints(lambda: one(tiny("PNG"), received, policy=ImagePolicy())) == [("/poster", "upload.too_costly")]


@pytest.mark.fault
def test_an_answer_cut_short_is_no_image(tmp_path: Path, complaints: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that ends well with less than it announced."""
    decoder = tmp_path / "decoder.py"
    decoder.write_text('print(\'{"width": 1, "height": 1, "size": 9}\\nhalf\', end=\'\')')
    monkeypatch.setattr(_decoder_process, "_DECODER", str(decoder))
    assert complaints(lambda: one(tiny("PNG"), tmp_path)) == [("/poster", "upload.corrupt")]
    assert list(tmp_path.iterdir()) == [decoder]


@pytest.mark.fault
def test_a_disk_that_fills_while_it_is_written_anew_leaves_nothing(
    tmp_path: Path, picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OutOfSpace passes, both files are gone, the decoder was waited for."""
    import errno

    synced = []

    def full(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) == 2:
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("os.fsync", full)
    children = kin()
    with pytest.raises(OutOfSpace):
        one(picture("PNG"), tmp_path)
    assert (kin() - children, list(tmp_path.iterdir())) == (set(), [])


@pytest.mark.fault
def test_a_large_image_is_written_anew_without_this_process_holding_it(tmp_path: Path) -> None:
    """24 million pixels pass through in pieces."""
    noise = Image.effect_noise((1_000, 1_000), 90)
    large, sent = Image.new("L", (6_000, 4_000)), io.BytesIO()
    for left in range(0, 6_000, 1_000):
        for top in range(0, 4_000, 1_000):
            large.paste(noise, (left, top))
    large.save(sent, "JPEG", quality=60)
    body = form(file("poster", sent.getvalue(), "x.jpg"))
    del large, noise, sent
    before = forget_peak()
    with send(body, tmp_path).poster as image:
        assert (image.width, image.height) == (6_000, 4_000)
        assert image.size > 8 << 20
    assert peak() - before < 24 << 20
