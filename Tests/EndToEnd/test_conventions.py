"""The conventions that every client relies on, shown on links."""

import http.client
import json
import re
import time

import pytest

from actors import Actor, at_once, created, no_content, ok, problem, refuses, statuses
from processes import wait_until

CODE = re.compile(r"[a-z][a-z0-9_]*")


# ---- problem details and request ids ----

def test_an_error_is_described_completely(anna):
    answer = anna.get("/api/links/nonsense")
    body = problem(answer, 404, "not_found")
    assert body["instance"] == "/api/links/nonsense"
    assert CODE.fullmatch(body["code"]) and body["title"] and body["detail"] and body["type"]


def test_an_unknown_path_below_api_is_a_problem_too(anna, nobody):
    problem(anna.get("/api/nothing-here"), 404, "not_found")
    problem(nobody.get("/api/"), 404, "not_found")


@pytest.mark.parametrize("identifier", ["abc-123.DEF_9", "0", "7f9c24e8-3b6b-4c1e-9d5f-0123456789ab"])
def test_a_sane_request_id_is_kept(anna, identifier):
    answer = anna.get("/api/links/nonsense", headers={"X-Request-Id": identifier})
    assert answer.headers["X-Request-Id"] == identifier
    assert answer.json()["requestId"] == identifier


@pytest.mark.parametrize("identifier", ["", "x" * 300, "two words", "<script>", 'quote"d', "semi;colon"])
def test_an_insane_request_id_is_replaced(anna, identifier):
    kept = ok_request_id(anna.get("/api/links", headers={"X-Request-Id": identifier}))
    assert kept != identifier and len(kept) <= 100


def test_every_answer_has_a_request_id_of_its_own(house, anna, visitor):
    answers = [anna.get("/api/links"), visitor.get("/neverseen"), visitor.get("/"), visitor.get("/health"),
               visitor.get("/openapi/v1.json"), visitor.get("/api/nothing"), anna.options("/api/links")]
    assert len({ok_request_id(answer) for answer in answers}) == len(answers)


def ok_request_id(answer):
    assert answer.headers.get("X-Request-Id"), f"no X-Request-Id on {answer.request.url}"
    return answer.headers["X-Request-Id"]


# ---- bodies ----

@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "text/json",
                                          "application/jsonp", "multipart/form-data; boundary=x", "nonsense"])
def test_a_body_that_is_not_json_is_415(anna, content_type):
    text = json.dumps({"destinationUrl": "https://example.org/"})
    problem(anna.send_text("POST", "/api/links", text, content_type), 415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8",
                                          "Application/JSON;charset=UTF-8"])
def test_json_is_taken_however_it_is_written(anna, content_type):
    created(anna.send_text("POST", "/api/links", '{"destinationUrl":"https://example.org/"}', content_type))


@pytest.mark.parametrize("text", [
    b'{"destinationUrl":', b"{'destinationUrl': 1}", b'{"destinationUrl": "https://example.org/",}', b"{} {}",
    b"nonsense", b'{"a": NaN}', b'{"a": 01}', b'{"a": "\n"}', b'{"title": "\xff\xfe"}', b'{"title": "\xc0\xaf"}',
    b'{"title": "\xed\xa0\x80"}', b"\xef\xbb\xbf\xff{}", b"[" * 100_000,
    b'{"a":' * 5000 + b"1" + b"}" * 5000, b"[" * 2000 + b"]" * 2000,
], ids=lambda text: repr(text[:24]))
def test_malformed_json_is_400(anna, text):
    body = problem(anna.send_text("POST", "/api/links", text), 400)
    assert CODE.fullmatch(body["code"])


def test_half_a_surrogate_pair_is_refused(anna):
    text = r'{"destinationUrl": "https://example.org/", "title": "\ud800"}'
    assert anna.send_text("POST", "/api/links", text).status_code in (400, 422)


@pytest.mark.parametrize("text", ["[]", '"text"', "1", "null", "true", '[{"destinationUrl":"https://example.org/"}]'])
def test_json_that_is_no_object_is_422(anna, text):
    problem(anna.send_text("POST", "/api/links", text), 422, "invalid")


def test_every_bad_field_is_named(anna):
    answer = anna.post("/api/links", {
        "destinationUrl": "javascript:alert(1)", "shortCode": "a b", "redirectStatus": 299, "maxClicks": -1,
        "expiresAt": "tomorrow", "expiredUrl": "ftp://example.org/", "isEnabled": "yes", "title": 5,
        "tags": "spring", "nonsense": 1,
    })
    codes = refuses(answer, "destinationUrl", "shortCode", "redirectStatus", "maxClicks", "expiresAt", "expiredUrl",
                    "isEnabled", "title", "tags", "nonsense")
    assert codes["nonsense"] == "unknown_field"
    assert all(CODE.fullmatch(code) for code in codes.values())


