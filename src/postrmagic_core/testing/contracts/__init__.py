"""Published suites that say what an adapter means; a third party subclasses them to prove its own."""

from __future__ import annotations

from pkgutil import iter_modules

import pytest

# Or a broken promise would say no more than AssertionError.
pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))
