"""SQLite that many threads can write to.

In WAL mode readers and one writer go on together, but a transaction that reads first and writes later
fails at once with "database is locked" (SQLITE_BUSY_SNAPSHOT), which no time-out helps. So writer
transactions of oslo.db's enginefacade begin IMMEDIATE, that is they queue for the lock before they
read; readers begin as ever. What is left is told as DBDeadlock, which the services try again.
"""

import contextlib
import sqlite3

OPTION = "devcloud_writes"


def set_wal(path):
    """Set the journal mode; it stays in the file."""
    with contextlib.closing(sqlite3.connect(path, timeout=60)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def queue_writers():
    """Change oslo.db, before any service uses it."""
    import sqlalchemy
    from oslo_db import exception
    from oslo_db.sqlalchemy import enginefacade, exc_filters

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
            and "in_transaction" not in connection.info
        ):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            connection.info["in_transaction"] = True

    @exc_filters.filters("sqlite", sqlalchemy.exc.OperationalError, r".*database is locked")
    def tell_as_deadlock(error, match, engine_name, is_disconnect):
        raise exception.DBDeadlock(error)
