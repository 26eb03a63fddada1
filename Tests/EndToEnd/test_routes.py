"""The rules that hold for every operation of the API, asked of each one the document names."""

import re
import uuid

import pytest

from actors import MISSING_ID, Actor, created, ok, problem, refuses, statuses

METHODS = ("get", "post", "put", "patch", "delete")
SCOPES = ("links", "qrcodes", "contacts", "contact-groups", "mailing", "organizer", "payments", "geoip",
          "files", "tags")

# A body with which an operation comes as far as looking for its resource.
BODIES = {
    ("put", "/api/links/{id}/tags"): {"tags": ["spring"]},
    ("post", "/api/links/{id}/tags"): {"tags": ["spring"]},
    ("post", "/api/tags/{id}/merge"): {"into": MISSING_ID},
    ("post", "/api/mailing/{id}/test"): {"to": ["anna@example.org"]},
    ("post", "/api/mailing/{id}/recipients/remove"): {"tags": ["spring"]},
    ("put", "/api/contacts/{id}/tags"): {"tags": ["spring"]},
    ("post", "/api/contacts/{id}/tags"): {"tags": ["spring"]},
    ("post", "/api/contacts/{id}/merge"): {"contactIds": [MISSING_ID]},
    ("post", "/api/contacts/{id}/phones"): {"number": "+41 79 123 45 67"},
    ("post", "/api/contacts/{id}/addresses"): {"city": "Bern"},
    ("post", "/api/contacts/{id}/websites"): {"url": "https://example.org/"},
    ("post", "/api/contacts/{id}/notes"): {"body": "called"},
}


@pytest.fixture
def owner(house):
    return house.account("Owner")


@pytest.fixture
def other(house):
    return house.account("Other")


@pytest.fixture(scope="module")
def operations(document):
    found = [Operation(document, method, path) for path, item in document["paths"].items() for method in METHODS
             if method in item and path.startswith("/api/")]
    assert len(found) >= 30, f"only {len(found)} operations: the document is not complete"
    # Last what may end the session that the tests are made with.
    return sorted(found, key=lambda operation: operation.path in ("/api/auth/logout", "/api/auth/session"))


class Operation:
    """One operation of the document."""

    def __init__(self, document, method, path):
        self.method, self.path, self.name = method, path, f"{method.upper()} {path}"
        self.spec = document["paths"][path][method]
        self.schemes = document["components"]["securitySchemes"]
        self.security = self.spec.get("security", document.get("security", []))
        content = self.spec.get("requestBody", {}).get("content", {})
        self.has_body = "application/json" in content
        self.has_form = "multipart/form-data" in content

    @property
    def is_open(self):
        return not self.security or {} in self.security

    @property
    def key_scopes(self):
        """The scopes a key needs; None where no key is taken."""
        for requirement in self.security:
            for scheme, scopes in requirement.items():
                if self.schemes[scheme]["type"] == "apiKey" and self.schemes[scheme]["in"] == "header":
                    return scopes
        return None

    def send(self, actor, path=None, **named):
        if self.has_body:
            named.setdefault("json", BODIES.get((self.method, self.path), {}))
        if self.has_form:
            named.setdefault("files", {"file": ("a.txt", b"a file")})
        return actor.request(self.method.upper(), path or fill(self.path, MISSING_ID), **named)


def fill(path, identifier, **parts):
    """The path with the id of its resource, the ids of what is in it, and something for all else that varies."""
    path = path.replace("{id}", identifier).replace("{name}", "spring").replace("{ip}", "8.8.8.8")
    return re.sub(r"\{(\w+Id)\}", lambda match: parts.get(match[1], MISSING_ID), path)


