"""GeoIP: databases made here, a provider that is a real server, and everything that can be wrong with either."""

import http.server
import json
import os
import shutil
import threading
import time

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from actors import at_once, ok, problem, refuses
from processes import free_port, wait_until

GERMANY = {
    "continent": {"code": "EU", "names": {"de": "Europa", "en": "Europe"}},
    "country": {"iso_code": "DE", "is_in_european_union": True, "names": {"de": "Deutschland", "en": "Germany"}},
    "subdivisions": [{"iso_code": "BE", "names": {"en": "Land Berlin"}}],
    "city": {"names": {"de": "Berlin", "en": "Berlin"}}, "postal": {"code": "10115"},
    "location": {"latitude": 52.52, "longitude": 13.4, "time_zone": "Europe/Berlin"},
}


def write(path, kind, networks, **options):
    """A database in MaxMind's format, put in its place as a whole."""
    writer = MMDBWriter(6, kind, languages=["en"], description="of a test", ipv4_compatible=True, **options)
    for network, record in networks.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path) + ".part")
    os.replace(str(path) + ".part", path)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    place = tmp_path_factory.mktemp("geoip")
    write(place / "city.mmdb", "GeoLite2-City", {"81.2.69.0/24": GERMANY, "2a00:1450::/32": GERMANY})
    write(place / "country.mmdb", "DBIP-Country-Lite", {
        "81.2.69.0/24": {"country": {"iso_code": "FR", "names": {"en": "France"}}},
        "5.1.0.0/16": {"country": {"iso_code": "NO", "names": {"en": "Norway"}}}})
    write(place / "asn.mmdb", "GeoLite2-ASN", {
        "81.2.69.0/24": {"autonomous_system_number": 3320, "autonomous_system_organization": "Telekom"}})
    write(place / "connection.mmdb", "GeoIP2-Connection-Type", {"81.2.69.0/24": {"connection_type": "Cable/DSL"}})
    write(place / "flat.mmdb", "ipinfo generic_lite", {
        "9.1.0.0/16": {"country": "Japan", "country_code": "JP", "continent": "Asia", "continent_code": "AS",
                       "asn": "AS2516", "as_name": "KDDI", "as_domain": "kddi.com"}})
    return place


@pytest.fixture(scope="module")
def geo_house(workshop, database_server, request, directory):
    from conftest import houses
    with houses(workshop, database_server, request.config) as make:
        yield make(settings={"FL_GEOIP_DIR": directory})


@pytest.fixture(scope="module")
def reader(geo_house):
    return geo_house.account("Reader").keyholder(["geoip:read"])


def look(actor, ip):
    return ok(actor.get(f"/api/geoip/{ip}"))


def test_what_the_databases_know_is_merged(reader):
    answer = look(reader, "81.2.69.142")
    assert answer["timezone"]["id"] == "Europe/Berlin"
    assert (answer["timezone"]["offset"], answer["timezone"]["abbreviation"]) in ((3600, "CET"), (7200, "CEST"))
    assert answer["connection"] == {"asn": 3320, "organization": "Telekom", "isp": None, "domain": None,
                                    "type": "Cable/DSL"}
    assert {name: answer[name] for name in ("ip", "type", "continent", "continentCode", "country", "countryCode",
                                            "region", "regionCode", "city", "postalCode", "isEu")} == {
        "ip": "81.2.69.142", "type": "IPv4", "continent": "Europe", "continentCode": "EU", "country": "Germany",
        "countryCode": "DE", "region": "Land Berlin", "regionCode": "BE", "city": "Berlin", "postalCode": "10115",
        "isEu": True}
    assert (answer["latitude"], answer["longitude"]) == (pytest.approx(52.52), pytest.approx(13.4))
    assert "GeoLite2-City" in answer["source"] and "GeoLite2-ASN" in answer["source"]
    assert ok(reader.get("/api/geoip/81.2.69.142/simple")) == {
        "ip": "81.2.69.142", "country": "Germany", "countryCode": "DE", "city": "Berlin", "isEu": True}


