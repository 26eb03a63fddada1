"""scripts/geoip-update against a real HTTP server on loopback, with databases that are made here."""

import base64
import contextlib
import datetime
import email.utils
import fcntl
import gzip
import hashlib
import http.server
import io
import os
import pathlib
import subprocess
import tarfile
import threading
import time

import maxminddb
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts" / "geoip-update"
ACCOUNT, KEY = "123456", "Ab3xYz_secretOfThisTest"
JANUARY, FEBRUARY = 1767225600, 1769904000


def database(kind, city, path):
    """The bytes of a database that holds one network."""
    writer = MMDBWriter(6, kind, languages=["en"], description="made by a test", ipv4_compatible=True)
    # Enough of them that the file has the size of a small real one.
    for index in range(40):
        writer.insert_network(IPSet([f"198.51.{index}.0/24"]), {"city": {"names": {"en": f"{city} {index}"}}})
    writer.to_db_file(str(path))
    return path.read_bytes()


def archive(name, content):
    """A .tar.gz as MaxMind packs one: a directory with the date, papers, and the database."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for path, data in (("COPYRIGHT.txt", b"(c)"), (f"{name}.mmdb", content)):
            entry = tarfile.TarInfo(f"{name}_20260101/{path}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def city_of(path):
    with maxminddb.open_database(str(path)) as reader:
        return reader.get("198.51.7.1")["city"]["names"]["en"]


def months():
    """This month and the last as DB-IP names them."""
    first = datetime.datetime.now(datetime.timezone.utc).replace(day=1)
    return first.strftime("%Y-%m"), (first - datetime.timedelta(days=1)).strftime("%Y-%m")


class Vendor:
    """An HTTP server with files, which notes what it was asked for."""

    def __init__(self):
        self.files, self.statuses, self.asked, self.redirects = {}, {}, [], {}
        self.account = None
        self.during = lambda: None
        vendor = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                vendor.answer(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def put(self, path, content, changed=JANUARY, short_of=0):
        """`short_of`: how many bytes of the announced length never come."""
        self.files[path] = (content, changed, short_of)

    def answer(self, request):
        path = request.path
        self.during()
        status = self.statuses.get(path)
        if status is None and path in self.redirects:
            self.note(path, 302)
            request.send_response(302)
            request.send_header("Location", self.redirects[path])
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        if status is None and self.account:
            wanted = "Basic " + base64.b64encode(self.account.encode()).decode()
            status = None if request.headers.get("Authorization") == wanted else 401
        if status is None and path not in self.files:
            status = 404
        if status is not None:
            self.reply(request, status, b"<html>no</html>")
            return
        content, changed, short_of = self.files[path]
        since = request.headers.get("If-Modified-Since")
        if since and email.utils.parsedate_to_datetime(since).timestamp() >= changed:
            self.note(path, 304)
            request.send_response(304)
            request.end_headers()
            return
        self.reply(request, 200, content, changed, short_of)

    def reply(self, request, status, content, changed=None, short_of=0):
        self.note(request.path, status, request.headers.get("Authorization"))
        request.send_response(status)
        request.send_header("Content-Length", str(len(content)))
        if changed:
            request.send_header("Last-Modified", email.utils.formatdate(changed, usegmt=True))
        request.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            request.wfile.write(content[:len(content) - short_of])

    def note(self, path, status, authorization=None):
        self.asked.append((path, status, authorization))

    def seen(self):
        """The (path, status) since the last time."""
        seen = [(path, status) for path, status, _ in self.asked]
        self.asked.clear()
        return seen

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def vendor():
    server = Vendor()
    yield server
    server.stop()


@pytest.fixture
def place(tmp_path):
    directory = tmp_path / "geoip"
    directory.mkdir()
    return directory


def environment(**named):
    clean = {name: value for name, value in os.environ.items()
             if not name.startswith("FL_") and not name.lower().endswith("_proxy")}
    return {**clean, "FL_STATE": "/nowhere", **named}


def update(*arguments, **named):
    return subprocess.run(
        [str(SCRIPT), *map(str, arguments)], env=environment(**named), capture_output=True, text=True, timeout=120)


def visible(directory):
    """What lies in the directory, without the lock and the records."""
    return sorted(entry.name for entry in directory.iterdir()
                  if entry.name != ".geoip-update.lock" and not entry.name.endswith(".fetched"))


class MaxMind:
    """A vendor that sells two editions, and an operator's runs against it."""

    def __init__(self, vendor, place, tmp_path):
        self.vendor, self.place, self.tmp = vendor, place, tmp_path
        vendor.account = f"{ACCOUNT}:{KEY}"
        self.offer("Old town", JANUARY)

    def path(self, edition, end=""):
        return f"/geoip/databases/{edition}/download?suffix=tar.gz{end}"

    def offer(self, city, changed):
        for edition in ("GeoLite2-City", "GeoLite2-ASN"):
            packed = archive(edition, database(edition, city, self.tmp / "made.mmdb"))
            self.put(edition, packed, changed=changed)

    def put(self, edition, packed, digest=None, **named):
        digest = digest or hashlib.sha256(packed).hexdigest()
        self.vendor.put(self.path(edition), packed, **named)
        self.vendor.put(self.path(edition, ".sha256"), f"{digest}  {edition}_20260101.tar.gz\n".encode())

    def run(self, **named):
        return update("--directory", self.place, **{
            "FL_MAXMIND_URL": self.vendor.url, "FL_MAXMIND_ACCOUNT_ID": ACCOUNT, "FL_MAXMIND_LICENSE_KEY": KEY, **named})

    def city(self):
        return city_of(self.place / "GeoLite2-City.mmdb")


