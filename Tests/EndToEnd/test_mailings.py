"""Mailings up to the queue: drafts, recipients, checks, previews, states, templates and sending domains."""

from datetime import datetime, timedelta, timezone

import pytest

from actors import at_once, created, no_content, ok, page, problem, refuses, statuses

BODY = '<p>Hello {{FirstName|there}}</p><p><a href="{{UnsubscribeUrl}}">Unsubscribe</a></p>'


def contact(account, email, **members):
    return created(account.post("/api/contacts", {"email": email, **members}))


def mailing(account, **members):
    return created(account.post("/api/mailing", {"subject": "Spring news", "htmlBody": BODY, **members}))


def path(thing):
    return f"/api/mailing/{thing['id']}"


def add(account, thing, **wishes):
    return ok(account.post(path(thing) + "/recipients", wishes))


def test_a_mailing_is_drafted_addressed_and_queued_by_a_keyholder(anna, keyholder):
    program = keyholder(["mailing"])
    people = [contact(anna, f"p{number}@example.org", tags=["news"]) for number in range(3)]
    draft = mailing(program, fromName="Anna", replyTo="anna@example.org")
    assert draft["status"] == "draft" and draft["counts"]["recipients"] == 0
    first = add(program, draft, contactIds=[people[0]["id"]])
    assert first == {"added": 1, "alreadyRecipients": 0, "skipped": 0, "recipients": 1, "errors": []}
    second = add(program, draft, tags=["news"])
    assert (second["added"], second["alreadyRecipients"], second["recipients"]) == (2, 1, 3)
    no_content(program.delete(f"{path(draft)}/recipients/{people[2]['id']}"))
    report = ok(program.get(path(draft) + "/check"))
    assert report["recipients"] == {"total": 2, "willReceive": 2, "unsubscribed": 0, "bounced": 0,
                                    "unconfirmed": 0}
    assert not [item for item in report["items"] if item["severity"] == "error"]
    queued = ok(program.post(path(draft) + "/send"))
    assert queued["status"] == "queued" and queued["counts"]["pending"] == 2
    problem(program.post(path(draft) + "/send"), 409, "conflict")
    problem(program.patch(path(draft), {"subject": "x"}), 409, "conflict")
    assert ok(program.post(path(draft) + "/pause"))["status"] == "paused"
    assert ok(program.post(path(draft) + "/cancel"))["counts"]["skipped"] == 2
    assert {item["skippedReason"] for item in program.pages(path(draft) + "/recipients")} == {"cancelled"}


def test_what_is_wrong_is_all_told(anna):
    codes = refuses(anna.post("/api/mailing", {
        "subject": "Hi {{Nickname}}", "htmlBody": "{{Oops}}", "textBody": "{{", "fromName": "a\nb", "replyTo": "x",
        "colour": "red"}), "subject", "htmlBody", "textBody", "fromName", "replyTo", "colour")
    assert codes["subject"] == codes["htmlBody"] == "unknown_placeholder"
    assert refuses(anna.post("/api/mailing", {"subject": "x", "fromEmail": "a@elsewhere.example.org"}))["fromEmail"] \
        == "domain_not_verified"


def test_a_large_mailing_fits_and_a_larger_one_does_not(anna):
    large = "<p>" + "é" * 500_000 + "</p>"
    draft = mailing(anna, htmlBody=large, textBody="x" * 1_000_000)
    assert ok(anna.get(path(draft)))["htmlBody"] == large
    assert refuses(anna.post("/api/mailing", {"subject": "x", "htmlBody": "x" * 1_048_577}))["htmlBody"] == "too_long"
    problem(anna.post("/api/mailing", {"subject": "x", "htmlBody": "x" * 5_000_000}), 413)


def test_scheduling_lies_ahead(anna):
    draft = mailing(anna)
    add(anna, draft, contactIds=[contact(anna, "later@example.org")["id"]])
    past = {"scheduledFor": "2020-01-01T00:00:00Z"}
    assert refuses(anna.post(path(draft) + "/send", past))["scheduledFor"] == "in_the_past"
    time = (datetime.now(timezone.utc) + timedelta(days=1)).replace(microsecond=0)
    text = time.isoformat().replace("+00:00", "Z")
    scheduled = ok(anna.post(path(draft) + "/send", {"scheduledFor": text}))
    assert scheduled["status"] == "scheduled" and scheduled["scheduledFor"] == text
    assert ok(anna.patch(path(draft), {"subject": "Changed"}))["subject"] == "Changed"
    assert ok(anna.post(path(draft) + "/pause"))["status"] == "paused"
    assert ok(anna.post(path(draft) + "/resume"))["status"] == "scheduled"


