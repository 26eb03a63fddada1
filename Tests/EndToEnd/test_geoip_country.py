"""geoip/make-country-database: the countries that scripts/setup makes out of Tor's text files."""

import bisect
import calendar
import ipaddress
import os
import pathlib
import random
import subprocess

import maxminddb
import pytest

ROOT = pathlib.Path(__file__).parents[2]
HEAD = """# Location Database Export
#
# Generated: Thu, 25 Jun 2026 04:33:59 GMT
# Vendor:    IPFire Project
# License:   CC BY-SA 4.0
#
"""
FOUR = """16777216,16777471,AU
16777472,16778239,CN
16778240,16778243,??
134744072,134744072,US
3405803776,3405804031,UK
4294967040,4294967295,EU
"""
SIX = """2001:db8::,2001:db8:0:ffff:ffff:ffff:ffff:ffff,DE
2001:db8:1::5,2001:db8:1::5,FR
2001:db8:1::6,2001:db8:1::9,GP
2002::,2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff,ZZ
ffff::,ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff,JP
"""


@pytest.fixture
def make(tmp_path):
    def run(four=HEAD + FOUR, six=HEAD + SIX):
        (tmp_path / "four").write_text(four)
        (tmp_path / "six").write_text(six)
        return subprocess.run(
            [str(ROOT / "geoip" / "make-country-database"), *(str(tmp_path / name) for name in ("four", "six", "made.mmdb"))],
            capture_output=True, text=True, timeout=60)

    run.target = tmp_path / "made.mmdb"
    return run


@pytest.fixture
def reader(make):
    made = make()
    assert made.returncode == 0, made.stderr
    with maxminddb.open_database(str(make.target)) as reader:
        yield reader


@pytest.mark.parametrize("address, code", [
    ("0.255.255.255", None), ("1.0.0.0", "AU"), ("1.0.0.255", "AU"), ("1.0.1.0", "CN"), ("1.0.3.255", "CN"),
    ("1.0.4.0", None), ("8.8.8.7", None), ("8.8.8.8", "US"), ("8.8.8.9", None), ("203.0.113.9", "GB"),
    ("::ffff:8.8.8.8", "US"), ("2002:808:808::1", "US"), ("2002:808:809::1", None),
    ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", None), ("2001:db8::", "DE"), ("2001:db8:0:ffff::", "DE"),
    ("2001:db8:1::4", None), ("2001:db8:1::5", "FR"), ("2001:db8:1::6", "GP"), ("2001:db8:1::9", "GP"),
    ("2001:db8:1::a", None), ("ffff::", "JP"), ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "JP"), ("::1", None),
])
def test_each_border_is_where_the_source_has_it(reader, address, code):
    record = reader.get(address)
    assert (record and record["country"]["iso_code"]) == code


def test_a_record_has_the_form_of_maxminds(reader):
    assert reader.get("2001:db8:1::6") == {
        "continent": {"code": "NA", "names": {"en": "North America"}},
        "country": {"iso_code": "GP", "is_in_european_union": True, "names": {"en": "Guadeloupe"}}}
    assert reader.get("8.8.8.8") == {
        "continent": {"code": "NA", "names": {"en": "North America"}},
        "country": {"iso_code": "US", "names": {"en": "United States"}}}
    # What a registry holds for all of Europe has a continent and no country.
    assert reader.get("255.255.255.255") == {"continent": {"code": "EU", "names": {"en": "Europe"}}}
    metadata = reader.metadata()
    assert (metadata.ip_version, metadata.binary_format_major_version) == (6, 2)
    assert metadata.database_type.endswith("Country")
    assert metadata.build_epoch == calendar.timegm((2026, 6, 25, 4, 33, 59))
    assert "CC BY-SA 4.0" in metadata.description["en"]


