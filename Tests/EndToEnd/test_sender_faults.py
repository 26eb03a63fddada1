"""What becomes of mailings when things break: senders that are killed, servers that misbehave, a database that goes."""

import collections
import contextlib
import os
import pty
import random
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from actors import ok
from house import BINARIES
from mailserver import MailServer, Sink
from processes import free_port, wait_until


@pytest.fixture
def post_house(new_house):
    return new_house(settings={"FL_SMTP_CONNECTIONS": "4"})


@pytest.fixture
def anna(post_house):
    return post_house.account("Anna")


class CountingServer:
    """A quick mail server of a few lines that keeps the recipients of what it took, and does as it is told."""

    def __init__(self, script=None, pause=0.0, pipelining=True):
        self.taken = []
        self.begun = 0
        self.connections = 0
        self.script = script or (lambda event, number: None)
        self.pause = pause
        self.pipelining = pipelining
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self.url = f"smtp://127.0.0.1:{self.port}"
        self._open = True
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._open = False
        self._listener.close()

    def _accept(self):
        while self._open:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                number = self.connections
            threading.Thread(target=self._serve, args=(client, number), daemon=True).start()

    def _serve(self, client, number):
        try:
            with client, client.makefile("rb") as lines:
                def say(text):
                    client.sendall(text.encode() if isinstance(text, str) else text)

                if self._told("connect", number, say):
                    return
                say("220 test ESMTP\r\n")
                recipient = None
                for line in lines:
                    verb = line[:4].upper()
                    if verb == b"EHLO":
                        say("250-test\r\n250-PIPELINING\r\n250 8BITMIME\r\n" if self.pipelining else "250 test\r\n")
                    elif verb == b"MAIL" and self._told("mail", number, say):
                        continue
                    elif verb == b"RCPT":
                        recipient = line.split(b"<", 1)[1].split(b">", 1)[0].decode()
                        if self._told("rcpt", number, say):
                            return
                        say("250 2.1.5 ok\r\n")
                    elif verb == b"DATA":
                        say("354 go on\r\n")
                        for content in lines:
                            if content == b".\r\n":
                                break
                        else:
                            return
                        with self._lock:
                            self.begun += 1
                        if self.pause:
                            time.sleep(self.pause)
                        if self._told("end", number, say):
                            return
                        with self._lock:
                            self.taken.append(recipient)
                        say("250 2.0.0 taken\r\n")
                    elif verb == b"QUIT":
                        say("221 bye\r\n")
                        return
                    else:
                        say("250 ok\r\n")
        except OSError:
            pass

    def _told(self, event, number, say):
        """Does what the script says at this point; true where the connection is to be closed."""
        with self._lock:
            answer = self.script(event, number)
        if answer is None:
            return False
        if callable(answer):
            return answer(say)
        say(answer)
        return True


def start_mailing(anna, count, **members):
    addresses = anna.contacts(count)
    mailing = anna.mailing(groups=[anna.group(emails=addresses)], **members)
    anna.send(mailing)
    return mailing, addresses


