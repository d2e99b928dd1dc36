"""Input, checked once and completely: models, forms, rules, HTML, uploads; and output, encoded for its context.

The rules are in :mod:`.rules`, the sanitizer's policy in :mod:`.html`, the output encoders in :mod:`.output`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazily
from .interface import ImageInfo, ImagePolicy, InputLimits
from .model import Input, invalid
from .uploads import ReceivedUpload, inspect, receive, render
from .validator import Validator, errors_by_field

if TYPE_CHECKING:
    from .aio_uploads import AsyncUploads
else:  # asyncio is a fifth of this room's import: only for who uses it
    __getattr__ = lazily(__name__, {"AsyncUploads": "aio_uploads"})

__all__ = [
    "Validator",
    "Input",
    "InputLimits",
    "invalid",
    "errors_by_field",
    "ImagePolicy",
    "ImageInfo",
    "ReceivedUpload",
    "receive",
    "inspect",
    "render",
    "AsyncUploads",
]
