"""Those who use the product in the tests, and what they say about its answers."""

import itertools
import secrets
import threading

import requests
from requests.adapters import HTTPAdapter

from processes import wait_until

CHROME = ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
          "Chrome/131.0.0.0 Safari/537.36")
MISSING_ID = "01890000-0000-7000-8000-000000000000"

_addresses = itertools.count(1)


class _FromAddress(HTTPAdapter):
    """Connects from one loopback address, so that every actor is a client of its own to the server."""

    def __init__(self, address):
        self.address = address
        super().__init__(pool_connections=4, pool_maxsize=64)

    def init_poolmanager(self, *arguments, **named):
        super().init_poolmanager(*arguments, source_address=(self.address, 0), **named)


class Actor:
    """Somebody with an HTTP client who follows no redirect and keeps no cookie unless asked to."""

    def __init__(self, house, headers=None, address=None):
        number = next(_addresses)
        self.house = house
        self.address = address or f"127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}"
        self.headers = dict(headers or {})
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.mount("http://", _FromAddress(self.address))

    def request(self, method, path, headers=None, fresh=False, timeout=60, **named):
        """One request; `fresh` asks for a connection of its own. A header of None is left out."""
        merged = {**self.headers, **(headers or {})}
        if fresh:
            merged["Connection"] = "close"
        url = path if path.startswith("http") else self.house.url + path
        return self.http.request(method, url, headers=merged, allow_redirects=False, timeout=timeout, **named)

    def get(self, path, **named):
        return self.request("GET", path, **named)

    def head(self, path, **named):
        return self.request("HEAD", path, **named)

    def post(self, path, json=None, **named):
        return self.request("POST", path, json=json, **named)

    def patch(self, path, json=None, **named):
        return self.request("PATCH", path, json=json, **named)

    def put(self, path, json=None, **named):
        return self.request("PUT", path, json=json, **named)

    def delete(self, path, **named):
        return self.request("DELETE", path, **named)

    def options(self, path, **named):
        return self.request("OPTIONS", path, **named)

    def send_text(self, method, path, text, content_type="application/json", **headers):
        """A body exactly as given, however broken."""
        named = {**headers, **({"Content-Type": content_type} if content_type else {})}
        return self.request(method, path, data=text, headers=named)

    # ---- links, which most tests need ----

    def link(self, destination="https://example.org/", **members):
        """A new link."""
        return created(self.post("/api/links", {"destinationUrl": destination, **members}))

    def upload(self, content, name="a file.txt", headers=None, **fields):
        """Uploads a file by a form."""
        return self.request("POST", "/api/files", files={"file": (name, content)}, data=fields, headers=headers)

    def file(self, content=b"a file", name="a file.txt", **fields):
        """A new file."""
        return created(self.upload(content, name, **fields))

    def qrcode(self, **members):
        """A new QR code, with a link of its own unless told."""
        if "linkId" not in members:
            members.setdefault("destinationUrl", "https://example.org/")
        return created(self.post("/api/qrcodes", members))

    # ---- contacts and mailings ----

    def contact(self, address=None, **members):
        """A new contact."""
        return created(self.post("/api/contacts", {"email": address or self.house.new_email("contact"), **members}))

    def contacts(self, count, domain="example.org", **members):
        """Many new contacts at once; answers their addresses."""
        mark = secrets.token_hex(3)
        addresses = [f"c{number}.{mark}@{domain}" for number in range(count)]
        for start in range(0, count, 10_000):
            rows = [{"email": address, "firstName": f"First{number}", "lastName": "Last", **members}
                    for number, address in enumerate(addresses[start:start + 10_000], start)]
            answer = ok(self.post("/api/contacts/bulk", {"contacts": rows}, timeout=120))
            assert answer["created"] == len(rows), answer
        return addresses

    def group(self, name=None, emails=(), **members):
        """A new group with these addresses in it."""
        group = created(self.post("/api/contact-groups", {"name": name or "Group " + secrets.token_hex(4), **members}))
        for start in range(0, len(emails), 10_000):
            answer = ok(self.post(f"/api/contact-groups/{group['id']}/members",
                                  {"emails": list(emails[start:start + 10_000]), "createMissing": True}, timeout=120))
            assert not answer["errors"], answer
        return group

    def mailing(self, to=(), groups=(), html="<p>Hello {{FirstName|there}}</p><p><a href=\"{{UnsubscribeUrl}}\">"
                                             "Unsubscribe</a></p>", **members):
        """A new draft to these contacts and groups."""
        mailing = created(self.post("/api/mailing", {"subject": "News", "htmlBody": html, **members}))
        if to or groups:
            ok(self.post(f"/api/mailing/{mailing['id']}/recipients", {
                "contactIds": [contact["id"] for contact in to], "groupIds": [group["id"] for group in groups]},
                timeout=120))
        return mailing

    def send(self, mailing, **members):
        """Queues a mailing."""
        return ok(self.post(f"/api/mailing/{mailing['id']}/send", members or None))

    def mailing_now(self, mailing):
        """The mailing as it is now."""
        return ok(self.get(f"/api/mailing/{mailing['id']}"))

    def recipients(self, mailing, **query):
        """The recipients of a mailing by their address."""
        return {row["email"]: row for row in self.pages(f"/api/mailing/{mailing['id']}/recipients", **query)}

    def stats(self, link, **query):
        return ok(self.get(f"/api/links/{link['id']}/stats", params=query))

    def sees_clicks(self, link, count, seconds=30):
        """Waits until the statistics show `count` clicks, and answers them."""
        return wait_until(lambda: _when(self.stats(link), lambda stats: stats["totalClicks"] >= count),
                          seconds=seconds, every=0.2, what=f"{count} clicks on {link['shortCode']}")

    def clicks(self, link):
        """Every single click of a link, page by page."""
        return list(self.pages(f"/api/links/{link['id']}/clicks"))

    def pages(self, path, **query):
        """Every item of a list, page by page."""
        cursor = None
        while True:
            page = ok(self.get(path, params={**query, "limit": 100, **({"cursor": cursor} if cursor else {})}))
            yield from page["items"]
            cursor = page["nextCursor"]
            if cursor is None:
                return


