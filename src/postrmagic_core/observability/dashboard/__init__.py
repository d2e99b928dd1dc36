"""The dashboard: what the application does, in a browser, live; an ASGI application to be mounted.

A page is a module in :mod:`.pages` with a :class:`Page`; its ``view`` runs in a thread of the dashboard's own, and what
it shows is shared by all who look at it.

::

    app.mount("/dashboard", dashboard(stack))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazily

if TYPE_CHECKING:
    from .house import Dashboard, dashboard
    from .interface import Ask, Page, Part, Shown, Watched, Window
else:  # Jinja is asked for by who makes a dashboard
    __getattr__ = lazily(
        __name__,
        {
            "Ask": "interface",
            "Dashboard": "house",
            "Page": "interface",
            "Part": "interface",
            "Shown": "interface",
            "Watched": "interface",
            "Window": "interface",
            "dashboard": "house",
        },
    )

__all__ = ["Ask", "Dashboard", "Page", "Part", "Shown", "Watched", "Window", "dashboard"]