def test_one_of_many_at_once_sends(anna):
    draft = mailing(anna)
    add(anna, draft, contactIds=[contact(anna, "once@example.org")["id"]])
    assert statuses(at_once(8, lambda _: anna.post(path(draft) + "/send"))) == {200: 1, 409: 7}


def test_a_group_added_twice_at_once_counts_once(anna):
    people = [contact(anna, f"g{number}@example.org")["id"] for number in range(5)]
    group = created(anna.post("/api/contact-groups", {"name": "Everybody"}))
    ok(anna.post(f"/api/contact-groups/{group['id']}/members", {"contactIds": people}))
    draft = mailing(anna)
    answers = at_once(4, lambda _: add(anna, draft, groupIds=[group["id"]], contactIds=people[:2]))
    assert sum(answer["added"] for answer in answers) == 5
    assert ok(anna.get(path(draft)))["counts"]["recipients"] == 5


def test_the_preview_is_a_page_that_runs_nothing(anna):
    draft = mailing(anna, htmlBody='<p>{{Name}}</p><script>alert(1)</script><img src=x onerror=alert(1)>')
    person = contact(anna, "eve@example.org", lastName='"><script>alert(2)</script>')
    response = anna.get(path(draft) + "/preview", params={"format": "page", "contactId": person["id"]})
    text = page(response)
    assert 'sandbox=""' in text and "<script" not in text
    assert "script-src" not in response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    html = anna.get(path(draft) + "/preview", params={"format": "html", "contactId": person["id"]})
    assert html.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert "&quot;&gt;&lt;script&gt;alert(2)" in html.text
    plain = ok(anna.get(path(draft) + "/preview"))
    assert {"subject", "previewText", "html", "text", "from"} <= plain.keys()


def test_a_template_is_sent_whole_or_not_at_all(anna):
    template = created(anna.post("/api/mailing/templates", {"name": "Welcome", "subject": "Hi", "htmlBody": BODY}))
    problem(anna.post("/api/mailing/templates", {"name": "WELCOME", "subject": "x"}), 409, "conflict")
    door = f"/api/mailing/templates/{template['id']}"
    contact(anna, "vip@example.org", tags=["vip"])
    before = ok(anna.get("/api/mailing"))["total"]
    assert "tags[1]" in refuses(anna.post(door + "/send", {"tags": ["vip", "nobody has this"]}))
    assert "recipients" in refuses(anna.post(door + "/send", {}))
    assert ok(anna.get("/api/mailing"))["total"] == before
    sent = created(anna.post(door + "/send", {"tags": ["vip"], "subject": "Hello"}))
    assert sent["status"] == "queued" and sent["subject"] == "Hello" and sent["counts"]["recipients"] == 1


def test_tests_are_few(anna):
    draft = mailing(anna)
    people = [f"t{number}@example.org" for number in range(5)]
    for _ in range(4):
        assert ok(anna.post(path(draft) + "/test", {"to": people}), 202)["queued"] == 5
    assert "Retry-After" in anna.post(path(draft) + "/test", {"to": people[:1]}).headers
    problem(anna.post(path(draft) + "/test", {"to": people[:1]}), 429, "rate_limited")


def test_a_domain_has_records_to_publish(anna, stranger):
    domain = created(anna.post("/api/mailing/domains", {"domain": "Mail.Example.org"}))
    assert domain["domain"] == "mail.example.org" and domain["status"] == "pending"
    names = [record["name"] for record in domain["records"] if record["purpose"] == "dkim"]
    assert len(names) == 2 and all(name.endswith("._domainkey.mail.example.org") for name in names)
    problem(anna.post("/api/mailing/domains", {"domain": "mail.example.org"}), 409, "conflict")
    problem(stranger.get(f"/api/mailing/domains/{domain['id']}"), 404)
    no_content(anna.delete(f"/api/mailing/domains/{domain['id']}"))


def test_the_operator_has_domains_of_their_own(house):
    assert "_domainkey.post.example.org" in house.run("domain", "add", "post.example.org")
    assert "post.example.org  pending" in house.run("domain", "list")
    house.run("domain", "remove", "post.example.org")
    assert "post.example.org" not in house.run("domain", "list")


@pytest.mark.parametrize("plan", ["free", "starter"])
def test_small_plans_have_no_mailings(house, plan):
    account = house.account("Small")
    house.set_plan(account, plan)
    body = problem(account.post("/api/mailing", {"subject": "x"}), 403, "plan_limit")
    assert body["plan"].lower() == plan and body["upgradeTo"]