@pytest.fixture
def maxmind(vendor, place, tmp_path):
    return MaxMind(vendor, place, tmp_path)


class DBIP:
    """A vendor of a file each month, and an operator's runs against it."""

    def __init__(self, vendor, place, tmp_path):
        self.vendor, self.place, self.tmp = vendor, place, tmp_path
        self.this, self.last = months()

    def path(self, kind, month):
        return f"/free/dbip-{kind}-lite-{month}.mmdb.gz"

    def offer(self, month, city, changed=JANUARY):
        for kind in ("city", "asn"):
            content = database(f"DBIP-{kind}-Lite", city, self.tmp / "made.mmdb")
            self.vendor.put(self.path(kind, month), gzip.compress(content), changed=changed)

    def run(self, **named):
        return update("--directory", self.place, FL_DBIP_URL=self.vendor.url + "/free", **named)

    def city(self):
        return city_of(self.place / "dbip-city-lite.mmdb")


@pytest.fixture
def dbip(vendor, place, tmp_path):
    return DBIP(vendor, place, tmp_path)


def good(run):
    assert run.returncode == 0, run.stdout + run.stderr
    return run


def bad(run, *words):
    """It failed, said why, and gave no secret away."""
    assert run.returncode == 1, run.stdout + run.stderr
    for word in words:
        assert word in run.stderr, run.stderr
    assert KEY not in run.stdout + run.stderr
    return run


# ---- MaxMind ----

def test_maxmind_is_fetched_once_and_again_when_there_is_a_newer_one(maxmind):
    good(maxmind.run())
    assert visible(maxmind.place) == ["ATTRIBUTION-MaxMind.txt", "GeoLite2-ASN.mmdb", "GeoLite2-City.mmdb"]
    assert "created by MaxMind, available from https://www.maxmind.com" in (
        maxmind.place / "ATTRIBUTION-MaxMind.txt").read_text()
    assert maxmind.city() == "Old town 7"
    assert (maxmind.place / "GeoLite2-City.mmdb").stat().st_mode & 0o777 == 0o644
    maxmind.vendor.seen()

    again = good(maxmind.run())
    assert "is of the newest" in again.stdout
    assert [path for path, _ in maxmind.vendor.seen()] == [
        maxmind.path("GeoLite2-City", ".sha256"), maxmind.path("GeoLite2-ASN", ".sha256")]

    maxmind.offer("New town", FEBRUARY)
    good(maxmind.run())
    assert maxmind.city() == "New town 7"


