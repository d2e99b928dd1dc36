"""A database read by the server's own dump program: its tables and rows; what else there is we read ourselves."""

from __future__ import annotations

import os
import select
import shutil
import subprocess  # nosec B404 - the server's own program, by its path and with a list of arguments
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ....errors import BackupFailed
from ...interface import DatabaseFacts, DatabaseKind, Part, Report
from . import catalogue
from .catalogue import Catalogue, TableOf
from .parts import Counted, laid_out
from .scan import Scanner, Statement
from .session import LENIENT, MODE, Opened, opened, quoted
from .statements import framed
from .values import LISTED

if TYPE_CHECKING:
    from ...._sql.mysql_server import MysqlServer

_PROGRAMS: dict[DatabaseKind, tuple[str, ...]] = {"mariadb": ("mariadb-dump", "mysqldump"), "mysql": ("mysqldump",)}
_OPTIONS = (
    "--single-transaction",
    "--quick",
    "--hex-blob",
    "--complete-insert",
    "--skip-triggers",
    "--skip-lock-tables",
    "--skip-add-locks",
    "--skip-disable-keys",
    "--no-tablespaces",
    "--net-buffer-length=524288",
    "--max-allowed-packet=1G",
    "--default-character-set=utf8mb4",
)
# Seconds without a byte from the program; and for it to end once all is read, or it is told to.
_SILENT, _ENDING = 120.0, 30.0
_BLOCK = 256 * 1024
_TOLD = 600
_NO_LIMIT = 2**64 - 1
# What a dump program loses: a FLOAT is shown with six digits, a number -0 loses its sign, and a member of an ENUM that
# reads as another becomes that one.
_LOST = frozenset({"float", "double"}) | LISTED
_KEPT_CHARSETS = frozenset({"", "utf8mb4", "utf8mb3", "utf8", "ascii", "latin1"})


def program(kind: DatabaseKind) -> str | None:
    """The path of the dump program of this kind of server, where it is installed; not that of the other kind."""
    for name in _PROGRAMS[kind]:
        path = shutil.which(name)
        if path is not None and ("MariaDB" in _version(path)) == (kind == "mariadb"):
            return path
    return None


def loses(server: Opened, found: Catalogue) -> str:
    """What a dump program would not keep of a database, rows or values of a column, and why; empty if nothing."""
    ((limit,),) = server.rows("SELECT @@GLOBAL.sql_select_limit")
    if int(limit) < _NO_LIMIT:
        return f"sql_select_limit is {limit} for all sessions"
    if found.sequences:
        return "there are sequences"
    for table in found.tables:
        if table.history:
            return f"the history of {table.name}"
        for column in table.fields:
            if column.type in _LOST:
                return f"{table.name}.{column.name} is of type {column.type}"
            if column.charset not in _KEPT_CHARSETS:
                return f"{table.name}.{column.name} is in {column.charset}"
    return ""


class ToolDump:
    """A snapshot that the server's program reads, its output taken apart by tables."""

    def __init__(self, server: Opened, found: Catalogue, output: Output, report: Report) -> None:
        self._server = server
        self._found = found
        self._output = output
        self._counted = Counted(report)

    @property
    def facts(self) -> DatabaseFacts:
        """What it is; complete once :meth:`parts` were read."""
        return self._counted.facts(self._server, self._output.name)

    @property
    def notes(self) -> list[str]:
        """What somebody who restores it has to know."""
        return self._found.notes

    def parts(self) -> Iterator[Part]:
        """All of it, in the order in which it is restored."""
        yield from laid_out(self._found, self._table)
        self._output.finish()

    def _table(self, table: TableOf) -> Iterator[bytes]:
        if self._output.begun != table.name:
            raise BackupFailed(f"the dump program left out {table.name}{self._output.told()}")
        self._counted.begin(table)
        # MariaDB's program writes values of computed columns too, which are passed over where it is not strict.
        strict = not table.computed and not any(field.type in LISTED for field in table.fields)
        for statement in self._output.of_table():
            if statement.verb == "INSERT":
                self._counted.add(table, statement.rows)
                if table.revisions:
                    self._counted.revise(table, [text.decode() for text in statement.strings])
                if len(statement.text) >= self._server.packet:
                    raise BackupFailed(
                        f"a row of {table.name} is too large as the dump program writes it: let the dump be our own"
                    )
                yield framed(statement.text)
            elif statement.verb == "CREATE":
                yield framed(f"SET sql_mode = '{LENIENT}'".encode()) + framed(statement.text)
                yield framed(f"SET sql_mode = '{MODE if strict else LENIENT}'".encode())
            elif statement.verb == "DROP":
                yield framed(statement.text)


