"""Processes that are killed, a database that goes away, a disk that is full: no click may be lost by it."""

import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

from actors import at_once, ok, page, problem, redirects, statuses
from load import Load, assert_each_counted_once
from processes import kill, wait_until


def test_killed_responders_lose_no_click_and_come_back(new_house):
    house = new_house(processes=2)
    anna = house.account("Anna")
    links = [anna.link("https://example.org/1"), anna.link("https://example.org/2")]
    first = house.responder.children()
    assert len(first) >= 2, "the responder has no children to kill"
    with Load(house, links) as load:
        load.wait_for(100)
        for round_number in range(8):
            children = house.responder.children()
            assert children, "nobody is left to answer"
            victims = children if round_number % 4 == 3 else children[round_number % len(children):][:1]
            for pid in victims:
                kill(pid, signal.SIGKILL)
            wait_until(lambda: len(house.responder.children()) >= len(first)
                       and not set(victims) & set(house.responder.children()),
                       what="new children")
            load.wait_for(60)
    assert house.responder.runs
    assert not set(first) & set(house.responder.children()), "not every child was killed once"
    assert load.other.keys() <= {502, 503, 504}, load.other
    assert sum(load.other.values()) < load.count / 2, f"{load.other} beside {load.count} redirects"
    assert_each_counted_once(anna, load)


def test_the_whole_responder_killed_and_started_anew_loses_nothing(new_house):
    house = new_house(processes=2)
    anna = house.account("Anna")
    link = anna.link("https://example.org/")
    with Load(house, [link]) as load:
        load.wait_for(200)
        children = house.responder.children()
        kill(house.responder.pid, signal.SIGKILL)
        for pid in children:
            kill(pid, signal.SIGKILL)
        house.responder.stop()
        time.sleep(0.3)
        assert page_of_nginx(house)
        # The socket's file of the dead one must be no obstacle.
        house.start_responder()
        load.wait_for(100)
    assert_each_counted_once(anna, load)


def page_of_nginx(house):
    answer = house.nobody().get("/api/plans")
    body = problem(answer, 503)
    return int(answer.headers["Retry-After"]) >= 1 and body["code"]


def test_a_stop_finishes_what_is_in_flight(new_house):
    house = new_house(processes=2)
    anna = house.account("Anna")
    link = anna.link("https://example.org/")
    with Load(house, [link]) as load:
        load.wait_for(200)
        begin = time.monotonic()
        assert house.responder.stop(signal.SIGTERM, grace=30) == 0, house.responder.tail()
        assert time.monotonic() - begin < 20
        assert not house.responder.left_behind, "children outlived the responder"
    house.start_responder()
    assert_each_counted_once(anna, load)
    # Nothing but nginx's own answer for an upstream that is gone: nobody was cut off in the middle.
    assert load.other.keys() <= {502, 503, 504}, load.other


def test_redirects_go_on_while_the_database_is_away(own_database_server, new_house):
    # One process: another one would rightly answer 503 for a link that it was never asked for.
    house = new_house(server=own_database_server, processes=1)
    anna = house.account("Anna")
    links = [anna.link(f"https://example.org/{number}") for number in range(3)]
    cold = anna.link("https://example.org/cold")
    visitor = house.visitor()
    for link in links:
        redirects(visitor.get("/" + link["shortCode"], headers={"Referer": "https://n0.load.example/"}))
        assert anna.sees_clicks(link, 1)["totalClicks"] == 1
    with Load(house, links) as load:
        load.wait_for(200)
        before = load.count
        own_database_server.stop()
        load.wait_for(300)
        assert not load.other, f"redirects failed while the database was away: {load.other}"

        for _ in range(3):
            answer = anna.get("/api/links", fresh=True)
            problem(answer, 503)
            assert int(answer.headers["Retry-After"]) >= 1
            answer = visitor.get("/" + cold["shortCode"], fresh=True)
            page(answer, 503)
            assert int(answer.headers["Retry-After"]) >= 1
            health = house.nobody().get("/health", fresh=True)
            assert health.status_code == 503, health.text
            assert house.nobody().post("/api/auth/login", anna.credentials()).status_code == 503
        load.wait_for(100)

        own_database_server.start()
        wait_until(lambda: anna.get("/api/links").status_code == 200, what="the API's recovery")
        wait_until(lambda: house.nobody().get("/health").status_code == 200, what="a good /health")
        redirects(visitor.get("/" + cold["shortCode"]), to="https://example.org/cold")
        load.wait_for(100)
        assert not load.other, load.other
        assert load.count - before > 500
    for link in links:
        total = len(load.received[link["shortCode"]]) + 1
        stats = anna.sees_clicks(link, total, seconds=40)
        assert stats["totalClicks"] == total
    answers = at_once(20, lambda _: anna.get("/api/links", fresh=True))
    assert statuses(answers) == {200: 20}, "some process still has a dead connection"


