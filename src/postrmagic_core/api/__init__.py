"""REST by one convention: operations declared once, one shape of answers, problems with types, versions that are kept.

::

    SPECIFICATION = Specification([MediaApi], title="Library", version="1.0.0", problems=Problems(base="/problems/"))
    api = Api(SPECIFICATION, [MediaApi(library)])
    routes = postrmagic_core.integrations.starlette.routes(api)

Operations are declared as :mod:`.declaring` shows; lists page and sort by :mod:`.listing`; writes are conditional by
:mod:`.conditional`; many at once go by :mod:`.bulk`; versions stand side by side by :mod:`.versions`.
"""

from .declaring import delete, get, patch, post, put
from .interface import Call, Reply
from .manager import Api
from .problems import Problems, ProblemType
from .reading import Inputs
from .specification import Specification

__all__ = [
    "Api",
    "Call",
    "Inputs",
    "ProblemType",
    "Problems",
    "Reply",
    "Specification",
    "delete",
    "get",
    "patch",
    "post",
    "put",
]
