"""Accounts: registering, signing in and out, passwords, sessions and API keys."""

import base64
import hashlib
import json
import math
import re
import time

import jwt
import pytest

from actors import CHROME, Actor, at_once, created, no_content, ok, problem, refuses, statuses
from processes import wait_until

GOOD = "a long enough one 42"


def bearer(house, token):
    return Actor(house, {"Authorization": "Bearer " + token})


def refused_jwt(house, token):
    problem(bearer(house, token).get("/api/auth/me"), 401, "unauthenticated")


# ---- registering ----

def test_registering_an_address_that_exists_changes_nothing(house, anna):
    before = ok(anna.get("/api/auth/me"))
    for address in (anna.email, anna.email.upper(), anna.email.title()):
        answer = house.nobody().post("/api/auth/register", {"email": address, "password": GOOD, "name": "Mallory"})
        assert answer.status_code in (201, 409), answer.text
    assert ok(anna.get("/api/auth/me")) == before
    ok(house.nobody().post("/api/auth/login", anna.credentials()))
    problem(house.nobody().post("/api/auth/login", {"email": anna.email, "password": GOOD}), 401)


def test_registering_twice_at_once_makes_one_account(house, nobody):
    body = {"email": house.new_email("twin"), "name": "Twin"}
    passwords = [f"a long enough one {number}" for number in range(8)]
    answers = at_once(8, lambda number: nobody.post("/api/auth/register", {**body, "password": passwords[number]}))
    # Beyond the places for passwords a process answers 503.
    assert set(statuses(answers)) <= {201, 409, 503}
    # Only a few wrong guesses are free, so not all of the passwords can be tried.
    made = [number for number, answer in enumerate(answers) if answer.status_code == 201]
    assert len(made) == 1
    ok(nobody.post("/api/auth/login", {"email": body["email"], "password": passwords[made[0]]}))
    other = passwords[made[0] - 1]
    problem(nobody.post("/api/auth/login", {"email": body["email"], "password": other}), 401)


@pytest.mark.parametrize("address", [
    "", "anna", "@example.org", "anna@", "a b@example.org", "anna@example.org\r\nBcc: x", "a" * 65 + "@example.org",
    "anna@" + "x" * 300 + ".org", 5, None,
], ids=lambda value: repr(value)[:30])
def test_an_address_that_is_none_is_refused(nobody, address):
    refuses(nobody.post("/api/auth/register", {"email": address, "password": GOOD, "name": "Anna"}), "email")


def test_every_bad_field_of_a_registration_is_named(nobody):
    refuses(nobody.post("/api/auth/register", {"email": "anna", "password": "short", "name": "", "plan": "unlimited"}),
            "email", "password", "name", "plan")
    refuses(nobody.post("/api/auth/register", {"email": "a@example.org", "password": "x" * 5000, "name": "Anna"}),
            "password")


def test_the_password_is_nowhere_in_the_database(house, anna):
    assert anna.password.encode() not in house.database.dump()
    assert anna.password not in house.log()


# ---- logging in ----

def test_an_unknown_address_and_a_wrong_password_are_not_told_apart(house, anna):
    def words(answer):
        body = problem(answer, 401)
        return {name: value for name, value in body.items() if name != "requestId"}, sorted(answer.headers)

    wrong = house.nobody().post("/api/auth/login", {"email": anna.email, "password": "wrong " + GOOD})
    unknown = house.nobody().post("/api/auth/login", {"email": house.new_email(), "password": "wrong " + GOOD})
    assert words(wrong) == words(unknown)


def test_nor_in_time(house):
    """The quickest of single logins, in turns, so that other work on the machine slows both alike. A missing password
    check would be tens of times as quick."""
    accounts = [house.account(f"T{number}") for number in range(15)]

    def seconds(address):
        begin = time.perf_counter()
        problem(house.nobody().post("/api/auth/login", {"email": address, "password": "wrong"}), 401)
        return time.perf_counter() - begin

    pairs = [(seconds(account.email), seconds(house.new_email())) for account in accounts]
    wrong, unknown = (min(times) for times in zip(*pairs))
    assert 0.25 < unknown / wrong < 4, f"unknown {unknown * 1000:.1f} ms, wrong {wrong * 1000:.1f} ms"


