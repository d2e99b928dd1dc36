"""``postrmagic middleware``: what stands where in an application's pipeline."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from .application import App, AsJson, loaded_pipeline
from .words import print_json


def middleware(app: App, as_json: AsJson = False) -> None:
    """Draw the pipeline, outermost first: for every path, and for those in groups. APP may name a Pipeline too."""
    pipeline = loaded_pipeline(app)
    if as_json:
        print_json({"pipeline": pipeline.names, "groups": pipeline.groups})
        return
    console = Console()
    console.print(_drawn("every path" if not pipeline.groups else "every other path", pipeline.names, pipeline.names))
    for prefix, names in sorted(pipeline.groups.items()):
        console.print(_drawn(prefix, names, pipeline.names))


def _drawn(paths: str, names: list[str], usual: list[str]) -> Tree:
    """Each layer inside the one before it; what a group has besides is marked."""
    root = branch = Tree(Text(paths, style="bold"))
    for name in names:
        branch = branch.add(Text(name, style="" if name in usual else "green"))
    branch.add(Text("the application", style="italic"))
    return root