class Visitor(Actor):
    """A person with a desktop browser."""

    def __init__(self, house, headers=None):
        super().__init__(house, {"User-Agent": CHROME, "Accept-Language": "en-GB,en;q=0.8", **(headers or {})})


class Account(Actor):
    """Somebody who is logged in."""

    def __init__(self, house, email, password, name):
        super().__init__(house)
        self.email = email
        self.password = password
        self.name = name
        self.tokens = None

    def login(self):
        """Fetches a JWT and uses it from here on."""
        self.tokens = ok(Actor(self.house).post("/api/auth/login", self.credentials()))
        self.headers["Authorization"] = "Bearer " + self.tokens["token"]

    def credentials(self):
        return {"email": self.email, "password": self.password}

    def new_key(self, scopes=None, **members):
        """A new API key, as answered: with `key`."""
        body = {"name": "key " + secrets.token_hex(3), **members}
        if scopes is not None:
            body["scopes"] = scopes
        return created(self.post("/api/api-keys", body))

    def keyholder(self, scopes=None, **members):
        """A program with an API key of this account."""
        key = self.new_key(scopes, **members)
        holder = Actor(self.house, {"X-Api-Key": key["key"]})
        holder.key = key
        return holder


def ok(response, status=200):
    """The JSON of an answer that went well."""
    assert response.status_code == status, describe(response)
    assert response.headers["Content-Type"].split(";")[0] == "application/json", describe(response)
    return response.json()


def created(response):
    """The resource of a 201, whose Location leads to it."""
    resource = ok(response, 201)
    assert response.headers.get("Location"), "201 without Location"
    return resource


def no_content(response):
    assert response.status_code == 204, describe(response)
    assert response.content == b""


def redirects(response, to=None, status=302):
    """The place a redirect leads to."""
    assert response.status_code == status, describe(response)
    if to is not None:
        assert response.headers["Location"] == to
    return response.headers["Location"]


def page(response, status=200):
    """The text of an HTML page."""
    assert response.status_code == status, describe(response)
    assert response.headers["Content-Type"].replace(" ", "").lower() == "text/html;charset=utf-8"
    return response.text


def problem(response, status, code=None):
    """The problem details of an error (RFC 9457), complete as the contract has them."""
    assert response.status_code == status, describe(response)
    assert response.headers["Content-Type"].split(";")[0] == "application/problem+json", describe(response)
    body = response.json()
    missing = {"type", "title", "status", "detail", "instance", "code", "requestId"} - body.keys()
    assert not missing, f"problem details without {missing}: {body}"
    assert body["status"] == status
    assert body["requestId"] == response.headers["X-Request-Id"]
    if code is not None:
        assert body["code"] == code, body
    if status == 422:
        for error in body.get("errors", []):
            assert {"field", "code", "message"} <= error.keys(), error
    return body


def refuses(response, *fields):
    """The codes of a 422 by field; every one of `fields` has to be among them."""
    body = problem(response, 422)
    codes = {error["field"]: error["code"] for error in body["errors"]}
    missing = set(fields) - codes.keys()
    assert not missing, f"{missing} not named as bad in {body['errors']}"
    return codes


def at_once(count, action):
    """Runs `action(number)` in that many threads, all let go at the same moment; answers the results."""
    results, errors = [None] * count, []
    barrier = threading.Barrier(count)

    def one(number):
        try:
            barrier.wait(30)
            results[number] = action(number)
        except BaseException as error:  # reported below, in the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    if errors:
        raise errors[0]
    return results


def statuses(responses):
    """How often each status came."""
    count = {}
    for response in responses:
        count[response.status_code] = count.get(response.status_code, 0) + 1
    return count


def describe(response):
    return f"{response.request.method} {response.request.url} → {response.status_code}\n{response.text[:2000]}"


def _when(value, test):
    return value if test(value) else None
