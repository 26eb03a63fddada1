"""Mailings on their way to a real mail server: what arrives, what is refused, who is left out."""

import base64
import email.utils
import re
from datetime import datetime, timedelta, timezone

import pytest

from actors import ok, page, problem, refuses
from mailserver import MailServer, certificate


@pytest.fixture(scope="module")
def post_house(workshop, database_server, request):
    """A house that sends by the mail server of the test in hand."""
    from conftest import houses
    with houses(workshop, database_server, request.config) as make:
        yield make(settings={"FL_SMTP_CONNECTIONS": "3"})


@pytest.fixture
def anna(post_house):
    return post_house.account("Anna")


def in_a_year():
    return (datetime.now(timezone.utc) + timedelta(days=365)).strftime("%Y-%m-%dT%H:%M:%SZ")


def sql_id(mailing):
    return f"UNHEX('{mailing['id'].replace('-', '')}')"


def deliver(anna, mailing):
    anna.send(mailing)
    anna.house.run_sender()
    return anna.mailing_now(mailing)


def test_each_recipient_gets_a_message_of_their_own(anna, server):
    bob = anna.contact(firstName="Bob", lastName="Smith", company="ACME")
    eve = anna.contact()
    mailing = anna.mailing([bob, eve], subject="Hello {{FirstName|friend}}", fromName="Anna's shop",
                           replyTo="shop@example.org",
                           html="<html><body><p>Dear {{Name|customer}} of {{Company|the world}},</p>"
                                "<p><a href=\"{{UnsubscribeUrl}}\">Leave</a></p></body></html>")
    sent = deliver(anna, mailing)
    assert sent["status"] == "sent" and sent["startedAt"] and sent["finishedAt"]
    assert sent["counts"]["sent"] == 2 and sent["counts"]["pending"] == 0

    first, second = server.only(bob["email"]), server.only(eve["email"])
    assert first.message["Subject"] == "Hello Bob" and second.message["Subject"] == "Hello friend"
    assert "Dear Bob Smith of ACME," in first.part("html") and "Dear customer of the world," in second.part("html")
    assert "Dear Bob Smith of ACME," in first.part("plain")
    assert first.message.get_content_type() == "multipart/alternative"
    assert first.message["To"].addresses[0].addr_spec == bob["email"]
    assert first.message["To"].addresses[0].display_name == "Bob Smith"
    sender = first.message["From"].addresses[0]
    assert sender.display_name == "Anna's shop" and sender.addr_spec.startswith("no-reply@")
    assert first.message["Reply-To"].addresses[0].addr_spec == "shop@example.org"
    assert first.message["Message-ID"] != second.message["Message-ID"]
    assert email.utils.parsedate_to_datetime(first.message["Date"])
    assert first.message["List-Id"]
    # A return path of its own, by which a bounce is known.
    assert re.fullmatch(r"bounce\+[a-z2-7]{48}@127\.0\.0\.1", first.sender) and first.sender != second.sender
    # Neither bare CR nor bare LF, no line above 998.
    lines = first.bytes.split(b"\r\n")
    assert not any(b"\n" in line or b"\r" in line for line in lines) and max(map(len, lines)) <= 998

    row = anna.recipients(mailing)[bob["email"]]
    assert row["status"] == "sent" and row["smtpCode"] == 250 and "taken" in row["smtpReply"]
    assert row["attempts"] == 1 and row["sentAt"]


def test_a_mailing_without_a_name_comes_under_the_accounts(anna, server):
    name = "Größe & Co, \"Sons\""
    ok(anna.patch("/api/auth/me", {"name": name}))
    bob = anna.contact()
    mailing = anna.mailing([bob])
    deliver(anna, mailing)
    assert server.only(bob["email"]).message["From"].addresses[0].display_name == name
    assert ok(anna.get(f"/api/mailing/{mailing['id']}/preview"))["from"].startswith(name + " <")