def test_a_database_of_countries_gives_what_follows_from_the_country(reader):
    answer = look(reader, "5.1.2.3")
    assert (answer["country"], answer["continent"], answer["isEu"]) == ("Norway", "Europe", False)
    assert answer["timezone"]["id"] == "Europe/Oslo" and answer["city"] is None


def test_flat_members_are_understood(reader):
    answer = look(reader, "9.1.2.3")
    assert (answer["country"], answer["countryCode"], answer["continent"]) == ("Japan", "JP", "Asia")
    assert answer["connection"]["asn"] == 2516 and answer["connection"]["organization"] == "KDDI"
    assert answer["connection"]["domain"] == "kddi.com" and answer["timezone"]["id"] == "Asia/Tokyo"


def test_what_nobody_knows_is_null(reader):
    answer = look(reader, "1.1.1.1")
    assert answer["country"] is None and answer["source"] is None
    assert answer["timezone"] == {"id": None, "offset": None, "abbreviation": None}


def test_ipv6_in_any_spelling(reader):
    for spelling in ("2a00:1450:4001:81b::200e", "2A00:1450:4001:081B:0:0:0:200E", "2a00%3A1450%3a4001:81b::200e"):
        assert look(reader, spelling)["ip"] == "2a00:1450:4001:81b::200e"
    assert look(reader, "2a00:1450:4001:81b::200e")["countryCode"] == "DE"
    assert look(reader, "::ffff:81.2.69.1")["ip"] == "81.2.69.1"
    assert look(reader, "64:ff9b::81.2.69.1")["countryCode"] == "DE"


@pytest.mark.parametrize("ip", ["nonsense", "1.2.3", "01.2.3.4", "1.2.3.4%20", "fe80::1%25eth0", "0x7f.1", "9" * 500])
def test_what_is_no_address_is_refused(reader, ip):
    for end in ("", "/simple"):
        answer = reader.get(f"/api/geoip/{ip}{end}")
        assert problem(answer, 422, "ip_invalid") and refuses(answer, "ip") == {"ip": "ip_invalid"}


@pytest.mark.parametrize("ip", ["10.0.0.1", "127.0.0.1", "::1", "fe80::1", "224.0.0.1", "2001:db8::1", "100.64.1.1"])
def test_reserved_addresses_are_refused(reader, ip):
    problem(reader.get(f"/api/geoip/{ip}"), 422, "ip_reserved")


def test_a_path_is_read_as_it_stands(reader):
    problem(reader.get("/api/geoip/%3A%3A1"), 422, "ip_reserved")
    assert look(reader, "%38%31.2.69.1")["ip"] == "81.2.69.1"
    for path in ("81.2.69.1/", "81.2.69.1/simple/", "81.2.69.1/Simple", "me/", "me/simple/x", "", "/81.2.69.1",
                 "81.2.69.1/databases", "batch/simple/x"):
        problem(reader.get(f"/api/geoip/{path}"), 404)
    # One part of the path, which is no address.
    problem(reader.get("/api/geoip/81.2.69.1%2Fsimple"), 422, "ip_invalid")
    problem(reader.get("/api/geoip/ME"), 422, "ip_invalid")
    assert problem(reader.post("/api/geoip/81.2.69.1", {}), 405)


def test_the_own_address_is_reserved_here(reader):
    problem(reader.get("/api/geoip/me"), 422, "ip_reserved")
    problem(reader.get("/api/geoip/me/simple"), 422, "ip_reserved")


def test_a_batch_answers_each_in_its_order(reader):
    ips = ["81.2.69.1", "nonsense", "10.0.0.1", "81.2.69.1", "2a00:1450::1", "1.1.1.1"]
    results = ok(reader.post("/api/geoip/batch", {"ips": ips}))["results"]
    assert [row["ip"] for row in results] == ips
    assert [row["status"] for row in results] == [200, 422, 422, 200, 200, 200]
    assert [row["error"]["code"] for row in results if row["error"]] == ["ip_invalid", "ip_reserved"]
    assert results[1]["error"]["errors"][0]["field"] == "ips[1]"
    assert results[4]["answer"]["city"] == "Berlin"
    assert len(ok(reader.post("/api/geoip/batch", {"ips": ["8.8.8.8"] * 100}))["results"]) == 100
    refuses(reader.post("/api/geoip/batch", {"ips": ["8.8.8.8"] * 101}), "ips")
    refuses(reader.post("/api/geoip/batch", {"ips": []}), "ips")


