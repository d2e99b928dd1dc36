"""The guides show the templates: the same code, without its types and docstrings."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from postrmagic_core.cache import CacheManager
from postrmagic_core.middleware import Pipeline
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing.contracts.middleware_rig import Asked, answering, asgi, wsgi, wsgi_answering

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "examples" / "adapter_template"
GUIDES = {
    "write-a-store.md": "onefile",
    "write-a-database-adapter.md": "durable",
    "write-a-broker.md": "packed",
    "write-a-channel.md": "bulletin",
    "write-a-middleware.md": "timing",
    "write-a-rule.md": "plate",
    "write-a-log-sink.md": "intable",
    "write-an-alert-channel.md": "tickets",
    "write-a-vault.md": "mirror",
}
SHAPE = ["The interface", "A small one", "Prove it", "Publish it", "What often goes wrong"]


class Bare(ast.NodeTransformer):
    """Takes away what a guide leaves out: types, docstrings, imports."""

    def visit(self, node: ast.AST) -> ast.AST | None:
        """Also of what is inside it."""
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            return None
        if isinstance(node, ast.AnnAssign):
            if node.value is None:
                return None
            node = ast.Assign([node.target], node.value)
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
        self.generic_visit(node)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            said = [each for each in node.body if not _is_docstring(each)]
            node.body = said or [ast.Pass()]
        return node


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def bare(code: str) -> str:
    """The code without them."""
    return ast.unparse(ast.fix_missing_locations(Bare().visit(ast.parse(code)) or ast.Module([], [])))


def shown(guide: str) -> dict[str, str]:
    """The files of a guide by their names."""
    page = (ROOT / "docs" / "how-to" / guide).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return dict(blocks)


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_shows_the_template(guide: str) -> None:
    """Module and tests, line by line."""
    files, module = shown(guide), GUIDES[guide]
    written = (TEMPLATE / "src" / "postrmagic_template" / f"{module}.py").read_text(encoding="utf-8")
    assert bare(files[f"{module}.py"]) == bare(written)
    proof = (TEMPLATE / "tests" / f"test_{module}.py").read_text(encoding="utf-8")
    assert bare(files[f"test_{module}.py"]) == bare(proof)


@pytest.mark.parametrize("guide", GUIDES)
def test_every_guide_has_one_shape(guide: str) -> None:
    """What it is for, the interface in one table, a small one, its proof, its entry point, what often goes wrong."""
    page = (ROOT / "docs" / "how-to" / guide).read_text(encoding="utf-8")
    parts = dict(zip(*[iter(re.split(r"^## (.*)\n", page, flags=re.MULTILINE)[1:])] * 2, strict=True))
    assert list(parts) == SHAPE
    assert re.match(r"# Write an? [a-z ]+ and prove it\n\n\w", page)
    assert parts["The interface"].count("|---|") == 1
    written = re.search(r'entry-points\."(postrmagic_core\.\w+)"\]\n(\w+) = "([\w:]+)"\n', parts["Publish it"])
    assert written is not None
    declared = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    assert declared[written[1]] == {written[2]: f"postrmagic_template.{written[3]}"}
    assert "`examples/adapter_template`" in page


def loaded(guide: str, name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A block of a guide as the module that it says it is."""
    module = ModuleType(name)
    exec(shown(guide)[f"{name}.py"], vars(module))  # noqa: S102 - the documentation's own lines
    monkeypatch.setitem(sys.modules, name, module)
    return module


def test_the_other_middleware_of_the_guide_do_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They answer, handle an error and wait for a manager; and the pipelines that are shown can be made."""
    monkeypatch.chdir(tmp_path)
    closed, quota, _ = (loaded("write-a-middleware.md", name, monkeypatch) for name in ("closed", "quota", "timing"))

    async def broken(*_: Any) -> None:
        raise KeyError("broken")

    def status(app: Any, path: str = "/") -> int:
        return asgi(app, Asked(path=path)).status

    pipeline = Pipeline([closed.closed])
    assert status(pipeline.asgi(answering(200, [], b"")), "/admin/users") == 403
    assert status(pipeline.asgi(answering(200, [], b""))) == 200
    assert status(pipeline.asgi(broken)) == 404
    assert asgi(pipeline.asgi(answering(404, [], b"bare")), Asked()).body == b"<h1>Nothing here</h1>"
    with CacheManager(MemoryStore()) as cache:
        counted = Pipeline([quota.quota(cache, 5)])
        assert status(counted.asgi(answering(200, [], b""))) == 200
        cache.set("used:192.0.2.1", 5, ttl=60)
        assert status(counted.asgi(answering(200, [], b""))) == 429
        assert wsgi(counted.wsgi(wsgi_answering(200, [], b"")), Asked()).status == 429
    app = loaded("write-a-middleware.md", "app", monkeypatch)
    assert "quota" in app.pipeline.names
    assert app.by_hand.names[:2] == ["request_id", "errors"]


def test_what_differs_is_found() -> None:
    """A changed line; and nothing but types, docstrings and imports may differ."""
    assert bare('import a\n\n\ndef f(x: int) -> int:\n    """Say."""\n    y: int = x\n    return y\n') == bare(
        "def f(x):\n    y = x\n    return y\n"
    )
    assert bare("def f(x):\n    return x\n") != bare("def f(x):\n    return x + 1\n")