def test_a_database_is_replaced_by_a_rename_and_an_open_one_stays_whole(maxmind):
    good(maxmind.run())
    path = maxmind.place / "GeoLite2-City.mmdb"
    before = path.stat().st_ino
    with open(path, "rb") as old, maxminddb.open_database(str(path), maxminddb.MODE_MMAP) as reader:
        content = old.read()
        maxmind.offer("New town", FEBRUARY)
        good(maxmind.run())
        assert path.stat().st_ino != before
        old.seek(0)
        assert old.read() == content
        assert reader.get("198.51.7.1")["city"]["names"]["en"] == "Old town 7"
    assert maxmind.city() == "New town 7"


def test_a_database_that_the_operator_changed_is_fetched_anew(maxmind):
    good(maxmind.run())
    (maxmind.place / "GeoLite2-City.mmdb").write_bytes(b"something else")
    good(maxmind.run())
    assert maxmind.city() == "Old town 7"


@pytest.mark.parametrize("spoil, words", [
    (lambda m: m.put("GeoLite2-City", archive("GeoLite2-City", b"x" * 4000), digest="0" * 64), "another digest"),
    (lambda m: m.put("GeoLite2-City", archive("GeoLite2-City", b"x" * 4000)), "no MaxMind DB file"),
    (lambda m: m.put("GeoLite2-City", archive("GeoLite2-Other", b"x" * 4000)), "no archive with GeoLite2-City.mmdb"),
    (lambda m: m.put("GeoLite2-City", b"<html>Maintenance</html>"), "no archive with GeoLite2-City.mmdb"),
    (lambda m: m.vendor.put(m.path("GeoLite2-City", ".sha256"), b"<html>Maintenance</html>"), "the digest"),
    (lambda m: m.put("GeoLite2-City", archive("GeoLite2-City", b"x" * 4000), short_of=9), "could not be fetched"),
    (lambda m: m.vendor.statuses.update({m.path("GeoLite2-City", ".sha256"): 404}), "404"),
    (lambda m: m.vendor.statuses.update({m.path("GeoLite2-City", ".sha256"): 429}), "limit of downloads"),
], ids=["digest", "no-database", "other-name", "html", "html-digest", "cut", "404", "429"])
def test_what_is_not_good_leaves_the_old_one_and_updates_the_others(maxmind, spoil, words):
    good(maxmind.run())
    content = (maxmind.place / "GeoLite2-City.mmdb").read_bytes()
    maxmind.offer("New town", FEBRUARY)
    spoil(maxmind)
    bad(maxmind.run(), words, "what was there stays: GeoLite2-City")
    assert (maxmind.place / "GeoLite2-City.mmdb").read_bytes() == content
    assert city_of(maxmind.place / "GeoLite2-ASN.mmdb") == "New town 7"
    assert visible(maxmind.place) == ["ATTRIBUTION-MaxMind.txt", "GeoLite2-ASN.mmdb", "GeoLite2-City.mmdb"]

    # And it is not taken for done: the next good one comes.
    maxmind.vendor.statuses.clear()
    maxmind.offer("Newer town", FEBRUARY)
    good(maxmind.run())
    assert maxmind.city() == "Newer town 7"


def test_a_wrong_key_is_said_to_be_one(maxmind):
    bad(maxmind.run(FL_MAXMIND_LICENSE_KEY="another"), "401", "licence key is not accepted")
    assert visible(maxmind.place) == []


