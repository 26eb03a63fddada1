"""Groups of contacts: members, double opt-in by a real mail, and the forms by which strangers subscribe."""

import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest

from actors import at_once, created, no_content, ok, page, problem, refuses
from processes import wait_until


def new_group(account, name="News", **members):
    return created(account.post("/api/contact-groups", {"name": name, **members}))


def members(account, group):
    return {item["email"]: item["status"] for item in account.pages(f"/api/contact-groups/{group['id']}/members")}


def add(account, group, **body):
    return ok(account.post(f"/api/contact-groups/{group['id']}/members", body, timeout=120))


def door(group):
    return urlsplit(group["subscribeUrl"]).path


def confirmation_path(house, address):
    """The path in the one mail that went to the address."""
    def mail():
        house.run_sender()
        found = [mail for mail in house.mails() if address in str(mail["To"])]
        return found or None

    [message] = wait_until(mail, seconds=60, every=0.5, what=f"a mail to {address}")
    text = message.get_content() if not message.is_multipart() else message.get_body(("plain",)).get_content()
    found = re.search(re.escape(house.url) + r"(/m/confirm/[A-Za-z0-9_-]+)\s", text)
    assert found, text
    return found[1]


class Form(HTMLParser):
    """The first form of a page, with its fields."""

    def __init__(self, text):
        super().__init__()
        self.action, self.method, self.fields = None, None, {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form" and self.action is None:
            self.action, self.method = attributes.get("action"), attributes.get("method")
        if tag == "input":
            self.fields[attributes.get("name")] = attributes.get("value") or ""


def test_members_come_by_id_and_by_address(anna, stranger):
    group = new_group(anna)
    known = created(anna.post("/api/contacts", {"email": "Known@example.org", "firstName": "Karl"}))
    theirs = created(stranger.post("/api/contacts", {"email": "known@example.org"}))
    answer = add(anna, group, contactIds=[known["id"], theirs["id"], "17"],
                 emails=["new@example.org", "KNOWN@example.org", "nonsense"], createMissing=True)
    assert (answer["added"], answer["created"], answer["alreadyMembers"], answer["skipped"]) == (2, 1, 0, 0)
    assert [(error["field"], error["index"], error["code"]) for error in answer["errors"]] == [
        ("contactIds", 1, "not_found"), ("contactIds", 2, "invalid_id"), ("emails", 2, "invalid_email")]
    assert members(anna, group) == {"Known@example.org": "confirmed", "new@example.org": "confirmed"}
    assert add(anna, group, emails=["absent@example.org"])["skipped"] == 1
    assert ok(anna.get(f"/api/contact-groups/{group['id']}"))["memberCount"] == 2
    assert ok(anna.get("/api/contacts", params={"groupId": group["id"]}))["total"] == 2
    assert [entry["name"] for entry in ok(anna.get(f"/api/contacts/{known['id']}"))["groups"]] == ["News"]


def test_members_leave_and_stay_contacts(anna):
    group = new_group(anna)
    add(anna, group, emails=[f"m{number}@example.org" for number in range(5)], createMissing=True)
    path = f"/api/contact-groups/{group['id']}/members"
    first = ok(anna.get(path))["items"][0]
    no_content(anna.delete(f"{path}/{first['contactId']}"))
    problem(anna.delete(f"{path}/{first['contactId']}"), 404, "not_found")
    assert ok(anna.post(f"{path}/remove", {"emails": [f"M{number}@example.org" for number in range(5)]})) == {"removed": 4}
    assert not members(anna, group)
    assert ok(anna.get("/api/contacts"))["total"] == 5


def test_many_members_at_once_and_in_parallel(anna):
    group = new_group(anna, requireDoubleOptIn=True)
    emails = [f"many{number}@example.org" for number in range(2000)]
    answers = at_once(4, lambda number: add(anna, group, emails=emails, createMissing=True, sendConfirmation=False))
    assert sum(answer["added"] for answer in answers) == 2000
    assert sum(answer["created"] for answer in answers) == 2000
    read = ok(anna.get(f"/api/contact-groups/{group['id']}"))
    assert (read["memberCount"], read["pendingCount"]) == (2000, 2000)
    assert len(list(anna.pages(f"/api/contact-groups/{group['id']}/members"))) == 2000


def test_a_name_is_taken_once(anna):
    new_group(anna, "Only")
    problem(anna.post("/api/contact-groups", {"name": "only"}), 409, "conflict")
    assert refuses(anna.post("/api/contact-groups", {"name": ""}), "name")["name"] == "too_short"


def test_who_is_added_confirms_by_mail(house, anna, nobody):
    group = new_group(anna, requireDoubleOptIn=True)
    address = house.new_email("otto")
    assert add(anna, group, emails=[address], createMissing=True)["added"] == 1
    assert members(anna, group) == {address: "pending"}
    path = confirmation_path(house, address)
    # What guards a mailbox follows links; only the button confirms.
    assert "News" in page(nobody.get(path))
    assert nobody.head(path).status_code == 200
    assert members(anna, group) == {address: "pending"}
    form = Form(page(nobody.get(path)))
    assert form.method == "post" and form.action == path
    assert "You are subscribed" in page(nobody.request("POST", form.action))
    assert members(anna, group) == {address: "confirmed"}
    page(nobody.request("POST", form.action), 410)
    page(nobody.get("/m/confirm/nonsense"), 410)


def test_a_stranger_subscribes_without_javascript(house, anna, visitor):
    group = new_group(anna, "Open house", isPublic=True, description="Once a month")
    address = house.new_email("stranger")
    form = Form(page(visitor.get(door(group))))
    assert form.action == door(group) and form.method == "post"
    assert set(form.fields) == {"stamp", "email", "firstName", "lastName", "homepage"}
    filled = {**form.fields, "email": address, "firstName": "Ötzi"}
    # Nobody types that fast; on a busy machine it may have taken long enough.
    first = visitor.request("POST", form.action, data=filled)
    assert first.status_code in (422, 200)
    if first.status_code == 422:
        wait_until(lambda: visitor.request("POST", form.action, data=filled).status_code == 200, every=1.1,
                   what="a form that is old enough")
    assert members(anna, group) == {address: "pending"}
    page(visitor.request("POST", confirmation_path(house, address)))
    assert members(anna, group) == {address: "confirmed"}
    [contact] = ok(anna.get("/api/contacts", params={"groupId": group["id"]}))["items"]
    assert contact["firstName"] == "Ötzi" and contact["lastName"] is None


def test_the_form_for_other_sites_works(house, anna, nobody):
    group = new_group(anna, "Embedded", isPublic=True)
    embed = ok(anna.get(f"/api/contact-groups/{group['id']}/embed"))
    assert embed["url"] == group["subscribeUrl"]
    form = Form(embed["html"])
    assert form.action == group["subscribeUrl"] and form.method == "post"
    address = house.new_email("embedded")
    page(nobody.request("POST", form.action, data={**form.fields, "email": address},
                        headers={"Origin": "https://shop.example"}))
    assert members(anna, group) == {address: "pending"}
    framed = nobody.get(door(group), params={"embed": "1"})
    assert "X-Frame-Options" not in framed.headers
    assert "frame-ancestors *" in framed.headers["Content-Security-Policy"]
    assert nobody.get(door(group)).headers["X-Frame-Options"] == "DENY"


def test_a_script_of_another_site_subscribes(house, anna, nobody):
    group = new_group(anna, "Scripted", isPublic=True)
    headers = {"Accept": "application/json", "Origin": "https://shop.example"}
    answer = nobody.request("POST", door(group), data={"email": house.new_email()}, headers=headers)
    assert ok(answer) == {"status": "pending"}
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    refuses(nobody.post(door(group), {"email": "x"}, headers=headers), "email")
    preflight = nobody.options(door(group), headers={**headers, "Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 204 and preflight.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", ["/m/subscribe/17", "/m/subscribe/01890000-0000-7000-8000-000000000000", "/m/x/y"])
def test_what_is_not_open_is_not_there(nobody, path):
    page(nobody.get(path), 404)
    page(nobody.request("POST", path, data={"email": "a@example.org"}), 404)


def test_a_closed_group_is_not_there(anna, nobody):
    group = new_group(anna, isPublic=True)
    page(nobody.get(door(group)))
    ok(anna.patch(f"/api/contact-groups/{group['id']}", {"isPublic": False}))
    page(nobody.get(door(group)), 404)


def test_too_many_subscriptions_have_to_wait(house, anna, nobody):
    group = new_group(anna, isPublic=True)
    answers = [nobody.request("POST", door(group), data={"email": house.new_email()}) for _ in range(25)]
    late = next(answer for answer in answers if answer.status_code == 429)
    assert int(late.headers["Retry-After"]) >= 1 and "too fast" in page(late, 429)
