"""Does a small real thing with one extra, as ``extras.sh`` asks where it is alone: extras.py EXTRA [without]

``without`` does the same where the extra is missing: the error then has to name what to install.
"""

from __future__ import annotations

import runpy
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from pathlib import Path

from postrmagic_core.errors import MissingExtra

ROOT = Path(__file__).parents[1]


def adapters(extra: str) -> str:
    """Each scheme that needs the extra finds its adapter, which does what its kind asks."""
    from postrmagic_core.registry import KINDS, Registry

    needing = {(kind.name, scheme) for kind in KINDS for scheme, needs in kind.extras.items() if needs == extra}
    found = [plugin for plugin in Registry().plugins() if (plugin.kind, plugin.scheme) in needing]
    for plugin in found:
        if plugin.state == "missing extra":
            raise MissingExtra(plugin.reason)
        assert plugin.state == "usable", plugin
    assert found, f"no scheme needs {extra}"
    return ", ".join(sorted(f"{plugin.kind} {plugin.scheme}" for plugin in found))


def framework(name: str) -> str:
    """An application of the framework's own, with a pipeline put into it."""
    from postrmagic_core.middleware import Pipeline
    from postrmagic_core.middleware.errors import errors

    if name == "django":
        import_module("postrmagic_core.integrations.django")
        runpy.run_path(str(ROOT / "examples" / "integrations" / "django_app.py"), run_name="example")
        return "the example's application is made"
    integration = import_module(f"postrmagic_core.integrations.{name}")
    try:
        module, made = {"starlette": "Starlette", "fastapi": "FastAPI", "flask": "Flask"}[name], import_module(name)
    except ModuleNotFoundError:
        app = None  # who has none is told as well
    else:
        app = getattr(made, module, None) or import_module("starlette.applications").Starlette
        app = app("extras") if name == "flask" else app()
    if app is None and name == "starlette":
        integration.routes(None)  # install() needs nothing of it
    installed = integration.install(app, Pipeline([errors()]))
    assert installed is app is not None
    return f"a pipeline is put into {type(app).__name__}"


def metrics() -> str:
    """A counter as Prometheus reads it."""
    from postrmagic_core._metrics import Metrics
    from postrmagic_core.observability.metrics.hub import MetricsHub
    from postrmagic_core.stores import open_store

    counted = Metrics()
    counted.counter("things_total").add(3)
    store = open_store("memory://")
    with closing(store), MetricsHub(counted, store, namespace="extras", service="extras") as hub:
        body = hub.render().body.decode()
    assert "things_total" in body, body
    return f"{len(body)} bytes of exposition"


def dashboard() -> str:
    """Its templates, each compiled."""
    from postrmagic_core.observability.dashboard.rendering import environment

    names = [name for name in environment().list_templates() if name.endswith(".html")]
    assert [environment().get_template(name) for name in names]
    return f"{len(names)} templates"


def otel() -> str:
    """A recorder of spans, opened and closed."""
    from postrmagic_core.observability.traces.manager import Tracing

    with Tracing("extras", endpoint="http://127.0.0.1:9/v1/traces", share=0.0):
        pass
    return "a recorder opens and closes"


def sentry() -> str:
    """Its reader of addresses."""
    from postrmagic_core.observability.sentry import _check

    _check("https://key@sentry.example/1")
    return "a DSN is read"


def analysis() -> str:
    """A statement with its placeholders found."""
    from postrmagic_core.database.analysis.sqltext import parser_of, placeholders

    parser_of("mysql")
    assert placeholders("SELECT '?' FROM t WHERE a = ?", "mysql") == [28]
    return "a statement is read"


def images() -> str:
    """A picture, decoded in its bounded process."""
    from postrmagic_core.validation import ImagePolicy, inspect
    from postrmagic_core.validation._decoder_process import _packages

    _packages()  # a picture is made by what may be missing
    from PIL import Image

    Image.new("RGB", (8, 6)).save("one.png")
    found = inspect(Path("one.png"), ImagePolicy())
    assert (found.width, found.height) == (8, 6)
    return "a picture is decoded"


