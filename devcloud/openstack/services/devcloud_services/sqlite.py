"""SQLite that many threads can write to, and fast enough for Neutron.

In WAL mode readers and one writer go on together, but a transaction that reads first and writes later
fails at once with "database is locked" (SQLITE_BUSY_SNAPSHOT), which no time-out helps. So writer
transactions of oslo.db's enginefacade begin IMMEDIATE, that is they queue for the lock before they
read; readers begin as ever. What is left is told as DBDeadlock, which the services try again.

oslo.db opens the file anew for each transaction, and SQLite reads the whole schema each time: that was
a third of Neutron's time. Here connections are kept.
"""

import contextlib
import sqlite3
from pathlib import Path

OPTION = "devcloud_writes"
IN_TRANSACTION = "in_transaction"  # oslo.db's own mark on a connection
KEPT_CONNECTIONS = 16


def create_database(path):
    """Make an empty database, in place of one that may be half filled; WAL mode stays in the file."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def change_oslo_db():
    """Change oslo.db as told above, before any service uses it."""
    _queue_writers()
    _tell_locked_as_deadlock()
    _keep_connections()


def _queue_writers():
    import sqlalchemy
    from oslo_db.sqlalchemy import enginefacade

    factory = enginefacade._TransactionFactory
    create_session, create_connection = factory._create_session, factory._create_connection

    def writer(self):
        if not self._started:
            self._start()
        return self._writer_engine.execution_options(**{OPTION: True})

    def create_writer_session(self, mode, bind=None):
        if bind is None and mode is enginefacade._WRITER:
            bind = writer(self)
        return create_session(self, mode, bind)

    def create_writer_connection(self, mode):
        return writer(self).connect() if mode is enginefacade._WRITER else create_connection(self, mode)

    factory._create_session = create_writer_session
    factory._create_connection = create_writer_connection

    # On the class, and so before oslo.db's own listener, which begins a deferred transaction.
    @sqlalchemy.event.listens_for(sqlalchemy.engine.Engine, "begin")
    def begin_immediate(connection):
        if (
            connection.dialect.name == "sqlite"
            and connection.get_execution_options().get(OPTION)
            and IN_TRANSACTION not in connection.info
        ):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            connection.info[IN_TRANSACTION] = True


def _tell_locked_as_deadlock():
    import sqlalchemy
    from oslo_db import exception
    from oslo_db.sqlalchemy import exc_filters

    @exc_filters.filters("sqlite", sqlalchemy.exc.OperationalError, r".*database is locked")
    def tell_as_deadlock(error, match, engine_name, is_disconnect):
        raise exception.DBDeadlock(error)


def _keep_connections():
    import sqlalchemy
    from oslo_db.sqlalchemy import engines

    # Called after oslo.db's own function for SQLite, which asks for no pool.
    @engines._init_connection_args.dispatch_for("sqlite")
    def use_pool(url, engine_args, kw):
        engine_args.update(poolclass=sqlalchemy.pool.QueuePool, pool_size=KEPT_CONNECTIONS, max_overflow=-1)

    # A connection that comes back in the middle of a transaction is rolled back without the event that
    # removes the mark; kept connections must not carry it to their next user.
    @sqlalchemy.event.listens_for(sqlalchemy.pool.Pool, "checkin")
    def forget_transaction(dbapi_connection, record):
        record.info.pop(IN_TRANSACTION, None)