def test_repeated_failures_are_throttled_in_every_process(house, anna, stranger):
    def attempt(number, address=anna.email):
        # Each attempt claims to come from elsewhere, over a connection of its own.
        forged = f"203.0.113.{number % 250}"
        return attacker.post("/api/auth/login", {"email": address, "password": "wrong"}, fresh=True,
                             headers={"X-Forwarded-For": forged, "X-Real-IP": forged, "Forwarded": f"for={forged}"})

    attacker = house.nobody()
    began = time.monotonic()
    answers = [attempt(number) for number in range(30)]
    assert answers[0].status_code == 401
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 10, statuses(answers)
    first = next(number for number, answer in enumerate(answers) if answer.status_code == 429)
    assert 3 <= first <= 20, f"throttled after {first} failures"
    later = statuses(answers[first:])
    assert later.keys() <= {401, 429}
    # The waits are of 1, 2, 4… seconds, and one guess is looked at after each: on a slow machine some have passed.
    assert later.get(401, 0) <= math.log2(1 + time.monotonic() - began), "the limit is not one for all processes"
    problem(refused[0], 429, "rate_limited")
    assert int(refused[0].headers["Retry-After"]) >= 1

    # Only a long wait has not ended before the right password comes.
    wait_until(lambda: int(attempt(0).headers.get("Retry-After", 0)) >= 8, seconds=60, every=0.2, what="a longer wait")
    problem(attacker.post("/api/auth/login", anna.credentials()), 429)
    ok(house.nobody().post("/api/auth/login", stranger.credentials()))
    ok(anna.get("/api/auth/me"))


def test_guessing_in_parallel_is_throttled_too(house):
    victim = house.account("Victim")
    attacker = house.nobody()
    answers = at_once(40, lambda _: attacker.post("/api/auth/login", {"email": victim.email, "password": "wrong"},
                                                  fresh=True))
    assert statuses(answers).get(401, 0) <= 20, statuses(answers)
    # 503: all places for passwords are taken, and the guess was not looked at.
    assert set(statuses(answers)) <= {401, 429, 503}


def test_an_address_that_is_unknown_is_throttled_alike(house):
    attacker, address = house.nobody(), house.new_email()
    answers = [attacker.post("/api/auth/login", {"email": address, "password": "wrong"}) for _ in range(30)]
    assert 429 in statuses(answers), "who is throttled has an account: that tells"


# ---- tokens ----

def test_the_token_is_a_jwt_that_others_can_read(anna):
    token = anna.tokens["token"]
    header = jwt.get_unverified_header(token)
    assert (header["alg"], header["typ"]) == ("HS256", "JWT") and header.keys() <= {"alg", "typ", "kid"}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["sub"] == anna.tokens["user"]["id"]
    assert claims["exp"] - claims["iat"] == anna.tokens["expiresIn"] <= 3600
    assert abs(claims["iat"] - time.time()) < 30


def test_a_token_that_was_tampered_with_is_refused(house, anna, stranger):
    token = anna.tokens["token"]
    header, claims, signature = token.split(".")
    payload = jwt.decode(token, options={"verify_signature": False})
    forged_claims = {**payload, "sub": stranger.tokens["user"]["id"]}
    late = {**payload, "exp": payload["exp"] + 10**6}
    encoded = base64.urlsafe_b64encode(json.dumps(forged_claims).encode()).rstrip(b"=").decode()

    ok(bearer(house, token).get("/api/auth/me"))
    refused_jwt(house, f"{header}.{encoded}.{signature}")
    refused_jwt(house, f"{header}.{claims}.")
    refused_jwt(house, f"{header}.{claims}")
    refused_jwt(house, f"{header}.{claims}.{signature[::-1]}")
    refused_jwt(house, token + ".x")
    for algorithm in ("none", "None", "NONE", "nOnE"):
        forged_header = json.dumps({**jwt.get_unverified_header(token), "alg": algorithm})
        part = base64.urlsafe_b64encode(forged_header.encode()).rstrip(b"=").decode()
        refused_jwt(house, f"{part}.{claims}.")
        refused_jwt(house, f"{part}.{claims}.{signature}")
        refused_jwt(house, f"{part}.{encoded}.")
    refused_jwt(house, jwt.encode(late, None, algorithm="none"))
    for secret in ("", "secret" * 8, house.settings["FL_SECRET"]):
        for algorithm in ("HS256", "HS512"):
            refused_jwt(house, jwt.encode(late, _padded(secret), algorithm=algorithm,
                                          headers=jwt.get_unverified_header(token) | {"alg": algorithm}))


