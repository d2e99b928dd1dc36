"""The process that decodes an image: limits itself, reads the file on standard input, answers on standard output.

It is run by its path, without this package: its one argument is the request as JSON, its answer one line of JSON,
followed by the bytes of a rendering where one was asked for. It exists to be killed: nothing here trusts the file.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import mmap
import os
import re
import resource
import sys
import warnings
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from PIL.Image import Image

_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_PLUGINS = {"JPEG": "PIL.JpegImagePlugin", "PNG": "PIL.PngImagePlugin", "WEBP": "PIL.WebPImagePlugin"}
_SIDEWAYS = {5, 6, 7, 8}  # values of EXIF's Orientation that swap width and height


class Refused(Exception):
    """The file is not acceptable: the code says why."""


def end_of_jpeg(data: Any) -> int | None:
    """The offset behind the end-of-image marker (ITU T.81, annex B), ``None`` when it is missing."""
    at = 2
    while at + 2 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xD9:
            return at + 2
        if marker == 0xFF:
            at += 1
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:  # entropy-coded data follows the header of a scan
            found = _JPEG_MARKER.search(data, at)
            if found is None:
                return None
            at = found.start()
    return None


def end_of_png(data: Any) -> int | None:
    """The offset behind the chunk IEND (PNG, section 5.3), ``None`` when it is missing."""
    at = 8
    while at + 12 <= len(data):
        kind, at = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4], "big")
        if kind == b"IEND":
            return at if at <= len(data) else None
    return None


def end_of_webp(data: Any) -> int | None:
    """The offset behind the RIFF container (RFC 9649, section 2.4), ``None`` when the file is shorter."""
    if len(data) < 12:
        return None
    end = 8 + int.from_bytes(data[4:8], "little")
    return end + end % 2 if end <= len(data) else None


_ENDS = {"JPEG": end_of_jpeg, "PNG": end_of_png, "WEBP": end_of_webp}


def check_extent(file: BinaryIO, request: dict[str, Any]) -> None:
    """Refuse a file that ends before its image, or goes on after it."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        end = _ENDS[request["format"]](data)
        if end is None:
            raise Refused("upload.truncated")
        if end < len(data) and not request["trailing_data"]:
            raise Refused("upload.trailing_data")


def opened(file: BinaryIO, request: dict[str, Any]) -> Image:
    """The image with its header read by the one decoder that is allowed, its limits checked, nothing decoded."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # the policy's limit stands in its place
    file.seek(0)
    image = Image.open(file, formats=[request["format"]])
    if image.width * image.height > request["max_pixels"]:
        raise Refused("upload.too_many_pixels")
    # A photograph with further pictures behind its end (MPO) is one JPEG; those were dealt with as trailing data.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > request["max_frames"]:
        raise Refused("upload.animated")
    return image


def looked_at(file: BinaryIO, request: dict[str, Any]) -> dict[str, Any]:
    """Width and height of an image of which every frame was decoded."""
    try:
        image = opened(file, request)
    except Refused:
        raise
    except Exception:  # a header cut short says less than the missing end
        check_extent(file, request)
        raise
    width, height = image.size
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    check_extent(file, request)
    opened(file, request).verify()
    image = opened(file, request)
    for frame in range(frames):
        image.seek(frame)
        image.load()
    return {"width": width, "height": height}


def rendered(file: BinaryIO, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The image within the asked box, upright, in sRGB, with its pixels and nothing else; its width and height."""
    from PIL import Image, ImageOps

    image = opened(file, request)
    box = (request["width"], request["height"])
    sideways = image.getexif().get(0x0112) in _SIDEWAYS
    image.draft("RGB", box[::-1] if sideways else box)
    upright = in_srgb(ImageOps.exif_transpose(in_eight_bits(image)))
    seen = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    seen.thumbnail(box, Image.Resampling.LANCZOS, reducing_gap=3.0)
    if request["output"] == "JPEG" and seen.mode == "RGBA":
        seen = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
    bare = Image.new(seen.mode, seen.size)  # carries no metadata over
    bare.paste(seen)
    output = BytesIO()
    del image, upright, seen  # each holds all pixels
    bare.save(output, format=request["output"], quality=request["quality"])
    return {"width": bare.width, "height": bare.height, "size": output.tell()}, output.getvalue()


def in_eight_bits(image: Image) -> Image:
    """Grey of 16 bits scaled down; converting would cut off all but the darkest."""
    return image.convert("I").point(lambda grey: grey * (1 / 256)).convert("L") if image.mode[0] == "I" else image


def in_srgb(image: Image) -> Image:
    """Colours converted from the image's own profile, as the rendering carries none."""
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    from PIL import ImageCms

    mode = "RGBA" if image.has_transparency_data else "RGB"
    with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError):  # a broken profile: the colours as they are
        source, srgb = ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB")
        usable = image if image.mode in {"RGB", "RGBA", "CMYK", "L"} else image.convert(mode)
        return ImageCms.profileToProfile(usable, source, srgb, outputMode=mode) or image
    return image


def confine(request: dict[str, Any]) -> None:
    """Limit this process: memory, processor time, no files written, no core dump."""
    for limit, value in (
        (resource.RLIMIT_AS, request["memory"]),
        (resource.RLIMIT_CPU, request["seconds"]),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))


def answer(file: BinaryIO, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """What to send back; a decoder may fail with any exception, and each means that the file is damaged."""
    try:
        if not request["output"]:
            return looked_at(file, request), b""
        if request.get("whole"):  # a rendering alone reads the first frame, and not what lies behind it
            looked_at(file, request)
        return rendered(file, request)
    except Refused as refused:
        return {"code": str(refused)}, b""
    except MemoryError:
        return {"code": "upload.too_costly"}, b""
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, EOFError, …
        return {"code": "upload.corrupt", "error": type(error).__name__}, b""


def main() -> None:
    """Answer the one request."""
    warnings.simplefilter("ignore")
    request = json.loads(sys.argv[1])
    sys.path.append(request["packages"])
    confine(request)
    # Where it fails, it fails as a program does: the file is not to blame. Pillow loads all of its decoders to find one
    # that is not there yet: a third of the whole time.
    for kind in filter(None, (request["format"], request["output"])):
        importlib.import_module(_PLUGINS[kind])
    with os.fdopen(0, "rb", closefd=False) as file:
        head, body = answer(file, request)
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + body)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
