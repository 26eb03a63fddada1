"""Contacts out of files and into them: through nginx, large, killed in the middle, and read by other programs."""

import csv
import io
import json
import os
import signal
import time

import pytest

from actors import created, ok, problem, refuses

IMPORT = "/api/contacts/import"


def send(account, content, name="contacts.csv", path=IMPORT, **fields):
    return account.request("POST", path, files={"file": (name, content)}, data=fields, timeout=120)


def ended(account, identifier, seconds=120):
    """The import, when it has ended."""
    deadline = time.monotonic() + seconds
    while True:
        answer = account.get(f"/api/contacts/imports/{identifier}")
        assert time.monotonic() < deadline, f"the import has not ended: {answer.status_code}, {answer.text}"
        # Where a process was just killed, its request is answered so.
        if answer.status_code == 503:
            time.sleep(0.2)
            continue
        found = ok(answer)
        if found["status"] not in ("queued", "running"):
            return found
        time.sleep(0.2)


def large(rows):
    padding = "x" * 60
    return ("email,lastName\n" + "".join(f"p{row}@example.org,{padding}\n" for row in range(rows))).encode()


def exported(account, **query):
    response = account.get("/api/contacts/export", params=query, timeout=120)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Disposition"].startswith("attachment; filename=\"contacts-")
    return response


def test_a_spreadsheet_comes_in_and_goes_out(anna):
    rows = io.StringIO()
    writer = csv.writer(rows, delimiter=";")
    writer.writerow(["E-Mail", "Vorname", "Nachname", "Firma", "Notizen"])
    writer.writerow(["bob@example.org", "Bob", "Müller", "=cmd|' /C calc'!A0", "eine\nzweite; \"dritte\""])
    done = created(send(anna, rows.getvalue().encode("cp1252")))
    assert (done["status"], done["created"], done["failed"]) == ("done", 1, 0)
    file = exported(anna)
    assert file.headers["Content-Type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(file.content.decode()), strict=True)
    assert (row["email"], row["lastName"], row["company"]) == ("bob@example.org", "Müller", "'=cmd|' /C calc'!A0")
    (card,) = exported(anna, format="vcard").content.decode().split("END:VCARD")[:1]
    assert "ORG:=cmd|' /C calc'!A0" in card.replace("\r\n ", "")


def test_what_is_exported_is_the_same_elsewhere(anna, stranger):
    names = ["=1", "'=1", "@x", "a\\;b", "-5", "\u00fc", "'s-Gravenhage", "+49"]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["email", "firstName", "company", "tags"])
    for number, name in enumerate(names):
        # As our own exports write what would be run.
        guarded = "'" + name if name[0] in "=+-@" or name.startswith("'=") else name
        writer.writerow([f"p{number}@example.org", guarded, guarded, "x"])
    created(send(anna, text.getvalue().encode()))
    first = exported(anna).content
    for cell in (cell for row in csv.reader(io.StringIO(first.decode())) for cell in row):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    created(send(stranger, first))

    def told(account):
        return [{name: value for name, value in row.items() if name != "createdAt"}
                for row in csv.DictReader(io.StringIO(exported(account).content.decode()))]

    assert told(anna) == told(stranger)
    cards = exported(anna, format="vcard").content
    assert all(len(line) <= 75 for line in cards.split(b"\r\n"))
    again = created(send(stranger, cards, "contacts.vcf"))
    assert (again["format"], again["created"], again["skipped"]) == ("vcard", 0, len(names))


def test_a_large_file_goes_on_in_the_background(anna):
    content = large(20_000)
    queued = ok(send(anna, content), 202)
    assert queued["status"] == "queued" and queued["size"] == len(content)
    done = ended(anna, queued["id"])
    assert (done["status"], done["created"], done["position"]) == ("done", 20_000, len(content))
    addresses = {row["email"] for row in csv.DictReader(io.StringIO(exported(anna).content.decode()))}
    assert len(addresses) == 20_000


def test_killed_in_the_middle_it_loses_and_doubles_nothing(new_house):
    house = new_house()
    anna = house.account("Anna")
    queued = ok(send(anna, large(20_000)), 202)
    deadline = time.monotonic() + 60
    while ok(anna.get(f"/api/contacts/imports/{queued['id']}"))["totalSubmitted"] == 0:
        assert time.monotonic() < deadline, "it has not begun"
        time.sleep(0.05)
    for pid in house.responder.children():
        os.kill(pid, signal.SIGKILL)
    # Others go on when the lease of the dead one has run out, here at once instead of within a minute.
    house.database.sql("UPDATE contact_imports SET leased_until = NOW(6) - INTERVAL 1 SECOND WHERE leased_until IS NOT NULL")
    done = ended(anna, queued["id"], seconds=300)
    assert (done["status"], done["totalSubmitted"], done["created"]) == ("done", 20_000, 20_000)
    assert ok(anna.get("/api/contacts?limit=1"))["total"] == 20_000


def test_it_can_be_cancelled(anna):
    queued = ok(send(anna, large(60_000)), 202)
    cancelled = ok(anna.post(f"/api/contacts/imports/{queued['id']}/cancel"))
    assert cancelled["status"] == "cancelled"
    time.sleep(3)
    after = ok(anna.get(f"/api/contacts/imports/{queued['id']}"))
    assert after["status"] == "cancelled" and after["totalSubmitted"] < 60_000
    problem(anna.post(f"/api/contacts/imports/{queued['id']}/cancel"), 409, "conflict")


def test_bad_rows_are_told_and_stop_no_others(anna):
    text = "email,birthday\nno,\na@example.org,\n,\nb@example.org,31/31/1980\n\"x\"y,\nc@example.org,\n"
    done = created(send(anna, text.encode()))
    assert (done["created"], done["failed"]) == (2, 3)
    assert [(error["index"], error["field"], error["code"]) for error in done["errors"]] == [
        (1, "email", "invalid_email"), (3, "birthday", "invalid_date"), (4, "row", "broken_quote")]


@pytest.mark.parametrize("content, field", [
    (b"name,company\nx,y\n", "file"), (b"email,a,a\n", "file"), (b"PK\x03\x04xlsx", "file"), (b"", "file"),
])
def test_what_is_no_list_of_contacts_is_refused(anna, content, field):
    assert refuses(send(anna, content), field)


def test_a_preview_shows_what_would_come(anna):
    seen = ok(send(anna, b"E-Mail;Vorname;xyz\na@example.org;A;1\n", path=IMPORT + "/preview",
                   mapping=json.dumps({"xyz": "custom:level"})))
    assert {column["name"]: column["member"] for column in seen["columns"]} == {
        "E-Mail": "email", "Vorname": "firstName", "xyz": "custom:level"}
    assert seen["rows"][0]["contact"]["customFields"] == {"level": "1"}
    assert ok(anna.get("/api/contacts/imports"))["total"] == 0


def test_an_import_lifts_no_unsubscribe(anna):
    created(send(anna, b"email,unsubscribed\na@example.org,yes\n"))
    again = created(send(anna, b"email,isUnsubscribed\na@example.org,false\n"))
    assert again["skipped"] == 1
    (row,) = csv.DictReader(io.StringIO(exported(anna).content.decode()))
    assert row["isUnsubscribed"] == "true"
