"""The server of the application's database: whether it answers, keeps what it acknowledged, and has room for us."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from ...errors import BackendTimeout, BackendUnavailable, ConfigurationError, PostrMagicError, translating
from .interface import Finding, Patient, advice, graver, ok, problem, unknown
from .places import local
from .read_only import TIMEOUTS, backend_of

if TYPE_CHECKING:
    from ..._sql.mysql_server import MysqlServer

_PAGE = "how-to/find-out-what-is-wrong.md#database"
_POOLS = "how-to/choose-pool-limits.md#set-them"
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_MARIADB = (10, 6, 0)
_MYSQL = (8, 0, 0)
# Where db.write() need not lock what it reads, by release series.
_SNAPSHOTS = {(10, 6): 18, (10, 11): 8}
_PACKET = 16 * 1024**2
# Connections that a person who repairs it, backups and migrations need beside the pools.
_SPARE = 5
# A web process and a worker.
_FEWEST = 2
# Seconds between two clocks: what is noticed, and half of what one-time codes and short tokens are good for.
_NEAR, _FAR = 1.0, 30.0
_WANTED = (
    "version",
    "innodb_flush_log_at_trx_commit",
    "innodb_doublewrite",
    "sync_binlog",
    "log_bin",
    "read_only",
    "super_read_only",
    "max_connections",
    "max_allowed_packet",
    "innodb_snapshot_isolation",
)

Variables = Mapping[str, str]


def look(patient: Patient) -> Iterator[Finding]:
    """MySQL and MariaDB; other adapters are asked for a connection, and no more."""
    url = patient.settings.database_url()
    scheme = url.partition(":")[0]
    if scheme.startswith("sqlite"):
        yield ok("the database is a file: see files")
    elif scheme.startswith(("mysql", "mariadb")):
        yield from _mysql(patient, url)
    else:
        yield from _other(url, scheme)


def _other(url: str, scheme: str) -> Iterator[Finding]:
    try:
        backend = backend_of(url)
        try:
            backend.engine("read").connect().close()
        finally:
            backend.dispose()
    except PostrMagicError as error:
        yield problem(f"the database ({scheme}) does not answer: {error}", "look at POSTRMAGIC_DATABASE__URL")
    else:
        yield ok(f"the database ({scheme}) answers")


def _mysql(patient: Patient, url: str) -> Iterator[Finding]:
    from ..._sql.mysql_server import MysqlServer

    try:
        there = MysqlServer.from_url(url)
    except ConfigurationError as error:
        yield problem(f"database.url: {error}", "correct POSTRMAGIC_DATABASE__URL", "reference/settings.md")
        return
    name = there.url(secret=False)
    try:
        yield from _asked(there, name, patient)
    except ConfigurationError as error:
        yield problem(f"database.url: {error}", "correct POSTRMAGIC_DATABASE__URL", "reference/settings.md")
    except (BackendUnavailable, BackendTimeout) as error:
        yield problem(
            f"{name} does not answer: {error}",
            f"from here, `mysqladmin -h {there.host} -P {there.port} ping`: is the server up, and its port open to us?",
            _PAGE,
        )
    except PostrMagicError as error:
        yield problem(f"{name} refuses us: {error}", "look at user, password and database of POSTRMAGIC_DATABASE__URL")


def _asked(there: MysqlServer, name: str, patient: Patient) -> Iterator[Finding]:
    from ..._sql.mysql_connection import ServerConnection
    from ..._sql.mysql_errors import ours

    began = time.monotonic()
    try:
        connection = there.connect(ServerConnection, TIMEOUTS)
    except PostrMagicError:
        raise
    except Exception as error:  # the driver takes apart what it reads, whatever it is
        yield problem(
            f"what answers at {there.host}:{there.port} is no MySQL and no MariaDB ({type(error).__name__})",
            "look at host and port of POSTRMAGIC_DATABASE__URL",
            _PAGE,
        )
        return
    took = time.monotonic() - began
    with closing(connection), translating(ours):
        variables = asked(connection)
        inside = list(_inside(connection, there.database, patient))
    yield ok(f"{name} answers in {took * 1000:.0f} ms: {variables.get('version', 'of unknown version')}")
    yield from encrypted(there.host, there.ca, patient.production)
    yield from judged(variables, patient)
    yield from inside


def asked(connection: Any) -> dict[str, str]:
    """The server's global variables that matter here, in small letters."""
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({', '.join(['%s'] * len(_WANTED))})", _WANTED)
        return {str(name).lower(): str(value) for name, value in cursor.fetchall()}


