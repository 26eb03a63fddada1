"""A poster with a QR code: made by a program, scanned in one country, its link followed in another."""

import io
import os
import socket
import subprocess

import pytest
from PIL import Image, ImageDraw

from actors import ok, redirects
from conftest import houses
from processes import wait_until
from test_geoip import write

# No byte of theirs is one that a dump writes with a backslash.
BERLIN = "81.2.69.142"
LYON = "2a02:8425:1b7c:9d01:6e5f:7a8b:c1d2:e3f4"
ELSEWHERE_IN_BERLIN = "81.2.69.213"


def place(code, city):
    return {"country": {"iso_code": code, "names": {"en": code}}, "city": {"names": {"en": city}}}


@pytest.fixture(scope="module")
def story_house(workshop, database_server, request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("geoip")
    write(directory / "city.mmdb", "GeoLite2-City", {
        "81.2.69.0/24": place("DE", "Berlin"), "2a02:8425::/32": place("FR", "Lyon")})
    with houses(workshop, database_server, request.config) as make:
        yield make(settings={"FL_GEOIP_DIR": directory}, has_balancer=True)


@pytest.fixture(scope="module")
def program(story_house):
    """A program with an API key and nothing else."""
    return story_house.account("Anna").keyholder(["files", "links", "qrcodes", "geoip:read"])


def logo():
    picture = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((10, 10, 390, 390), fill=(200, 30, 60, 255))
    draw.rectangle((150, 100, 250, 300), fill="white")
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def printed(program, code, path):
    """What a reader reads off the downloaded image."""
    answer = program.get(code["imageUrl"])
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png"), answer.text
    picture = Image.open(io.BytesIO(answer.content)).convert("RGB")
    assert picture.width >= 300
    # In the colours that were asked for: modules, and the logo in the middle.
    colors = {color for _, color in picture.getcolors(1 << 24)}
    assert {(0x12, 0x3A, 0x7A), (255, 255, 255)} <= colors
    # An image of few colours has the logo's nearly.
    assert any(max(abs(one - other) for one, other in zip(color, (200, 30, 60))) < 12 for color in colors)
    path.write_bytes(answer.content)
    return subprocess.run(["zbarimg", "-q", "--raw", str(path)], capture_output=True, text=True, timeout=60,
                          check=True).stdout.removesuffix("\n")


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def traces(address):
    """The forms in which an address may be found: text, bytes, hexadecimal, and of IPv6 the /64 alone."""
    forms = [packed(address)] + ([packed(address)[:8]] if ":" in address else [])
    texts = [address] + ([":".join(address.split(":")[:4])] if ":" in address else [])
    for form in forms:
        texts += [form.hex(), str(int.from_bytes(form, "big"))]
    return forms + [text.encode() for text in texts] + [text.upper().encode() for text in texts]


def found(content, *addresses):
    return [trace for address in addresses for trace in traces(address) if trace in content]


@pytest.fixture(scope="module")
def poster(story_house, program, tmp_path_factory):
    """The link after one scan in Berlin and one click in Lyon, as the link was made."""
    file = program.file(logo(), name="logo.png")
    link = program.link("https://example.org/menu", title="Poster", qrCode={
        "enabled": True, "foregroundColor": "#123a7a", "logoFileId": file["id"]})
    assert link["qrCode"]["logoFileId"] == file["id"]
    text = printed(program, link["qrCode"], tmp_path_factory.mktemp("images") / "poster.png")
    assert text == link["qrCode"]["content"] and text.startswith(link["shortUrl"] + "?")
    phone, laptop = (story_house.visitor(**{"X-Forwarded-For": address}) for address in (BERLIN, LYON))
    redirects(phone.get(text), to="https://example.org/menu")
    redirects(laptop.get(link["shortUrl"]), to="https://example.org/menu")
    program.sees_clicks(link, 2)
    return link


def counts(entries):
    return {entry["key"]: entry["clicks"] for entry in entries}


def test_the_link_shows_both(program, poster):
    stats = program.stats(poster)
    assert (stats["totalClicks"], stats["uniqueClicks"], stats["botClicks"]) == (2, 2, 0)
    assert counts(stats["sources"]) == {"scan": 1, "click": 1}
    assert counts(stats["countries"]) == {"DE": 1, "FR": 1}
    assert counts(stats["cities"]) == {"Berlin, DE": 1, "Lyon, FR": 1}
    account = ok(program.get("/api/links/stats"))
    assert all(account[name] == stats[name] for name in ("totalClicks", "sources", "countries", "cities"))


def test_the_qr_code_shows_the_scan_alone(program, poster):
    path = f"/api/qrcodes/{poster['qrCode']['id']}"
    stats = ok(program.get(path + "/stats"))
    assert (stats["totalClicks"], stats["uniqueClicks"]) == (1, 1)
    assert counts(stats["sources"]) == {"scan": 1}
    assert counts(stats["countries"]) == {"DE": 1} and counts(stats["cities"]) == {"Berlin, DE": 1}
    code = wait_until(lambda: (found := ok(program.get(path)))["scans"] and found, what="the scan")
    assert code["scans"] == 1 and code["lastScannedAt"]
    assert ok(program.get(f"/api/links/{poster['id']}"))["clicks"] == 2


def test_each_click_tells_where_and_how(program, poster):
    clicks = {click["source"]: click for click in program.clicks(poster)}
    assert {source: (click["country"], click["city"], click["qrCodeId"]) for source, click in clicks.items()} == {
        "scan": ("DE", "Berlin", poster["qrCode"]["id"]), "click": ("FR", "Lyon", None)}


def left(house, address):
    """The places in which the address was found."""
    places = [name for name in ("responder", "nginx", "nginx-error") if found(house.log(name).encode(), address)]
    if found(house.database.dump(), address):
        places.append("the database")
    for directory, _, names in os.walk(house.state):
        for path in (os.path.join(directory, name) for name in names):
            # The database of addresses has them by nature.
            if os.path.isfile(path) and os.path.basename(os.path.dirname(path)) != "geoip":
                with open(path, "rb") as file:
                    if found(file.read(), address):
                        places.append(path)
    if places:
        print(f"{address} is in {places}")
    return places


def test_no_address_is_left(story_house, program, poster):
    assert not left(story_house, LYON)
    if left(story_house, BERLIN):
        # Its four bytes may be among random ones by chance, but not those of another address as well.
        redirects(story_house.visitor(**{"X-Forwarded-For": ELSEWHERE_IN_BERLIN}).get(poster["shortUrl"]))
        program.sees_clicks(poster, 3)
        assert not left(story_house, ELSEWHERE_IN_BERLIN)
    dump = story_house.database.dump()
    assert poster["shortCode"].encode() in dump and b"Berlin" in dump
    # What is looked for would be found: the table of answers holds networks that programs ask for.
    for address in (BERLIN, LYON):
        ok(program.get(f"/api/geoip/{address}"))
        assert found(story_house.database.dump(), address)


def test_who_asks_is_who_the_balancer_says(story_house, program):
    for address, code in ((BERLIN, "DE"), (LYON, "FR")):
        answer = ok(program.get("/api/geoip/me", headers={"X-Forwarded-For": address}))
        assert (answer["ip"], answer["countryCode"]) == (address, code)
        simple = ok(program.get("/api/geoip/me/simple", headers={"X-Forwarded-For": address}))
        assert simple == {"ip": address, "country": answer["country"], "countryCode": code, "city": answer["city"],
                          "isEu": True}
    # Who forges a header is in front of the balancer, which puts the true address behind it.
    answer = ok(program.get("/api/geoip/me", headers={"X-Forwarded-For": f"{LYON}, {BERLIN}"}))
    assert answer["ip"] == BERLIN