def test_kill_9_fifty_times_with_two_senders(anna, post_house):
    """Nobody is missed, nobody is mailed twice; at most what was in flight at a kill is uncertain."""
    count, kills, connections = 10_000, 50, 4
    dice = random.Random(4)
    with CountingServer(pause=0.002) as server:
        post_house.change_settings(FL_SMTP_URL=server.url)
        mailing, addresses = start_mailing(anna, count)
        senders = [post_house.start_sender(600), post_house.start_sender(600)]
        wait_until(lambda: server.taken, seconds=60, what="the first message")
        done = 0
        while done < kills and len(server.taken) < 0.95 * count:
            # The server is in no hurry where the drain goes faster than the kills: enough is to be left for the last.
            server.pause = 0.002 if len(server.taken) < 0.8 * count * done / kills else 0.05
            time.sleep(dice.uniform(0.05, 0.35))
            victim = dice.randrange(2)
            senders[victim].stop(signal.SIGKILL)
            senders[victim] = post_house.start_sender(600)
            done += 1
        assert done >= 40, f"it was all but over after {done} kills: the test proves nothing"
        server.pause = 0.002

        def is_done():
            for index, sender in enumerate(senders):
                if not sender.runs:
                    senders[index] = post_house.start_sender(600)
            state = anna.mailing_now(mailing)
            return state["status"] == "sent" and state
        state = wait_until(is_done, seconds=600, every=0.5, what="the end of the mailing")
        for sender in senders:
            sender.stop()

    times = collections.Counter(server.taken)
    twice = [address for address, number in times.items() if number > 1]
    assert not twice, f"{len(twice)} were mailed twice"
    rows = anna.recipients(mailing)
    assert rows.keys() == set(addresses)
    states = collections.Counter(row["status"] for row in rows.values())
    missed = [address for address in addresses if address not in times and rows[address]["status"] != "uncertain"]
    assert not missed, f"{len(missed)} were missed"
    assert states["uncertain"] <= done * connections, states
    assert states["sent"] + states["uncertain"] == count and state["counts"]["sent"] == states["sent"]
    assert all(rows[address]["status"] in ("sent", "uncertain") for address in times)
    print(f"states after {done} kills: {dict(states)}")


def test_sigterm_finishes_what_is_in_hand(anna, post_house):
    with CountingServer(pause=0.05) as server:
        post_house.change_settings(FL_SMTP_URL=server.url)
        mailing, addresses = start_mailing(anna, 600)
        sender = post_house.start_sender(600)
        wait_until(lambda: len(server.taken) >= 20, seconds=60, what="twenty messages")
        assert sender.stop() == 0
        states = collections.Counter(row["status"] for row in anna.recipients(mailing).values())
        assert states["uncertain"] == 0 and states["sending"] == 0
        assert states["sent"] == len(server.taken) < 600
        post_house.run_sender(120)
        assert sorted(server.taken) == sorted(addresses)


def test_two_senders_at_once_send_each_once(anna, post_house):
    with CountingServer() as server:
        post_house.change_settings(FL_SMTP_URL=server.url)
        _, addresses = start_mailing(anna, 3000)
        senders = [post_house.start_sender(60) for _ in range(3)]
        wait_until(lambda: not any(sender.runs for sender in senders), seconds=90, what="the end of all")
        assert sorted(server.taken) == sorted(addresses)


def test_what_another_sender_has_locked_is_waited_for(anna, post_house):
    """One that settles the recipients locks them for a moment: no sender takes that for the end."""
    with CountingServer() as server:
        post_house.change_settings(FL_SMTP_URL=server.url)
        mailing, addresses = start_mailing(anna, 20)
        post_house.database.sql("UPDATE mailings SET status = 'sending', started_at = NOW(6), prepared_at = NOW(6)")
        lock = threading.Thread(target=post_house.database.sql, args=(
            "BEGIN; UPDATE mailing_recipients SET attempts = attempts; SELECT SLEEP(2); COMMIT",))
        lock.start()
        wait_until(lambda: any("SLEEP(2)" in row[0] for row in
                               post_house.database.sql("SELECT info FROM information_schema.processlist")),
                   seconds=20, what="the lock")
        post_house.run_sender(30)
        lock.join()
        assert sorted(server.taken) == sorted(addresses)


def test_a_server_that_is_not_there(anna, post_house):
    post_house.change_settings(FL_SMTP_URL=f"smtp://127.0.0.1:{free_port()}")
    mailing, addresses = start_mailing(anna, 20)
    began = time.monotonic()
    post_house.run_sender(4)
    assert time.monotonic() - began < 60
    states = {row["status"] for row in anna.recipients(mailing).values()}
    assert states == {"pending"}
    assert all(row["attempts"] <= 1 for row in anna.recipients(mailing).values()), "nobody's fault"
    with CountingServer() as server:
        post_house.change_settings(FL_SMTP_URL=server.url)
        post_house.run_sender(30)
        assert sorted(server.taken) == sorted(addresses)