def test_the_key_is_in_no_argument_list_and_does_not_follow_a_redirect_to_another_host(maxmind):
    elsewhere = Vendor()
    try:
        packed = maxmind.vendor.files[maxmind.path("GeoLite2-City")][0]
        elsewhere.put("/bucket", packed)
        # Another name is another host to curl, also where it is the same machine.
        maxmind.vendor.redirects[maxmind.path("GeoLite2-City")] = elsewhere.url.replace("127.0.0.1", "localhost") + "/bucket"
        lists = []

        def look():
            for process in pathlib.Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    lists.append((process / "cmdline").read_bytes())

        maxmind.vendor.during = elsewhere.during = look
        good(maxmind.run())
        assert maxmind.city() == "Old town 7"
        assert any(b"curl" in arguments and b"/geoip/databases/" in arguments for arguments in lists)
        assert not any(KEY.encode() in arguments for arguments in lists)
        assert elsewhere.asked == [("/bucket", 200, None)]
    finally:
        elsewhere.stop()


def test_an_archive_writes_nowhere_but_into_its_database(maxmind, tmp_path):
    content = database("GeoLite2-City", "Old town", tmp_path / "made.mmdb")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, data in (("../../escaped.mmdb", b"x"), ("/GeoLite2-City_20260101/GeoLite2-City.mmdb", content)):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    maxmind.put("GeoLite2-City", packed.getvalue())
    good(maxmind.run())
    assert maxmind.city() == "Old town 7"
    assert not list(tmp_path.rglob("escaped*")) and not os.path.exists("/GeoLite2-City_20260101")


def test_other_editions_and_a_settings_file(maxmind, tmp_path):
    packed = archive("GeoIP2-ISP", database("GeoIP2-ISP", "Old town", tmp_path / "made.mmdb"))
    maxmind.put("GeoIP2-ISP", packed)
    settings = tmp_path / "fastlinkit.env"
    settings.write_text(
        f'# of a test\nFL_GEOIP_DIR="{maxmind.place}"\nFL_MAXMIND_ACCOUNT_ID={ACCOUNT}\n'
        f"FL_MAXMIND_LICENSE_KEY='{KEY}'\nFL_MAXMIND_EDITIONS=GeoIP2-ISP\n")
    good(update(FL_CONFIG=str(settings), FL_MAXMIND_URL=maxmind.vendor.url))
    assert visible(maxmind.place) == ["GeoIP2-ISP.mmdb"]


# ---- DB-IP ----

def test_dbip_is_fetched_once(dbip):
    dbip.offer(dbip.this, "Old town")
    good(dbip.run())
    assert visible(dbip.place) == ["ATTRIBUTION-DB-IP.txt", "dbip-asn-lite.mmdb", "dbip-city-lite.mmdb"]
    assert "IP Geolocation by DB-IP, https://db-ip.com" in (dbip.place / "ATTRIBUTION-DB-IP.txt").read_text()
    assert dbip.city() == "Old town 7"
    dbip.vendor.seen()
    good(dbip.run())
    assert dbip.vendor.seen() == [(dbip.path("city", dbip.this), 304), (dbip.path("asn", dbip.this), 304)]
    assert dbip.city() == "Old town 7"


def test_dbip_of_the_last_month_serves_until_there_is_this_months(dbip):
    dbip.offer(dbip.last, "Old town")
    good(dbip.run())
    assert dbip.city() == "Old town 7"
    dbip.vendor.seen()
    good(dbip.run())
    assert dbip.vendor.seen() == [
        (dbip.path("city", dbip.this), 404), (dbip.path("city", dbip.last), 304),
        (dbip.path("asn", dbip.this), 404), (dbip.path("asn", dbip.last), 304)]
    # Also where its date were older.
    dbip.offer(dbip.this, "New town", changed=JANUARY - 86400)
    good(dbip.run())
    assert dbip.city() == "New town 7"


def test_dbip_without_either_month_fails(dbip):
    bad(dbip.run(), "404", "dbip-city-lite dbip-asn-lite")
    assert visible(dbip.place) == []


