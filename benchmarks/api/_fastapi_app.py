"""The application's list, search and upload as one writes them plainly in FastAPI and SQLAlchemy's ORM.

Run by ``served``: ``uvicorn --factory benchmarks.api._fastapi_app:application``, its files in ``PLAIN_LIBRARY``, its
key in ``PLAIN_SECRET``. Everything is SQLAlchemy's and FastAPI's own: `def` endpoints on threads, a session for each
request, a signed cookie whose user is read by each request, response models that pydantic serializes, words found by
SQLite's FTS5.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import io
import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from fastapi import APIRouter, Cookie, Depends, FastAPI, Form, HTTPException, Request, Response, UploadFile
from PIL import Image, UnidentifiedImageError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, computed_field
from sqlalchemy import (
    Engine,
    ForeignKey,
    Index,
    UniqueConstraint,
    and_,
    create_engine,
    event,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload, sessionmaker

FILE = "plain.db"
PAGE = 24
LARGEST = 20 * 1024 * 1024
FORMATS = ("JPEG", "PNG", "WEBP")
_THREADS = 40  # as many as Starlette has for `def` endpoints
_HOURS = 12
_WORD = re.compile(r"(-?)([^\s\"]+)")

router = APIRouter(prefix="/api/v1")


class Base(DeclarativeBase):
    """The tables."""


class User(Base):
    """An account."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    quota_bytes: Mapped[int]
    used_bytes: Mapped[int]


class Medium(Base):
    """An image of a user."""

    __tablename__ = "media"
    __table_args__ = (UniqueConstraint("user_id", "digest"), Index("ix_media_list", "user_id", "created_at", "id"))
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    digest: Mapped[str]
    title: Mapped[str]
    filename: Mapped[str]
    size: Mapped[int]
    mime: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    colour_list: Mapped[str | None]
    orientation: Mapped[str | None]
    created_at: Mapped[datetime]  # UTC, without its zone: SQLite keeps none
    is_ready: Mapped[bool]
    labels: Mapped[list[Tag]] = relationship(order_by="Tag.name")

    @property
    def tags(self) -> list[str]:
        """The names of its tags."""
        return [label.name for label in self.labels]

    @property
    def colours(self) -> list[str] | None:
        """Its colours, the most frequent first."""
        return None if self.colour_list is None else self.colour_list.split()