def own_path(operation, account):
    """The path of a resource that belongs to the account."""
    path = operation.path
    if "{" not in path:
        return path
    if path.startswith("/api/geoip/"):
        return path.replace("{ip}", "8.8.8.8")
    if path.startswith("/api/links/{id}"):
        identifier = account.link(tags=["spring"])["id"]
    elif path.startswith("/api/qrcodes/{id}"):
        identifier = created(account.post("/api/qrcodes", {"destinationUrl": "https://example.org/"}))["id"]
    elif path.startswith("/api/tags/{id}"):
        identifier = created(account.post("/api/tags", {"name": str(uuid.uuid4())}))["id"]
    elif path.startswith("/api/api-keys/{id}"):
        identifier = account.new_key()["id"]
    elif path.startswith("/api/contacts/imports/{id}"):
        identifier = created(account.request("POST", "/api/contacts/import",
                                             files={"file": ("a.csv", b"email\na@example.org\n")}))["id"]
    elif path.startswith("/api/files/{id}"):
        identifier = account.file()["id"]
    elif "/webhooks/{id}" in path:
        # Of an event that never comes here, so that no run of the sender asks for this host.
        body = {"url": "https://hooks.example.org/", "events": ["link.clicked"]}
        hook = created(account.post("/api/webhooks", body))
        identifier = hook["id"]
        if "{deliveryId}" in path:
            test = ok(account.post(f"/api/webhooks/{identifier}/test"), 202)
            path = path.replace("{deliveryId}", test["id"])
    elif path.startswith("/api/contact-groups/{id}"):
        group = created(account.post("/api/contact-groups", {"name": str(uuid.uuid4()), "requireDoubleOptIn": True}))
        identifier = group["id"]
        if "{contactId}" in path:
            ok(account.post(f"/api/contact-groups/{identifier}/members",
                            {"emails": [f"{identifier}@example.org"], "createMissing": True, "sendConfirmation": False}))
            [member] = ok(account.get(f"/api/contact-groups/{identifier}/members"))["items"]
            path = path.replace("{contactId}", member["contactId"])
    elif path.startswith("/api/mailing/templates/{id}"):
        identifier = created(account.post("/api/mailing/templates", {"name": str(uuid.uuid4()), "subject": "x"}))["id"]
    elif path.startswith("/api/mailing/domains/{id}"):
        identifier = created(account.post("/api/mailing/domains", {"domain": f"d{uuid.uuid4()}.example.org"}))["id"]
    elif path.startswith("/api/mailing/{id}"):
        identifier = created(account.post("/api/mailing", {"subject": "x", "htmlBody": "<p>x</p>"}))["id"]
        if "{contactId}" in path:
            contact = created(account.post("/api/contacts", {"email": f"{identifier}@example.org"}))["id"]
            ok(account.post(f"/api/mailing/{identifier}/recipients", {"contactIds": [contact]}))
            path = path.replace("{contactId}", contact)
    elif path.startswith("/api/contacts/{id}"):
        contact = created(account.post("/api/contacts", {
            "email": f"{uuid.uuid4()}@example.org", "tags": ["spring"], "phones": [{"number": "1"}],
            "addresses": [{"city": "Bern"}], "websites": [{"url": "https://example.org/"}], "notes": [{"body": "a"}]}))
        return fill(path, contact["id"], phoneId=contact["phones"][0]["id"], noteId=contact["notes"][0]["id"],
                    addressId=contact["addresses"][0]["id"], websiteId=contact["websites"][0]["id"])
    else:
        pytest.fail(f"this test does not know how to make what {path} is about: teach it")
    return fill(path, identifier)


def each(operations, check):
    """Checks every operation and fails once, with all that went wrong."""
    wrong, checked = [], 0
    for operation in operations:
        try:
            checked += check(operation) is not False
        except AssertionError as error:
            wrong.append(f"{operation.name}: {str(error)[:500]}")
    assert not wrong, f"{len(wrong)} operations are wrong:\n" + "\n".join(wrong)
    assert checked, "no operation was checked"
    return checked


def test_nobody_gets_in_without_a_credential(operations, nobody):
    def check(operation):
        if operation.is_open:
            return False
        problem(operation.send(nobody), 401, "unauthenticated")

    assert each(operations, check) >= 25