@pytest.mark.parametrize("spoil, words", [
    (lambda content: content[:-20], "not whole"),
    (lambda content: b"<html>Maintenance</html>", "not whole"),
    (lambda content: gzip.compress(b"<html>Maintenance</html>" * 100), "no MaxMind DB file"),
    (lambda content: gzip.compress(gzip.decompress(content)[:-400]), "no MaxMind DB file"),
    (lambda content: b"", "dbip-city-lite"),
], ids=["cut", "html", "packed-html", "cut-inside", "nothing"])
def test_dbip_that_is_not_good_leaves_the_old_one(dbip, spoil, words):
    dbip.offer(dbip.last, "Old town")
    good(dbip.run())
    dbip.offer(dbip.this, "New town", changed=FEBRUARY)
    path = dbip.path("city", dbip.this)
    dbip.vendor.put(path, spoil(dbip.vendor.files[path][0]), changed=FEBRUARY)
    bad(dbip.run(), words, "what was there stays: dbip-city-lite")
    assert dbip.city() == "Old town 7"
    assert city_of(dbip.place / "dbip-asn-lite.mmdb") == "New town 7"
    assert visible(dbip.place) == ["ATTRIBUTION-DB-IP.txt", "dbip-asn-lite.mmdb", "dbip-city-lite.mmdb"]


def test_a_server_that_is_gone_leaves_the_old_ones(dbip, tmp_path):
    dbip.offer(dbip.this, "Old town")
    good(dbip.run())
    gone = Vendor()
    gone.stop()
    bad(update("--directory", dbip.place, FL_DBIP_URL=gone.url), "could not be fetched")
    assert dbip.city() == "Old town 7"


# ---- runs ----

def test_two_do_not_run_at_once(dbip):
    dbip.offer(dbip.this, "Old town")
    with open(dbip.place / ".geoip-update.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = dbip.run()
    assert run.returncode == 3 and "another" in run.stderr
    assert dbip.vendor.seen() == []
    good(dbip.run())


def test_what_a_killed_run_left_goes_and_a_stopped_run_leaves_nothing(dbip):
    dbip.offer(dbip.this, "Old town")
    left = dbip.place / ".geoip-update.Ab12Cd"
    left.mkdir()
    (left / "archive").write_bytes(b"x")
    entered, go_on = threading.Event(), threading.Event()

    def hold():
        entered.set()
        go_on.wait(20)

    dbip.vendor.during = hold
    process = subprocess.Popen(
        [str(SCRIPT), "--directory", str(dbip.place)], start_new_session=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env=environment(FL_DBIP_URL=dbip.vendor.url + "/free"))
    try:
        assert entered.wait(20)
        assert not left.exists()
        process.terminate()
        time.sleep(0.2)
    finally:
        go_on.set()
    assert process.wait(20) == 143
    assert visible(dbip.place) == []


@pytest.mark.parametrize("arguments, named", [
    ([], {}),
    (["--directory"], {}),
    (["--nonsense"], {}),
    (["--directory", "/proc/nowhere"], {}),
    (["--directory", "DIR"], {"FL_MAXMIND_ACCOUNT_ID": ACCOUNT}),
    (["--directory", "DIR"], {"FL_MAXMIND_LICENSE_KEY": KEY}),
    (["--directory", "DIR"], {"FL_MAXMIND_ACCOUNT_ID": ACCOUNT, "FL_MAXMIND_LICENSE_KEY": 'a"\nurl = "file:///etc/passwd'}),
    (["--directory", "DIR"], {"FL_MAXMIND_ACCOUNT_ID": ACCOUNT, "FL_MAXMIND_LICENSE_KEY": KEY, "FL_MAXMIND_EDITIONS": "../x"}),
    (["--directory", "DIR"], {"FL_DBIP_URL": "file:///etc"}),
    (["--directory", "DIR"], {"FL_CONFIG": "/nowhere/fastlinkit.env"}),
])
def test_wrong_arguments_and_settings_end_with_2(place, arguments, named):
    run = update(*[place if argument == "DIR" else argument for argument in arguments], **named)
    assert run.returncode == 2, run.stdout + run.stderr
    assert run.stderr and KEY not in run.stderr
    assert visible(place) == []
