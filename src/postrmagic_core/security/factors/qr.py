"""The QR code of a text, as SVG."""

from __future__ import annotations

from io import BytesIO

from ...errors import MissingExtra


def svg(text: str, title: str) -> str:
    """An ``<svg>`` element that scales, black on white whatever the page's colours; ``title`` is its accessible name.

    It has neither style nor script nor reference, so that the strictest content security policy shows it.
    """
    try:
        import segno
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "QR codes are drawn by segno, which is not installed: pip install 'postrmagic-core[security]'"
        ) from error

    drawn = BytesIO()
    segno.make(text, error="m", micro=False).save(
        drawn,
        kind="svg",
        xmldecl=False,
        nl=False,
        dark="#000",
        light="#fff",
        title=title,
        omitsize=True,
        svgclass=None,
        lineclass=None,
    )
    return drawn.getvalue().decode().replace("<svg ", '<svg role="img" ', 1)