def test_a_field_that_is_missing_is_named(anna):
    refuses(anna.post("/api/links", {}), "destinationUrl")
    refuses(anna.post("/api/links", {"destinationUrl": None}), "destinationUrl")


def test_every_bad_query_parameter_is_named(anna):
    refuses(anna.get("/api/links", params={"limit": "0", "cursor": "nonsense", "typo": "1"}),
            "limit", "cursor", "typo")


def test_a_body_past_the_limit_is_413(house, anna):
    # Announced and never sent: the answer has to come from the announcement.
    connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=30)
    try:
        connection.putrequest("POST", "/api/links")
        for name, value in {**anna.headers, "Content-Type": "application/json",
                            "Content-Length": str(1 << 30), "Expect": "100-continue"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        assert response.status == 413
        assert response.getheader("Content-Type").startswith("application/problem+json")
        body = json.loads(response.read())
        assert body["status"] == 413 and body["requestId"] == response.getheader("X-Request-Id")
    finally:
        connection.close()


def test_json_far_larger_than_any_link_is_413(anna):
    answer = anna.send_text("POST", "/api/links", json.dumps({"title": "x" * (40 << 20)}))
    problem(answer, 413)
    ok(anna.get("/api/links"))


# ---- ETag ----

def test_what_is_known_is_not_sent_again(anna):
    link = anna.link()
    path = f"/api/links/{link['id']}"
    tag = anna.get(path).headers["ETag"]
    assert re.fullmatch(r'(W/)?"[^"]+"', tag)
    for known in (tag, f'"other", {tag}', "*"):
        answer = anna.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b""), known
        assert answer.headers["ETag"] == tag
    assert anna.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_change_on_a_stale_copy_is_refused(anna):
    link = anna.link()
    path = f"/api/links/{link['id']}"
    old = anna.get(path).headers["ETag"]
    changed = anna.patch(path, {"title": "one"}, headers={"If-Match": old})
    new = changed.headers["ETag"]
    assert ok(changed)["title"] == "one" and new != old
    assert new == anna.get(path).headers["ETag"]

    problem(anna.patch(path, {"title": "two"}, headers={"If-Match": old}), 412, "precondition_failed")
    problem(anna.delete(path, headers={"If-Match": old}), 412, "precondition_failed")
    assert ok(anna.get(path))["title"] == "one"
    assert anna.get(path, headers={"If-None-Match": old}).status_code == 200

    ok(anna.patch(path, {"title": "three"}, headers={"If-Match": "*"}))
    last = anna.get(path).headers["ETag"]
    no_content(anna.delete(path, headers={"If-Match": f'"other", {last}'}))


def test_of_two_changes_on_one_copy_one_wins(anna):
    link = anna.link()
    path = f"/api/links/{link['id']}"
    tag = anna.get(path).headers["ETag"]
    answers = at_once(10, lambda number: anna.patch(path, {"title": str(number)}, headers={"If-Match": tag}))
    assert statuses(answers) == {200: 1, 412: 9}


# ---- Idempotency-Key ----

def test_a_repeated_post_is_replayed(anna):
    body, key = {"destinationUrl": "https://example.org/once"}, {"Idempotency-Key": "order 1001"}
    first = anna.post("/api/links", body, headers=key)
    again = anna.post("/api/links", body, headers=key)
    assert created(first) == created(again)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert ok(anna.get("/api/links"))["total"] == 1


def test_the_key_with_another_body_is_refused(anna):
    key = {"Idempotency-Key": "a"}
    created(anna.post("/api/links", {"destinationUrl": "https://example.org/1"}, headers=key))
    problem(anna.post("/api/links", {"destinationUrl": "https://example.org/2"}, headers=key),
            422, "idempotency_key_reused")
    created(anna.post("/api/links", {"destinationUrl": "https://example.org/2"}, headers={"Idempotency-Key": "b"}))


def test_the_keys_of_two_accounts_are_apart(anna, stranger):
    body, key = {"destinationUrl": "https://example.org/"}, {"Idempotency-Key": "same"}
    hers, his = created(anna.post("/api/links", body, headers=key)), stranger.post("/api/links", body, headers=key)
    assert created(his)["id"] != hers["id"]
    assert "Idempotency-Replayed" not in his.headers


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_1_to_255_characters(anna, key):
    answer = anna.post("/api/links", {"destinationUrl": "https://example.org/"}, headers={"Idempotency-Key": key})
    assert answer.status_code in (400, 422), answer.text
    created(anna.post("/api/links", {"destinationUrl": "https://example.org/"},
                      headers={"Idempotency-Key": "x" * 255}))