def test_nothing_is_sent_twice(anna, server):
    mailing = anna.mailing([anna.contact()])
    deliver(anna, mailing)
    anna.house.run_sender()
    assert len(server.received) == 1
    problem(anna.post(f"/api/mailing/{mailing['id']}/send"), 409)


def test_a_group_that_was_empty_is_sent_to_who_is_in_it(anna, server):
    group = anna.group()
    mailing = anna.mailing(groups=[group])
    assert "recipients" in refuses(anna.post(f"/api/mailing/{mailing['id']}/send"))
    late = anna.house.new_email("late")
    ok(anna.post(f"/api/contact-groups/{group['id']}/members", {"emails": [late], "createMissing": True}))
    assert ok(anna.get(f"/api/mailing/{mailing['id']}/check"))["recipients"]["willReceive"] == 1
    assert deliver(anna, mailing)["counts"]["sent"] == 1
    server.only(late)


def test_who_has_not_confirmed_is_counted_and_gets_nothing(anna, server):
    group = anna.group(requireDoubleOptIn=True)
    waiting, bob = anna.house.new_email("waiting"), anna.contact()
    ok(anna.post(f"/api/contact-groups/{group['id']}/members",
                 {"emails": [waiting], "createMissing": True, "sendConfirmation": False}))
    mailing = anna.mailing([bob], groups=[group])
    report = ok(anna.get(f"/api/mailing/{mailing['id']}/check"))
    assert report["recipients"]["unconfirmed"] == 1 and report["recipients"]["total"] == 1
    assert "unconfirmed_members" in [item["code"] for item in report["items"]]
    assert deliver(anna, mailing)["counts"] == {**mailing["counts"], "recipients": 1, "sent": 1}
    assert not server.to(waiting)


