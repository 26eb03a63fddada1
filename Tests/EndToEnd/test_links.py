"""Links: making, changing and following them."""

import html
import re
import secrets
import time
import urllib.parse

import pytest

from actors import MISSING_ID, at_once, created, no_content, ok, page, problem, redirects, refuses, statuses
from processes import wait_until

MEMBERS = {
    "id", "shortCode", "shortUrl", "destinationUrl", "title", "utmSource", "utmMedium", "utmCampaign", "utmTerm",
    "utmContent", "tags", "expiresAt", "expiredUrl", "maxClicks", "hasPassword", "forwardQuery", "redirectStatus",
    "isEnabled", "fileId", "externalId", "qrCode", "clicks", "lastClickedAt", "createdAt", "updatedAt",
}


def soon(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def path_of(link):
    return f"/api/links/{link['id']}"


def code():
    return "e2e-" + secrets.token_hex(5)


# ---- making, reading, changing ----

def test_a_link_has_every_member(anna):
    link = anna.link("https://example.org/")
    assert MEMBERS <= link.keys(), MEMBERS - link.keys()
    assert "password" not in link
    assert re.fullmatch(r"[A-Za-z0-9]{7}", link["shortCode"]) and not set(link["shortCode"]) & set("0OIl1")
    defaults = {"title": None, "utmSource": None, "tags": [], "expiresAt": None, "maxClicks": None,
                "hasPassword": False, "forwardQuery": False, "redirectStatus": 302, "isEnabled": True,
                "externalId": None, "fileId": None, "clicks": 0, "lastClickedAt": None}
    assert {name: link[name] for name in defaults} == defaults
    assert ok(anna.get(path_of(link))) == link


def test_every_member_can_be_given_and_comes_back(anna):
    given = {
        "destinationUrl": "https://example.org/a?b=c#d", "shortCode": code(), "title": "Spring", "utmSource": "mail",
        "utmMedium": "email", "utmCampaign": "spring", "utmTerm": "shoes", "utmContent": "top",
        "tags": ["sale", "spring"], "expiresAt": "2038-01-01T00:00:00Z", "expiredUrl": "https://example.org/over",
        "maxClicks": 100, "forwardQuery": True, "redirectStatus": 307, "isEnabled": False, "externalId": "shop-17",
    }
    link = anna.link(given.pop("destinationUrl"), **given, password="open sesame")
    assert {name: link[name] for name in given} == given
    assert link["hasPassword"] is True and "sesame" not in str(link)
    assert ok(anna.get(path_of(link))) == link
    changes = {"title": "Autumn", "utmSource": None, "tags": ["autumn"], "maxClicks": None, "redirectStatus": 301,
               "isEnabled": True, "password": None, "destinationUrl": "http://example.org/autumn", "expiresAt": None}
    changed = ok(anna.patch(path_of(link), changes))
    changes.pop("password")
    assert {name: changed[name] for name in changes} == changes
    assert changed["hasPassword"] is False and changed["shortCode"] == given["shortCode"]
    assert changed["updatedAt"] >= link["updatedAt"] and changed["createdAt"] == link["createdAt"]


def test_a_short_code_can_be_changed(anna, visitor):
    link, new = anna.link("https://example.org/x"), code()
    redirects(visitor.get("/" + link["shortCode"]))
    assert ok(anna.patch(path_of(link), {"shortCode": new}))["shortUrl"].endswith("/" + new)
    redirects(visitor.get("/" + new), to="https://example.org/x")
    page(visitor.get("/" + link["shortCode"]), 404)
    problem(anna.patch(path_of(link), {"shortCode": anna.link()["shortCode"]}), 409, "conflict")


def test_the_list_is_searched_filtered_and_sorted(anna, document):
    shoes = anna.link("https://example.org/shoes", title="Winter shoes", tags=["sale"])
    anna.link("https://example.org/hats", title="Summer hats")

    def found(**query):
        return [item["id"] for item in ok(anna.get("/api/links", params=query))["items"]]

    for word in ("winter", "SHOES", "org/shoe", shoes["shortCode"]):
        assert found(search=word) == [shoes["id"]], word
    assert found(search="nothing like it") == []
    assert found(search="100%") == [] and found(search="_") in ([], found()) and found(search="\\") == []
    assert found(tag="sale") == [shoes["id"]]
    [sort] = [p for p in document["paths"]["/api/links"]["get"]["parameters"] if p["name"] == "sort"]
    orders = [found(sort=value) for value in sort["schema"]["enum"]]
    assert all(set(order) == set(found()) for order in orders)
    assert any(order == orders[0][::-1] for order in orders[1:]), "every sort answers the same order"
    refuses(anna.get("/api/links", params={"sort": "password"}), "sort")


def test_an_account_sees_its_own_links_alone(anna, stranger):
    hers, his = anna.link(), stranger.link()
    assert [item["id"] for item in ok(anna.get("/api/links"))["items"]] == [hers["id"]]
    problem(anna.patch(path_of(his), {"destinationUrl": "https://evil.example/"}), 404)
    problem(anna.delete(path_of(his)), 404)
    assert ok(stranger.get(path_of(his))) == his


# ---- short codes ----

@pytest.mark.parametrize("short_code", [
    "ab", "x" * 65, "a b", "a/b", "a.b", "a+b", "ü-umlaut", "a%20b", "", "a\nb", "abc\n", "abc\0", 123, "١٢٣",
], ids=lambda value: repr(value)[:20])
def test_a_short_code_that_is_none_is_refused(anna, short_code):
    refuses(anna.post("/api/links", {"destinationUrl": "https://example.org/", "shortCode": short_code}), "shortCode")


@pytest.mark.parametrize("word", ["api", "scalar", "openapi", "account", "health", "API", "Scalar", "assets", "login"])
def test_a_reserved_word_is_refused(anna, word):
    refuses(anna.post("/api/links", {"destinationUrl": "https://example.org/", "shortCode": word}), "shortCode")


def test_codes_of_3_and_64_characters_work(anna, visitor):
    for short_code in (secrets.token_hex(2)[:3], ("e2e_-" + secrets.token_hex(40))[:64]):
        answer = anna.post("/api/links", {"destinationUrl": "https://example.org/s", "shortCode": short_code})
        if len(short_code) == 3 and answer.status_code == 409:
            continue  # another test may have met the same three characters
        created(answer)
        redirects(visitor.get("/" + short_code), to="https://example.org/s")


def test_a_code_that_is_taken_is_a_conflict(anna, stranger):
    taken = anna.link(shortCode=code())["shortCode"]
    for other in (taken, taken.upper(), taken.title()):
        problem(stranger.post("/api/links", {"destinationUrl": "https://example.org/", "shortCode": other}),
                409, "conflict")
        problem(anna.post("/api/links", {"destinationUrl": "https://example.org/", "shortCode": other}),
                409, "conflict")


def test_a_code_in_another_case_is_another_code_for_visitors(anna, visitor):
    short_code = code()
    anna.link("https://example.org/case", shortCode=short_code)
    redirects(visitor.get("/" + short_code), to="https://example.org/case")
    page(visitor.get("/" + short_code.upper()), 404)


def test_fifty_at_once_for_one_code(anna):
    short_code = code()
    answers = at_once(50, lambda number: anna.post(
        "/api/links", {"destinationUrl": f"https://example.org/{number}", "shortCode": short_code}, fresh=True))
    assert statuses(answers) == {201: 1, 409: 49}
    assert ok(anna.get("/api/links"))["total"] == 1


def test_availability(anna, stranger):
    def ask(short_code):
        return ok(anna.get("/api/links/availability", params={"shortCode": short_code}))

    taken = stranger.link(shortCode=code())["shortCode"]
    free = ask(code())
    assert (free["available"], free["reason"]) == (True, None)
    for short_code, reason in ((taken, "taken"), (taken.upper(), "taken"), ("api", "reserved"), ("a b", "invalid"),
                               ("ab", "invalid")):
        answer = ask(short_code)
        assert (answer["shortCode"], answer["available"], answer["reason"]) == (short_code, False, reason)
        if reason == "taken":
            assert len(answer["suggestions"]) >= 2
            for suggestion in answer["suggestions"]:
                assert ask(suggestion)["available"] is True, suggestion
    refuses(anna.get("/api/links/availability"), "shortCode")


# ---- in bulk ----

def test_a_bad_row_stops_no_other(anna):
    taken = anna.link(shortCode=code())["shortCode"]
    rows = [{"destinationUrl": "https://example.org/1", "tags": ["bulk"]}, {"destinationUrl": "nonsense"},
            {"destinationUrl": "https://example.org/3", "shortCode": taken},
            {"destinationUrl": "https://example.org/4", "typo": 1}, {"destinationUrl": "https://example.org/5"}]
    results = ok(anna.post("/api/links/bulk", {"links": rows}))["results"]
    assert [row["index"] for row in results] == [0, 1, 2, 3, 4]
    assert [row["status"] for row in results] == [201, 422, 409, 422, 201]
    assert results[0]["link"]["tags"] == ["bulk"] and results[4]["link"]["destinationUrl"] == "https://example.org/5"
    assert [error["field"] for error in results[1]["error"]["errors"]] == ["destinationUrl"]
    assert results[2]["error"]["code"] == "conflict"
    assert [error["field"] for error in results[3]["error"]["errors"]] == ["typo"]
    assert ok(anna.get("/api/links"))["total"] == 3


def test_one_code_twice_in_a_bulk_is_made_once(anna):
    short_code = code()
    rows = [{"destinationUrl": f"https://example.org/{number}", "shortCode": short_code} for number in range(2)]
    results = ok(anna.post("/api/links/bulk", {"links": rows}))["results"]
    assert [row["status"] for row in results] == [201, 409]


def test_a_bulk_has_1_to_100_rows(anna):
    row = {"destinationUrl": "https://example.org/"}
    refuses(anna.post("/api/links/bulk", {"links": [row] * 101}), "links")
    refuses(anna.post("/api/links/bulk", {"links": []}), "links")
    refuses(anna.post("/api/links/bulk", {}), "links")
    refuses(anna.post("/api/links/bulk", {"links": "all"}), "links")
    assert ok(anna.get("/api/links"))["total"] == 0
    assert len(ok(anna.post("/api/links/bulk", {"links": [row] * 100}))["results"]) == 100


# ---- destinations ----

@pytest.mark.parametrize("destination", [
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,<script>", "vbscript:x", "file:///etc/passwd",
    "ftp://example.org/", "//example.org/", "/local", "example.org", "", " ", "https://", "https:///path", "http:/one",
    "https://anna:secret@example.org/", "https://anna@example.org/", "https://example.org\\@evil.example/",
    "https:\\\\example.org\\", "https://example.org/a b", " https://example.org/", "https://example.org/ ",
    "https://example.org/\r\nSet-Cookie: a=b", "https://example.org/\n", "https://example.org/\t",
    "java\nscript:alert(1)",
    "https://example.org/\0", "https://example.org/\x7f", "https://exa mple.org/", "https://example.org:99999/",
    "https://example.org:port/", "https://[::1", "https://example.org/" + "x" * 2048, "https://ex<am>ple.org/",
    "https://.example.org/", "https://example..org/", 5, None, {}, [], True,
], ids=lambda value: repr(value)[:40])
def test_a_hostile_destination_is_refused(anna, destination):
    refuses(anna.post("/api/links", {"destinationUrl": destination}), "destinationUrl")


@pytest.mark.parametrize("destination", [
    "https://example.org", "http://example.org:8080/a", "https://example.org/a%20b?c=%C3%BC#d", "https://192.0.2.1/",
    "https://[2001:db8::1]/", "https://xn--mnchen-3ya.example/", "https://example.org/?u=https://other.example/?a=b",
    "https://example.org/" + "x" * 2028, "https://example.org/~a/(b);c,d:e@f!g*h'i$j&k=l+m",
], ids=lambda value: value[:50])
def test_a_good_destination_arrives_byte_by_byte(anna, visitor, destination):
    link = anna.link(destination)
    assert link["destinationUrl"] == destination
    assert redirects(visitor.get("/" + link["shortCode"])) == destination


@pytest.mark.parametrize("name", ["utmSource", "utmMedium", "utmCampaign", "utmTerm", "utmContent"])
def test_utm_values_are_merged_without_a_loss(anna, visitor, name):
    link = anna.link("https://example.org/p?a=1&b=%20x&a=2#frag?ment", **{name: "spring & more=50% #1 ü"})
    place = redirects(visitor.get("/" + link["shortCode"]))
    assert place.startswith("https://example.org/p?a=1&b=%20x&a=2&") and place.endswith("#frag?ment")
    query = urllib.parse.parse_qsl(urllib.parse.urlsplit(place).query)
    parameter = "utm_" + name.removeprefix("utm").lower()
    assert query == [("a", "1"), ("b", " x"), ("a", "2"), (parameter, "spring & more=50% #1 ü")]
    assert place.isascii()


def test_utm_values_on_a_bare_destination(anna, visitor):
    for destination, expected in (("https://example.org", "https://example.org?utm_source=m"),
                                  ("https://example.org/#f", "https://example.org/?utm_source=m#f"),
                                  ("https://example.org/?", "https://example.org/?utm_source=m")):
        place = redirects(visitor.get("/" + anna.link(destination, utmSource="m")["shortCode"]))
        assert place in (expected, expected.replace("org?", "org/?"))


def test_the_query_is_forwarded_when_asked_for(anna, visitor):
    quiet = anna.link("https://example.org/p?a=1#f")
    assert redirects(visitor.get(f"/{quiet['shortCode']}?b=2")) == "https://example.org/p?a=1#f"
    link = anna.link("https://example.org/p?a=1#f", forwardQuery=True)
    assert redirects(visitor.get(f"/{link['shortCode']}?b=%202&c")) == "https://example.org/p?a=1&b=%202&c#f"
    assert redirects(visitor.get(f"/{link['shortCode']}")) == "https://example.org/p?a=1#f"
    for query in ("x=%0d%0aSet-Cookie:%20a=b", "%0d%0aX: y", "x=\x7f", "x=%00"):
        answer = visitor.get(f"/{link['shortCode']}?{query}")
        assert answer.status_code in (302, 400), answer.status_code
        assert "Set-Cookie" not in answer.headers and "X" not in answer.headers


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_the_status_of_the_redirect_is_a_choice(anna, visitor, status):
    link = anna.link("https://example.org/s", redirectStatus=status)
    answer = visitor.get("/" + link["shortCode"])
    redirects(answer, to="https://example.org/s", status=status)
    if status == 302:
        words = {word.strip() for word in answer.headers["Cache-Control"].split(",")}
        assert words == {"private", "no-store"}


@pytest.mark.parametrize("status", [200, 300, 303, 304, 404, "302", 302.5, True])
def test_any_other_status_is_refused(anna, status):
    refuses(anna.post("/api/links", {"destinationUrl": "https://example.org/", "redirectStatus": status}),
            "redirectStatus")


def test_head_is_answered_like_get(anna, visitor):
    link = anna.link("https://example.org/h")
    answer = visitor.head("/" + link["shortCode"])
    redirects(answer, to="https://example.org/h")
    assert answer.content == b""


# ---- the end of a link ----

def test_an_expired_link_is_over_in_every_process(anna, visitor):
    link = anna.link(expiresAt=soon(6))
    assert statuses(at_once(10, lambda _: visitor.get("/" + link["shortCode"], fresh=True))) == {302: 10}
    wait_until(lambda: visitor.get("/" + link["shortCode"]).status_code == 410, seconds=12, what="the end of the link")
    answers = at_once(20, lambda _: visitor.get("/" + link["shortCode"], fresh=True))
    assert statuses(answers) == {410: 20}
    assert "example.org" not in page(answers[0], 410)
    ok(anna.patch(path_of(link), {"expiresAt": None}))
    assert statuses(at_once(20, lambda _: visitor.get("/" + link["shortCode"], fresh=True))) == {302: 20}


def test_an_expired_link_leads_where_it_was_told(anna, visitor):
    link = anna.link(expiresAt=soon(6), expiredUrl="https://example.org/over?x=1", utmSource="mail")
    wait_until(lambda: visitor.get("/" + link["shortCode"]).headers.get("Location") == "https://example.org/over?x=1",
               seconds=12, what="the redirect to expiredUrl")


@pytest.mark.parametrize("hostile", ["javascript:alert(1)", "//evil.example", "https://a:b@example.org/", "https://x/\n"])
def test_expired_url_is_checked_like_a_destination(anna, hostile):
    refuses(anna.post("/api/links", {"destinationUrl": "https://example.org/", "expiredUrl": hostile}), "expiredUrl")


def test_the_most_clicks_are_exact_under_fifty_at_once(anna, visitor):
    link = anna.link("https://example.org/ten", maxClicks=10)
    answers = at_once(50, lambda _: visitor.get("/" + link["shortCode"], fresh=True))
    assert statuses(answers) == {302: 10, 410: 40}
    assert anna.sees_clicks(link, 10)["totalClicks"] == 10
    ok(anna.patch(path_of(link), {"maxClicks": 11}))
    answers = at_once(10, lambda _: visitor.get("/" + link["shortCode"], fresh=True))
    assert statuses(answers) == {302: 1, 410: 9}


def test_a_used_up_link_leads_where_it_was_told(anna, visitor):
    link = anna.link("https://example.org/", maxClicks=1, expiredUrl="https://example.org/sold-out")
    places = [redirects(visitor.get("/" + link["shortCode"])) for _ in range(3)]
    assert places == ["https://example.org/"] + ["https://example.org/sold-out"] * 2


def test_heads_and_previews_use_nothing_up(anna, visitor):
    link = anna.link("https://example.org/", maxClicks=1)
    for _ in range(3):
        visitor.head("/" + link["shortCode"])
        visitor.get(f"/{link['shortCode']}+")
    redirects(visitor.get("/" + link["shortCode"]))


def test_a_disabled_link_is_off_and_on_again(anna, visitor):
    link = anna.link()
    for _ in range(3):
        ok(anna.patch(path_of(link), {"isEnabled": False}))
        assert statuses(at_once(12, lambda _: visitor.get("/" + link["shortCode"], fresh=True))) == {410: 12}
        ok(anna.patch(path_of(link), {"isEnabled": True}))
        assert statuses(at_once(12, lambda _: visitor.get("/" + link["shortCode"], fresh=True))) == {302: 12}


def test_from_a_change_on_no_process_leads_to_the_old_place(anna, visitor):
    link = anna.link("https://example.org/0")
    for number in range(1, 11):
        at_once(12, lambda _: visitor.get("/" + link["shortCode"], fresh=True))  # now every process has it cached
        ok(anna.patch(path_of(link), {"destinationUrl": f"https://example.org/{number}"}))
        answers = at_once(24, lambda _: visitor.get("/" + link["shortCode"], fresh=True))
        assert {answer.headers["Location"] for answer in answers} == {f"https://example.org/{number}"}
    no_content(anna.delete(path_of(link)))
    assert statuses(at_once(24, lambda _: visitor.get("/" + link["shortCode"], fresh=True))) == {404: 24}


def test_a_code_that_was_unknown_works_from_its_creation_on(anna, visitor):
    for _ in range(5):
        short_code = code()
        assert statuses(at_once(12, lambda _: visitor.get("/" + short_code, fresh=True))) == {404: 12}
        anna.link(shortCode=short_code)
        assert statuses(at_once(12, lambda _: visitor.get("/" + short_code, fresh=True))) == {302: 12}


# ---- passwords ----

def form_of(text):
    """Method, action and the fields with their values of the page's form."""
    form = re.search(r"<form\b([^>]*)>(.*?)</form>", text, re.S | re.I)
    assert form, "no form on the page"
    attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', form[1]))
    fields = [dict(re.findall(r'([\w-]+)="([^"]*)"', tag)) for tag in re.findall(r"<input\b([^>]*)>", form[2], re.I)]
    return (attributes.get("method", "get").lower(), html.unescape(attributes.get("action", "")),
            {field["name"]: html.unescape(field.get("value", "")) for field in fields if "name" in field})


def enter(visitor, link, password, status=None):
    place = "/" + link["shortCode"]
    method, action, fields = form_of(page(visitor.get(place), status or 200))
    assert method == "post" and "password" in fields
    return visitor.post(urllib.parse.urljoin(place, action), data={**fields, "password": password})


def test_a_link_with_a_password_asks_for_it(house, anna, visitor):
    link = anna.link("https://example.org/secret-place", password="öffne dich 50%&=", title="Private thing")
    asked = visitor.get("/" + link["shortCode"])
    assert "secret-place" not in page(asked) and "no-store" in asked.headers["Cache-Control"]

    for wrong in ("", "wrong", "ÖFFNE DICH 50%&=", "öffne dich 50%&= ", "x" * 5000):
        answer = enter(visitor, link, wrong)
        assert answer.status_code in (200, 401, 403, 422) and "Location" not in answer.headers, answer.status_code
        assert "secret-place" not in answer.text
    answer = enter(visitor, link, "öffne dich 50%&=")
    # 307 and 308 would have the browser post the password to the destination.
    assert answer.status_code in (302, 303)
    assert answer.headers["Location"] == "https://example.org/secret-place"
    assert anna.sees_clicks(link, 1)["totalClicks"] == 1

    assert "secret-place" not in visitor.get(f"/{link['shortCode']}+").text
    assert "Location" not in visitor.head("/" + link["shortCode"]).headers
    assert "Location" not in visitor.get(f"/{link['shortCode']}?password=%C3%B6ffne%20dich%2050%25%26%3D").headers
    assert "öffne dich".encode() not in house.database.dump()


def test_a_password_is_changed_and_taken_off_at_once(anna, visitor):
    link = anna.link("https://example.org/p", password="first one", redirectStatus=308)
    assert enter(visitor, link, "first one").status_code in (302, 303)
    ok(anna.patch(path_of(link), {"password": "second one"}))
    assert "Location" not in enter(visitor, link, "first one").headers
    assert enter(visitor, link, "second one").headers["Location"] == "https://example.org/p"
    ok(anna.patch(path_of(link), {"password": None}))
    assert statuses(at_once(12, lambda _: visitor.get("/" + link["shortCode"], fresh=True))) == {308: 12}


def test_a_password_counts_against_the_most_clicks_only_when_right(anna, visitor):
    link = anna.link("https://example.org/p", password="right one", maxClicks=1)
    for _ in range(3):
        enter(visitor, link, "wrong")
    assert enter(visitor, link, "right one").status_code in (302, 303)
    page(visitor.get("/" + link["shortCode"]), 410)


# ---- pages ----

def test_the_preview_shows_where_a_link_leads(anna, visitor):
    link = anna.link('https://example.org/?q="><script>alert(1)</script>'.replace('"', "%22").replace("<", "%3C"),
                     title="<b>Bold</b> & 'quoted' \"title\"", utmSource="mail")
    answer = visitor.get(f"/{link['shortCode']}+")
    text = page(answer)
    assert "https://example.org/" in html.unescape(text) and "utm_source=mail" in html.unescape(text)
    assert "<b>Bold</b>" not in text and "&lt;b&gt;Bold" in text
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe-eval" not in policy and "default-src" in policy
    page(visitor.get("/neverseen+"), 404)


def test_pages_are_not_framed_sniffed_or_cached(anna, visitor):
    gone = anna.link(isEnabled=False)
    for path, status in (("/neverseen", 404), ("/" + gone["shortCode"], 410), (f"/{anna.link()['shortCode']}+", 200)):
        answer = visitor.get(path)
        page(answer, status)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors" in answer.headers["Content-Security-Policy"] or "X-Frame-Options" in answer.headers


@pytest.mark.parametrize("path", ["/a", "/" + "x" * 65, "/a.b.c", "/%ff%fe", "/%3Cscript%3E", "/a%0d%0ab", "/abc/def",
                                  "/ünknown", "//example.org", "/abc%2Fdef", "/abc++", "/+", "/" + "x" * 6000])
def test_a_path_that_is_no_code_gets_a_page(visitor, path):
    answer = visitor.get(path)
    assert answer.status_code in (404, 400), answer.status_code
    assert "<script>" not in answer.text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_on_a_short_link_are_refused(anna, visitor, method):
    answer = visitor.request(method, "/" + anna.link()["shortCode"])
    assert answer.status_code == 405 and {"GET", "HEAD"} <= set(answer.headers["Allow"].replace(" ", "").split(","))


# ---- tags ----

def test_the_tags_of_a_link(anna):
    link = anna.link(tags=["b", "a"])
    path = path_of(link) + "/tags"

    def tags(answer):
        return sorted(ok(answer)["tags"])

    assert tags(anna.get(path)) == ["a", "b"]
    assert tags(anna.put(path, {"tags": ["c", "d"]})) == ["c", "d"]
    assert tags(anna.post(path, {"tags": ["d", "e f/ü"]})) == ["c", "d", "e f/ü"]
    assert sorted(ok(anna.get(path_of(link)))["tags"]) == ["c", "d", "e f/ü"]
    no_content(anna.delete(path + "/" + urllib.parse.quote("e f/ü", safe="")))
    no_content(anna.delete(path + "/c"))
    assert tags(anna.get(path)) == ["d"]
    problem(anna.delete(path + "/c"), 404)
    assert tags(anna.put(path, {"tags": []})) == []
    refuses(anna.put(path, {}), "tags")
    problem(anna.put(path, {"tags": ["", "x" * 300, 5]}), 422)
    problem(anna.get(f"/api/links/{MISSING_ID}/tags"), 404)


def test_tags_added_at_once_are_all_there(anna):
    link = anna.link()
    answers = at_once(20, lambda number: anna.post(path_of(link) + "/tags", {"tags": [f"t{number}", "shared"]}))
    assert set(statuses(answers)) <= {200, 201}, statuses(answers)
    assert sorted(ok(anna.get(path_of(link)))["tags"]) == sorted([f"t{number}" for number in range(20)] + ["shared"])


# ---- statistics ----

def test_the_series_adds_up_in_every_interval(anna, visitor):
    link = anna.link()
    year = time.strftime("%Y", time.gmtime())
    for _ in range(3):
        visitor.get("/" + link["shortCode"])
    anna.sees_clicks(link, 3)
    for interval in ("hour", "day", "week", "month"):
        stats = anna.stats(link, interval=interval, timezone="Pacific/Auckland")
        assert sum(step["clicks"] for step in stats["series"]) == stats["totalClicks"] == 3, interval
        assert all({"start", "clicks", "uniqueClicks"} <= step.keys() for step in stats["series"])
    for name in ("countries", "cities", "referrers", "browsers", "systems", "devices", "sources"):
        assert all(set(entry) >= {"key", "clicks"} for entry in stats[name]), name
    past = anna.stats(link, **{"from": "2020-01-01T00:00:00Z", "to": "2020-02-01T00:00:00Z", "interval": "day"})
    assert past["totalClicks"] == 0 and sum(step["clicks"] for step in past["series"]) == 0
    assert anna.stats(link, **{"from": f"{year}-01-01T00:00:00Z"})["totalClicks"] == 3


@pytest.mark.parametrize("name, value", [("interval", "minute"), ("timezone", "Mars/Olympus"), ("timezone", "../etc"),
                                         ("from", "yesterday"), ("to", "2026-13-01T00:00:00Z")])
def test_what_the_statistics_are_asked_is_checked(anna, name, value):
    link = anna.link()
    refuses(anna.get(path_of(link) + "/stats", params={name: value}), name)
    refuses(anna.get("/api/links/stats", params={name: value}), name)


def test_a_span_that_is_far_too_long_is_refused_not_computed(anna):
    answer = anna.get(path_of(anna.link()) + "/stats", params={
        "from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z", "interval": "hour"})
    assert answer.status_code in (200, 422) and len(answer.content) < 2_000_000


def test_the_statistics_of_the_account(anna, stranger, visitor):
    links = [anna.link(), anna.link()]
    other = stranger.link()
    for link in (*links, other):
        redirects(visitor.get("/" + link["shortCode"]))
    for link in links:
        anna.sees_clicks(link, 1)
    stats = ok(anna.get("/api/links/stats"))
    assert stats["totalClicks"] == 2
    stranger.sees_clicks(other, 1)
    assert ok(stranger.get("/api/links/stats"))["totalClicks"] == 1


def test_single_clicks_are_listed(anna, visitor):
    link = anna.link()
    for number in range(3):
        visitor.get("/" + link["shortCode"], headers={"Referer": f"https://r{number}.example/"})
    anna.sees_clicks(link, 3)
    first = ok(anna.get(path_of(link) + "/clicks", params={"limit": 2}))
    assert (len(first["items"]), first["total"]) == (2, 3) and first["nextCursor"]
    assert len(anna.clicks(link)) == 3