def encrypted(host: str, ca: str, production: bool) -> Iterator[Finding]:
    """Whether passwords and rows pass other machines in clear."""
    if not ca and not local(host):
        yield graver(
            production,
            f"what passes between here and {host} is not encrypted",
            "?ssl_ca=/path/to/ca.pem at the end of POSTRMAGIC_DATABASE__URL",
            "reference/settings.md",
        )


def judged(variables: Variables, patient: Patient) -> Iterator[Finding]:
    """Version, durability, writing, connections."""
    yield from version(variables.get("version", ""))
    yield from durable(variables, patient.production)
    if any(variables.get(name, "").upper() in ("ON", "1") for name in ("read_only", "super_read_only")):
        yield problem(
            "the server takes no writes (read_only): it is a replica, or is being repaired",
            "name the primary in POSTRMAGIC_DATABASE__URL",
            _PAGE,
        )
    yield from connections(variables, patient)
    packet = int(variables.get("max_allowed_packet", _PACKET))
    if packet < _PACKET:
        yield advice(
            f"max_allowed_packet is {packet} bytes: greater values, and long statements, are refused",
            "max_allowed_packet=16M or more",
            _PAGE,
        )


def version(text: str) -> Iterator[Finding]:
    """Whether the package is known to work with it, and how it keeps updates from being lost."""
    found = _VERSION.match(text)
    if found is None:
        yield unknown(f"the server's version is not understood: {text[:60]!r}")
        return
    number = tuple(map(int, found.groups()))
    is_mariadb = "mariadb" in text.lower()
    oldest = _MARIADB if is_mariadb else _MYSQL
    if number < oldest:
        yield problem(
            f"{'MariaDB' if is_mariadb else 'MySQL'} {found[0]} is too old: it cannot skip rows that are locked",
            f"{'MariaDB' if is_mariadb else 'MySQL'} {'.'.join(map(str, oldest[:2]))} or later",
            _PAGE,
        )
    elif is_mariadb and not snapshots(number):
        yield advice(
            f"MariaDB {found[0]} has no snapshot isolation: units that write lock all that they read",
            "MariaDB 10.6.18, 10.11.8, 11.4 or later",
            _PAGE,
        )


def snapshots(number: tuple[int, ...]) -> bool:
    """Whether a MariaDB of this version has ``innodb_snapshot_isolation``."""
    series = number[:2]
    return number >= (11, 4) or (series in _SNAPSHOTS and number[2] >= _SNAPSHOTS[(series[0], series[1])])


def durable(variables: Variables, production: bool) -> Iterator[Finding]:
    """Whether an acknowledged commit survives the machine's end."""
    wrong = False
    flush = variables.get("innodb_flush_log_at_trx_commit", "1")
    if flush != "1":
        wrong = True
        lost = (
            "a second of acknowledged commits, also when the server alone ends"
            if flush == "0"
            else ("a second of acknowledged commits when the machine ends")
        )
        yield graver(
            production,
            f"innodb_flush_log_at_trx_commit is {flush}: it loses {lost}",
            "innodb_flush_log_at_trx_commit=1 in the server's configuration",
            _PAGE,
        )
    if variables.get("innodb_doublewrite", "ON").upper() in ("OFF", "0"):
        wrong = True
        yield graver(
            production,
            "innodb_doublewrite is off: a page that is half written when the machine ends is lost, with its table",
            "innodb_doublewrite=ON, unless the file system writes pages as a whole",
            _PAGE,
        )
    if variables.get("log_bin", "OFF").upper() in ("ON", "1") and variables.get("sync_binlog", "1") != "1":
        yield advice(
            f"sync_binlog is {variables['sync_binlog']}: replicas may lack commits, or have ones that the server lost",
            "sync_binlog=1 in the server's configuration",
            _PAGE,
        )
    if not wrong:
        yield ok("a commit that was acknowledged survives the machine's end")


