"""Uploads are counted while they come, judged by what they are, decoded where it cannot hurt, and leave nothing."""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.errors import (
    BackendRejected,
    BackendUnavailable,
    ConfigurationError,
    MissingExtra,
    OutOfSpace,
    UsageError,
)
from postrmagic_core.testing import spawn
from postrmagic_core.testing.clock import FakeClock
from postrmagic_core.validation import ImagePolicy, _decoder, _decoder_process, inspect, receive, render
from postrmagic_core.validation.uploads import sweep

POLICY = ImagePolicy()
SMALL = ImagePolicy(max_bytes=1_000, field="poster")
KINDS = ["JPEG", "PNG", "WEBP"]


def saved(directory: Path, data: bytes) -> Path:
    """The bytes as a file."""
    path = directory / "given"
    path.write_bytes(data)
    return path


class TestReceiving:
    """receive() writes what comes, and nothing more."""

    def test_what_came_is_there(self, tmp_path: Path) -> None:
        """Content, size and digest are those of the bytes that came; only the owner may read the file."""
        data = os.urandom(600_000)
        with receive(io.BytesIO(data), POLICY, tmp_path) as upload:
            assert upload.path.read_bytes() == data
            assert (upload.size, upload.sha256) == (len(data), hashlib.sha256(data).hexdigest())
            assert upload.path.stat().st_mode & 0o777 == 0o600
        assert list(tmp_path.iterdir()) == []

    def test_a_moved_upload_stays(self, tmp_path: Path) -> None:
        """Leaving the context discards only what was not moved away."""
        with receive([b"a", b"", b"b"], POLICY, tmp_path) as upload:
            upload.path.rename(tmp_path / "mine")
        assert (tmp_path / "mine").read_bytes() == b"ab"

    def test_it_stops_at_the_limit(self, tmp_path: Path, complaints: Any) -> None:
        """A source without end is left at the first byte too many."""
        asked = []

        def endless() -> Iterator[bytes]:
            while True:
                asked.append(1)
                yield b"x" * 400

        assert complaints(lambda: receive(endless(), SMALL, tmp_path)) == [("/poster", "upload.too_large")]
        assert len(asked) == 3
        assert list(tmp_path.iterdir()) == []
        receive([b"x" * 1_000], SMALL, tmp_path).discard()

    def test_nothing_is_refused(self, tmp_path: Path, complaints: Any) -> None:
        """An empty file is an error of the sender."""
        assert complaints(lambda: receive(io.BytesIO(), SMALL, tmp_path)) == [("/poster", "upload.empty")]
        assert list(tmp_path.iterdir()) == []

    def test_a_source_that_fails_leaves_no_file(self, tmp_path: Path) -> None:
        """The client went away in the middle."""

        def broken() -> Iterator[bytes]:
            yield b"x"
            raise ConnectionResetError

        with pytest.raises(ConnectionResetError):
            receive(broken(), POLICY, tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_a_missing_directory_is_named_as_such(self, tmp_path: Path) -> None:
        """The error says what to look at, without the path."""
        with pytest.raises(BackendRejected, match=r"ENOENT.*directory exists") as caught:
            receive([b"x"], POLICY, tmp_path / "none")
        assert str(tmp_path) not in str(caught.value)

    @pytest.mark.fault
    def test_a_full_disk_leaves_no_file(self, tmp_path: Path) -> None:
        """In a process that may write no more than 300,000 bytes, the upload ends in OutOfSpace and is gone."""
        with spawn(receive_on_a_full_disk, str(tmp_path)) as child:
            assert child.line() == OutOfSpace.code
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.fault
    def test_what_a_killed_process_left_is_swept(self, tmp_path: Path) -> None:
        """kill -9 leaves a part behind; sweeping takes it once it is old, and takes nothing else."""
        (tmp_path / "other").touch()
        with spawn(receive_for_ever, str(tmp_path)) as child:
            child.line()
        (part,) = tmp_path.glob(".upload-*")
        clock = FakeClock(datetime.fromtimestamp(part.stat().st_mtime, UTC))
        clock.advance(10)
        assert sweep(tmp_path, older_than=60, clock=clock) == 0
        clock.advance(60)
        assert sweep(tmp_path, older_than=60, clock=clock) == 1
        assert [path.name for path in tmp_path.iterdir()] == ["other"]


def receive_on_a_full_disk(directory: str) -> None:
    """Runs in a child process."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    try:
        receive([b"x" * 200_000] * 4, POLICY, directory)
    except OutOfSpace as error:
        print(error.code, flush=True)  # noqa: T201 - the parent reads it


def receive_for_ever(directory: str) -> None:
    """Runs in a child process, until it is killed."""

    def source() -> Iterator[bytes]:
        yield b"x" * 1000
        print("receiving", flush=True)  # noqa: T201 - the parent reads it
        time.sleep(60)

    receive(source(), POLICY, directory)


class TestInspecting:
    """inspect() believes neither name nor header alone."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_an_image_is_described(self, kind: str, picture: Any, tmp_path: Path) -> None:
        """Format, size in pixels and bytes, digest, media type."""
        data = picture(kind)
        info = inspect(saved(tmp_path, data), POLICY, name=f"x.{kind}")
        assert (info.format, info.width, info.height, info.size) == (kind, 64, 48, len(data))
        assert (info.sha256, info.mime) == (hashlib.sha256(data).hexdigest(), f"image/{kind.lower()}")

    @pytest.mark.usefixtures("decoder_here")
    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (b"", "upload.empty"),
            (b"x" * 1_001, "upload.too_large"),
            (b"\xff\xd8", "upload.unknown_format"),
            (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "upload.unknown_format"),
            (b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><svg/>', "upload.unknown_format"),
            (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "upload.unknown_format"),
            (b"SIMPLE  =                    T".ljust(320), "upload.unknown_format"),
            (b"GIF89a\x01\0\x01\0\0\0\0;", "upload.unknown_format"),
            (b"GIF89a=1;alert(1)//", "upload.unknown_format"),
            (b"BM" + b"\0" * 60, "upload.unknown_format"),
            (b"II*\0" + b"\0" * 60, "upload.unknown_format"),
            (b"PK\x03\x04" + b"\0" * 60, "upload.unknown_format"),
            (b"RIFF\x10\0\0\0WAVEfmt ", "upload.unknown_format"),
            (b"\x89PNG\r\n\x1a\n", "upload.truncated"),
            (b"\xff\xd8\xff\xd9", "upload.corrupt"),
            (b"\xff\xd8\xff\xe0<script>alert(1)</script>", "upload.truncated"),
            (b"RIFF\x04\0\0\0WEBP", "upload.corrupt"),
        ],
    )
    def test_what_is_no_image_is_refused(self, data: bytes, code: str, tmp_path: Path, complaints: Any) -> None:
        """Also scripts, documents and formats nobody asked for, whatever they are called."""
        pytest.importorskip("PIL")
        assert complaints(lambda: inspect(saved(tmp_path, data), SMALL)) == [("/poster", code)]

    @pytest.mark.parametrize("kind", KINDS)
    def test_half_an_image_is_refused(self, kind: str, picture: Any, tmp_path: Path) -> None:
        """Cut anywhere, each 64th byte and the last, it is never taken for whole, and never breaks the decoder."""
        data = picture(kind)
        for cut in [*range(64, len(data), 64), len(data) - 1]:
            assert look(saved(tmp_path, data[:cut]), kind)["code"] == "upload.truncated", cut

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_damaged_image_never_breaks_it(self, kind: str, picture: Any, tmp_path: Path) -> None:
        """With any 64th byte turned over, it is accepted or refused by a code."""
        data = picture(kind)
        codes = set()
        for at in range(0, len(data), 64):
            broken = bytearray(data)
            broken[at] ^= 0xFF
            codes.add(look(saved(tmp_path, bytes(broken)), kind).get("code", "upload.accepted"))
        assert {code.split(".")[0] for code in codes} == {"upload"}
        assert "upload.corrupt" in codes

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("tail", [b"PK\x03\x04archive", b"<script>alert(1)</script>", b"\0"])
    def test_two_things_at_once_are_refused(self, kind: str, tail: bytes, picture: Any, tmp_path: Path) -> None:
        """An image with something behind its end, unless the policy says so."""
        path = saved(tmp_path, picture(kind) + tail)
        assert look(path, kind)["code"] == "upload.trailing_data"
        assert look(path, kind, trailing_data=True) == {"width": 64, "height": 48}

    def test_what_cameras_write_is_read(self, picture: Any, tmp_path: Path) -> None:
        """Progressive scans, fill bytes between segments, and two pictures in one file where the policy says so."""
        from PIL import Image

        assert look(saved(tmp_path, picture("JPEG", progressive=True)), "JPEG") == {"width": 64, "height": 48}
        plain = picture("JPEG")
        filled = plain[:2] + b"\xff\xff" + plain[2:]
        assert look(saved(tmp_path, filled), "JPEG") == {"width": 64, "height": 48}
        both, image = io.BytesIO(), Image.new("RGB", (64, 48))
        image.save(both, "MPO", save_all=True, append_images=[image])
        path = saved(tmp_path, both.getvalue())
        assert look(path, "JPEG")["code"] == "upload.trailing_data"
        assert look(path, "JPEG", trailing_data=True) == {"width": 64, "height": 48}

    def test_the_wrong_format_inside_is_refused(self, picture: Any, tmp_path: Path, complaints: Any) -> None:
        """The first bytes of one format before the content of another."""
        disguised = b"\x89PNG\r\n\x1a\n" + picture("JPEG")
        assert complaints(lambda: inspect(saved(tmp_path, disguised), POLICY)) == [("/file", "upload.truncated")]

    @pytest.mark.usefixtures("decoder_here")
    def test_the_name_must_fit(self, picture: Any, tmp_path: Path, complaints: Any) -> None:
        """A JPEG called .png, or .html, is refused; without an ending nothing is claimed."""
        path = saved(tmp_path, picture("JPEG"))
        for name in ("x.png", "x.html", "x.jpg.svg"):
            assert complaints(partial(inspect, path, POLICY, name=name)) == [("/file", "upload.name_mismatch")]
        assert inspect(path, POLICY, name="x.JPG").format == "JPEG"
        assert inspect(path, POLICY, name="x").format == "JPEG"

    def test_only_the_policys_formats_pass(self, picture: Any, tmp_path: Path, complaints: Any) -> None:
        """A PNG is no image where only JPEG is."""
        path = saved(tmp_path, picture("PNG"))
        assert complaints(lambda: inspect(path, ImagePolicy(formats=("JPEG",)))) == [("/file", "upload.unknown_format")]

    def test_an_animation_is_refused_unless_allowed(self, picture: Any, tmp_path: Path) -> None:
        """Frames are counted before they are decoded."""
        from PIL import Image

        frames = [Image.effect_noise((8, 8), 60).convert("RGB") for _ in range(3)]
        for kind in ("PNG", "WEBP"):
            output = io.BytesIO()
            frames[0].save(output, kind, save_all=True, append_images=frames[1:], duration=10)
            path = saved(tmp_path, output.getvalue())
            assert look(path, kind)["code"] == "upload.animated"
            assert look(path, kind, max_frames=3) == {"width": 8, "height": 8}

    @pytest.mark.usefixtures("decoder_here")
    @pytest.mark.parametrize(
        ("width", "height"), [(40_001, 1_000), (65_535, 65_535), (2**31 - 1, 1), (2**31 - 1, 2**31 - 1)]
    )
    def test_a_bomb_is_refused_by_its_header(
        self, width: int, height: int, png_header: Any, tmp_path: Path, complaints: Any
    ) -> None:
        """Pixels are counted before any memory is taken for them."""
        path = saved(tmp_path, png_header(width, height))
        assert complaints(lambda: inspect(path, POLICY)) == [("/file", "upload.too_many_pixels")]

    @pytest.mark.fault
    def test_a_decoder_out_of_memory_is_the_files_fault(self, tmp_path: Path, png_header: Any, complaints: Any) -> None:
        """A header that promises more than the child may hold ends in an error; this process stays as it was."""
        greedy = ImagePolicy(max_pixels=2**40)
        limited = type("Limited", (ImagePolicy,), {"memory": 400 << 20})(max_pixels=greedy.max_pixels)
        path = saved(tmp_path, png_header(60_000, 60_000))
        before = resident()
        assert complaints(lambda: inspect(path, limited)) == [("/file", "upload.too_costly")]
        assert resident() - before < 32 << 20

    def test_a_decoder_that_cannot_run_is_not_the_files_fault(
        self, picture: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A program that is broken in itself is this side's trouble, to be tried again later."""
        monkeypatch.setattr(_decoder_process, "_DECODER", str(tmp_path / "missing.py"))
        with pytest.raises(BackendUnavailable, match="Pillow works"):
            inspect(saved(tmp_path, picture("PNG")), POLICY)

    def test_without_pillow_it_says_what_to_install(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, png_header: Any
    ) -> None:
        """The extra is named."""
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(MissingExtra, match=r"postrmagic-core\[images\]"):
            inspect(saved(tmp_path, png_header(1, 1)), POLICY)

    def test_links_and_pipes_are_no_uploads(self, tmp_path: Path, picture: Any) -> None:
        """A link is not followed, a FIFO does not hang."""
        (tmp_path / "link").symlink_to(saved(tmp_path, picture("PNG")))
        os.mkfifo(tmp_path / "fifo")
        with pytest.raises(BackendRejected, match="ELOOP"):
            inspect(tmp_path / "link", POLICY)
        with pytest.raises(UsageError, match="regular file"):
            inspect(tmp_path / "fifo", POLICY)

    @pytest.mark.parametrize("wrong", [{"formats": ()}, {"formats": ("GIF",)}, {"max_bytes": 0}, {"timeout": 0.0}])
    def test_a_policy_that_cannot_be_is_refused(self, wrong: dict[str, Any]) -> None:
        """At construction."""
        with pytest.raises(ConfigurationError, match="ImagePolicy"):
            ImagePolicy(**wrong)


def look(path: Path, kind: str, **changed: object) -> dict[str, Any]:
    """What the decoder's program answers, run in this process for speed and without its limits."""
    pytest.importorskip("PIL")
    request = {"format": kind, "max_pixels": 10_000, "max_frames": 1, "trailing_data": False, "output": None}
    with path.open("rb") as file:
        return _decoder.answer(file, request | changed)[0]


def resident() -> int:
    """Bytes of memory this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class TestRendering:
    """render() makes a new image with pixels and nothing else."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_it_is_upright_small_and_bare(self, kind: Any, tmp_path: Path) -> None:
        """The camera's orientation is applied; its metadata, place included, is gone."""
        image = pytest.importorskip("PIL.Image")
        exif = image.Exif()
        exif[0x0112], exif[0x010F] = 6, "CANARY camera"
        exif.get_ifd(0x8825)[1] = "N"
        source = image.new("RGB", (80, 40), "red")
        source.paste("blue", (0, 0, 40, 40))
        path = tmp_path / "x.jpg"
        source.save(path, exif=exif, comment=b"CANARY comment")
        data = render(path, width=20, format=kind)
        made = image.open(io.BytesIO(data))
        assert (made.format, made.size, dict(made.getexif())) == (kind, (20, 40), {})
        assert b"CANARY" not in data
        assert made.convert("RGB").getpixel((10, 5))[2] > 200, "the left side is up now"

    @pytest.mark.usefixtures("decoder_here")
    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
    def test_every_kind_of_pixels_is_read(self, mode: str, tmp_path: Path) -> None:
        """Also grey of 16 bits, palettes and print colours."""
        image = pytest.importorskip("PIL.Image")
        path = tmp_path / ("x.jpg" if mode == "CMYK" else "x.png")
        grey = image.new("I;16", (60, 30), 32_768) if mode == "I;16" else image.new("L", (60, 30), 128).convert(mode)
        grey.save(path)
        made = image.open(io.BytesIO(render(path, width=30))).convert("RGB")
        assert made.size == (30, 15)
        assert all(abs(part - 128) < 12 for part in made.getpixel((9, 9)))

    @pytest.mark.usefixtures("decoder_here")
    def test_colours_are_those_of_the_images_profile(self, tmp_path: Path) -> None:
        """A profile is applied before it is dropped; a broken one is ignored."""
        image, cms = pytest.importorskip("PIL.Image"), pytest.importorskip("PIL.ImageCms")
        srgb = cms.ImageCmsProfile(cms.createProfile("sRGB")).tobytes()
        swapped = srgb.replace(b"rXYZ", b"....").replace(b"bXYZ", b"rXYZ").replace(b"....", b"bXYZ")
        path, shown = tmp_path / "x.png", []
        for profile in (None, srgb, b"broken", swapped):
            image.new("RGB", (9, 9), (200, 30, 30)).save(path, icc_profile=profile)
            made = image.open(io.BytesIO(render(path, width=9, format="PNG")))
            assert "icc_profile" not in made.info
            shown.append(made.getpixel((4, 4)))
        assert shown[0] == shown[1] == shown[2] == (200, 30, 30)
        assert shown[3][2] > 150 > shown[3][0], "with red and blue exchanged in its profile, the red is a blue"

    @pytest.mark.usefixtures("decoder_here")
    def test_transparency_stays_or_becomes_white(self, tmp_path: Path) -> None:
        """JPEG has none."""
        image = pytest.importorskip("PIL.Image")
        path = tmp_path / "x.png"
        image.new("RGBA", (10, 10), (255, 0, 0, 0)).save(path)
        assert image.open(io.BytesIO(render(path, width=10, format="PNG"))).getpixel((5, 5))[3] == 0
        assert min(image.open(io.BytesIO(render(path, width=10, format="JPEG"))).getpixel((5, 5))) > 250

    @pytest.mark.usefixtures("decoder_here")
    def test_it_never_grows_and_fits_the_box(self, picture: Any, tmp_path: Path) -> None:
        """Proportions stay; the height has its limit too."""
        image = pytest.importorskip("PIL.Image")
        path = saved(tmp_path, picture("PNG", size=(40, 400)))
        assert image.open(io.BytesIO(render(path, width=8_000))).size == (40, 400)
        assert image.open(io.BytesIO(render(path, width=20))).size == (8, 80)
        assert image.open(io.BytesIO(render(path, width=20, height=100))).size == (10, 100)

    @pytest.mark.parametrize(
        "wrong", [{"width": 0}, {"width": 9_000}, {"width": 9, "quality": 0}, {"width": 9, "format": "GIF"}]
    )
    def test_what_cannot_be_made_is_refused(self, wrong: dict[str, Any], tmp_path: Path) -> None:
        """Before anything is opened."""
        with pytest.raises(UsageError, match="render"):
            render(tmp_path / "none", **wrong)

    def test_what_is_no_image_is_refused(self, tmp_path: Path, complaints: Any, png_header: Any) -> None:
        """With the codes of inspect()."""
        assert complaints(lambda: render(saved(tmp_path, b"<svg/>"), width=9)) == [("/file", "upload.unknown_format")]
        bomb = saved(tmp_path, png_header(65_535, 65_535))
        assert complaints(lambda: render(bomb, width=9)) == [("/file", "upload.too_many_pixels")]