def test_the_same_post_twice_at_once_is_done_once(anna):
    """Rounds, because the first may be done before the second comes; one 409 has to be seen."""
    for number in range(10):
        body = {"links": [{"destinationUrl": f"https://example.org/{number}/{row}"} for row in range(100)]}
        answers = at_once(8, lambda _: anna.post("/api/links/bulk", body, headers={"Idempotency-Key": f"b{number}"}))
        first = [answer for answer in answers if answer.ok and "Idempotency-Replayed" not in answer.headers]
        assert len(first) == 1, statuses(answers)
        for answer in answers:
            if answer.ok:
                assert answer.json() == first[0].json()
            else:
                problem(answer, 409, "idempotency_in_progress")
        assert ok(anna.get("/api/links", params={"limit": 1}))["total"] == 100 * (number + 1)
        if 409 in statuses(answers):
            return
    pytest.fail("no request was told that the first still runs")


# ---- rate limits ----

def test_the_limit_is_told_and_holds(house):
    anna = house.account("Busy", plan="starter")
    other = house.account("Other")
    # The limit is one of the minute on the clock.
    wait_until(lambda: time.time() % 60 < 30, seconds=35, what="a minute that is not about to end")
    first = anna.get("/api/links")
    quota = int(re.search(r";\s*q=(\d+)", first.headers["RateLimit-Policy"])[1])
    window = int(re.search(r";\s*w=(\d+)", first.headers["RateLimit-Policy"])[1])
    left = [int(re.search(r";\s*r=(\d+)", anna.get("/api/links").headers["RateLimit"])[1]) for _ in range(3)]
    assert left == sorted(left, reverse=True) and left[0] < quota and left[0] > left[2]
    assert quota <= 20_000, "too many for a test to use up: let a setting lower it"

    refused = None
    for _ in range(0, 2 * quota + 200, 16):
        answers = at_once(16, lambda _: anna.get("/api/links", params={"limit": 1}))
        refused = next((answer for answer in answers if answer.status_code == 429), None)
        if refused is not None:
            break
    assert refused is not None, f"{2 * quota} requests in a row against a quota of {quota} and no 429"
    problem(refused, 429, "rate_limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= window + 1
    assert int(re.search(r";\s*r=(\d+)", refused.headers["RateLimit"])[1]) == 0
    ok(other.get("/api/links"))
    same = at_once(8, lambda number: anna.get("/api/links", fresh=True))
    assert 429 in statuses(same), "the limit is not one for all processes"


# ---- CORS ----

def test_a_preflight_is_answered(nobody):
    answer = nobody.options("/api/links", headers={
        "Origin": "https://shop.example", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-api-key, content-type, idempotency-key"})
    no_content(answer)
    methods = {word.strip() for word in answer.headers["Access-Control-Allow-Methods"].split(",")}
    headers = {word.strip().lower() for word in answer.headers["Access-Control-Allow-Headers"].split(",")}
    assert {"GET", "POST"} <= methods
    assert {"x-api-key", "authorization", "content-type", "idempotency-key", "if-match", "if-none-match",
            "x-request-id"} <= headers
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", "https://shop.example")
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/api/links", "/api/links/nonsense", "/api/nothing"])
def test_an_answer_may_be_read_from_any_origin(anna, path):
    answer = anna.get(path, headers={"Origin": "https://shop.example"})
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", "https://shop.example")
    assert "Access-Control-Allow-Credentials" not in answer.headers
    exposed = {word.strip().lower() for word in answer.headers["Access-Control-Expose-Headers"].split(",")}
    assert {"x-request-id", "etag", "location", "ratelimit", "retry-after"} <= exposed


def test_the_cookie_does_not_work_from_another_origin(house, anna):
    signed_in = anna_with_cookie(house, anna)
    ok(signed_in.get("/api/links"))
    for origin in ("https://evil.example", "null", house.url.replace("127.0.0.1", "localhost")):
        answer = signed_in.get("/api/links", headers={"Origin": origin})
        assert answer.status_code in (401, 403), f"the cookie worked from {origin}"


def anna_with_cookie(house, account):
    actor = Actor(house)
    answer = actor.post("/api/auth/session", account.credentials())
    assert answer.status_code in (200, 201), answer.text
    return actor


# ---- Lists ----

def test_a_list_is_paged_and_stable_under_inserts(anna):
    first_ids = {anna.link(f"https://example.org/{number}")["id"] for number in range(7)}
    seen, cursor, sizes = [], None, []
    while True:
        page = ok(anna.get("/api/links", params={"limit": 3, **({"cursor": cursor} if cursor else {})}))
        seen += [item["id"] for item in page["items"]]
        sizes.append(len(page["items"]))
        cursor = page["nextCursor"]
        if cursor is None:
            break
        assert page["total"] >= 7
        anna.link("https://example.org/in-between")
        assert len(sizes) < 20, "the list has no end"
    assert len(seen) == len(set(seen)), "an item came twice"
    assert first_ids <= set(seen), "an item was skipped"
    assert sizes[0] == 3


def test_a_list_without_limit_has_25(anna):
    rows = [{"destinationUrl": f"https://example.org/{number}"} for number in range(30)]
    assert anna.post("/api/links/bulk", {"links": rows}).ok
    page = ok(anna.get("/api/links"))
    assert (len(page["items"]), page["total"]) == (25, 30)
    rest = ok(anna.get("/api/links", params={"cursor": page["nextCursor"]}))
    assert (len(rest["items"]), rest["nextCursor"], rest["total"]) == (5, None, 30)
    assert len(ok(anna.get("/api/links", params={"limit": 100}))["items"]) == 30


def test_an_empty_list_is_a_list(anna):
    assert ok(anna.get("/api/links")) == {"items": [], "nextCursor": None, "total": 0}


@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "many", "", "99999999999999999999"])
def test_a_limit_is_1_to_100(anna, limit):
    refuses(anna.get("/api/links", params={"limit": limit}), "limit")


@pytest.mark.parametrize("cursor", ["nonsense", "", "AAAA", "' OR 1=1 --", "x" * 3000])
def test_a_cursor_that_is_none_is_refused(anna, cursor):
    refuses(anna.get("/api/links", params={"cursor": cursor}), "cursor")


def test_another_accounts_cursor_shows_nothing_of_it(anna, stranger):
    for number in range(3):
        anna.link(f"https://example.org/{number}")
    cursor = ok(anna.get("/api/links", params={"limit": 1}))["nextCursor"]
    answer = stranger.get("/api/links", params={"limit": 1, "cursor": cursor})
    assert answer.status_code == 422 or answer.json()["items"] == []


# ---- Methods ----

def test_a_patch_changes_what_is_named_and_clears_what_is_null(anna):
    link = anna.link(title="Spring", utmSource="mail", maxClicks=5, tags=["a"])
    path = f"/api/links/{link['id']}"
    changed = ok(anna.patch(path, {"title": None, "utmMedium": "cpc"}))
    assert changed["title"] is None and changed["utmMedium"] == "cpc"
    assert (changed["utmSource"], changed["maxClicks"], changed["tags"]) == ("mail", 5, ["a"])
    assert ok(anna.get(path)) == changed
    same = ok(anna.patch(path, {}))
    assert {**same, "updatedAt": None} == {**changed, "updatedAt": None}
    refuses(anna.patch(path, {"destinationUrl": None}), "destinationUrl")
    refuses(anna.patch(path, {"id": "other"}), "id")


def test_head_is_get_without_the_body(anna):
    path = f"/api/links/{anna.link()['id']}"
    head, get = anna.head(path), anna.get(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("ETag", "Content-Type"):
        assert head.headers[name] == get.headers[name]
    missing = anna.head("/api/links/nonsense")
    assert (missing.status_code, missing.content) == (404, b"")


def test_location_leads_to_what_was_created(anna):
    answer = anna.post("/api/links", {"destinationUrl": "https://example.org/"})
    link = created(answer)
    location = answer.headers["Location"]
    assert location in (f"/api/links/{link['id']}", f"{anna.house.url}/api/links/{link['id']}")
    assert ok(anna.get(location)) == link


def test_what_is_deleted_is_gone(anna):
    path = f"/api/links/{anna.link()['id']}"
    no_content(anna.delete(path))
    problem(anna.get(path), 404, "not_found")
    problem(anna.delete(path), 404, "not_found")
    problem(anna.patch(path, {"title": "x"}), 404, "not_found")


def test_ids_and_times_are_written_as_agreed(anna):
    link = anna.link(expiresAt="2038-01-19T05:14:07+02:00")
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", link["id"])
    for name in ("createdAt", "updatedAt", "expiresAt"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", link[name]), link[name]
    assert link["expiresAt"].startswith("2038-01-19T03:14:07")


def test_strange_text_comes_back_as_it_was(anna):
    for title in ("Grüße 🐦‍⬛ — “quoted”", "'; DROP TABLE links; --", "<script>alert(1)</script>", "\\ \" / %s {{x}}",
                  "עברית", "a" * 255):
        link = anna.link(title=title)
        assert ok(anna.get(f"/api/links/{link['id']}"))["title"] == title
