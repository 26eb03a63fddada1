"""Clicks: what counts as one, what is kept of it, and what is not."""

import os
import re
import socket
import time

import pytest

from actors import CHROME, Visitor, at_once, redirects
from processes import wait_until

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0"
IPHONE = ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
          "Version/18.1 Mobile/15E148 Safari/604.1")
ANDROID = ("Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
           "Chrome/131.0.0.0 Mobile Safari/537.36")
IPAD = ("Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/16.6 Mobile/15E148 Safari/604.1")
EDGE = ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0")
BOTS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Slackbot-LinkExpanding 1.0",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "Twitterbot/1.0",
    "WhatsApp/2.23.20.0", "TelegramBot (like TwitterBot)", "curl/8.5.0", "python-requests/2.32.0", "Wget/1.21",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
]


def settle(anna, link, clicks):
    """Lets one person through as a mark, and a little time for what should not have been counted."""
    redirects(anna.house.visitor().get("/" + link["shortCode"]))
    anna.sees_clicks(link, clicks)
    time.sleep(1.5)
    return anna.stats(link)


def test_bots_are_redirected_and_counted_apart(anna, house):
    link = anna.link("https://example.org/")
    for agent in BOTS:
        redirects(house.visitor(**{"User-Agent": agent}).get("/" + link["shortCode"]), to="https://example.org/")
    redirects(house.visitor(**{"User-Agent": None}).get("/" + link["shortCode"], headers={"User-Agent": ""}))
    bots = len(BOTS) + 1
    stats = settle(anna, link, 1)
    if stats["botClicks"] < bots:
        stats = wait_until(lambda: (now := anna.stats(link))["botClicks"] >= bots and now, what="the bots' clicks")
    assert (stats["totalClicks"], stats["uniqueClicks"]) == (1, 1)
    assert stats["botClicks"] == bots
    assert sum(entry["clicks"] for entry in stats["browsers"]) == 1


@pytest.mark.parametrize("headers", [{"Purpose": "prefetch"}, {"Sec-Purpose": "prefetch"},
                                     {"Sec-Purpose": "prefetch;prerender"}, {"X-Moz": "prefetch"}], ids=str)
def test_a_prefetch_is_not_counted(anna, visitor, headers):
    link = anna.link()
    redirects(visitor.get("/" + link["shortCode"], headers=headers))
    stats = settle(anna, link, 1)
    assert (stats["totalClicks"], stats["uniqueClicks"]) == (1, 1)


def test_neither_heads_nor_previews_nor_pages_are_counted(anna, visitor):
    link, off = anna.link(), anna.link(isEnabled=False)
    for _ in range(3):
        visitor.head("/" + link["shortCode"])
        visitor.get(f"/{link['shortCode']}+")
        visitor.options("/" + link["shortCode"])
        visitor.get("/" + off["shortCode"])
    stats = settle(anna, link, 1)
    assert (stats["totalClicks"], stats["botClicks"]) == (1, 0)
    assert anna.stats(off)["totalClicks"] == 0


@pytest.mark.parametrize("agent, browser, system, device", [
    (CHROME, "Chrome", "Linux", "desktop"), (FIREFOX, "Firefox", "Windows", "desktop"),
    (EDGE, "Edge", "Windows", "desktop"), (IPHONE, "Safari", "iOS", "mobile"),
    (ANDROID, "Chrome", "Android", "mobile"), (IPAD, "Safari", "iPadOS", "tablet"),
])
def test_the_browser_is_known(anna, house, agent, browser, system, device):
    link = anna.link()
    house.visitor(**{"User-Agent": agent}).get("/" + link["shortCode"])
    stats = anna.sees_clicks(link, 1)
    assert stats["browsers"] == [{"key": browser, "clicks": 1}]
    assert stats["devices"] == [{"key": device, "clicks": 1}]
    # Old iPads are systems of their own to some and iOS to others.
    assert stats["systems"][0]["key"] in ({system, "iOS"} if device == "tablet" else {system})