def _padded(secret):
    # The library refuses short keys; a guess has to be sent all the same.
    return secret.encode().ljust(64, b"\0")


def test_refreshing_rotates(house, nobody, anna):
    first = anna.tokens
    second = ok(nobody.post("/api/auth/refresh", {"refreshToken": first["refreshToken"]}))
    assert second["refreshToken"] != first["refreshToken"] and second["token"]
    ok(bearer(house, second["token"]).get("/api/auth/me"))
    third = ok(nobody.post("/api/auth/refresh", {"refreshToken": second["refreshToken"]}))

    problem(nobody.post("/api/auth/refresh", {"refreshToken": first["refreshToken"]}), 401)
    # Somebody has a copy: nobody of this family goes on.
    problem(nobody.post("/api/auth/refresh", {"refreshToken": third["refreshToken"]}), 401)

    anna.login()
    ok(nobody.post("/api/auth/refresh", {"refreshToken": anna.tokens["refreshToken"]}))


def test_another_family_goes_on(house, nobody, anna):
    laptop, phone = anna.tokens, ok(nobody.post("/api/auth/login", anna.credentials()))
    ok(nobody.post("/api/auth/refresh", {"refreshToken": laptop["refreshToken"]}))
    problem(nobody.post("/api/auth/refresh", {"refreshToken": laptop["refreshToken"]}), 401)
    ok(nobody.post("/api/auth/refresh", {"refreshToken": phone["refreshToken"]}))


def test_one_refresh_token_is_used_once_however_parallel(nobody, anna):
    answers = at_once(10, lambda _: nobody.post("/api/auth/refresh", {"refreshToken": anna.tokens["refreshToken"]}))
    assert statuses(answers).get(200, 0) <= 1, statuses(answers)
    assert set(statuses(answers)) <= {200, 401}


@pytest.mark.parametrize("token", ["", "nonsense", "x" * 5000, None, 5])
def test_a_refresh_token_that_is_none_is_refused(nobody, token):
    assert nobody.post("/api/auth/refresh", {"refreshToken": token}).status_code in (401, 422)


def test_a_refresh_token_is_no_jwt_and_the_other_way_round(house, nobody, anna):
    refused_jwt(house, anna.tokens["refreshToken"])
    assert nobody.post("/api/auth/refresh", {"refreshToken": anna.tokens["token"]}).status_code in (401, 422)


def test_the_refresh_token_is_kept_as_a_digest(house, anna):
    assert anna.tokens["refreshToken"].encode() not in house.database.dump()


def test_logging_out_ends_the_refreshing(nobody, anna):
    no_content(anna.post("/api/auth/logout", {"refreshToken": anna.tokens["refreshToken"]}))
    problem(nobody.post("/api/auth/refresh", {"refreshToken": anna.tokens["refreshToken"]}), 401)


# ---- me and passwords ----

def test_me_is_read_and_changed(anna):
    me = ok(anna.get("/api/auth/me"))
    assert (me["email"], me["name"]) == (anna.email, "Anna")
    assert ok(anna.patch("/api/auth/me", {"name": "Anna Ω"}))["name"] == "Anna Ω"
    assert ok(anna.get("/api/auth/me"))["name"] == "Anna Ω"
    refuses(anna.patch("/api/auth/me", {"name": ""}), "name")
    refuses(anna.patch("/api/auth/me", {"plan": "unlimited"}), "plan")
    assert "password" not in json.dumps(me).lower()


