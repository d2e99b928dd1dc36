"""Private servers for tests: started in about a second, killed and paused at will, gone with the test run.

A URL in the environment wins over a private server in the fixtures: :data:`REDIS_VARIABLE`,
:data:`MARIADB_VARIABLE`, :data:`MYSQL_VARIABLE`, :data:`RABBITMQ_VARIABLE`. ``POSTRMAGIC_TEST_VALKEY``: path of a
``valkey-server``.
"""

from ._process import MissingServer, ServerProcess, free_port
from .mariadb import MariaDBServer
from .mysql import MySQLServer
from .rabbitmq import RabbitMQServer
from .redis import RedisServer, ValkeyServer
from .require import MARIADB_VARIABLE, MYSQL_VARIABLE, RABBITMQ_VARIABLE, REDIS_VARIABLE, require
from .sentinel import SentinelServer

__all__ = [
    "RedisServer",
    "ValkeyServer",
    "SentinelServer",
    "MariaDBServer",
    "MySQLServer",
    "RabbitMQServer",
    "ServerProcess",
    "MissingServer",
    "free_port",
    "require",
    "REDIS_VARIABLE",
    "MARIADB_VARIABLE",
    "MYSQL_VARIABLE",
    "RABBITMQ_VARIABLE",
]