def test_where_a_visitor_comes_from_is_kept(anna, house):
    link = anna.link()
    house.visitor(Referer="https://www.news.example/article?id=7&secret=abc").get("/" + link["shortCode"])
    house.visitor(**{"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}).get("/" + link["shortCode"])
    stats = anna.sees_clicks(link, 2)
    keys = {entry["key"]: entry["clicks"] for entry in stats["referrers"]}
    assert sum(keys.values()) in (1, 2) and any("news.example" in str(key) for key in keys)
    clicks = anna.clicks(link)
    assert sorted(str(click["language"]).lower()[:2] for click in clicks) == ["de", "en"]
    assert "secret=abc" not in str(clicks), "the query of another site is nobody's business"
    for click in clicks:
        assert {"browser", "system", "device", "referrer", "language"} <= click.keys()


@pytest.mark.parametrize("value", ["x" * 7000, "\x01\x02", "<script>alert(1)</script>", "'; DROP TABLE clicks; --",
                                   "Mozilla/5.0 \xff\xfe".encode("latin-1"), "a\tb", "😀".encode(), "http://[", "\\"])
def test_no_header_keeps_a_click_from_counting(anna, house, value):
    link = anna.link()
    headers = {"User-Agent": CHROME, "Referer": value, "Accept-Language": value}
    redirects(Visitor(house).get("/" + link["shortCode"], headers=headers))
    redirects(Visitor(house).get("/" + link["shortCode"], headers={"User-Agent": value}))
    redirects(house.visitor().get("/" + link["shortCode"]))
    stats = anna.sees_clicks(link, 2)
    assert stats["totalClicks"] + stats["botClicks"] >= 2


def test_one_person_is_one_however_often(anna, house):
    link = anna.link()
    often, once = house.visitor(), house.visitor()
    for _ in range(3):
        often.get("/" + link["shortCode"], fresh=True)
    once.get("/" + link["shortCode"])
    often.get("/" + link["shortCode"], headers={"User-Agent": FIREFOX})
    stats = anna.sees_clicks(link, 5)
    assert (stats["totalClicks"], stats["uniqueClicks"]) == (5, 3)
    assert sum(step["uniqueClicks"] for step in stats["series"]) == 3


def test_a_scan_is_told_from_a_click(anna, house):
    link = anna.link("https://example.org/p", forwardQuery=True)
    for query, forwarded in (("", ""), ("?qr=1", ""), ("?a=%20&qr=123456789&&b=%2F+", "?a=%20&&b=%2F+"),
                             ("?qr=abc", "?qr=abc"), ("?qr=", "?qr=")):
        redirects(house.visitor().get(f"/{link['shortCode']}{query}"), to="https://example.org/p" + forwarded)
    assert "qr=" not in house.visitor().get(f"/{link['shortCode']}+?qr=1").text
    stats = anna.sees_clicks(link, 5)
    assert stats["sources"] == [{"key": "click", "clicks": 3}, {"key": "scan", "clicks": 2}]
    clicks = anna.clicks(link)
    assert sorted(click["source"] for click in clicks) == ["click"] * 3 + ["scan"] * 2
    # The link has no QR code of these marks.
    assert all(click["qrCodeId"] is None for click in clicks)


def test_a_password_does_not_hide_a_scan(anna, house):
    link = anna.link("https://example.org/", password="open sesame", forwardQuery=True)
    visitor = house.visitor()
    form = visitor.get(f"/{link['shortCode']}?qr=7")
    action = re.search(r'action="([^"]*)"', form.text).group(1).replace("&amp;", "&")
    assert action == f"/{link['shortCode']}?qr=7"
    redirects(visitor.request("POST", action, data={"password": "open sesame"}), to="https://example.org/", status=303)
    assert [entry["key"] for entry in anna.sees_clicks(link, 1)["sources"]] == ["scan"]


def test_invented_campaigns_do_not_grow_without_end(anna, house):
    link = anna.link()
    visitors = [house.visitor() for _ in range(4)]

    def campaigns(number):
        for step in range(300):
            redirects(visitors[number].get(f"/{link['shortCode']}?utm_term=t{number}-{step}&utm_content=one"))

    at_once(4, campaigns)
    anna.sees_clicks(link, 1200, seconds=60)
    subject = link["id"].replace("-", "")
    rows = house.database.sql(
        "SELECT COUNT(*), SUM(clicks), SUM(IF(value = '(other)', clicks, 0)) FROM click_breakdowns"
        f" WHERE subject = UNHEX('{subject}') AND period = 1 AND dimension = 12")
    values, clicks, others = map(int, rows[0])
    # Two loaders may each let in some more before they look again.
    assert 1000 <= values <= 1001 + 2 * 128 and clicks == 1200 and others == 1200 - (values - 1)


def test_a_forged_address_makes_nobody_unique(anna, visitor):
    link = anna.link()
    for number in range(4):
        forged = f"198.51.100.{number}"
        visitor.get("/" + link["shortCode"], headers={"X-Forwarded-For": forged, "X-Real-IP": forged})
    assert anna.sees_clicks(link, 4)["uniqueClicks"] == 1


def test_the_same_person_at_the_same_moment_is_unique_once(anna, visitor):
    link = anna.link()
    at_once(20, lambda _: visitor.get("/" + link["shortCode"], fresh=True))
    stats = anna.sees_clicks(link, 20)
    assert (stats["totalClicks"], stats["uniqueClicks"]) == (20, 1)


def test_no_address_is_kept_anywhere(anna, house):
    # The short forms of an address may be among random bytes by chance, but not those of two.
    assert not (traces_of_a_click(anna, house, "203.0.113.77") and traces_of_a_click(anna, house, "198.51.100.94"))


def traces_of_a_click(anna, house, forged):
    """Lets somebody through who claims to be at another address, too; answers where a trace of either was found."""
    link = anna.link()
    visitor = Visitor(house)
    visitor.get("/" + link["shortCode"], headers={"X-Forwarded-For": forged})
    visitor.head("/" + link["shortCode"])
    anna.sees_clicks(link, 1)
    traces = []
    for address in (visitor.address, forged):
        packed = socket.inet_aton(address)
        number = str(int.from_bytes(packed, "big"))
        traces += [address.encode(), packed.hex().encode(), packed.hex().upper().encode(), number.encode()]
    dump = house.database.dump()
    assert link["shortCode"].encode() in dump
    found = [("the database", trace) for trace in traces if trace in dump]
    for directory, _, names in os.walk(house.state):
        for name in names:
            path = os.path.join(directory, name)
            if os.path.isfile(path) and not os.path.islink(path):
                with open(path, "rb") as file:
                    content = file.read()
                found += [(path, trace) for trace in traces if trace in content]
    found += [("the log", trace) for trace in traces if trace in house.log().encode()]
    for place, trace in found:
        print(f"{trace} is in {place}")
    return found


def test_five_hundred_clicks_are_five_hundred(anna, house):
    link = anna.link()
    visitors = [house.visitor() for _ in range(10)]
    answers = at_once(10, lambda number: [visitors[number].get("/" + link["shortCode"]) for _ in range(50)])
    assert all(answer.status_code == 302 for some in answers for answer in some)
    stats = anna.sees_clicks(link, 500)
    time.sleep(1)
    stats = anna.stats(link)
    assert (stats["totalClicks"], stats["uniqueClicks"]) == (500, 10)
    assert len({click["id"] for click in anna.clicks(link)}) == 500