def test_the_second_answer_comes_from_the_cache(geo_house, reader):
    for ip in ("81.2.69.77", "2.2.2.2"):
        assert look(reader, ip)["cached"] is False
        first = look(reader, ip)
        # Whichever process answers.
        assert all(look(reader, ip)["cached"] for _ in range(10))
        assert all(look(reader, ip)["askedAt"] == first["askedAt"] for _ in range(4))
    assert look(reader, "2a00:1450:1:2::3")["cached"] is False
    assert look(reader, "2a00:1450:1:2:ffff::9")["cached"] is True
    assert look(reader, "2a00:1450:1:3::3")["cached"] is False


def test_the_scope_is_needed(geo_house):
    other = geo_house.account("Other").keyholder(["links"])
    for path in ("81.2.69.1", "81.2.69.1/simple", "me", "databases"):
        assert problem(other.get(f"/api/geoip/{path}"), 403, "scope_missing")["requiredScope"] == "geoip:read"


def test_the_databases_are_told_with_what_their_makers_ask_for(reader):
    told = ok(reader.get("/api/geoip/databases"))
    by_name = {row["name"]: row for row in told["databases"]}
    assert {row["problem"] for row in told["databases"]} == {None}
    assert by_name["city.mmdb"]["type"] == "GeoLite2-City" and by_name["city.mmdb"]["kind"] == "city"
    assert "DB-IP" in by_name["country.mmdb"]["attribution"] and "MaxMind" in by_name["asn.mmdb"]["attribution"]


def test_without_any_source_it_says_what_is_missing(house, anna):
    detail = problem(anna.get("/api/geoip/8.8.8.8"), 503, "geoip_unavailable")["detail"]
    assert "FL_GEOIP_DIR" in detail


# ---- files that change, and bad ones ----

def place_of(country, city):
    return {"country": {"iso_code": country}, "city": {"names": {"en": city}}}