def test_a_server_that_comes_back_while_the_sender_runs(anna, post_house):
    port = free_port()
    post_house.change_settings(FL_SMTP_URL=f"smtp://127.0.0.1:{port}")
    mailing, addresses = start_mailing(anna, 20)
    sender = post_house.start_sender(60)
    time.sleep(3)
    assert sender.runs
    with MailServer() as _:
        pass
    server = MailServer()
    server.port = port
    from aiosmtpd.controller import Controller
    server._controller = Controller(server, hostname="127.0.0.1", port=port, decode_data=False)
    with server:
        wait_until(lambda: len(server.received) == 20, seconds=60, what="all messages")
        wait_until(lambda: not sender.runs, seconds=60, what="the sender's end")
    assert sorted(server.recipients()) == sorted(addresses)
    assert anna.mailing_now(mailing)["status"] == "sent"


@pytest.mark.parametrize("name", ["421 in mid-session", "closed after some", "garbage", "closed at connect"])
def test_sessions_that_end_early_lose_nobody(anna, post_house, name):
    counts = collections.Counter()

    def script(event, number):
        counts[event, number] += 1
        if name == "421 in mid-session" and event == "rcpt" and counts[event, number] == 5 and number <= 6:
            return "421 4.3.2 shutting down\r\n"
        if name == "closed after some" and event == "rcpt" and counts[event, number] == 3 and number <= 6:
            return ""
        if name == "garbage" and event == "rcpt" and number <= 2 and counts[event, number] == 2:
            return "what do you want\r\n"
        if name == "closed at connect" and event == "connect" and number <= 2:
            return ""
        return None

    with CountingServer(script) as server:
        post_house.change_settings(FL_SMTP_URL=server.url)
        mailing, addresses = start_mailing(anna, 60)
        wait_until(lambda: post_house.run_sender(20) is not None and anna.mailing_now(mailing)["status"] == "sent",
                   seconds=120, every=1, what="the end of the mailing")
        assert sorted(server.taken) == sorted(addresses)


def test_an_end_without_an_answer_is_uncertain_and_not_repeated(anna, post_house):
    silent = []

    def script(event, number):
        if event == "end" and number == 1 and not silent:
            silent.append(True)
            return ""
        return None

    post_house.change_settings(FL_SMTP_CONNECTIONS="1")
    with CountingServer(script) as server:
        post_house.change_settings(FL_SMTP_URL=server.url)
        mailing, addresses = start_mailing(anna, 10)
        post_house.run_sender(20)
        post_house.run_sender(20)
        rows = anna.recipients(mailing)
        states = collections.Counter(row["status"] for row in rows.values())
        assert states == {"sent": 9, "uncertain": 1}
        lost = next(address for address, row in rows.items() if row["status"] == "uncertain")
        assert lost not in server.taken and rows[lost]["smtpReply"]
        assert anna.mailing_now(mailing)["status"] == "sent"
        # Not by itself, but when a person says so.
        ok(anna.post(f"/api/mailing/{mailing['id']}/retry", {"includeUncertain": True}))
        post_house.run_sender(20)
        assert sorted(server.taken) == sorted(addresses)


def test_without_pipelining(anna, post_house):
    with CountingServer(pipelining=False) as server:
        post_house.change_settings(FL_SMTP_URL=server.url)
        _, addresses = start_mailing(anna, 200)
        post_house.run_sender(30)
        assert sorted(server.taken) == sorted(addresses)


def test_a_slow_server_is_not_hurried(anna, post_house):
    with CountingServer(pause=0.4) as server:
        post_house.change_settings(FL_SMTP_URL=server.url)
        mailing, addresses = start_mailing(anna, 40)
        post_house.run_sender(2)
        wait_until(lambda: post_house.run_sender(20) is not None and len(server.taken) == 40, seconds=120, what="all")
        assert sorted(server.taken) == sorted(addresses)
        assert anna.mailing_now(mailing)["status"] == "sent"


