"""A release deployed beside the one that runs: replica by replica, watched, and taken back where it does not stand.

::

    engine = Engine(["--file", "compose.yaml", "--profile", "production"])
    outcome = Deployment(engine, Terms(watch=30)).up(Release("1.1", "media-library:1.1"))

It needs the docker command with compose, and keeps nothing on the machine where it runs.
"""

from typing import TYPE_CHECKING

from .._lazy import lazily
from .interface import Outcome, Release, Replica, Said, Status, Terms

if TYPE_CHECKING:
    from .engine import Engine
    from .rollout import Deployment
else:
    __getattr__ = lazily(__name__, {"Deployment": "rollout", "Engine": "engine"})

__all__ = ["Deployment", "Engine", "Outcome", "Release", "Replica", "Said", "Status", "Terms"]
