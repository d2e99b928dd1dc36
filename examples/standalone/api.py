"""An API alone: two operations on a list, asked as any server would ask them, and the document made of them."""

from collections.abc import AsyncIterator
from io import BytesIO
from typing import Annotated

from pydantic import Field

from postrmagic_core.api import Api, Call, Problems, ProblemType, Specification, get, post
from postrmagic_core.api.envelope import Data
from postrmagic_core.validation import Input
from postrmagic_core.validation.responses import Output
from postrmagic_core.validation.rules import PlainText


class Poster(Output):
    id: int
    title: str


class NewPoster(Input):
    title: Annotated[str, PlainText(max=80, min=1)] = Field(description="What stands on it.")


class Missing(Exception):
    """There is no such poster."""


class Posters:
    """Posters, in a list."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    @post("/posters", Data[Poster], access="public", status=201)
    def add_poster(self, body: NewPoster) -> dict[str, object]:
        """Add a poster."""
        self.titles.append(body.title)
        return {"id": len(self.titles), "title": body.title}

    @get("/posters/{id}", Data[Poster], access="public", problems=["poster.not_found"], conditional=True)
    def show_poster(self, id: int) -> dict[str, object]:
        """Show a poster."""
        if not 0 < id <= len(self.titles):
            raise Missing
        return {"id": id, "title": self.titles[id - 1]}


problems = Problems(
    ProblemType("poster.not_found", 404, "No such poster", "Ask for the list."),
    errors={Missing: "poster.not_found"},
)
specification = Specification([Posters], title="Posters", version="1.0.0", problems=problems)
api = Api(specification, [Posters()])


class Body:
    """A request's body, of a server that waits."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def chunks(self) -> AsyncIterator[bytes]:
        raise NotImplementedError("nothing is awaited here")

    def file(self) -> BytesIO:
        return BytesIO(self._content)


def ask(method: str, path: str, values: dict[str, str], content: bytes = b"") -> None:
    """What a framework's module of postrmagic_core.integrations does with a request."""
    endpoint = next(place for place in api.places if place.path == path).endpoint(method)
    assert endpoint is not None
    headers = {"content-type": "application/json"}
    answer = endpoint.respond_now(Call(endpoint.operation, method, path, headers, "", values, Body(content)))
    print(answer.status, answer.body.decode())


ask("POST", "/api/v1/posters", {}, b'{"title": "Summer Fair"}')
ask("POST", "/api/v1/posters", {}, b'{"titel": "Summer Fair"}')
ask("GET", "/api/v1/posters/{id}", {"id": "1"})
ask("GET", "/api/v1/posters/{id}", {"id": "2"})
print(", ".join(specification.openapi()["paths"]))
