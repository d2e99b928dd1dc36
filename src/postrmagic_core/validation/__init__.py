"""Input, checked once and completely: models, forms, rules, HTML, uploads; and output, encoded for its context.

The rules are in :mod:`.rules`, the sanitizer's policy in :mod:`.html`, the output encoders in :mod:`.output`.
"""

from .aio import AsyncUploads
from .interface import ImageInfo, ImagePolicy, Limits
from .model import Input, invalid
from .uploads import ReceivedUpload, inspect, receive, render
from .validator import Validator, errors_by_field

__all__ = [
    "Validator",
    "Input",
    "Limits",
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
