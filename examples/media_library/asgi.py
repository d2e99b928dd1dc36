"""What an ASGI server loads: ``uvicorn media_library.asgi:app``."""

from __future__ import annotations

from postrmagic_core.stack import Stack

from .application import assemble
from .web import site

app = site(assemble(Stack.from_env()))