class Output:
    """What the program writes, and how it ended; ``begun``: the table whose part comes next."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes], tables: Sequence[str], name: str) -> None:
        self.name = name
        self.begun: str | None = None
        self._process = process
        self._errors = errors
        self._left = list(tables)
        self._scanner = Scanner(self._read)
        self._statements = iter(self._scanner)
        self._first: Statement | None = None

    def await_first(self) -> None:
        """Wait until the snapshot is open: the first table's part is written in it."""
        for _ in self._until_next():
            pass

    def of_table(self) -> Iterator[Statement]:
        """The statements of the table that was begun."""
        if self._first is not None:
            yield self._first
        yield from self._until_next()

    def finish(self) -> None:
        """See that the program wrote all and ended well; :class:`BackupFailed` with what it said otherwise."""
        for statement in self._statements:
            if statement.verb != "SET":
                raise BackupFailed("the dump program wrote more than was asked for")
        if self._ended() or self._left or b"Dump completed" not in self._scanner.said:
            raise self._failed()

    def end(self) -> None:
        """Kill it, if it runs."""
        self._process.kill()
        self._process.wait(_ENDING)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def told(self) -> str:
        """What it said of errors, to be put behind a message."""
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip()[-_TOLD:]
        return f": {said}" if said else ""

    def _ended(self) -> int:
        """The program's status; it has closed its output."""
        try:
            return self._process.wait(_ENDING)
        except subprocess.TimeoutExpired:
            raise BackupFailed(f"the dump program does not end{self.told()}") from None

    def _failed(self) -> BackupFailed:
        return BackupFailed(f"the dump program ended with status {self._process.returncode}{self.told()}")

    def _until_next(self) -> Iterator[Statement]:
        first, self._first = self._first, None
        following = f"DROP TABLE IF EXISTS {quoted(self._left[0])}".encode() if self._left else None
        self.begun = None
        for statement in self._statements:
            if statement.text == following:
                self.begun = self._left.pop(0)
                self._first = statement
                return
            if statement.verb not in ("SET", "CREATE", "INSERT") and first is not None:
                raise BackupFailed(f"the dump program wrote a statement that is not expected: {statement.verb}")
            yield statement
        if self._left:
            self.finish()

    def _read(self, size: int) -> bytes:
        stream = self._process.stdout
        if stream is None:
            return b""
        if not select.select([stream], [], [], _SILENT)[0]:
            raise BackupFailed(f"the dump program wrote nothing for {_SILENT:.0f} seconds{self.told()}")
        block = os.read(stream.fileno(), min(size, _BLOCK))
        if not block and self._ended():  # why it broke off is worth more than where
            raise self._failed()
        return block


@contextmanager
def tool_dump(place: MysqlServer, path: str, report: Report, workspace: Path) -> Iterator[ToolDump]:
    """The snapshot of ``place``'s database as of now, by the program at ``path``."""
    with opened(place) as server:
        found = catalogue.read(server)
    tables = [table.name for table in sorted(found.tables, key=lambda table: table.revisions)]
    with tempfile.TemporaryFile(dir=workspace) as options, tempfile.TemporaryFile(dir=workspace) as errors:
        # Of no name and for nobody else: nothing is left of the password, however this ends.
        options.write(option_file(place))
        options.flush()
        given = f"--defaults-file=/dev/fd/{options.fileno()}"
        process = subprocess.Popen(  # noqa: S603  # nosec B603 - a list of arguments, no shell
            [path, given, *_OPTIONS, "--", place.database, *tables],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            pass_fds=[options.fileno()],
        )
        output = Output(process, errors, tables, Path(path).name)
        try:
            output.await_first()
            with opened(place) as server:
                catalogue.refuse_changed(found, catalogue.read(server))
            yield ToolDump(server, found, output, report)
        finally:
            output.end()


def option_file(place: MysqlServer) -> bytes:
    """Where the server is and who asks, as its programs read it; verified by TLS, or plain, as the URL says."""
    lines = ["[client]", f"host={_value(place.host)}", f"port={place.port}", "protocol=tcp"]
    lines += [f"user={_value(place.user)}"] if place.user is not None else []
    lines += [f"password={_value(place.password or '')}"]
    if place.ca:
        lines += [f"ssl-ca={_value(place.ca)}", "loose-ssl-verify-server-cert", "loose-ssl-mode=VERIFY_IDENTITY"]
    else:
        lines += ["loose-skip-ssl", "loose-ssl-mode=DISABLED", "loose-get-server-public-key"]
    # MySQL's would set what it may not, or ask what is not there.
    lines += ["[mysqldump]", "loose-set-gtid-purged=OFF", "loose-column-statistics=0"]
    return ("\n".join(lines) + "\n").encode()


def _value(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return f'"{escaped}"'


def _version(path: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603  # nosec B603 - a list of arguments, no shell
            [path, "--no-defaults", "--version"], capture_output=True, timeout=_ENDING, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")