def connections(variables: Variables, patient: Patient) -> Iterator[Finding]:
    """How many processes of ours fit into what the server admits."""
    room = patient.settings.database
    each, most = 2 * (room.pool_size + room.pool_overflow), int(variables.get("max_connections", 0))
    if not most:
        return
    fit = max(0, most - _SPARE) // each
    found = f"max_connections is {most}, and a process of ours opens {each} at the most: {fit} fit"
    if fit < _FEWEST:
        yield problem(
            found,
            "raise max_connections, or lower POSTRMAGIC_DATABASE__POOL_SIZE and …__POOL_OVERFLOW",
            _POOLS,
        )
    else:
        yield ok(found)


def _inside(connection: Any, database: str, patient: Patient) -> Iterator[Finding]:
    """The database itself, and the server's clock."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW GRANTS FOR CURRENT_USER")
        yield from rights([str(line) for (line,) in cursor.fetchall()], patient.production)
        cursor.execute(
            "SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = %s", (database,)
        )
        row = cursor.fetchone()
        yield from charset(database, None if row is None else str(row[0]))
        cursor.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = %s AND table_type = 'BASE TABLE' "
            "AND engine <> 'InnoDB' ORDER BY 1 LIMIT 5",
            (database,),
        )
        others = [str(name) for (name,) in cursor.fetchall()]
        before = patient.clock.now_us()
        cursor.execute("SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))")
        row = cursor.fetchone()
        after = patient.clock.now_us()
    if others:
        yield problem(
            f"without transactions: {', '.join(others)}",
            "; ".join(f"ALTER TABLE `{name.replace('`', '``')}` ENGINE=InnoDB" for name in others),
            _PAGE,
        )
    yield from skew("the database's server", (int(row[0]) - (before + after) / 2) / 1e6, (after - before) / 2e6)


def rights(grants: Sequence[str], production: bool) -> Iterator[Finding]:
    """What the user may do, by what ``SHOW GRANTS`` says; that has hashes of passwords in it, and is not shown."""
    given = [grant.partition(" ON ")[0].upper() + " ON " + grant.partition(" ON ")[2] for grant in grants]
    if not any("ALL PRIVILEGES" in grant or "INSERT" in grant.partition(" ON ")[0] for grant in given):
        yield problem(
            "the database's user may not write", "GRANT ALL PRIVILEGES ON `the database`.* TO it, on the server", _PAGE
        )
    if production and any("ALL PRIVILEGES ON *.*" in grant for grant in given):
        yield advice(
            "the database's user may do everything on the server, in every database",
            "a user of the application's own, with ALL PRIVILEGES on its database",
            _PAGE,
        )


def charset(database: str, name: str | None) -> Iterator[Finding]:
    """Whether new tables hold every character."""
    if name is not None and name != "utf8mb4":
        yield problem(
            f"the database's character set is {name}: new tables refuse, or change, characters that it lacks",
            f"ALTER DATABASE `{database}` CHARACTER SET utf8mb4, and CONVERT the tables there are",
            "how-to/migrate-your-schema.md",
        )


def skew(whose: str, ahead: float, doubt: float) -> Iterator[Finding]:
    """How far a server's clock is from ours, in seconds, known to ``doubt``."""
    off = abs(ahead)
    if off - doubt > _NEAR:
        yield graver(
            off - doubt > _FAR,
            f"the clock of {whose} is {off:.1f} s {'ahead of' if ahead > 0 else 'behind'} ours",
            "let NTP keep both: `timedatectl set-ntp true`",
        )