def test_a_restarted_database_is_not_noticed_for_long(own_database_server, new_house):
    house = new_house(server=own_database_server)
    anna = house.account("Anna")
    for _ in range(3):
        own_database_server.stop()
        own_database_server.start()
        # Idle connections are dead now: outside a transaction a request is tried once more by itself.
        answers = at_once(8, lambda _: anna.get("/api/links", fresh=True))
        assert statuses(answers) == {200: 8}, statuses(answers)
        anna.link()
    assert ok(anna.get("/api/links"))["total"] == 3


def test_a_full_disk_stops_no_redirect_and_is_told(new_house):
    """A small file system where mounting is allowed; else a file size limit, which fails like one."""
    house = new_house(processes=1, ignore_file_limit=True)
    disk = FullDisk(house)
    try:
        anna = house.account("Anna")
        link = anna.link("https://example.org/full")
        visitor = house.visitor()
        redirects(visitor.get("/" + link["shortCode"]))
        anna.sees_clicks(link, 1)

        disk.fill()
        for _ in range(400):
            redirects(visitor.get("/" + link["shortCode"]), to="https://example.org/full")
        told = wait_until(lambda: told_of_loss(house), what="a word about lost clicks")
        assert told
        assert house.responder.runs

        disk.free()
        before = anna.stats(link)["totalClicks"]
        for _ in range(10):
            redirects(visitor.get("/" + link["shortCode"]))
        anna.sees_clicks(link, before + 10)
    finally:
        house.stop()
        disk.free()


def told_of_loss(house):
    health = house.nobody().get("/health").json()
    lost = [value for name, value in health.items() if "lost" in name.lower()]
    lines = [line for line in house.log().splitlines() if "click" in line.lower() and
             any(word in line.lower() for word in ("lost", "spool", "no space", "too large"))]
    return any(lost) or lines


class FullDisk:
    """Makes the responders' writes below the spool directory fail, and lets them through again."""

    def __init__(self, house):
        self.house = house
        self.spool = os.path.join(house.state, "spool")
        self.is_mounted = False
        assert os.path.isdir(self.spool), f"no spool directory in {os.listdir(house.state)}"
        # The file system has to be there before the spool's files are opened.
        if os.geteuid() == 0 and shutil.which("mount"):
            house.responder.stop()
            self.is_mounted = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", self.spool],
                capture_output=True).returncode == 0
            house.start_responder()
            wait_until(lambda: house.nobody().get("/health").status_code == 200, what="the restart")

    def fill(self):
        if self.is_mounted:
            with open(os.path.join(self.spool, ".ballast"), "wb", buffering=0) as file:
                for size in (65536, 4096, 512, 1):
                    try:
                        while True:
                            file.write(b"x" * size)
                    except OSError:
                        continue
        else:
            self._limit("1")

    def free(self):
        if self.is_mounted:
            ballast = os.path.join(self.spool, ".ballast")
            if os.path.exists(ballast):
                os.unlink(ballast)
            if not self.house.responder.runs:
                subprocess.run(["umount", self.spool], check=True)
                self.is_mounted = False
        else:
            self._limit("unlimited")

    def _limit(self, size):
        for pid in [self.house.responder.pid, *self.house.responder.children()]:
            subprocess.run(["prlimit", f"--fsize={size}:unlimited", f"--pid={pid}"], check=False)


@pytest.mark.parametrize("processes", [1, 4])
def test_a_slow_client_keeps_nobody_waiting(new_house, processes):
    """Forty clients that send half a request each: the workers must not wait for them."""
    house = new_house(processes=processes, threads=2)
    anna = house.account("Anna")
    link = anna.link("https://example.org/")
    slow = []
    try:
        for _ in range(40):
            connection = socket.create_connection(("127.0.0.1", house.port), timeout=10)
            connection.sendall(b"POST /api/links HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                               b"Content-Length: 1000\r\n\r\n{")
            slow.append(connection)
        begin = time.monotonic()
        for _ in range(50):
            redirects(house.visitor().get("/" + link["shortCode"]))
        assert time.monotonic() - begin < 15
    finally:
        for connection in slow:
            connection.close()
