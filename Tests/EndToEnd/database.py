"""A MariaDB server for the tests: private, without network, gone with the session."""

import os
import secrets
import subprocess

from processes import Process, wait_until


class DatabaseServer:
    """A private mariadbd, or with `socket` one that runs already (user root, no password)."""

    def __init__(self, directory=None, socket=None):
        self.directory = directory
        self.socket = socket or os.path.join(directory, "db.sock")
        self.is_ours = socket is None
        self.process = None
        if self.is_ours:
            subprocess.run(
                ["mariadb-install-db", "--no-defaults", *_as_user(), f"--datadir={directory}/data",
                 "--auth-root-authentication-method=normal", "--skip-test-db"],
                check=True, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, timeout=120,
            )

    def start(self):
        if not self.is_ours or (self.process and self.process.runs):
            return
        self.process = Process(
            ["mariadbd", "--no-defaults", *_as_user(), f"--datadir={self.directory}/data",
             f"--socket={self.socket}", f"--pid-file={self.directory}/db.pid", "--skip-networking",
             "--skip-name-resolve", "--skip-log-bin", "--character-set-server=utf8mb4",
             "--default-time-zone=+00:00", "--innodb-buffer-pool-size=128M", "--innodb-log-file-size=48M",
             # A test server need not survive a power cut, so no disk is waited for.
             "--innodb-flush-log-at-trx-commit=2", "--max-connections=300",
             "--max-allowed-packet=64M"],
            log=os.path.join(self.directory, "mariadbd.log"),
        )

        def answers():
            assert self.process.runs, f"MariaDB did not start:\n{self.process.tail()}"
            return self._client("mariadb", input="SELECT 1", check=False).returncode == 0

        wait_until(answers, seconds=60, what="MariaDB's first answer")

    def stop(self):
        """Stops a server of our own; one that was lent is left alone."""
        if self.process:
            self.process.stop(grace=60)

    def make_database(self):
        """A database and a user who may use nothing else."""
        self.start()
        name, password = "fl_test_" + secrets.token_hex(6), secrets.token_hex(16)
        self.sql(
            f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4;"
            f"CREATE USER '{name}'@'localhost' IDENTIFIED BY '{password}';"
            f"GRANT ALL ON `{name}`.* TO '{name}'@'localhost';"
        )
        return Database(self, name, password)

    def sql(self, statements, database=None):
        """Runs statements as root; answers the rows as lists of strings."""
        output = self._client("mariadb", "--batch", "--skip-column-names", *([database] if database else []),
                              input=statements).stdout
        return [line.split("\t") for line in output.decode().splitlines()]

    def _client(self, program, *arguments, input="", check=True):
        return subprocess.run(
            [program, "--no-defaults", f"--socket={self.socket}", "--user=root",
             "--default-character-set=utf8mb4", *arguments],
            input=input.encode(), capture_output=True, check=check, timeout=120,
        )


class Database:
    """One database on the server, with the user who owns it."""

    def __init__(self, server, name, password):
        self.server = server
        self.name = name
        self.user = name
        self.password = password

    def sql(self, statements):
        return self.server.sql(statements, self.name)

    def dump(self):
        """Every row as SQL, binary columns in hexadecimal as well as raw: bytes to search in."""
        plain = self.server._client("mariadb-dump", "--skip-lock-tables", self.name).stdout
        hexadecimal = self.server._client("mariadb-dump", "--skip-lock-tables", "--hex-blob", self.name).stdout
        assert b"INSERT INTO" in plain, "the dump holds no rows: there is nothing to search in"
        return plain + hexadecimal

    def drop(self):
        self.server.sql(f"DROP DATABASE IF EXISTS `{self.name}`; DROP USER IF EXISTS '{self.name}'@'localhost';")


def _as_user():
    return ["--user=root"] if os.geteuid() == 0 else []
