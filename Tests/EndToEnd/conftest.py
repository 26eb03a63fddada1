"""The fixtures: one MariaDB for the session, one house that most tests share, and the actors."""

import contextlib
import os
import shutil
import signal
import tempfile
import time

import pytest

from database import DatabaseServer
from house import House
from mailserver import MailServer

# What counts visitors by the day, or links and files by the month: a day of UTC must not end in the midst of a test.
BY_THE_DAY = {"test_cgi", "test_clicks", "test_geoip_update", "test_plans", "test_scan_story"}


def pytest_configure(config):
    # A CI that gives up sends SIGTERM: pytest's own way out lets every fixture stop what it started.
    signal.signal(signal.SIGTERM, lambda number, frame: pytest.exit("ended by SIGTERM", 128 + number))
    config._houses = []


@pytest.fixture(scope="session")
def workshop():
    """A directory for the session with a short path, as Unix sockets need one."""
    directory = tempfile.mkdtemp(prefix="fl-e2e-")
    yield directory
    if os.environ.get("FL_KEEP"):
        print(f"kept: {directory}")
    else:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def database_server(workshop):
    """The MariaDB of the session; FL_TEST_DB_SOCKET lends a running one."""
    lent = os.environ.get("FL_TEST_DB_SOCKET")
    server = DatabaseServer(socket=lent) if lent else DatabaseServer(_new(workshop, "db"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def houses(workshop, database_server, config):
    """Makes houses, and stops every one of them in the end."""
    made = []

    def make(server=None, serve=True, **named):
        house = House(_new(workshop, "house"), server or database_server, **named)
        made.append(house)
        config._houses.append(house)
        return house.start(serve=serve)

    try:
        yield make
    finally:
        for house in reversed(made):
            config._houses.remove(house)
            house.stop()


@pytest.fixture
def new_house(workshop, database_server, request):
    """Houses of its own for a test that breaks things: `new_house(threads=2)`.

    A test with a database server of its own names `own_database_server` before this fixture, so that the
    house is stopped before its database."""
    with houses(workshop, database_server, request.config) as make:
        yield make


@pytest.fixture(scope="session")
def house(workshop, database_server, request):
    """The house that most tests share, each with accounts of its own."""
    with houses(workshop, database_server, request.config) as make:
        yield make()


@pytest.fixture
def own_database_server(workshop):
    """A MariaDB that one test may stop."""
    server = DatabaseServer(_new(workshop, "db"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(autouse=True)
def _no_midnight(request):
    """Waits midnight out where it is near and the test counts by the day."""
    left = 86400 - time.time() % 86400
    if left < 60 and request.module.__name__ in BY_THE_DAY:
        time.sleep(left + 1)


@pytest.fixture
def anna(house):
    """An account on the unlimited plan, with a JWT."""
    return house.account("Anna")


@pytest.fixture
def stranger(house):
    """Another account, which must never see what is Anna's."""
    return house.account("Stranger")


@pytest.fixture
def keyholder(anna):
    """Programs with a key of Anna's: `keyholder(["links"])`."""
    return anna.keyholder


@pytest.fixture
def nobody(house):
    """Somebody without a credential."""
    return house.nobody()


@pytest.fixture
def visitor(house):
    """A person with a browser who follows links."""
    return house.visitor()


@pytest.fixture
def server(post_house):
    """The mail server by which the `post_house` of a module sends."""
    with MailServer() as server:
        post_house.change_settings(FL_SMTP_URL=server.url)
        yield server


@pytest.fixture(scope="session")
def document(house):
    """The OpenAPI document as it is served."""
    response = house.nobody().get("/openapi/v1.json")
    assert response.status_code == 200, response.text
    return response.json()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the end of the responders' logs to the report of a test that failed."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for house in item.config._houses:
            if house.responder:
                report.sections.append((f"responder at {house.url}", house.responder.tail(25)))


def _new(workshop, name):
    return tempfile.mkdtemp(prefix=name + "-", dir=workshop)
