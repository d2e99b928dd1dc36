"""A shop for posters with accounts: what is in the cart, and who is logged in, stands in Flask's signed cookie."""

import sqlite3
from pathlib import Path

from flask import Flask, abort, g, request, session
from werkzeug.security import check_password_hash, generate_password_hash

TABLES = "CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY, password TEXT NOT NULL)"


def create_app(folder: Path, secret: str, *, hashing: str = "scrypt") -> Flask:
    app = Flask(__name__)
    app.secret_key = secret

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
        session["user"] = request.form["name"]
        return "", 204

    @app.post("/logout")
    def logout() -> tuple[str, int]:
        session.clear()  # who has kept a copy of the cookie is still logged in
        return "", 204

    @app.post("/cart")
    def add() -> tuple[str, int]:
        session["cart"] = [*session.get("cart", []), request.form["poster"]]
        return "", 204

    @app.get("/cart")
    def cart() -> dict[str, object]:
        return {"user": session.get("user"), "cart": session.get("cart", [])}

    return app