@pytest.mark.parametrize("four, six, words", [
    (FOUR, HEAD + SIX, "licence"),
    ((HEAD + FOUR).replace("CC BY-SA 4.0", "All rights reserved"), HEAD + SIX, "licence"),
    ((HEAD + FOUR).replace("Generated", "Made"), HEAD + SIX, "when it was generated"),
    (HEAD + FOUR + "<html>\n", HEAD + SIX, "line 13 is not"),
    (HEAD + FOUR + "7,6,US\n", HEAD + SIX, "no range"),
    (HEAD + FOUR + "1,4294967296,US\n", HEAD + SIX, "no range"),
    (HEAD + FOUR + "16777300,16777301,US\n", HEAD + SIX, "overlap"),
    (HEAD + FOUR, HEAD, "no range with a known country"),
    (HEAD + FOUR, HEAD + SIX + "2001:ffff::,2003::,DE\n", "over the border"),
    (HEAD + "é", HEAD + SIX, "ascii"),
])
def test_a_source_that_is_not_as_expected_makes_nothing(make, four, six, words):
    make.target.write_bytes(b"the old one")
    made = make(four, six)
    assert made.returncode == 1 and made.stderr.startswith("error: ") and words in made.stderr, made.stderr
    assert "Traceback" not in made.stderr
    assert make.target.read_bytes() == b"the old one"
    assert sorted(entry.name for entry in make.target.parent.iterdir()) == ["four", "made.mmdb", "six"]


def test_random_ranges_come_back_by_every_address_near_a_border(make):
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    codes = ["AU", "CN", "US", "DE", "FR", "JP", "??"]

    def ranges(most, first_free):
        borders = sorted(chance.sample(range(first_free, most), 600))
        return [(low, high - 1, chance.choice(codes)) for low, high in zip(borders, borders[1:]) if chance.random() < 0.8]

    four = ranges(1 << 32, 0)
    # Within 2400::/12 alone, and narrow ones, so that no alias is touched.
    base = int(ipaddress.IPv6Address("2400::"))
    six = [(base + low, base + high, code) for low, high, code in ranges(1 << 62, 0)]
    made = make(
        HEAD + "".join(f"{low},{high},{code}\n" for low, high, code in four),
        HEAD + "".join(f"{ipaddress.IPv6Address(low)},{ipaddress.IPv6Address(high)},{code}\n" for low, high, code in six))
    assert made.returncode == 0, made.stderr

    with maxminddb.open_database(str(make.target)) as reader:
        for source, kind, most in ((four, ipaddress.IPv4Address, 1 << 32), (six, ipaddress.IPv6Address, 1 << 128)):
            lows = [low for low, _, _ in source]
            tried = {near for low, high, _ in source for edge in (low, high) for near in (edge - 1, edge, edge + 1)}
            for address in tried:
                if not 0 <= address < most:
                    continue
                index = bisect.bisect_right(lows, address) - 1
                inside = index >= 0 and address <= source[index][1] and source[index][2] != "??"
                record = reader.get(kind(address))
                found = record["country"]["iso_code"] if record else None
                assert found == (source[index][2] if inside else None), (seed, str(kind(address)))


def test_countries_are_those_of_iso_3166():
    zones = pathlib.Path("/usr/share/zoneinfo/iso3166.tab")
    if not zones.exists():
        pytest.skip("there is no list of countries on this machine")
    iso = {line.split("\t")[0] for line in zones.read_text(encoding="utf-8").splitlines() if not line.startswith("#")}
    rows = [line.split("\t") for line in (ROOT / "geoip" / "countries.tsv").read_text(encoding="utf-8").splitlines()
            if not line.startswith("#")]
    assert {row[0] for row in rows} == iso | {"XK"} and len(rows) == len(iso) + 1
    assert all(len(row) == 4 and row[1] in ("AF", "AN", "AS", "EU", "NA", "OC", "SA") and row[3] for row in rows)


def test_the_database_of_setup_knows_well_known_addresses():
    path = ROOT / ".build-assets" / "geoip" / "ipfire-country.mmdb"
    if not path.exists():
        pytest.skip("scripts/setup could not fetch it here")
    assert "CC BY-SA 4.0" in (path.parent / "ATTRIBUTION.txt").read_text(encoding="utf-8")
    assert os.stat(path).st_mode & 0o777 == 0o644
    # Universities' own networks, which stay where they are.
    with maxminddb.open_database(str(path)) as reader:
        for address, code in (("18.9.22.69", "US"), ("130.149.7.201", "DE"), ("131.111.150.25", "GB"), ("2001:638::1", "DE")):
            assert reader.get(address)["country"]["iso_code"] == code
        for address in ("10.0.0.1", "127.0.0.1", "192.168.1.1", "::1", "fe80::1"):
            assert reader.get(address) is None
