"""Contacts: kept, found, brought up to date by the thousand, and asked before anybody mails them."""

import json
import time
import uuid

import pytest

from actors import at_once, created, no_content, ok, problem, refuses, statuses

MEMBERS = {
    "id", "email", "firstName", "lastName", "name", "company", "jobTitle", "birthday", "source", "phones",
    "addresses", "websites", "notes", "tags", "groups", "customFields", "isBounced", "bouncedAt", "bounceReason",
    "isUnsubscribed", "unsubscribedAt", "createdAt", "updatedAt",
}


def path_of(contact):
    return f"/api/contacts/{contact['id']}"


def someone(**members):
    return {"email": f"{uuid.uuid4()}@example.org", **members}


def rows(count, **members):
    return [{"email": f"person{number}@example{number % 97}.org", "firstName": f"First{number % 500}",
             "lastName": f"Last{number}", "company": f"Company {number % 1000}", **members}
            for number in range(count)]


def test_the_story_of_a_contact(anna):
    contact = created(anna.post("/api/contacts", someone(
        firstName="José", lastName="García", birthday="1984-02-29", customFields={"colour": "green", "orders": 3},
        phones=[{"label": "work", "number": "+41 79 123 45 67"}], notes=[{"body": "met at\nthe fair"}], tags=["VIP"])))
    assert MEMBERS <= contact.keys(), MEMBERS - contact.keys()
    assert contact["name"] == "José García" and contact["groups"] == []
    path = path_of(contact)
    assert ok(anna.get(path)) == contact
    # Found by the beginnings of names, without accents, and by the number as it is dialled.
    for text in ("jose garc", "GARCÍA", "079 123 45 67", contact["email"]):
        assert [found["id"] for found in ok(anna.get("/api/contacts", params={"search": text}))["items"]] == [contact["id"]]
    changed = ok(anna.patch(path, {"customFields": {"orders": None, "size": 2.5}, "company": "García & Söhne"}))
    assert changed["customFields"] == {"colour": "green", "size": 2.5}
    phone = created(anna.post(f"{path}/phones", {"number": "555 0001"}))
    assert ok(anna.patch(f"{path}/phones/{phone['id']}", {"label": "home"}))["label"] == "home"
    no_content(anna.delete(f"{path}/phones/{phone['id']}"))
    types = [event["type"] for event in anna.pages(f"{path}/timeline")]
    assert sorted(types) == ["contact.created", "note.added"]
    etag = anna.get(path).headers["ETag"]
    ok(anna.patch(path, {"jobTitle": "Baker"}))
    problem(anna.patch(path, {"jobTitle": "x"}, headers={"If-Match": etag}), 412, "precondition_failed")
    no_content(anna.delete(path))
    problem(anna.get(path), 404, "not_found")


def test_who_unsubscribed_stays_so(anna):
    contact = created(anna.post("/api/contacts", someone()))
    assert ok(anna.patch(path_of(contact), {"isUnsubscribed": True}))["isUnsubscribed"] is True
    bulk = ok(anna.post("/api/contacts/bulk", {"contacts": [
        {"email": contact["email"].upper(), "isUnsubscribed": False, "firstName": "Bob"}]}))
    assert bulk["updated"] == 1
    assert ok(anna.get(path_of(contact)))["isUnsubscribed"] is True
    no_content(anna.delete(path_of(contact)))
    again = created(anna.post("/api/contacts", {"email": contact["email"]}))
    assert again["isUnsubscribed"] is True
    # A person may lift it.
    assert ok(anna.patch(path_of(again), {"isUnsubscribed": False}))["isUnsubscribed"] is False


def test_ten_thousand_rows_come_in_one_request(anna):
    ask = {"contacts": rows(10_000), "tags": ["bulk"]}
    ask["contacts"][17] = 7
    ask["contacts"][18] = {"email": "nonsense"}
    begun = time.monotonic()
    result = ok(anna.post("/api/contacts/bulk", ask, timeout=120))
    print(f"10,000 rows in {time.monotonic() - begun:.2f} s")
    assert {name: result[name] for name in ("totalSubmitted", "created", "updated", "skipped")} == {
        "totalSubmitted": 10_000, "created": 9998, "updated": 0, "skipped": 0}
    assert [(error["index"], error["field"], error["code"]) for error in result["errors"]] == [
        (17, "body", "invalid_type"), (18, "email", "invalid_email")]
    page = ok(anna.get("/api/contacts", params={"tag": "bulk"}))
    assert page["total"] == 9998 and page["totalIsLowerBound"] is False
    found = ok(anna.get("/api/contacts", params={"search": "first"}))
    assert found["total"] == 1000 and found["totalIsLowerBound"] is True
    assert ok(anna.post("/api/contacts/bulk", ask, timeout=120))["skipped"] == 9998


def test_a_large_body_is_taken_and_a_larger_one_refused(anna):
    body = "x" * 4900
    many = [someone(notes=[{"body": body}]) for _ in range(4000)]
    assert 16 << 20 < len(json.dumps({"contacts": many})) < 32 << 20
    assert ok(anna.post("/api/contacts/bulk", {"contacts": many}, timeout=120))["created"] == 4000
    problem(anna.post("/api/contacts/bulk", {"contacts": many * 2}, timeout=120), 413, "body_too_large")


def test_an_address_is_taken_once_by_many_at_once(anna):
    contact = someone()
    answers = at_once(8, lambda number: anna.post("/api/contacts", contact))
    assert statuses(answers) == {201: 1, 409: 7}
    results = at_once(4, lambda number: ok(anna.post("/api/contacts/bulk", {"contacts": rows(300)}, timeout=60)))
    assert sum(result["created"] for result in results) == 300


def test_contacts_are_merged(anna):
    kept = created(anna.post("/api/contacts", someone(firstName="Bob", tags=["a"])))
    other = created(anna.post("/api/contacts", someone(lastName="Miller", tags=["b"], isUnsubscribed=True)))
    merged = ok(anna.post(f"{path_of(kept)}/merge", {"contactIds": [other["id"]]}))
    assert (merged["name"], merged["tags"], merged["isUnsubscribed"]) == ("Bob Miller", ["a", "b"], True)
    problem(anna.get(path_of(other)), 404, "not_found")


def test_tags_of_many(anna):
    contacts = [created(anna.post("/api/contacts", someone(tags=["old"]))) for _ in range(3)]
    result = ok(anna.patch("/api/contacts/bulk/tags", {
        "contactIds": [contacts[0]["id"]], "emails": [contacts[1]["email"].upper(), "nobody@example.org"],
        "addTags": ["new"], "removeTags": ["old"]}))
    assert result == {"matched": 2, "changed": 2, "errors": []}
    assert [ok(anna.get(path_of(contact)))["tags"] for contact in contacts] == [["new"], ["new"], ["old"]]


@pytest.mark.parametrize("members, field", [
    ({"email": "a@b\r\nBcc: c@example.org"}, "email"), ({"firstName": "a\nb"}, "firstName"),
    ({"websites": [{"url": "javascript:alert(1)"}]}, "websites[0].url"), ({"birthday": "1985-02-29"}, "birthday"),
    ({"phones": [{"number": "1"}] * 21}, "phones"), ({"customFields": {"a": {"b": 1}}}, "customFields.a"),
    ({"addresses": [{"country": "XX"}]}, "addresses[0].country"), ({"typo": 1}, "typo"),
])
def test_what_is_wrong_is_named(anna, members, field):
    refuses(anna.post("/api/contacts", {**someone(), **members}), field)