def forms() -> str:
    """A form of two fields."""
    from postrmagic_core.validation.interface import InputLimits
    from postrmagic_core.validation.multipart import FormReader, PartLimits

    reader = FormReader("b", lambda _: None, None, limits=InputLimits(), parts=PartLimits())
    head = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    reader.feed(head % (b"one", b"1") + head % (b"two", b"2") + b"--b--\r\n")
    reader.end()
    assert reader.judge() == [("one", "1"), ("two", "2")]
    return "a form is read"


def security() -> str:
    """A password, the address of a second factor with its code, and a signature."""
    from postrmagic_core._metrics import Metrics
    from postrmagic_core.security.factors.policy import TotpPolicy, base32, uri
    from postrmagic_core.security.factors.qr import svg
    from postrmagic_core.security.passwords.common import COMMON
    from postrmagic_core.security.passwords.hashing import Hashing
    from postrmagic_core.security.passwords.policy import Argon2Cost
    from postrmagic_core.security.signed_tokens import SigningKey

    assert svg(uri(base32(b"0123456789abcdefghij"), "ada", "extras", TotpPolicy()), "a code").startswith("<svg ")
    assert "password1" in COMMON
    hashing = Hashing(Argon2Cost(), None, (), Metrics())
    assert hashing.verify("a horse", hashing.hash("a horse"))
    assert SigningKey.from_secret("0123456789abcdef0123456789abcdef").algorithm == "HS256"
    return "a password is hashed, a code drawn, a key read"


def server() -> str:
    """An application, served and ended."""
    Path("extras_app.py").write_text("async def app(scope, receive, send):\n    pass\n")
    command = [sys.executable, "-m", "postrmagic_core.cli", "serve", "extras_app:app", "--uds", "place.sock"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        try:
            for _ in range(600):
                with socket.socket(socket.AF_UNIX) as peer:
                    if child.poll() is not None or peer.connect_ex("place.sock") == 0:
                        break
                time.sleep(0.1)
            child.send_signal(signal.SIGTERM)
            _, said = child.communicate(timeout=60)
        finally:
            child.kill()
    if "postrmagic-core[server]" in said:
        raise MissingExtra(said)
    assert child.returncode == 0, said
    return "an application is served"


def testing() -> str:
    """Pytest with the plugin that the package installs, and the contracts as a command runs them."""
    command = [sys.executable, "-m", "postrmagic_core.cli", "contract", "memory://", "--face", "sync"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if "postrmagic-core[testing]" in done.stderr:
        raise MissingExtra(done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    Path("test_one.py").write_text("def test_it(frozen_clock):\n    assert frozen_clock.monotonic() is not None\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return "a store holds its contract; a test has its fixture"


def demo() -> str:
    """The reference application, as a server finds it."""
    sys.path.insert(0, str(ROOT / "examples"))
    import_module("media_library.asgi")
    return "the media library is imported"


THINGS: dict[str, Callable[[], str]] = {
    **{name: (lambda name=name: adapters(name)) for name in ("mysql", "redis", "rabbitmq")},
    **{name: (lambda name=name: framework(name)) for name in ("starlette", "fastapi", "flask", "django")},
    **{each.__name__: each for each in (metrics, dashboard, otel, sentry, analysis, images, forms, security, server)},
    "testing": testing,
    "demo": demo,
}


def everything() -> str:
    """What each extra that ``all`` names is for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (line,) = project["optional-dependencies"]["all"]
    names = line.partition("[")[2].rstrip("]").split(",")
    for name in names:
        THINGS[name]()
    return f"{len(names)} extras together"


def main(extra: str, has_it: bool) -> str:
    """What was done, or what was missed as it must be; anything else ends with an error."""
    if has_it:
        return everything() if extra == "all" else THINGS[extra]()
    if extra in {"all", "demo"}:
        return "it is other extras"
    try:
        done = THINGS[extra]()
    except MissingExtra as error:
        assert f"pip install 'postrmagic-core[{extra}]'" in str(error), error
        return f"missed: {error}"
    raise AssertionError(f"nothing of {extra} was missed: {done}")


if __name__ == "__main__":
    print(main(sys.argv[1], "without" not in sys.argv[2:]))
