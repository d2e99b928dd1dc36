"""A shop for posters with accounts: sessions are in a store, and the cookie is a random name for one."""

import sqlite3
from pathlib import Path

from flask import Flask, abort, g, request
from werkzeug.security import check_password_hash, generate_password_hash

from .visits import Visit, session, use_sessions

TABLES = "CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY, password TEXT NOT NULL)"


def create_app(folder: Path, secret: str, store: str = "", *, hashing: str = "scrypt") -> Flask:
    app = Flask(__name__)
    sessions = use_sessions(app, store or f"sqlite:///{folder.absolute()}/sessions.db", secret)

    def database() -> sqlite3.Connection:
        if "database" not in g:
            g.database = sqlite3.connect(folder / "shop.db")
            g.database.execute(TABLES)
        return g.database  # type: ignore[no-any-return]  # flask.g has no types

    @app.teardown_appcontext
    def close(_: BaseException | None) -> None:
        if "database" in g:
            g.pop("database").close()

    @app.post("/users")
    def join() -> tuple[str, int]:
        row = request.form["name"], generate_password_hash(request.form["password"], hashing)
        with database() as connection:
            connection.execute("INSERT INTO users VALUES (?, ?)", row)
        return "", 204

    @app.post("/login")
    def login() -> tuple[str, int]:
        found = database().execute("SELECT password FROM users WHERE name = ?", (request.form["name"],)).fetchone()
        if found is None or not check_password_hash(found[0], request.form["password"]):
            abort(403)
        session().login(request.form["name"])
        return "", 204

    @app.post("/logout")
    def logout() -> tuple[str, int]:
        session().logout()
        return "", 204

    @app.post("/logout-everywhere")
    def logout_everywhere() -> tuple[str, int]:
        if (user := session().user_id) is not None:
            sessions.revoke_all(user)
        return "", 204

    @app.post("/cart")
    def add() -> tuple[str, int]:
        session().data.cart.append(request.form["poster"])
        return "", 204

    @app.get("/cart")
    def cart() -> dict[str, object]:
        visit: Visit = session().data
        return {"user": session().user_id, "cart": visit.cart}

    return app