def test_the_database_is_restarted_in_mid_drain(own_database_server, new_house):
    house = new_house(own_database_server, settings={"FL_SMTP_CONNECTIONS": "4"})
    anna = house.account("Anna")
    with CountingServer(pause=0.004) as server:
        house.change_settings(FL_SMTP_URL=server.url)
        mailing, addresses = start_mailing(anna, 1500)
        sender = house.start_sender(240)
        wait_until(lambda: len(server.taken) > 300, seconds=60, what="300 messages")
        own_database_server.stop()
        time.sleep(1.5)
        own_database_server.start()
        wait_until(lambda: not sender.runs, seconds=240, what="the sender's end")
        assert len(server.taken) > 300
        for _ in range(3):
            house.run_sender(60)
        assert sorted(server.taken) == sorted(addresses)
        states = collections.Counter(row["status"] for row in anna.recipients(mailing).values())
        assert states == {"sent": 1500}


def test_limits_by_the_minute_hold_over_senders(anna, post_house):
    with CountingServer() as server:
        post_house.change_settings(FL_SMTP_URL=server.url, FL_SMTP_PER_MINUTE="25")
        start_mailing(anna, 100)
        wait_until(lambda: time.time() % 60 < 30, seconds=35, what="a minute that is not about to end")
        began = int(time.time() // 60)
        senders = [post_house.start_sender(10) for _ in range(2)]
        wait_until(lambda: not any(sender.runs for sender in senders), seconds=60, what="the end of both")
        assert int(time.time() // 60) == began
        assert len(server.taken) == 25


def test_limits_of_each_account_hold_over_senders(anna, post_house):
    """Each is stopped at its own limit, and what one account sends counts for no other."""
    bob, eve = post_house.account("Bob"), post_house.account("Eve")
    with CountingServer() as server:
        post_house.change_settings(FL_SMTP_URL=server.url, FL_SMTP_ACCOUNT_PER_MINUTE="25")
        mailings = [(owner, *start_mailing(owner, count)) for owner, count in ((anna, 80), (bob, 60), (eve, 7))]
        _, second = start_mailing(anna, 40)
        wait_until(lambda: time.time() % 60 < 30, seconds=35, what="a minute that is not about to end")
        began = int(time.time() // 60)
        senders = [post_house.start_sender(10) for _ in range(2)]
        wait_until(lambda: not any(sender.runs for sender in senders), seconds=60, what="the end of both")
        assert int(time.time() // 60) == began
        owners = {address: owner.name for owner, _, addresses in mailings for address in addresses}
        owners.update(dict.fromkeys(second, anna.name))
        assert collections.Counter(owners[address] for address in server.taken) == {"Anna": 25, "Bob": 25, "Eve": 7}
        assert len(set(server.taken)) == len(server.taken)
        assert [anna.mailing_now(mailings[0][1])["status"], eve.mailing_now(mailings[2][1])["status"]] == [
            "sending", "sent"]
        waiting = [row for row in bob.recipients(mailings[1][1]).values() if row["status"] == "pending"]
        assert len(waiting) == 35 and not any(row["attempts"] for row in waiting), "nobody's attempt"


def test_limits_of_a_domain(anna, post_house):
    with CountingServer() as server:
        post_house.change_settings(FL_SMTP_URL=server.url, FL_SMTP_DOMAIN_PER_MINUTE="7")
        first, second = anna.contacts(20, domain="one.example"), anna.contacts(5, domain="two.example")
        mailing = anna.mailing(groups=[anna.group(emails=first + second)])
        anna.send(mailing)
        wait_until(lambda: time.time() % 60 < 30, seconds=35, what="a minute that is not about to end")
        post_house.run_sender(10)
        domains = collections.Counter(address.split("@")[1] for address in server.taken)
        assert domains == {"one.example": 7, "two.example": 5}
        assert all(row["attempts"] <= 1 for row in anna.recipients(mailing).values())


def test_accounts_take_turns(anna, post_house):
    """A large mailing holds up no small one of another account."""
    bob = post_house.account("Bob")
    post_house.change_settings(FL_SMTP_CONNECTIONS="2")
    with CountingServer(pause=0.002) as server:
        post_house.change_settings(FL_SMTP_URL=server.url)
        _, large = start_mailing(anna, 6000)
        sender = post_house.start_sender(120)
        wait_until(lambda: len(server.taken) > 100, seconds=60, what="a hundred messages")
        _, small = start_mailing(bob, 10)
        wait_until(lambda: set(small) <= set(server.taken), seconds=60, what="the small mailing")
        assert len(server.taken) < 6000
        sender.stop()


def test_smtp_sink_takes_thousands(anna, post_house, tmp_path):
    with Sink(tmp_path) as sink:
        post_house.change_settings(FL_SMTP_URL=sink.url)
        mailing, _ = start_mailing(anna, 3000)
        post_house.run_sender(120)
        assert anna.mailing_now(mailing)["counts"]["sent"] == 3000


def test_a_slow_server_is_shared_by_accounts(anna, post_house):
    """The small mailing is not the one that was queued first, and the large one is more than a run can send."""
    bob = post_house.account("Bob")
    post_house.change_settings(FL_SMTP_CONNECTIONS="2")
    with CountingServer(pause=0.2) as server:
        post_house.change_settings(FL_SMTP_URL=server.url)
        _, large = start_mailing(anna, 400)
        _, small = start_mailing(bob, 3)
        post_house.run_sender(8)
        assert set(small) <= set(server.taken) and len(server.taken) < 300
        anna.post("/api/mailing/" + ok(anna.get("/api/mailing"))["items"][0]["id"] + "/cancel")


def test_what_a_domain_does_not_take_uses_up_no_other_limit(anna, post_house):
    with CountingServer() as server:
        first, second = anna.contacts(60, domain="one.example"), anna.contacts(10, domain="two.example")
        mailing = anna.mailing(groups=[anna.group(emails=first)])
        other = anna.mailing(groups=[anna.group(emails=second)])
        post_house.change_settings(
            FL_SMTP_URL=server.url, FL_SMTP_DOMAIN_PER_MINUTE="12", FL_SMTP_PER_MINUTE="30")
        wait_until(lambda: time.time() % 60 < 30, seconds=35, what="a minute that is not about to end")
        anna.send(mailing)
        anna.send(other)
        post_house.run_sender(15)
        domains = collections.Counter(address.split("@")[1] for address in server.taken)
        assert domains == {"one.example": 12, "two.example": 10}
        anna.post(f"/api/mailing/{mailing['id']}/cancel")


def test_mails_of_the_system_wait_for_no_mailing(anna, post_house):
    with CountingServer(pause=0.05) as server:
        post_house.change_settings(FL_SMTP_URL=server.url)
        mailing, _ = start_mailing(anna, 2000)
        group = anna.group(requireDoubleOptIn=True)
        sender = post_house.start_sender(60)
        wait_until(lambda: len(server.taken) > 5, seconds=30, what="some messages")
        asked = [f"asked{number}@asked.example" for number in range(300)]
        ok(anna.post(f"/api/contact-groups/{group['id']}/members", {"emails": asked, "createMissing": True}))
        assert anna.post("/api/auth/password/forgot", {"email": anna.email}).status_code < 300
        wait_until(lambda: anna.email in server.taken, seconds=30, what="the mail that somebody waits for")
        # Neither behind the mailing nor behind the questions that were queued before.
        assert not set(asked) <= set(server.taken)
        assert anna.mailing_now(mailing)["status"] == "sending"
        sender.stop()
        anna.post(f"/api/mailing/{mailing['id']}/cancel")


@pytest.mark.parametrize("answer", ["530 5.7.0 Authentication required", "550 5.7.1 Sender address rejected"])
def test_a_server_that_takes_no_mail_from_here_costs_no_recipient(anna, post_house, answer):
    refuses = [True]

    def script(event, number):
        if event == "mail" and refuses:
            return lambda say: say(answer + "\r\n") or True
        return None

    post_house.change_settings(FL_SMTP_CONNECTIONS="2")
    with CountingServer(script, pipelining=False) as server:
        post_house.change_settings(FL_SMTP_URL=server.url)
        mailing, addresses = start_mailing(anna, 30)
        post_house.run_sender(4)
        rows = anna.recipients(mailing).values()
        assert {(row["status"], row["attempts"]) for row in rows} == {("pending", 0)}
        assert anna.mailing_now(mailing)["status"] == "sending"
        status = post_house.run("--status", program="fastlinkit-sender")
        assert f"ago: It takes no mail from here: {answer}" in status
        refuses.clear()
        post_house.run_sender(20)
        assert sorted(server.taken) == sorted(addresses)
        assert "mail server" not in post_house.run("--status", program="fastlinkit-sender")


def test_a_mailing_of_which_nothing_is_taken_is_paused(anna, post_house):
    """Its owner is told why, nobody else is tried, and when that is mended it goes on without a loss."""
    words = "554 5.7.1 Message rejected: it is not signed"
    with MailServer() as server:
        post_house.change_settings(FL_SMTP_URL=server.url)
        mailing, addresses = start_mailing(anna, 900)
        otto = post_house.account("Otto")
        others, fine = start_mailing(otto, 100)
        server.data_refusals = dict.fromkeys(addresses, words)
        post_house.run_sender(30)
        paused = anna.mailing_now(mailing)
        assert (paused["status"], paused["statusReason"]) == ("paused", words)
        refused = paused["counts"]["failed"]
        # Those that four connections had in hand at that moment are refused as well.
        assert 50 <= refused < 60 and paused["counts"]["pending"] == 900 - refused
        assert {row["smtpCode"] for row in anna.recipients(mailing, status="failed").values()} == {554}
        assert ok(anna.get("/api/contacts?isBounced=true"))["total"] == 0
        # Another account's mailing is none of its business.
        assert otto.mailing_now(others)["status"] == "sent" and set(fine) <= set(server.recipients())
        assert f"its messages are refused: {words}" in post_house.run("--status", program="fastlinkit-sender")
        notice = server.only(anna.email).message.get_content()
        assert words in notice and mailing["subject"] in notice and f"/api/mailing/{mailing['id']}/resume" in notice
        assert ok(anna.post(f"/api/mailing/{mailing['id']}/cancel"))["statusReason"] is None


def test_refusals_in_a_row_are_counted_over_runs(anna, post_house):
    """With a low limit by the minute no run tries fifty."""
    with MailServer() as server:
        post_house.change_settings(FL_SMTP_URL=server.url, FL_SMTP_ACCOUNT_PER_MINUTE="20")
        mailing, addresses = start_mailing(anna, 200)
        server.data_refusals = dict.fromkeys(addresses, "554 5.7.1 not signed")
        numbers = []
        while anna.mailing_now(mailing)["status"] != "paused" and len(numbers) < 4:
            # As if it were the next minute.
            post_house.database.sql("DELETE FROM send_rates")
            post_house.run_sender(10)
            numbers.append(anna.mailing_now(mailing)["counts"]["failed"])
        assert len(numbers) >= 2 and numbers[0] < 50
        paused = anna.mailing_now(mailing)
        assert (paused["status"], paused["statusReason"]) == ("paused", "554 5.7.1 not signed")
        assert paused["counts"]["failed"] < 60


def test_a_paused_mailing_goes_on_when_its_messages_are_taken_again(anna, post_house):
    with MailServer(pause=0.02) as server:
        post_house.change_settings(FL_SMTP_URL=server.url)
        mailing, addresses = start_mailing(anna, 500)
        server.data_refusals = dict.fromkeys(addresses, "554 5.7.1 not signed")
        # Another one keeps the sender at work, so that the same run goes on with it.
        otto = post_house.account("Otto")
        other, _ = start_mailing(otto, 1500)
        sender = post_house.start_sender(120)
        wait_until(lambda: anna.mailing_now(mailing)["status"] == "paused", seconds=60, what="the pause")
        server.data_refusals = {}
        assert ok(anna.post(f"/api/mailing/{mailing['id']}/resume"))["statusReason"] is None
        assert otto.mailing_now(other)["status"] == "sending"
        wait_until(lambda: anna.mailing_now(mailing)["status"] == "sent", seconds=60, what="the rest")
        sender.stop()
        refused = anna.mailing_now(mailing)["counts"]["failed"]
        assert 50 <= refused < 60
        ok(anna.post(f"/api/mailing/{mailing['id']}/retry"))
        post_house.run_sender(60)
        assert anna.mailing_now(mailing)["counts"]["sent"] == 500
        assert sorted(set(addresses) & set(server.recipients())) == sorted(addresses)
        assert len(server.to(anna.email)) == 1


def test_messages_refused_among_others_pause_nothing(anna, post_house):
    with MailServer() as server:
        post_house.change_settings(FL_SMTP_URL=server.url)
        mailing, addresses = start_mailing(anna, 900)
        server.data_refusals = dict.fromkeys(addresses[::2], "554 5.7.1 not for us")
        post_house.run_sender(60)
        done = anna.mailing_now(mailing)
        assert (done["status"], done["counts"]["failed"], done["counts"]["sent"]) == ("sent", 450, 450)


def test_a_server_that_starts_anew_is_found_again_soon(anna, post_house):
    """Eight connections that break at one moment are one failure."""
    broken = []

    def script(event, number):
        if event == "connect" and number <= 8:
            broken.append(number)
            return ""
        return None

    post_house.change_settings(FL_SMTP_CONNECTIONS="8")
    with CountingServer(script) as server:
        post_house.change_settings(FL_SMTP_URL=server.url)
        _, addresses = start_mailing(anna, 20)
        post_house.run_sender(25)
        assert broken and sorted(server.taken) == sorted(addresses)


PROGRESS = re.compile(rb"\r(\d+) messages sent, (\d+) a second, (\d+) s ")


def watch_sender(house, stderr):
    """A run of the sender whose standard error is `stderr`."""
    return subprocess.Popen(
        [os.path.join(BINARIES, "fastlinkit-sender"), "--max-seconds", "60"], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=stderr, env=house.environment(), cwd=house.directory)


def test_a_terminal_is_shown_how_far_it_has_come(anna, post_house):
    with CountingServer(pause=0.1) as server:
        post_house.change_settings(FL_SMTP_URL=server.url)
        mailing, addresses = start_mailing(anna, 60)
        terminal, end = pty.openpty()
        try:
            sender = watch_sender(post_house, end)
        finally:
            os.close(end)
        shown = b""
        # Reading fails when the last one who had the terminal open is gone.
        with open(terminal, "rb", buffering=0) as reader, contextlib.suppress(OSError):
            while some := reader.read(4096):
                shown += some
        assert sender.wait(60) == 0
        assert sorted(server.taken) == sorted(addresses) and anna.mailing_now(mailing)["status"] == "sent"
    lines = [tuple(map(int, numbers)) for numbers in PROGRESS.findall(shown)]
    counts, rates, _ = zip(*lines)
    assert len(lines) >= 3 and list(counts) == sorted(counts) and counts[0] < counts[-1] <= 60, shown
    assert max(rates) > 0
    # It is one line, which ends when the sender does.
    assert shown.endswith(b"\n") and b"\n" not in shown[shown.index(b"\r"):shown.rindex(b" messages sent")], shown


def test_a_pipe_is_shown_no_progress(anna, post_house):
    with CountingServer(pause=0.1) as server:
        post_house.change_settings(FL_SMTP_URL=server.url)
        _, addresses = start_mailing(anna, 20)
        sender = watch_sender(post_house, subprocess.PIPE)
        said = sender.communicate(timeout=90)[1]
        assert sender.returncode == 0 and sorted(server.taken) == sorted(addresses)
    assert b"\r" not in said and b"messages sent" not in said, said