@pytest.mark.parametrize("headers", [
    {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer "},
    {"X-Api-Key": "fli_nonsense"}, {"X-Api-Key": ""}, {"Cookie": "session=nonsense"},
], ids=str)
def test_nobody_gets_in_with_a_false_one(operations, house, headers):
    impostor = Actor(house, headers)

    def check(operation):
        if operation.is_open:
            return False
        problem(operation.send(impostor), 401, "unauthenticated")

    each(operations, check)


def test_open_operations_are_few(operations):
    may_be_open = {"POST /api/auth/register", "POST /api/auth/login", "POST /api/auth/refresh",
                   "POST /api/auth/logout", "POST /api/auth/password/forgot", "POST /api/auth/password/reset",
                   "POST /api/auth/session", "GET /api/plans"}
    assert {operation.name for operation in operations if operation.is_open} <= may_be_open


def test_a_key_without_the_scope_is_told_which_it_needs(operations, owner):
    keys = {scope: owner.keyholder([other for other in SCOPES if other != scope]) for scope in SCOPES}

    def check(operation):
        if operation.is_open or not operation.key_scopes:
            return False
        [scope] = operation.key_scopes
        body = problem(operation.send(keys[scope.split(":")[0]]), 403, "scope_missing")
        assert body["requiredScope"] == scope

    assert each(operations, check) >= 10


def test_a_limited_key_does_not_get_where_full_access_is_needed(operations, owner):
    limited = owner.keyholder(list(SCOPES))

    def check(operation):
        if operation.spec.get("x-required-scope") != "*":
            return False
        assert problem(operation.send(limited), 403, "scope_missing")["requiredScope"] == "*"

    assert each(operations, check) >= 10


def test_every_links_operation_declares_the_scope(operations):
    def check(operation):
        if not operation.path.startswith("/api/links"):
            return False
        [scope] = operation.key_scopes or ["none"]
        assert scope == ("links:read" if operation.method == "get" else "links")

    assert each(operations, check) >= 12


def test_a_reading_key_reads_and_does_not_write(operations, owner):
    reader = owner.keyholder(["links:read"])

    def check(operation):
        if not operation.path.startswith("/api/links"):
            return False
        answer = operation.send(reader)
        if operation.method == "get":
            assert answer.status_code not in (401, 403), answer.text
        else:
            assert problem(answer, 403, "scope_missing")["requiredScope"] == "links"

    each(operations, check)


def test_what_no_key_may_do(operations, owner):
    full = owner.keyholder()

    def check(operation):
        if operation.is_open or operation.key_scopes is not None:
            return False
        problem(operation.send(full), 403)

    assert each(operations, check) >= 5


def test_another_accounts_things_do_not_exist(operations, owner, other):
    def check(operation):
        # What is known of an address is everybody's.
        if "{" not in operation.path or "{ip}" in operation.path:
            return False
        theirs = own_path(operation, owner)
        seen = problem(operation.send(other, theirs), 404, "not_found")
        missing = problem(operation.send(other), 404, "not_found")
        assert (seen["title"], seen["detail"]) == (missing["title"], missing["detail"])
        if operation.method == "get":
            assert operation.send(owner, theirs).status_code == 200, "not even its owner sees it"

    assert each(operations, check) >= 8


def test_ids_that_are_none_do_not_exist(operations, owner):
    def check(operation):
        if "{id}" not in operation.path:
            return False
        for nonsense in ("1", "nonsense", "null", "00000000-0000-0000-0000-000000000000", "%27%20OR%201=1",
                         "../../etc/passwd".replace("/", "%2F"), "é", "x" * 300):
            answer = operation.send(owner, operation.path.replace("{id}", nonsense).replace("{name}", "spring").replace("{ip}", "8.8.8.8").replace("{deliveryId}", MISSING_ID))
            answer = operation.send(owner, operation.path.replace("{id}", nonsense).replace("{name}", "spring")
                                    .replace("{ip}", "8.8.8.8").replace("{contactId}", MISSING_ID))
            answer = operation.send(owner, fill(operation.path, nonsense))
            problem(answer, 404, "not_found")

    each(operations, check)


def test_an_undeclared_method_is_refused_with_those_allowed(document, owner):
    wrong = []
    for path, item in document["paths"].items():
        if not path.startswith("/api/"):
            continue
        declared = {method.upper() for method in METHODS if method in item}
        target = (path.replace("{id}", MISSING_ID).replace("{name}", "spring").replace("{ip}", "8.8.8.8")
                  .replace("{contactId}", MISSING_ID))
        target = fill(path, MISSING_ID)
        for method in {method.upper() for method in METHODS} - declared | {"TRACE", "BREW"}:
            answer = owner.request(method, target)
            allowed = {word.strip() for word in answer.headers.get("Allow", "").split(",")}
            expected = declared | ({"HEAD"} if "GET" in declared else set())
            if answer.status_code != 405 and not (method in ("TRACE", "BREW") and answer.status_code == 501):
                wrong.append(f"{method} {path} → {answer.status_code}")
            elif answer.status_code == 405 and method != "TRACE" and allowed - {"OPTIONS"} != expected:
                # TRACE is refused by nginx itself.
                wrong.append(f"{method} {path} allows {allowed}, not {expected}")
    assert not wrong, "\n".join(wrong)


def test_an_unknown_query_parameter_is_refused(operations, owner, nobody):
    def check(operation):
        path = own_path(operation, owner)
        answer = operation.send(owner, path, params={"limitt": "5"})
        assert refuses(answer, "limitt")["limitt"] == "unknown_field"

    each(operations, check)


def test_an_unknown_member_is_refused(operations, owner):
    def check(operation):
        if not operation.has_body:
            return False
        answer = operation.send(owner, own_path(operation, owner), json={"nonsense": 1})
        assert refuses(answer, "nonsense")["nonsense"] == "unknown_field"

    assert each(operations, check) >= 10


def test_every_operation_answers_a_request_id_and_limits(operations, owner):
    def check(operation):
        answer = operation.send(owner)
        assert answer.headers.get("X-Request-Id")
        assert answer.headers.get("RateLimit") and answer.headers.get("RateLimit-Policy"), answer.headers

    each(operations, check)


def test_no_operation_falls_over_a_body_that_is_none(operations, owner):
    def check(operation):
        answers = [owner.request(operation.method.upper(), own_path(operation, owner), data=body,
                                 headers={"Content-Type": "application/json"})
                   for body in (b"", b"{", b"null", b"[]", b"\xff", b"\x00", b'"' * 3)]
        assert all(status < 500 for status in statuses(answers)), statuses(answers)

    each([operation for operation in operations if operation.has_body], check)
