"""The settings of the shop's tests: Django makes a database for them by itself, ours are named here."""

import atexit
from shutil import rmtree
from tempfile import mkdtemp

from .settings import *  # noqa: F403 - settings extend settings like this

_folder = mkdtemp(prefix="shop-")
atexit.register(rmtree, _folder)
JOBS_URL = f"sqlite:///{_folder}/jobs.db"
CACHED_URL = "memory://"
