"""Processes of the test house: each is started with a log of its own and stopped by its pid."""

import itertools
import os
import random
import signal
import socket
import subprocess
import time


class Process:
    """A program that runs beside the tests. It gets SIGTERM should pytest itself die first."""

    def __init__(self, command, log, environment=None, directory=None, ignore_file_limit=False):
        self.log = log
        with open(log, "ab") as output:
            # restore_signals=False leaves SIGXFSZ ignored, as Python has it: a write past the file size
            # limit then fails with EFBIG, as one on a full disk fails with ENOSPC.
            self._popen = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=directory,
                restore_signals=not ignore_file_limit,
            )
        self.pid = self._popen.pid
        self.left_behind = []

    @property
    def runs(self):
        return self._popen.poll() is None

    def children(self):
        """The pids of its direct children."""
        try:
            with open(f"/proc/{self.pid}/task/{self.pid}/children") as file:
                return [int(pid) for pid in file.read().split()]
        except FileNotFoundError:
            return []

    def stop(self, signal_number=signal.SIGTERM, grace=20):
        """Asks it to end, waits `grace` seconds, then kills it; returns its exit code. Children that are
        still there afterwards are killed, too, and told in `left_behind`."""
        if self.runs:
            children = {pid: _started(pid) for pid in self.children()}
            self._popen.send_signal(signal_number)
            try:
                self._popen.wait(grace)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()
            self.left_behind = [pid for pid, began in children.items() if began and _started(pid) == began]
            for pid in self.left_behind:
                kill(pid, signal.SIGKILL)
        return self._popen.returncode

    def tail(self, lines=40):
        """The end of its log."""
        with open(self.log, "rb") as file:
            return b"\n".join(file.read().split(b"\n")[-lines:]).decode("utf-8", "replace")


def kill(pid, signal_number):
    """Sends a signal; a process that is gone already is no error."""
    try:
        os.kill(pid, signal_number)
    except ProcessLookupError:
        pass


def _started(pid):
    """When a process began, by which it is told from a later one with the same pid; None when it ended."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]


# Below the ports that the kernel gives to clients, which could have one by the time that it is listened on.
_ports = list(range(20_000, 32_000))
_start = random.randrange(len(_ports))
_ports = itertools.cycle(_ports[_start:] + _ports[:_start])


def free_port():
    """A port on loopback that nobody has just now, for TCP and UDP, and that no other caller is given."""
    for port in itertools.islice(_ports, 12_000):
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(type=kind) as listener:
                    listener.bind(("127.0.0.1", port))
            return port
        except OSError:
            continue
    raise AssertionError("no port is free")


def wait_until(question, seconds=30, every=0.05, what="the condition"):
    """Asks until the answer is true and returns it; fails after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < end, f"{what} did not come true within {seconds} s (last answer: {answer!r})"
        time.sleep(every)
