"""The peers of the database benchmark: one read of one row through each pool that people use on MySQL."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import pymysql

from ._harness import Bench, Case

# The row that every peer reads; drivers differ in their placeholders, so the value stands in the text.
READ = "SELECT n FROM counter WHERE id = 1"


def peers(bench: Bench, url: str, opened: ExitStack) -> list[Case]:
    """A case for each peer that is installed; their connections are closed with ``opened``."""
    made: dict[str, Callable[[str, ExitStack], Callable[[], object]]] = {
        "DBUtils": _dbutils,
        "Django": _django,
        "peewee": _peewee,
    }
    cases = []
    for name, make in made.items():
        call = bench.peer(name, lambda make=make: make(url, opened))  # type: ignore[misc]  # bound in the loop
        if call is not None:
            cases.append(Case(name, call))
    return cases


def arguments(url: str) -> dict[str, Any]:
    """PyMySQL's arguments for ``mysql://user@host:port/name``."""
    parts = urlsplit(url)
    return {"host": parts.hostname, "port": parts.port, "user": parts.username, "database": parts.path.lstrip("/")}


def _dbutils(url: str, opened: ExitStack) -> Callable[[], object]:
    pool = import_module("dbutils.pooled_db").PooledDB(
        pymysql, maxcached=5, maxconnections=64, blocking=True, ssl_disabled=True, **arguments(url)
    )
    opened.callback(pool.close)

    def call() -> object:
        connection = pool.connection()
        try:
            cursor = connection.cursor()
            cursor.execute(READ)
            return cursor.fetchall()
        finally:
            connection.close()

    return call


def _django(url: str, opened: ExitStack) -> Callable[[], object]:
    settings = import_module("django.conf").settings
    pymysql.install_as_MySQLdb()
    if not settings.configured:
        given = arguments(url)
        names = {"host": "HOST", "port": "PORT", "user": "USER", "database": "NAME"}
        database = {names[name]: value for name, value in given.items()}
        persistent = {"ENGINE": "django.db.backends.mysql", "CONN_MAX_AGE": None, "OPTIONS": {"ssl_disabled": True}}
        settings.configure(DATABASES={"default": {**persistent, **database}})
    import_module("django").setup()
    connection = import_module("django.db").connection
    opened.callback(connection.close)

    def call() -> object:
        # A connection for each thread, kept between its requests: Django pools none on MySQL.
        with connection.cursor() as cursor:
            cursor.execute(READ)
            return cursor.fetchall()

    return call


def _peewee(url: str, opened: ExitStack) -> Callable[[], object]:
    given = arguments(url)
    database = import_module("playhouse.pool").PooledMySQLDatabase(
        given.pop("database"), max_connections=64, stale_timeout=300, timeout=30, ssl_disabled=True, **given
    )
    opened.callback(database.close_all)

    def call() -> object:
        with database.connection_context():
            return database.execute_sql(READ).fetchall()

    return call
