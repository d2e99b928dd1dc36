"""What users feel and do: how fast pages come, which features are used by how many, how satisfied they say they are.

``Experience`` is told of it by the layer ``experience`` (:mod:`postrmagic_core.middleware.experience`) and by listeners
of the application's events, and tells it again. Nothing here says who somebody is: users are keyed hashes.

::

    stack.events.include(experience.count(PosterUploaded, feature="upload", user=lambda event: event.user_id))
    for adoption in experience.adoption(since=month_ago):
        print(adoption.feature, adoption.users, f"{adoption.share:.0%}")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazily

if TYPE_CHECKING:
    from .interface import Adoption, Comment, PageFigures, Survey, Week
    from .manager import Experience
else:  # what a command or a page shows is read without the manager
    __getattr__ = lazily(
        __name__,
        {
            "Adoption": "interface",
            "Comment": "interface",
            "Experience": "manager",
            "PageFigures": "interface",
            "Survey": "interface",
            "Week": "interface",
        },
    )

__all__ = ["Adoption", "Comment", "Experience", "PageFigures", "Survey", "Week"]
