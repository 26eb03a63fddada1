"""Sending a mailing again to just those who did not get it, behind a relay that tells of failures later."""

import json

import pytest

from actors import created, ok, problem
from test_bounces import bounce, deliver, report
from test_webhooks import Receiver


@pytest.fixture(scope="module")
def post_house(workshop, database_server, request):
    """A house that sends by the mail server of the test in hand."""
    from conftest import houses
    with houses(workshop, database_server, request.config) as make:
        yield make(settings={"FL_WEBHOOK_ALLOW": "127.0.0.0/8"})


@pytest.fixture
def anna(post_house):
    return post_house.account("Anna")


def path_of(server, contact):
    """The return path of the last message to a contact."""
    return server.to(contact["email"])[-1].sender


def come_back(anna, server, contact, status, code):
    """The relay reports that the last message to a contact failed."""
    told, words = bounce(anna.house, report(contact["email"], status, code), "--recipient", path_of(server, contact))
    assert told == 0, words
    return words


def times(server, *contacts):
    return [len(server.to(contact["email"])) for contact in contacts]


def test_only_those_whose_message_came_back_get_it_again(anna, server):
    receiver = Receiver()
    try:
        created(anna.post("/api/webhooks", {"url": receiver.url, "events": ["mailing.sent"]}))
        refused, full, gone, left, fine = people = [anna.contact() for _ in range(5)]
        mailing = deliver(anna, people)
        door = f"/api/mailing/{mailing['id']}/retry"
        come_back(anna, server, refused, "5.7.1", "554")
        come_back(anna, server, full, "5.2.2", "552")
        come_back(anna, server, gone, "5.1.1", "550")
        come_back(anna, server, left, "5.7.1", "554")
        ok(anna.patch(f"/api/contacts/{left['id']}", {"isUnsubscribed": True}))
        assert anna.mailing_now(mailing)["counts"]["bounced"] == 4
        # Without the member nobody is meant, and the answer says who could be.
        answer = problem(anna.post(door), 409)
        assert "4 bounced" in answer["detail"] and "includeBounced" in answer["detail"]

        before = anna.recipients(mailing)
        old = path_of(server, refused)
        counts = ok(anna.post(door, {"includeBounced": True}))["counts"]
        assert (counts["pending"], counts["bounced"], counts["sent"]) == (2, 2, 1)
        anna.house.run_sender()
        assert times(server, refused, full, gone, left, fine) == [2, 2, 1, 1, 1]
        now = anna.recipients(mailing)
        for contact in (gone, left, fine):
            assert now[contact["email"]] == before[contact["email"]]
        row = now[refused["email"]]
        assert row["status"] == "sent" and row["smtpCode"] == 250 and row["bouncedAt"] is None
        state = anna.mailing_now(mailing)
        assert state["status"] == "sent" and (state["counts"]["sent"], state["counts"]["bounced"]) == (3, 2)

        # The first report once more says nothing of the second message; the second one's does.
        again = bounce(anna.house, report(refused["email"], "5.7.1", "554"), "--recipient", old)
        assert again[0] == 0 and "told before" in again[1]
        assert anna.recipients(mailing)[refused["email"]]["status"] == "sent"
        assert "refused" in come_back(anna, server, refused, "5.7.1", "554")
        assert anna.recipients(mailing)[refused["email"]]["status"] == "bounced"

        # The webhook was told of both ends, with the numbers of each.
        anna.house.run_sender()
        told = [json.loads(request.body)["data"]["counts"] for request in receiver.requests]
        assert [(counts["sent"], counts["bounced"]) for counts in told] == [(5, 0), (3, 2)]
    finally:
        receiver.stop()


def test_who_leaves_after_the_wish_gets_nothing(anna, server):
    """Claims look again at sending time, whatever was named."""
    people = bob, eve, ada = [anna.contact() for _ in range(3)]
    mailing = deliver(anna, people)
    for contact in people:
        come_back(anna, server, contact, "5.7.1", "554")
    wish = {"includeUncertain": True, "includeBounced": True, "includeSkipped": True}
    assert ok(anna.post(f"/api/mailing/{mailing['id']}/retry", wish))["counts"]["pending"] == 3
    ok(anna.patch(f"/api/contacts/{bob['id']}", {"isUnsubscribed": True}))
    other = anna.mailing([eve])
    ok(anna.post(f"/api/mailing/{mailing['id']}/pause"))
    anna.send(other)
    anna.house.run_sender()
    assert "hard bounce" in come_back(anna, server, eve, "5.1.1", "550")
    ok(anna.post(f"/api/mailing/{mailing['id']}/resume"))
    anna.house.run_sender()
    assert times(server, bob, eve, ada) == [1, 2, 2], "Eve's second one is the other mailing's"
    rows = anna.recipients(mailing)
    assert [(rows[contact["email"]]["status"], rows[contact["email"]]["skippedReason"]) for contact in people] == [
        ("skipped", "unsubscribed"), ("skipped", "bounced"), ("sent", None)]
    told = {entry["type"]: entry for entry in anna.pages(f"/api/contacts/{bob['id']}/timeline")}
    assert told["mailing.skipped"]["reason"] == "unsubscribed" and "mailing.bounced" not in told
    # Bob is back, and gets it when he is named; Eve's address is still none.
    ok(anna.patch(f"/api/contacts/{bob['id']}", {"isUnsubscribed": False}))
    ok(anna.post(f"/api/mailing/{mailing['id']}/retry", {"includeSkipped": True}))
    anna.house.run_sender()
    assert times(server, bob, eve, ada) == [2, 2, 2]


def test_a_cancelled_mailing_is_sent_after_all(anna, server):
    people = [anna.contact() for _ in range(3)]
    group = anna.group(emails=[contact["email"] for contact in people])
    mailing = anna.mailing(groups=[group])
    anna.send(mailing)
    ok(anna.post(f"/api/mailing/{mailing['id']}/cancel"))
    anna.house.run_sender()
    assert not server.received
    problem(anna.post(f"/api/mailing/{mailing['id']}/retry"), 409)
    ok(anna.patch(f"/api/contacts/{people[0]['id']}", {"isUnsubscribed": True}))
    # Its sending had not begun, so its group is looked at when it does.
    ok(anna.post(f"/api/contact-groups/{group['id']}/members/remove", {"contactIds": [people[1]["id"]]}))
    assert ok(anna.post(f"/api/mailing/{mailing['id']}/retry", {"includeSkipped": True}))["status"] == "queued"
    anna.house.run_sender()
    assert server.recipients() == [people[2]["email"]]
    state = anna.mailing_now(mailing)
    assert state["status"] == "sent" and (state["counts"]["sent"], state["counts"]["skipped"]) == (1, 1)
