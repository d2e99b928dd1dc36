"""Validation alone: a form becomes a typed value, or every problem at once; HTML loses what is not allowed."""

from typing import Annotated

from pydantic import Field

from postrmagic_core.errors import ValidationFailed
from postrmagic_core.validation import Input, Validator, errors_by_field
from postrmagic_core.validation.rules import PlainText, SafeHtml, Tag


class Poster(Input):
    title: Annotated[str, PlainText(max=80, min=1)]
    copies: int = Field(default=1, ge=1, le=500)
    tags: list[Tag] = Field(default_factory=list)
    about: Annotated[str, SafeHtml()] = ""


posters = Validator(Poster)
print(posters.validate_form([("title", "Summer Fair"), ("tags", "Music"), ("about", "<b onclick=x>Free!</b>")]))
try:
    posters.validate_form([("title", ""), ("copies", "many"), ("colour", "red")])
except ValidationFailed as error:
    print(errors_by_field(error))