def test_a_password_change_ends_every_token(house, nobody, anna):
    phone = ok(nobody.post("/api/auth/login", anna.credentials()))
    answer = anna.post("/api/auth/password", {"currentPassword": "wrong", "newPassword": "another long one 43"})
    assert answer.status_code in (401, 403, 422), answer.text
    ok(anna.get("/api/auth/me"))

    answer = anna.post("/api/auth/password", {"currentPassword": anna.password, "newPassword": "another long one 43"})
    assert answer.status_code in (200, 204), answer.text
    answers = at_once(12, lambda _: bearer(house, phone["token"]).get("/api/auth/me", fresh=True))
    assert statuses(answers) == {401: 12}
    refused_jwt(house, anna.tokens["token"])
    problem(nobody.post("/api/auth/refresh", {"refreshToken": phone["refreshToken"]}), 401)
    problem(nobody.post("/api/auth/login", anna.credentials()), 401)
    anna.password = "another long one 43"
    anna.login()
    ok(anna.get("/api/auth/me"))


def test_a_new_password_has_to_be_good(anna):
    refuses(anna.post("/api/auth/password", {"currentPassword": anna.password, "newPassword": "short"}),
            "newPassword")


def test_a_forgotten_password_is_reset_by_mail_once(house, nobody, anna):
    token = forgotten(house, nobody, anna)
    assert token.encode() not in house.database.dump(), "the token is kept as it is"
    refuses(nobody.post("/api/auth/password/reset", {"token": token, "newPassword": "short"}), "newPassword")

    body = {"token": token, "newPassword": "after the reset 44"}
    assert nobody.post("/api/auth/password/reset", body).status_code in (200, 204)
    refused_jwt(house, anna.tokens["token"])
    problem(nobody.post("/api/auth/login", anna.credentials()), 401)
    again = nobody.post("/api/auth/password/reset", {**body, "newPassword": "a second use 45"})
    assert again.status_code in (400, 401, 404, 410, 422), again.text
    anna.password = "after the reset 44"
    anna.login()


def test_a_newer_mail_makes_the_older_one_useless(house, nobody, anna):
    older = forgotten(house, nobody, anna)
    newer = forgotten(house, nobody, anna)
    assert older != newer
    assert not nobody.post("/api/auth/password/reset", {"token": older, "newPassword": GOOD}).ok
    assert nobody.post("/api/auth/password/reset", {"token": newer, "newPassword": GOOD}).ok


def test_forgetting_tells_nobody_who_has_an_account(house, nobody, anna):
    address = house.new_email()
    unknown = nobody.post("/api/auth/password/forgot", {"email": address})
    known = nobody.post("/api/auth/password/forgot", {"email": anna.email})
    assert known.status_code == unknown.status_code and known.ok
    assert known.text == unknown.text
    house.run_sender()
    receivers = [str(mail["To"]) for mail in house.mails()]
    assert any(anna.email in receiver for receiver in receivers)
    assert not any(address in receiver for receiver in receivers)


@pytest.mark.parametrize("token", ["", "nonsense", "x" * 5000])
def test_a_reset_token_that_is_none_is_refused(nobody, token):
    answer = nobody.post("/api/auth/password/reset", {"token": token, "newPassword": GOOD})
    assert 400 <= answer.status_code < 500 and answer.json()["code"]


