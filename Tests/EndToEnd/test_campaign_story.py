"""A campaign as a new user does it: from a CSV to who got it, who did not, and who is left out the next time."""

import json
import re

import standardwebhooks

from actors import created, ok, page
from mailserver import MailServer
from test_webhooks import Receiver


def test_a_campaign_from_a_csv_to_the_second_mailing(new_house):
    with MailServer() as server:
        house = new_house(settings={"FL_SMTP_URL": server.url, "FL_WEBHOOK_ALLOW": "127.0.0.0/8"})
        anna = house.account("Anna")
        receiver = Receiver()
        try:
            story(house, anna, server, receiver)
        finally:
            receiver.stop()


def story(house, anna, server, receiver):
    hook = created(anna.post("/api/webhooks", {"url": receiver.url, "events": [
        "contact.unsubscribed", "contact.bounced", "mailing.sent", "mailing.opened", "mailing.clicked"]}))

    # Import a CSV, as a spreadsheet writes it.
    csv = ("\ufeffE-Mail;Vorname;Nachname;Firma\r\n"
           "bob@example.org;Bob;Smith;\"ACME; Inc.\"\r\n"
           "eve@example.org;Eve;;\r\n"
           "gone@example.org;Gone;Person;\r\n"
           "no address;Nobody;;\r\n").encode()
    imported = anna.request("POST", "/api/contacts/import", files={"file": ("people.csv", csv)}, data={"tags": "fair"})
    assert imported.status_code in (201, 202), imported.text
    assert imported.json()["created"] == 3 and len(imported.json()["errors"]) == 1

    # A group of them, and a mailing with placeholders.
    group = created(anna.post("/api/contact-groups", {"name": "Customers"}))
    people = ok(anna.get("/api/contacts", params={"tag": "fair"}))["items"]
    added = ok(anna.post(f"/api/contact-groups/{group['id']}/members", {"contactIds": [p["id"] for p in people]}))
    assert added["added"] == 3
    mailing = created(anna.post("/api/mailing", {
        "subject": "{{FirstName|Hello}}, our spring news", "trackOpens": True, "trackClicks": True,
        "htmlBody": "<h1>Dear {{Name|friend}}</h1><p><a href=\"https://example.org/spring\">Have a look</a></p>"
                    "<p><a href=\"{{UnsubscribeUrl}}\">Unsubscribe</a></p>"}))
    ok(anna.post(f"/api/mailing/{mailing['id']}/recipients", {"groupIds": [group["id"]]}))
    checked = ok(anna.post(f"/api/mailing/{mailing['id']}/check"))
    assert checked["recipients"]["willReceive"] == 3
    assert not [item for item in checked["items"] if item["severity"] == "error"]

    # Send it: one address is refused.
    server.refusals["gone@example.org"] = "550 5.1.1 no such user here"
    anna.send(mailing)
    house.run_sender()
    rows = anna.recipients(mailing)
    assert {address: row["status"] for address, row in rows.items()} == {
        "bob@example.org": "sent", "eve@example.org": "sent", "gone@example.org": "bounced"}
    assert "no such user here" in rows["gone@example.org"]["smtpReply"]
    bob = server.only("bob@example.org")
    assert bob.message["Subject"] == "Bob, our spring news" and "Dear Bob Smith" in bob.part("html")

    # Bob opens it and clicks; Eve unsubscribes by one click.
    visitor = house.visitor()
    assert visitor.get(re.search(r'src="([^"]+/m/o/[^"]+)"', bob.part("html"))[1]).status_code == 200
    link = re.search(r'href="([^"]+/m/c/[^"]+)"', bob.part("html"))[1]
    assert visitor.get(link).headers["Location"] == "https://example.org/spring"
    eve = server.only("eve@example.org").message
    page(house.nobody().request("POST", eve["List-Unsubscribe"].strip("<> "), data="List-Unsubscribe=One-Click",
                                headers={"Content-Type": "application/x-www-form-urlencoded"}))

    # A report of Bob's mailbox comes later, to the return path, by the mail server's pipe.
    other = created(anna.post("/api/mailing", {"subject": "Second", "htmlBody": "<p>{{UnsubscribeUrl}}</p>"}))
    ok(anna.post(f"/api/mailing/{other['id']}/recipients", {"groupIds": [group["id"]]}))
    anna.send(other)
    house.run_sender()
    second = anna.recipients(other)
    assert {address: (row["status"], row["skippedReason"]) for address, row in second.items()} == {
        "bob@example.org": ("sent", None), "eve@example.org": ("skipped", "unsubscribed"),
        "gone@example.org": ("skipped", "bounced")}
    assert len(server.to("eve@example.org")) == 1 and len(server.to("gone@example.org")) == 0

    # A webhook was told of each, signed.
    house.run_sender()
    told = {}
    for request in receiver.requests:
        standardwebhooks.Webhook(hook["secret"]).verify(request.body, dict(request.headers.items()))
        body = json.loads(request.body)
        told.setdefault(body["event"], []).append(body["data"])
    assert {name: len(events) for name, events in told.items()} == {
        "contact.bounced": 1, "contact.unsubscribed": 1, "mailing.sent": 2, "mailing.opened": 1, "mailing.clicked": 1}
    numbers = told["mailing.sent"][0]["counts"]
    assert (numbers["recipients"], numbers["sent"], numbers["bounced"], numbers["pending"]) == (3, 2, 1, 0)
    assert told["contact.bounced"][0]["email"] == "gone@example.org"
    assert told["contact.unsubscribed"][0]["email"] == "eve@example.org"
    assert told["mailing.clicked"][0]["url"] == "https://example.org/spring"