def test_a_file_is_replaced_under_load_in_every_way(new_house, tmp_path):
    path, other = tmp_path / "a.mmdb", tmp_path / "other"
    write(path, "Test-City", {"81.0.0.0/8": place_of("DE", "First")})
    house = new_house(settings={"FL_GEOIP_DIR": tmp_path})
    key = house.account("Anna").keyholder(["geoip"])
    stop, wrong = threading.Event(), []

    def load(number):
        count = 0
        while not stop.is_set():
            count += 1
            answer = key.get(f"/api/geoip/81.{number}.{count % 256}.{count // 256 % 256}")
            if answer.status_code != 200 or answer.json()["city"] not in ("First", "Second", "Third", "Fourth"):
                wrong.append((answer.status_code, answer.text))

    threads = [threading.Thread(target=load, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        def shows(city):
            return all(key.get("/api/geoip/81.2.69.1").json()["city"] == city for _ in range(8))
        pids = house.responder.children()
        assert shows("First")
        write(path, "Test-City", {"81.0.0.0/8": place_of("DE", "Second")})
        wait_until(lambda: shows("Second"), seconds=30, what="the renamed file")
        # In place, as `cp new.mmdb directory/` does it: the old pages go away.
        write(other, "Test-City", {"81.0.0.0/8": place_of("DE", "Third")})
        with open(path, "r+b") as file:
            file.truncate(0)
            time.sleep(2.5)
            assert shows("Second")
            file.write(other.read_bytes())
        wait_until(lambda: shows("Third"), seconds=30, what="the file that was overwritten")
        # A bad one leaves the last good one in use, also for processes that start now.
        path.write_bytes(other.read_bytes()[:-30])
        wait_until(lambda: "last good version" in str(ok(key.get("/api/geoip/databases"))), seconds=30)
        assert shows("Third")
        write(tmp_path / "b.mmdb", "Test-Enterprise", {"81.0.0.0/8": place_of("DE", "Fourth")})
        wait_until(lambda: shows("Fourth"), seconds=30, what="the file that was added")
        os.remove(tmp_path / "b.mmdb")
        wait_until(lambda: shows("Third"), seconds=30, what="the file that was taken away")
        assert house.responder.children() == pids, "a process died"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not wrong, wrong[:3]
    assert len([name for name in os.listdir(os.path.join(house.state, "run", "geoip")) if "@" in name]) == 1


MARKER = b"\xab\xcd\xefMaxMind.com"


def bad_files(good):
    """Kinds of damage, by name; each is made of a good database."""
    split = good.rindex(MARKER)
    body, meta = good[:split], good[split:]
    nodes = meta.index(b"node_count") + len("node_count")

    def text(word):
        return bytes([0x40 | len(word)]) + word

    deep = b"\xe1" + text(b"a")
    cycle = b"\x20\x00"
    return {
        "empty": b"", "short": b"x", "no-metadata": body, "truncated": good[:len(good) // 2],
        "marker-alone": MARKER, "metadata-cut": good[:-20], "text": b"<html>not found</html>" * 100,
        "metadata-no-map": body + MARKER + text(b"hello"),
        "metadata-cycle": body + MARKER + cycle,
        "metadata-deep": body + MARKER + deep * 2000,
        "metadata-huge-array": body + MARKER + b"\xe1" + text(b"languages") + b"\x1f\x04\xff\xff\xff",
        "nodes-too-many": body + meta[:nodes] + b"\xc4\x7f\xff\xff\xff" + meta[nodes + 2:],
        "no-tree": meta, "zeros": bytes(len(body)) + meta, "ones": b"\xff" * len(body) + meta,
        "no-data": body[:40] + meta,
    }


def with_data(good, data):
    """The same tree over other data: everything in it leads to `data`."""
    split = good.rindex(MARKER)
    separator = good.index(bytes(16))
    return good[:separator + 16] + data + bytes(64) + good[split:]


def hostile_data():
    def text(word):
        return bytes([0x40 | len(word)]) + word
    deep = b"\xe1" + text(b"city")
    return {
        "cycle": b"\x20\x00", "pointer-beyond": b"\x3f\xff\xff\xff\xff", "deep": deep * 3000 + b"\xe0",
        "huge-map": b"\xff\xff\xff\xff", "huge-text": b"\xe1" + text(b"city") + b"\x5f\xff\xff\xff",
        "huge-array": b"\xe1" + text(b"subdivisions") + b"\x1f\x04\xff\xff\xff",
        "self-in-map": b"\xe1" + text(b"city") + b"\x20\x00",
        "bad-utf8": b"\xe2" + text(b"city") + b"\xe1" + text(b"names") + b"\xe1" + text(b"en") + b"\x43\xff\xfe\xfd"
                    + text(b"country") + b"\xe1" + text(b"iso_code") + text(b"DE"),
        "wrong-types": b"\xe3" + text(b"city") + text(b"x") + text(b"country") + b"\xa2\x00\x01" + text(b"location")
                       + b"\xe1" + text(b"latitude") + text(b"north"),
        "unknown-type": b"\xe1" + text(b"a") + b"\x01\x7f", "double-of-3": b"\xe1" + text(b"a") + b"\x63abc",
    }


def test_bad_files_are_told_and_the_good_one_goes_on(new_house, tmp_path):
    write(tmp_path / "good.mmdb", "Test-City", {"81.0.0.0/8": place_of("DE", "Good")})
    good = (tmp_path / "good.mmdb").read_bytes()
    files = {f"bad-{name}.mmdb": content for name, content in bad_files(good).items()}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "fifo.mmdb")
    os.mkdir(tmp_path / "folder.mmdb")
    house = new_house(settings={"FL_GEOIP_DIR": tmp_path})
    key = house.account("Anna").keyholder(["geoip"])
    pids = house.responder.children()
    for ip in ("81.2.69.1", "1.1.1.1", "2a00::1", "200.1.1.1"):
        answer = look(key, ip)
        assert answer["city"] == ("Good" if ip.startswith("81.") else None)
    told = {row["name"]: row["problem"] for row in ok(key.get("/api/geoip/databases"))["databases"]}
    assert told["good.mmdb"] is None
    # What is zeros or ones behind good metadata can't be told from a database before it is looked into.
    assert {name for name in files if told[name] is None} <= {"bad-zeros.mmdb", "bad-ones.mmdb"}, told
    assert "FAIL GeoIP: bad-truncated.mmdb" in house.run("doctor", check=False)
    assert house.responder.children() == pids


def test_hostile_records_break_nothing(new_house, tmp_path):
    write(tmp_path / "one.mmdb", "Test-City", {"81.0.0.0/8": place_of("DE", "Good")})
    good = (tmp_path / "one.mmdb").read_bytes()
    for name, data in hostile_data().items():
        (tmp_path / f"{name}.mmdb").write_bytes(with_data(good, data))
    house = new_house(settings={"FL_GEOIP_DIR": tmp_path})
    key = house.account("Anna").keyholder(["geoip"])
    pids = house.responder.children()
    began = time.monotonic()
    for number in range(20):
        assert look(key, f"81.2.69.{number}")["city"] == "Good"
    assert time.monotonic() - began < 30
    assert house.responder.children() == pids


# ---- the provider ----

class Provider(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        with server.lock:
            server.asked.append(self.path)
        try:
            server.behaviour(self)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def reply(self, body, status=200, **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def knows(handler):
    ip = handler.path.split("/")[-1].split("?")[0]
    handler.reply({
        "ip": ip, "success": True, "type": "IPv4", "continent": "North America", "continent_code": "NA",
        "country": "United States", "country_code": "US", "region": "California", "region_code": "CA",
        "city": "Mountain View", "latitude": 37.4, "longitude": -122.1, "is_eu": False, "postal": "94043",
        "flag": {"emoji": "x"}, "connection": {"asn": 15169, "org": "Google LLC", "isp": "Google", "domain": "google.com"},
        "timezone": {"id": "America/Los_Angeles", "abbr": "PST", "offset": -28800}})


@pytest.fixture
def provider():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.daemon_threads = True
    server.lock, server.asked, server.behaviour = threading.Lock(), [], knows
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}/" + "{ip}?key=secret-of-the-operator"
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def provided(new_house, provider):
    house = new_house(settings={"FL_GEOIP_URL": provider.url, "FL_GEOIP_TIMEOUT": "10"})
    return house, house.account("Anna").keyholder(["geoip"])


def test_the_provider_is_asked_once_for_each_network(provided, provider):
    house, key = provided
    answer = look(key, "8.8.8.8")
    assert (answer["city"], answer["cached"], answer["source"]) == ("Mountain View", False, "127.0.0.1")
    assert answer["connection"]["asn"] == 15169 and answer["timezone"]["id"] == "America/Los_Angeles"
    assert all(look(key, "8.8.8.8")["cached"] for _ in range(8))
    assert len(provider.asked) == 1
    look(key, "2606:4700:1:2::3")
    assert look(key, "2606:4700:1:2:9::4")["cached"] is True
    assert len(provider.asked) == 2
    problem(key.get("/api/geoip/10.0.0.1"), 422, "ip_reserved")
    assert len(provider.asked) == 2
    assert "secret-of-the-operator" not in house.log() + str(ok(key.get("/api/geoip/databases")))


@pytest.mark.parametrize("left_out", [(), ("connection",), ("city",)], ids=["whole", "no network", "no city"])
def test_every_process_has_what_the_provider_said(provided, provider, left_out):
    def partly(handler):
        ip = handler.path.split("/")[-1].split("?")[0]
        members = {"ip": ip, "success": True, "country_code": "US", "city": "Mountain View",
                   "connection": {"asn": 15169}}
        handler.reply({name: value for name, value in members.items() if name not in left_out})

    provider.behaviour = partly
    house, key = provided
    first = look(key, "8.8.8.8")
    assert (first["countryCode"], first["cached"], first["source"]) == ("US", False, "127.0.0.1")
    # Those that start now remember nothing: they find it in the table.
    house.responder.stop()
    house.start_responder()
    for _ in range(2):
        assert look(key, "8.8.8.8") == {**first, "cached": True}
    assert len(provider.asked) == 1


def test_many_at_once_ask_once(provided, provider):
    def slowly(handler):
        time.sleep(0.4)
        knows(handler)

    provider.behaviour = slowly
    answers = at_once(8, lambda _: provided[1].get("/api/geoip/9.9.9.9", fresh=True))
    assert provider.asked.count("/9.9.9.9?key=secret-of-the-operator") == 1
    assert [answer.status_code for answer in answers].count(200) >= 6


def test_misses_are_kept_too(provided, provider):
    provider.behaviour = lambda handler: handler.reply({"success": False, "message": "Reserved range"})
    assert look(provided[1], "8.8.4.4")["country"] is None
    assert all(look(provided[1], "8.8.4.4")["cached"] for _ in range(6))
    assert len(provider.asked) == 1


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(2000):
        handler.wfile.write(b"x" * 65536)


@pytest.mark.parametrize("behaviour", [
    lambda handler: time.sleep(40), lambda handler: handler.reply(b"\xff\xfe{"),
    lambda handler: handler.reply({"success": True}, status=500), lambda handler: handler.reply([1, 2]),
    lambda handler: handler.reply(b"", 302, Location="/elsewhere"), endless,
    lambda handler: handler.reply({"success": False, "message": "You've hit the monthly limit"}),
    lambda handler: handler.reply({"ip": "1.2.3.4", "success": True, "country_code": "US"}),
], ids=["slow", "garbage", "500", "list", "redirect", "endless", "limit", "another address"])
def test_a_provider_that_fails_is_no_answer_and_is_left_alone(new_house, provider, behaviour):
    provider.behaviour = behaviour
    house = new_house(settings={"FL_GEOIP_URL": provider.url, "FL_GEOIP_TIMEOUT": "1"}, processes=1)
    key = house.account("Anna").keyholder(["geoip"])
    for number in range(5):
        began = time.monotonic()
        problem(key.get(f"/api/geoip/8.8.8.{number}"), 503, "geoip_unavailable")
        assert time.monotonic() - began < 20
    asked = len(provider.asked)
    assert asked == 5
    problem(key.get("/api/geoip/8.8.8.9"), 503, "geoip_unavailable")
    assert len(provider.asked) == asked
    assert ok(key.get("/api/geoip/databases"))["providerIsPaused"] is True


def test_nonsense_of_the_provider_is_left_out(provided, provider):
    provider.behaviour = lambda handler: handler.reply({
        "ip": "8.8.8.8", "success": True, "country": 7, "country_code": "DEUTSCHLAND", "city": "x\u0000y",
        "latitude": 1e300, "longitude": 3, "timezone": {"id": "../../etc/passwd"}, "is_eu": "yes",
        "connection": {"asn": -5, "org": "o" * 5000, "domain": ["x"]}, "region": "Kept"})
    answer = look(provided[1], "8.8.8.8")
    assert answer["region"] == "Kept"
    assert all(answer[name] is None for name in ("country", "countryCode", "city", "latitude", "longitude", "isEu"))
    assert answer["timezone"]["offset"] is None and answer["connection"]["asn"] is None


def test_a_provider_that_is_gone(new_house):
    house = new_house(settings={"FL_GEOIP_URL": f"http://127.0.0.1:{free_port()}/{{ip}}"})
    key = house.account("Anna").keyholder(["geoip"])
    problem(key.get("/api/geoip/8.8.8.8"), 503, "geoip_unavailable")


def test_the_provider_adds_what_the_databases_do_not_know(new_house, provider, tmp_path):
    write(tmp_path / "country.mmdb", "Test-Country", {"8.0.0.0/8": {"country": {"iso_code": "US"}},
                                                      "9.0.0.0/8": {"country": {"iso_code": "CA"}}})
    house = new_house(settings={"FL_GEOIP_DIR": tmp_path, "FL_GEOIP_URL": provider.url})
    key = house.account("Anna").keyholder(["geoip"])
    answer = look(key, "8.8.8.8")
    assert (answer["city"], answer["source"]) == ("Mountain View", "Test-Country, 127.0.0.1")
    # The database goes before: another country's city is not mixed in.
    answer = look(key, "9.9.9.9")
    assert (answer["countryCode"], answer["city"]) == ("CA", None)