def test_the_mail_does_not_go_where_the_host_header_says(house, nobody, anna):
    nobody.post("/api/auth/password/forgot", {"email": anna.email},
                headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    house.run_sender()
    [mail] = [mail for mail in house.mails() if anna.email in str(mail["To"])]
    assert "evil.example" not in mail.as_string()


def forgotten(house, nobody, account):
    """The token of a fresh reset mail."""
    before = len([mail for mail in house.mails() if account.email in str(mail["To"])])
    assert nobody.post("/api/auth/password/forgot", {"email": account.email}).ok

    def arrived():
        house.run_sender()
        mails = [mail for mail in house.mails() if account.email in str(mail["To"])]
        return mails[-1] if len(mails) > before else None

    mail = wait_until(arrived, seconds=60, every=0.5, what="the mail with the reset link")
    assert mail["From"] and mail["Subject"] and mail["Message-ID"] and mail["Date"]
    text = mail.get_body(("plain",)).get_content()
    [link] = set(re.findall(re.escape(house.url) + r"/\S+", text))
    return re.search(r"[?&#]token=([\w.~-]+)", link)[1]


# ---- the session cookie ----

def test_the_session_cookie_and_its_csrf_token(house, anna):
    browser = Actor(house, {"User-Agent": CHROME})
    answer = browser.post("/api/auth/session", anna.credentials())
    assert answer.status_code in (200, 201), answer.text
    [cookie] = [header for header in answer.raw.headers.getlist("Set-Cookie") if "httponly" in header.lower()]
    words = [word.strip().lower() for word in cookie.split(";")]
    assert "httponly" in words and "samesite=lax" in words and "path=/" in words
    assert "secure" not in words, "a cookie for https alone does not come back over http"
    value = cookie.split(";")[0].split("=", 1)[1]
    assert value.encode() not in house.database.dump(), "the session is kept as it is"

    token = answer.json()["csrfToken"]
    ok(browser.get("/api/links"))
    body = {"destinationUrl": "https://example.org/"}
    problem(browser.post("/api/links", body), 403)
    problem(browser.post("/api/links", body, headers={"X-CSRF-Token": "nonsense"}), 403)
    problem(browser.post("/api/links", body, headers={"X-CSRF-Token": ""}), 403)
    link = created(browser.post("/api/links", body, headers={"X-CSRF-Token": token, "Origin": house.url}))
    path = f"/api/links/{link['id']}"
    problem(browser.patch(path, {"title": "x"}), 403)
    problem(browser.delete(path), 403)
    no_content(browser.delete(path, headers={"X-CSRF-Token": token}))

    other = Actor(house)
    csrf_of_other = other.post("/api/auth/session", anna.credentials()).json()["csrfToken"]
    problem(browser.post("/api/links", body, headers={"X-CSRF-Token": csrf_of_other}), 403)

    copy = dict(browser.http.cookies)
    no_content(browser.delete("/api/auth/session", headers={"X-CSRF-Token": token}))
    thief = Actor(house)
    thief.http.cookies.update(copy)
    problem(thief.get("/api/links"), 401)
    ok(other.get("/api/links"))


def test_the_cookie_is_secure_under_https(new_house):
    """Behind TLS the base URL says https; the cookie must then never travel in the clear."""
    house = new_house(processes=1, settings={"FL_BASE_URL": "https://go.example.org"})
    address = house.new_email()
    created(house.nobody().post("/api/auth/register", {"email": address, "password": GOOD, "name": "Anna"}))
    answer = house.nobody().post("/api/auth/session", {"email": address, "password": GOOD})
    [cookie] = [header for header in answer.raw.headers.getlist("Set-Cookie") if "httponly" in header.lower()]
    assert "secure" in [word.strip().lower() for word in cookie.split(";")]


def test_a_password_change_ends_sessions(house, anna):
    browser = Actor(house)
    assert browser.post("/api/auth/session", anna.credentials()).ok
    ok(browser.get("/api/links"))
    assert anna.post("/api/auth/password", {"currentPassword": anna.password, "newPassword": GOOD}).ok
    problem(browser.get("/api/links"), 401)


# ---- API keys ----

def test_a_key_is_shown_once_and_kept_as_a_digest(house, anna):
    key = anna.new_key(["links"], name="shop")
    assert re.fullmatch(r"fli_[A-Za-z0-9_-]{20,}", key["key"])
    assert key["key"].startswith(key["prefix"]) and len(key["prefix"]) < len(key["key"]) - 16
    read = ok(anna.get(f"/api/api-keys/{key['id']}"))
    assert "key" not in read
    assert read == {name: value for name, value in key.items() if name != "key"}
    assert {"id", "name", "prefix", "scopes", "expiresAt", "lastUsedAt", "createdAt", "revokedAt"} <= read.keys()
    assert (read["name"], read["scopes"], read["lastUsedAt"], read["revokedAt"]) == ("shop", ["links"], None, None)
    assert key["key"] not in anna.get("/api/api-keys").text

    ok(Actor(house, {"X-Api-Key": key["key"]}).get("/api/links"))
    secret = key["key"][len(key["prefix"]):].encode()
    dump = house.database.dump()
    assert key["id"].replace("-", "").encode().upper() in dump.upper(), "the key's row is not in the dump at all"
    assert secret not in dump and secret.hex().encode() not in dump.lower()
    assert key["key"] not in house.log()


def test_the_key_is_not_replayed_from_the_database_in_the_clear(house, anna):
    """An Idempotency-Key has the answer kept for a day, and this answer holds a secret."""
    headers = {"Idempotency-Key": "make a key"}
    first = created(anna.post("/api/api-keys", {"name": "a"}, headers=headers))
    assert first["key"].encode() not in house.database.dump()
    again = anna.post("/api/api-keys", {"name": "a"}, headers=headers)
    assert again.headers.get("Idempotency-Replayed") == "true" and again.json()["id"] == first["id"]


def test_when_a_key_was_used_is_seen(anna, keyholder):
    program = keyholder(["links"])
    ok(program.get("/api/links"))
    path = f"/api/api-keys/{program.key['id']}"
    wait_until(lambda: ok(anna.get(path))["lastUsedAt"], what="lastUsedAt")


def test_a_revoked_key_is_refused_at_once_in_every_process(anna, keyholder):
    for _ in range(5):
        program = keyholder(["links"])
        assert statuses(at_once(12, lambda _: program.get("/api/links", fresh=True))) == {200: 12}
        no_content(anna.delete(f"/api/api-keys/{program.key['id']}"))
        assert statuses(at_once(12, lambda _: program.get("/api/links", fresh=True))) == {401: 12}


def test_narrowing_a_key_holds_at_once(anna, keyholder):
    program = keyholder(["links"])
    program.link()
    assert ok(anna.patch(f"/api/api-keys/{program.key['id']}", {"scopes": ["links:read"]}))["scopes"] == ["links:read"]
    answers = at_once(8, lambda _: program.post("/api/links", {"destinationUrl": "https://example.org/"}, fresh=True))
    assert statuses(answers) == {403: 8}
    ok(program.get("/api/links"))


def test_a_key_expires(anna, keyholder):
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 15))
    program = keyholder(["links"], expiresAt=expires)
    ok(program.get("/api/links"))
    wait_until(lambda: program.get("/api/links").status_code == 401, seconds=25, what="the key's end")
    assert statuses(at_once(10, lambda _: program.get("/api/links", fresh=True))) == {401: 10}
    refuses(anna.post("/api/api-keys", {"name": "x", "expiresAt": "yesterday"}), "expiresAt")