def test_one_click_unsubscribes(anna, server, post_house):
    bob = anna.contact()
    deliver(anna, anna.mailing([bob]))
    message = server.only(bob["email"]).message
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = re.fullmatch(r"<(.+)>", message["List-Unsubscribe"].strip())[1]
    nobody = post_house.nobody()
    assert "Unsubscribe?" in page(nobody.get(address))
    assert ok(anna.get(f"/api/contacts/{bob['id']}"))["isUnsubscribed"] is False, "GET changes nothing"
    answer = nobody.request("POST", address, data="List-Unsubscribe=One-Click",
                            headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert "You are unsubscribed" in page(answer)
    contact = ok(anna.get(f"/api/contacts/{bob['id']}"))
    assert contact["isUnsubscribed"] is True and contact["unsubscribedAt"]

    again = anna.mailing([bob, anna.contact()])
    assert deliver(anna, again)["counts"] == {**anna.mailing_now(again)["counts"], "sent": 1, "skipped": 1}
    assert anna.recipients(again)[bob["email"]]["skippedReason"] == "unsubscribed"
    assert len(server.to(bob["email"])) == 1


def test_an_address_to_unsubscribe_cannot_be_made_up(anna, server, post_house):
    bob = anna.contact()
    deliver(anna, anna.mailing([bob]))
    address = server.only(bob["email"]).message["List-Unsubscribe"].strip("<> ")
    base, token = address.rsplit("/", 1)
    raw = bytearray(base64.urlsafe_b64decode(token + "=="))
    for position in (0, 7, len(raw) - 1):
        forged = bytearray(raw)
        forged[position] ^= 1
        text = base64.urlsafe_b64encode(bytes(forged)).decode().rstrip("=")
        assert post_house.nobody().post(f"{base}/{text}").status_code == 404
    assert ok(anna.get(f"/api/contacts/{bob['id']}"))["isUnsubscribed"] is False


def test_a_mistake_can_be_taken_back(anna, server, post_house):
    bob = anna.contact()
    deliver(anna, anna.mailing([bob]))
    address = server.only(bob["email"]).message["List-Unsubscribe"].strip("<> ")
    nobody = post_house.nobody()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    page(nobody.request("POST", address, data="unsubscribe=1", headers=form))
    assert "subscribed again" in page(nobody.request("POST", address, data="undo=1", headers=form))
    assert ok(anna.get(f"/api/contacts/{bob['id']}"))["isUnsubscribed"] is False


def test_who_was_deleted_can_still_unsubscribe(anna, server, post_house):
    bob = anna.contact()
    deliver(anna, anna.mailing([bob]))
    address = server.only(bob["email"]).message["List-Unsubscribe"].strip("<> ")
    assert anna.delete(f"/api/contacts/{bob['id']}").status_code == 204
    page(post_house.nobody().post(address))
    assert anna.contact(bob["email"])["isUnsubscribed"] is True, "made again, and still unsubscribed"


def test_what_the_server_refuses(anna, server):
    gone, full, later, fine, content = (anna.contact() for _ in range(5))
    server.refusals = {
        gone["email"]: "550 5.1.1 no such user",
        full["email"]: "552 5.2.2 mailbox full",
        later["email"]: ["452 4.3.1 try again later"],
    }
    server.data_refusals = {content["email"]: "554 5.7.1 smells of spam"}
    mailing = anna.mailing([gone, full, later, fine, content])
    state = deliver(anna, mailing)
    rows = anna.recipients(mailing)
    assert rows[gone["email"]]["status"] == "bounced" and rows[gone["email"]]["smtpCode"] == 550
    assert rows[gone["email"]]["bouncedAt"] and "no such user" in rows[gone["email"]]["smtpReply"]
    assert rows[full["email"]]["status"] == "failed" and rows[full["email"]]["smtpCode"] == 552
    assert rows[content["email"]]["status"] == "failed" and "spam" in rows[content["email"]]["smtpReply"]
    assert rows[fine["email"]]["status"] == "sent"
    assert rows[later["email"]]["status"] == "pending" and rows[later["email"]]["smtpCode"] == 452
    assert state["status"] == "sending" and state["counts"]["pending"] == 1
    # When each was tried, and when who waits is tried again.
    assert all(row["attemptedAt"] for row in rows.values())
    assert rows[fine["email"]]["attemptedAt"] == rows[fine["email"]]["sentAt"]
    tried, again = (datetime.fromisoformat(rows[later["email"]][name]) for name in ("attemptedAt", "nextAttemptAt"))
    assert tried < again
    assert [row["nextAttemptAt"] for row in rows.values()].count(None) == 4

    assert ok(anna.get(f"/api/contacts/{gone['id']}"))["isBounced"] is True
    for other in (full, later, content):
        assert ok(anna.get(f"/api/contacts/{other['id']}"))["isBounced"] is False

    # Who was refused for a while gets it when the time has come.
    anna.house.database.sql("UPDATE mailing_recipients SET due_at = NOW()"
                            f" WHERE mailing_id = {sql_id(mailing)} AND status = 'pending'")
    anna.house.run_sender()
    assert anna.recipients(mailing)[later["email"]]["status"] == "sent"
    assert anna.mailing_now(mailing)["status"] == "sent"

    # The failed ones, and none else, get it once more.
    server.refusals, server.data_refusals = {}, {}
    before = len(server.received)
    ok(anna.post(f"/api/mailing/{mailing['id']}/retry"))
    anna.house.run_sender()
    assert sorted(server.recipients()[before:]) == sorted([full["email"], content["email"]])
    assert anna.mailing_now(mailing)["counts"]["sent"] == 4


def test_a_full_mailbox_five_times_in_a_row_is_a_bounce(anna, server):
    bob = anna.contact()
    server.refusals = {bob["email"]: "552 5.2.2 mailbox full"}
    for number in range(5):
        assert ok(anna.get(f"/api/contacts/{bob['id']}"))["isBounced"] is False, number
        deliver(anna, anna.mailing([bob]))
    assert ok(anna.get(f"/api/contacts/{bob['id']}"))["isBounced"] is True


def test_pause_resume_and_cancel(anna, server):
    mailing = anna.mailing([anna.contact() for _ in range(3)])
    anna.send(mailing)
    assert ok(anna.post(f"/api/mailing/{mailing['id']}/pause"))["status"] == "paused"
    anna.house.run_sender()
    assert not server.received
    assert ok(anna.post(f"/api/mailing/{mailing['id']}/resume"))["status"] in ("queued", "sending")
    anna.house.run_sender()
    assert len(server.received) == 3
    other = anna.mailing([anna.contact()])
    anna.send(other)
    assert ok(anna.post(f"/api/mailing/{other['id']}/cancel"))["status"] == "cancelled"
    anna.house.run_sender()
    assert len(server.received) == 3
    assert [row["skippedReason"] for row in anna.recipients(other).values()] == ["cancelled"]


def test_scheduled_for_later(anna, server):
    mailing = anna.mailing([anna.contact()])
    assert anna.send(mailing, scheduledFor=in_a_year())["status"] == "scheduled"
    anna.house.run_sender()
    assert not server.received
    anna.house.database.sql(f"UPDATE mailings SET scheduled_for = NOW() WHERE id = {sql_id(mailing)}")
    anna.house.run_sender()
    assert len(server.received) == 1


def test_opens_and_clicks_are_counted_once(anna, server, post_house):
    bob = anna.contact(firstName="Bob & Söhne")
    mailing = anna.mailing(
        [bob], trackOpens=True, trackClicks=True,
        html="<body><a href=\"https://example.org/shop?a=1&amp;b=2#top\">Shop</a> "
             "<a href='https://example.org/hello?name={{FirstName}}'>You</a> <a href=\"mailto:x@example.org\">Mail</a>"
             "<a href=\"{{UnsubscribeUrl}}\">Leave</a></body>")
    deliver(anna, mailing)
    html = server.only(bob["email"]).part("html")
    links = re.findall(r'href="([^"]+/m/c/[^"]+)"', html)
    pixel = re.search(r'<img src="([^"]+/m/o/[^"]+)"', html)[1]
    assert len(links) == 2 and "mailto:x@example.org" in html
    visitor = post_house.visitor()
    for _ in range(2):
        answer = visitor.get(pixel)
        assert answer.status_code == 200 and answer.headers["Content-Type"] == "image/gif"
        assert visitor.get(links[0]).headers["Location"] == "https://example.org/shop?a=1&b=2#top"
    assert visitor.get(links[1]).headers["Location"] == "https://example.org/hello?name=Bob%20%26%20S%C3%B6hne"
    assert visitor.head(links[1]).status_code == 302
    counts = anna.mailing_now(mailing)["counts"]
    assert counts["opened"] == 1 and counts["clicked"] == 1
    stats = ok(anna.get(f"/api/mailing/{mailing['id']}/stats"))
    assert {link["url"]: (link["clicks"], link["uniqueClicks"]) for link in stats["links"]} == {
        "https://example.org/shop?a=1&b=2#top": (2, 1), "https://example.org/hello?name={{FirstName}}": (1, 1)}
    row = anna.recipients(mailing)[bob["email"]]
    assert row["openedAt"] and row["clickedAt"]
    kinds = {entry["type"] for entry in anna.pages(f"/api/contacts/{bob['id']}/timeline")}
    assert len(kinds) >= 3, kinds


def test_a_click_cannot_be_made_to_lead_elsewhere(anna, server, post_house):
    bob = anna.contact()
    mailing = anna.mailing([bob], trackClicks=True, html="<a href='https://example.org/'>x</a>")
    deliver(anna, mailing)
    link = re.search(r'href="([^"]+/m/c/[^"]+)"', server.only(bob["email"]).part("html"))[1]
    visitor = post_house.visitor()
    base, token = link.rsplit("/", 1)
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    raw[-10] ^= 1
    forged = base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")
    assert visitor.get(f"{base}/{forged}").status_code == 404
    assert visitor.get(f"{link}?url=https://evil.example/").headers.get("Location", "https://example.org/") \
        == "https://example.org/"


def test_untracked_by_default(anna, server):
    bob = anna.contact()
    mailing = anna.mailing([bob], html="<a href=\"https://example.org/\">x</a>")
    assert mailing["trackOpens"] is False
    deliver(anna, mailing)
    html = server.only(bob["email"]).part("html")
    assert "/m/o/" not in html and "/m/c/" not in html and "https://example.org/" in html


@pytest.mark.parametrize("text", ["Evil\r\nBcc: victim@example.org", "Evil\nBcc: victim@example.org",
                                  "Evil\u2028Bcc: victim@example.org", "=?utf-8?q?Evil=0D=0ABcc:_x?="])
def test_no_field_begins_another(anna, server, text):
    """Through every member that reaches a header: refused, or harmless when it arrives."""
    bob = anna.post("/api/contacts", {"email": anna.house.new_email("bob"), "firstName": text, "lastName": text,
                                      "name": text, "company": text})
    bob = bob.json() if bob.status_code == 201 else anna.contact()
    members = {}
    for name in ("subject", "fromName", "replyTo", "previewText"):
        value = f"{text}@example.org" if name == "replyTo" else text
        if anna.post("/api/mailing", {"subject": "x", "htmlBody": "x", name: value}).status_code == 201:
            members[name] = value
    mailing = anna.mailing([bob], **{"subject": "{{Name|x}} {{Company|y}}", **members})
    deliver(anna, mailing)
    message = server.only(bob["email"])
    head = message.bytes.split(b"\r\n\r\n", 1)[0]
    assert not re.search(rb"(?mi)^bcc:", head), head
    assert server.recipients() == [bob["email"]]


@pytest.mark.parametrize("body", [
    "<p>.</p>\n.\n<p>after</p>", "one\r.\r\ntwo", "one\n.\r\ntwo", "line\r\n.\r\nMAIL FROM:<x@example.org>\r\n",
    "." * 3000, "x" * 5000 + "\n" + "ä" * 2000, "\u0000null\u0007bell", "..\n...\n."])
def test_bodies_arrive_whole(anna, server, body):
    bob, eve = anna.contact(), anna.contact()
    answer = anna.post("/api/mailing", {"subject": "x", "htmlBody": body, "textBody": body})
    if answer.status_code == 422:
        return
    mailing = answer.json()
    ok(anna.post(f"/api/mailing/{mailing['id']}/recipients", {"contactIds": [bob["id"], eve["id"]]}))
    assert deliver(anna, mailing)["counts"]["sent"] == 2
    for contact in (bob, eve):
        text = server.only(contact["email"]).part("plain")
        wanted = body.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").strip("\n")
        assert text.replace("\r\n", "\n").strip("\n") == wanted
    assert len(server.received) == 2


def test_international_names_and_addresses(anna, server):
    bob = anna.contact("jürgen.test@example.org".replace("ü", "u"), firstName="Jürgen", lastName="Müßig-Łódź 日本語",
                       company="Ünïcödé")
    idn = anna.post("/api/contacts", {"email": anna.house.new_email("x").replace("example.org", "bücher.example")})
    local = anna.post("/api/contacts", {"email": anna.house.new_email("jürgen")})
    contacts = [bob] + [answer.json() for answer in (idn, local) if answer.status_code == 201]
    mailing = anna.mailing(contacts, subject="Grüße an {{Name}} 🎉", fromName="Größenwahn GmbH")
    deliver(anna, mailing)
    message = server.only(bob["email"]).message
    assert message["Subject"] == "Grüße an Jürgen Müßig-Łódź 日本語 🎉"
    assert message["To"].addresses[0].display_name == "Jürgen Müßig-Łódź 日本語"
    assert message["From"].addresses[0].display_name == "Größenwahn GmbH"
    if idn.status_code == 201:
        assert any(address.endswith("@xn--bcher-kva.example") for address in server.recipients())
    if local.status_code == 201:
        row = anna.recipients(mailing)[local.json()["email"]]
        assert (row["status"], row["skippedReason"]) == ("skipped", "invalid_address")


def test_starttls_and_authentication(anna, post_house, tmp_path):
    paths = certificate(tmp_path)
    with MailServer(tls=paths, credentials=("anna", "geh:eim/ä"), require_tls=True) as server:
        post_house.change_settings(
            FL_SMTP_URL=f"smtp://anna:geh%3Aeim%2F%C3%A4@127.0.0.1:{server.port}?tls=required&ca={paths[0]}")
        bob = anna.contact()
        mailing = anna.mailing([bob])
        assert deliver(anna, mailing)["status"] == "sent"
        server.only(bob["email"])
        assert server.logins and server.logins[0][1] == "anna"
        assert "geh" not in post_house.log("responder")


def test_an_untrusted_certificate_is_not_spoken_to(anna, post_house, tmp_path):
    paths = certificate(tmp_path)
    with MailServer(tls=paths, require_tls=True) as server:
        post_house.change_settings(FL_SMTP_URL=f"smtp://127.0.0.1:{server.port}?tls=required")
        mailing = anna.mailing([anna.contact()])
        anna.send(mailing)
        post_house.run_sender(max_seconds=2)
        assert not server.received
        assert anna.mailing_now(mailing)["counts"]["pending"] == 1
        # The tests that follow share the house, and their servers would get it.
        ok(anna.post(f"/api/mailing/{mailing['id']}/cancel"))


def test_implicit_tls(anna, post_house, tmp_path):
    paths = certificate(tmp_path)
    with MailServer(tls=paths, implicit_tls=True) as server:
        post_house.change_settings(FL_SMTP_URL=f"smtps://127.0.0.1:{server.port}?ca={paths[0]}")
        bob = anna.contact()
        assert deliver(anna, anna.mailing([bob]))["status"] == "sent"
        server.only(bob["email"])


def test_without_a_server_messages_are_files(house):
    anna = house.account("Anna")
    bob = anna.contact()
    mailing = anna.mailing([bob], subject="A file")
    anna.send(mailing)
    house.run_sender()
    found = [message for message in house.mails() if message["To"] and bob["email"] in message["To"]]
    assert len(found) == 1 and found[0]["Subject"] == "A file"
    assert anna.mailing_now(mailing)["status"] == "sent"


def test_a_test_mail(anna, server):
    mailing = anna.mailing([], subject="Hello {{FirstName|you}}")
    answer = anna.post(f"/api/mailing/{mailing['id']}/test", {"to": ["me@example.org"]})
    assert answer.status_code in (200, 202), answer.text
    anna.house.run_sender()
    assert server.only("me@example.org").message["Subject"].startswith("[Test] Hello")
    assert anna.mailing_now(mailing)["status"] == "draft"


def test_what_became_of_a_test_can_be_read(anna, server, post_house):
    bob = anna.contact(firstName="Bob")
    mailing = anna.mailing([bob], subject="Hello {{FirstName|you}}")
    door = f"/api/mailing/{mailing['id']}"
    server.refusals["no@example.org"] = "550 5.1.1 no such user"
    ok(anna.post(door + "/test", {"to": ["me@example.org", "no@example.org"], "contactId": bob["id"]}), 202)
    assert [test["status"] for test in ok(anna.get(door + "/tests"))["items"]] == ["pending", "pending"]
    anna.house.run_sender()
    page = ok(anna.get(door + "/tests"))
    told = {test["to"]: test for test in page["items"]}
    assert page["total"] == 2 and told["me@example.org"]["status"] == "sent"
    assert told["no@example.org"]["status"] == "failed" and told["no@example.org"]["smtpCode"] == 550
    assert "no such user" in told["no@example.org"]["smtpReply"]
    problem(post_house.account("stranger").get(door + "/tests"), 404)
    # It has Bob's words, and is nobody's: its button unsubscribes no one, and the mailing has another Message-ID.
    test = server.only("me@example.org").message
    assert test["Subject"] == "[Test] Hello Bob"
    address = re.fullmatch(r"<(.+)>", test["List-Unsubscribe"].strip())[1]
    anna.house.nobody().request("POST", address, data="List-Unsubscribe=One-Click",
                                headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert ok(anna.get(f"/api/contacts/{bob['id']}"))["isUnsubscribed"] is False
    deliver(anna, mailing)
    assert server.only(bob["email"]).message["Message-ID"] != test["Message-ID"]


@pytest.mark.parametrize("html", ["", " \n"])
def test_a_mailing_of_text_alone_is_text(anna, server, html):
    bob = anna.contact(firstName="Bob")
    mailing = anna.mailing([bob], html=html, textBody="Hello {{FirstName}}\n{{UnsubscribeUrl}}\n", trackOpens=True,
                           trackClicks=True, previewText="Seen first")
    deliver(anna, mailing)
    message = server.only(bob["email"]).message
    # An empty part of HTML would be what mail programs show.
    assert message.get_content_type() == "text/plain" and message.get_content().startswith("Hello Bob\r\n")
    assert message["List-Unsubscribe"]


def test_links_that_no_click_could_follow_stay_as_they_are(anna, server):
    bob = anna.contact(company="ACME GmbH")
    long = "https://example.org/?q=" + "x" * 2100
    links = ["https://me@example.org/", "https://{{Company}}.example.org/", long, "https://example.org/?c={{Company}}"]
    body = "".join(f'<a href="{link}">x</a>' for link in links) + '<a href="{{UnsubscribeUrl}}">Leave</a>'
    deliver(anna, anna.mailing([bob], html=f"<html><body>{body}</body></html>", trackClicks=True))
    html = server.only(bob["email"]).part("html")
    found = re.findall(r'href="([^"]+)"', html)
    assert found[0] == links[0] and found[1] == "https://ACME%20GmbH.example.org/" and found[2] == long
    assert "/m/c/" in found[3]
    answer = anna.house.nobody().get(found[3])
    assert answer.status_code == 302 and answer.headers["Location"] == "https://example.org/?c=ACME%20GmbH"


def test_mails_of_the_system_go_by_the_server(anna, server):
    ok_or_204 = anna.post("/api/auth/password/forgot", {"email": anna.email})
    assert ok_or_204.status_code < 300
    anna.house.run_sender()
    message = server.only(anna.email).message
    assert message["Auto-Submitted"] == "auto-generated" and "reset-password?token=" in message.get_content()


def test_status_tells_what_waits(anna, server, post_house):
    anna.send(anna.mailing([anna.contact()], subject="Waiting for the sender"))
    told = post_house.run("--status", program="fastlinkit-sender")
    assert "Waiting for the sender" in told and "0 of 1 done" in told
    post_house.run_sender()
    assert "Waiting for the sender" not in post_house.run("--status", program="fastlinkit-sender")


def test_a_stranger_gets_no_account_of_it(anna, server, post_house):
    mailing = anna.mailing([anna.contact()])
    stranger = post_house.account("Stranger")
    for path in ("", "/recipients", "/stats", "/preview"):
        problem(stranger.get(f"/api/mailing/{mailing['id']}{path}"), 404, "not_found")
    for path in ("send", "pause", "cancel", "retry"):
        problem(stranger.post(f"/api/mailing/{mailing['id']}/{path}"), 404, "not_found")