class Tag(Base):
    """A word that a user gave a medium."""

    __tablename__ = "tags"
    __table_args__ = (Index("ix_tags_name", "name", "media_id"),)
    media_id: Mapped[int] = mapped_column(ForeignKey("media.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)


def _in_utc(stored: datetime) -> datetime:
    return stored.replace(tzinfo=UTC)


class MediumOut(BaseModel):
    """A medium as clients see it."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    title: str
    filename: str
    size: int
    type: str = Field(validation_alias="mime")
    width: int
    height: int
    tags: list[str]
    colours: list[str] | None
    orientation: str | None
    created_at: Annotated[datetime, BeforeValidator(_in_utc)]
    is_ready: bool = Field(exclude=True)

    @computed_field
    def file(self) -> str:
        """Where the original is."""
        return f"/api/v1/media/{self.id}/file"

    @computed_field
    def thumbnail(self) -> str | None:
        """Where the thumbnail is, once it is made."""
        return f"/api/v1/media/{self.id}/thumbnail" if self.is_ready else None


class MediumAnswer(BaseModel):
    """One medium."""

    data: MediumOut


class MediaAnswer(BaseModel):
    """A page of media, and where the next one begins."""

    data: list[MediumOut]
    next: str | None


class Login(BaseModel):
    """A name and a password."""

    name: str
    password: str


def session(request: Request) -> Iterator[Session]:
    """A session for one request."""
    with request.app.state.sessions() as db:
        yield db


Db = Annotated[Session, Depends(session)]


def current_user(request: Request, db: Db, session: Annotated[str, Cookie()] = "") -> User:
    """Whoever the cookie names."""
    told, _, signature = session.rpartition(".")
    if not hmac.compare_digest(_signed(request, told), signature.encode()):
        raise HTTPException(401)
    user_id, _, ends = told.partition(".")
    user = db.get(User, int(user_id)) if float(ends) > time.time() else None
    if user is None:
        raise HTTPException(401)
    return user


CurrentUser = Annotated[User, Depends(current_user)]


def _signed(request: Request, told: str) -> bytes:
    return hmac.new(request.app.state.secret, told.encode(), "sha256").hexdigest().encode()


@router.post("/login", status_code=204)
def login(request: Request, asked: Login, db: Db, response: Response) -> None:
    """Log in."""
    user = db.scalar(select(User).where(User.name == asked.name))
    try:
        PasswordHasher().verify("" if user is None else user.password_hash, asked.password)
    except (InvalidHashError, VerificationError):
        user = None
    if user is None:
        raise HTTPException(401)
    told = f"{user.id}.{time.time() + _HOURS * 3600}"
    response.set_cookie("session", f"{told}.{_signed(request, told).decode()}", httponly=True, samesite="lax")


@router.get("/media", response_model=MediaAnswer)
def list_media(user: CurrentUser, db: Db, q: str = "", after: str | None = None) -> dict[str, Any]:
    """A page of the user's media, the newest first; those with the words of ``q`` and without its ``-words``."""
    wanted = [Medium.user_id == user.id]
    if q.strip():
        found = text("SELECT rowid FROM media_search WHERE media_search MATCH :q").bindparams(q=_match(q))
        wanted.append(Medium.id.in_(found.columns(Medium.id).scalar_subquery()))
    if after is not None:
        created_at, medium_id = _position(after)
        older = and_(Medium.created_at == created_at, Medium.id < medium_id)
        wanted += [Medium.created_at <= created_at, or_(Medium.created_at < created_at, older)]
    page = select(Medium).where(*wanted).options(selectinload(Medium.labels))
    rows = db.scalars(page.order_by(Medium.created_at.desc(), Medium.id.desc()).limit(PAGE + 1)).all()
    return {"data": rows[:PAGE], "next": _cursor(rows[PAGE - 1]) if len(rows) > PAGE else None}


def _match(asked: str) -> str:
    words: dict[bool, list[str]] = {True: [], False: []}
    for minus, word in _WORD.findall(asked):
        words[bool(minus)].append(f'"{word}"')
    if not words[False]:
        raise HTTPException(422, "expected a word that is looked for")
    return " NOT ".join([" AND ".join(words[False]), *words[True]])


def _cursor(last: Medium) -> str:
    return base64.urlsafe_b64encode(f"{last.created_at.isoformat()}/{last.id}".encode()).decode()


def _position(cursor: str) -> tuple[datetime, int]:
    try:
        created_at, _, medium_id = base64.urlsafe_b64decode(cursor).decode().partition("/")
        return datetime.fromisoformat(created_at), int(medium_id)
    except (ValueError, binascii.Error):
        raise HTTPException(422, "expected a cursor of a page before") from None


@router.post("/media", response_model=MediumAnswer, status_code=201)
def add_media(
    request: Request,
    response: Response,
    user: CurrentUser,
    db: Db,
    file: UploadFile,
    title: Annotated[str, Form()] = "",
) -> dict[str, Any]:
    """Keep an image: looked at, charged, stored under its hash, and found by its words."""
    image = file.file.read(LARGEST + 1)
    size = len(image)
    if size > LARGEST:
        raise HTTPException(413)
    digest = hashlib.sha256(image).hexdigest()
    known = db.scalar(select(Medium).where(Medium.user_id == user.id, Medium.digest == digest))
    if known is not None:
        response.status_code = 200
        return {"data": known}
    mime, width, height = _looked_at(image)
    name = Path(file.filename or "").name
    after = User.used_bytes + size
    charged = update(User).where(User.id == user.id, after <= User.quota_bytes).values(used_bytes=after)
    if db.execute(charged.returning(User.id)).first() is None:
        raise HTTPException(413, "the quota is used up")
    medium = Medium(
        user_id=user.id,
        digest=digest,
        title=title or re.sub(r"[-_\s]+", " ", Path(name).stem),
        filename=name,
        size=size,
        mime=mime,
        width=width,
        height=height,
        created_at=datetime.now(UTC).replace(tzinfo=None),
        is_ready=False,
    )
    db.add(medium)
    db.flush()
    words = {"id": medium.id, "title": medium.title, "filename": name}
    db.execute(text("INSERT INTO media_search (rowid, title, filename) VALUES (:id, :title, :filename)"), words)
    _stored(image, request.app.state.folder / "blobs" / digest[:2] / digest)
    db.commit()
    response.headers["Location"] = f"/api/v1/media/{medium.id}"
    return {"data": medium}


def _looked_at(image: bytes) -> tuple[str, int, int]:
    """The type and size of an image that can be decoded to its last pixel."""
    try:
        with Image.open(io.BytesIO(image), formats=FORMATS) as opened:
            opened.load()
            return f"image/{str(opened.format).lower()}", opened.width, opened.height
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        raise HTTPException(422, "expected a JPEG, PNG or WebP image") from None


def _stored(image: bytes, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(image)


def _pragmas(connection: Any, _: object) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _engine(file: Path) -> Engine:
    engine = create_engine(f"sqlite:///{file}", pool_size=_THREADS)
    event.listen(engine, "connect", _pragmas)
    return engine


def create(file: Path) -> None:
    """Make the tables; that of the words is whoever fills it's."""
    engine = _engine(file)
    Base.metadata.create_all(engine)
    engine.dispose()


def application() -> FastAPI:
    """The application over the files in ``PLAIN_LIBRARY``."""
    folder = Path(os.environ["PLAIN_LIBRARY"])
    engine = _engine(folder / FILE)
    app = FastAPI(title="Media library")
    app.state.folder = folder
    app.state.secret = os.environ["PLAIN_SECRET"].encode()
    app.state.engine = engine
    app.state.sessions = sessionmaker(engine)
    app.include_router(router)
    return app