def test_a_key_without_scopes_may_do_everything_a_key_may(keyholder):
    program = keyholder()
    program.link()
    ok(program.get("/api/links"))


@pytest.mark.parametrize("scopes", [["nonsense"], ["links:write"], ["links", 5], "links", ["Links"], ["links:"]])
def test_a_scope_that_is_none_is_refused(anna, scopes):
    answer = anna.post("/api/api-keys", {"name": "x", "scopes": scopes})
    body = problem(answer, 422)
    assert any(error["field"].startswith("scopes") for error in body["errors"]), body


def test_every_scope_of_the_contract_is_taken(anna):
    names = ["links", "qrcodes", "contacts", "contact-groups", "mailing", "organizer", "payments", "geoip", "files",
             "tags"]
    scopes = names[:5] + [name + ":read" for name in names[5:]]
    assert sorted(anna.new_key(scopes)["scopes"]) == sorted(scopes)


def test_keys_are_not_managed_with_a_key(anna, keyholder):
    program = keyholder()
    problem(program.post("/api/api-keys", {"name": "more"}), 403)
    problem(program.get("/api/api-keys"), 403)
    problem(program.delete(f"/api/api-keys/{program.key['id']}"), 403)
    problem(program.post("/api/auth/password", {"currentPassword": anna.password, "newPassword": GOOD}), 403)
    ok(anna.get("/api/auth/me"))


def test_a_guess_next_to_a_key_is_refused(house, keyholder):
    key = keyholder(["links"]).key["key"]
    for guess in (key[:-1], key + "x", key.upper(), key[:-1] + ("a" if key[-1] != "a" else "b"), "fli_" + key,
                  hashlib.sha256(key.encode()).hexdigest(), "fli_"):
        problem(Actor(house, {"X-Api-Key": guess}).get("/api/links"), 401, "unauthenticated")
