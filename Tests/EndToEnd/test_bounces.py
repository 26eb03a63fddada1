"""Messages that come back, and readers who complain: handed to `fastlinkit bounce` as a mail server does."""

import os
import socketserver
import ssl
import subprocess
import threading
from email import message_from_string
from email.message import EmailMessage
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest

from actors import ok
from house import BINARIES
from mailserver import MailServer, certificate


@pytest.fixture(scope="module")
def post_house(workshop, database_server, request):
    """A house that sends by the mail server of the test in hand."""
    from conftest import houses
    with houses(workshop, database_server, request.config) as make:
        yield make()


@pytest.fixture
def anna(post_house):
    return post_house.account("Anna")


def deliver(anna, contacts):
    """Sends a mailing to the contacts."""
    mailing = anna.mailing(contacts)
    anna.send(mailing)
    anna.house.run_sender()
    return mailing


def bounce(house, message, *options, environment=None):
    """Hands a message in; answers the exit code and what was printed."""
    done = subprocess.run(
        [os.path.join(BINARIES, "fastlinkit"), "bounce", *options], input=bytes(message), capture_output=True,
        env={**house.environment(), **(environment or {})}, cwd=house.directory, timeout=60)
    return done.returncode, done.stdout.decode()


def report(recipient, status="5.1.1", code="550", action="failed", to="postmaster@go.example"):
    """A report of delivery as a mail system writes it (RFC 3464)."""
    message = MIMEMultipart("report", **{"report-type": "delivery-status"})
    message["From"], message["To"] = "MAILER-DAEMON@mx.example.org", to
    message["Subject"], message["Auto-Submitted"] = "Undelivered Mail Returned to Sender", "auto-replied"
    message.attach(MIMEText("Your message could not be delivered.\n"))
    message.attach(message_from_string(
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n"
        f"Final-Recipient: rfc822; {recipient}\nAction: {action}\nStatus: {status}\n"
        f"Diagnostic-Code: smtp; {code} {status} says the server\n"))
    original = EmailMessage()
    original["Subject"] = "News"
    message.attach(MIMEMessage(original))
    return message


def complaint(original):
    """A complaint about a message as a provider sends it (RFC 5965)."""
    message = MIMEMultipart("report", **{"report-type": "feedback-report"})
    message["From"], message["To"], message["Subject"] = "feedback@provider.example", "abuse@go.example", "FW"
    message.attach(MIMEText("This is an abuse report.\n"))
    message.attach(message_from_string(
        "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: Test/1.0\nVersion: 1\n"))
    message.attach(MIMEMessage(original))
    return message


def test_a_hard_bounce_flags_the_contact_and_the_next_mailing_leaves_it_out(post_house, anna, server):
    bob, eve = anna.contact(), anna.contact()
    mailing = deliver(anna, [bob, eve])
    path = server.only(bob["email"]).sender

    code, words = bounce(post_house, report(bob["email"]), "--recipient", path)
    assert code == 0 and "hard bounce" in words and len(words.splitlines()) == 1
    row = anna.recipients(mailing)[bob["email"]]
    assert row["status"] == "bounced" and row["bouncedAt"] and row["smtpCode"] == 550
    assert row["smtpReply"] == "550 5.1.1 says the server"
    contact = ok(anna.get(f"/api/contacts/{bob['id']}"))
    assert contact["isBounced"] is True and contact["bounceReason"] == "550 5.1.1 says the server"
    assert ok(anna.get(f"/api/contacts/{eve['id']}"))["isBounced"] is False

    code, words = bounce(post_house, report(bob["email"]), "--recipient", path)
    assert code == 0 and "told before" in words

    again = deliver(anna, [bob, eve])
    assert len(server.to(bob["email"])) == 1 and len(server.to(eve["email"])) == 2
    assert anna.recipients(again)[bob["email"]]["skippedReason"] == "bounced"


def test_a_forged_one_does_nothing(post_house, anna, server):
    bob = anna.contact()
    mailing = deliver(anna, [bob])
    path = server.only(bob["email"]).sender
    forged = path.replace("@", "a@")
    for address in (forged, "bounce@127.0.0.1", bob["email"], ""):
        code, words = bounce(post_house, report(bob["email"], to=address or "x@example.org"), "--recipient", address)
        assert code == 0 and words.startswith("ignored"), words
    assert anna.recipients(mailing)[bob["email"]]["status"] == "sent"
    assert ok(anna.get(f"/api/contacts/{bob['id']}"))["isBounced"] is False


@pytest.mark.parametrize("environment", [
    lambda local, domain: {"RECIPIENT": f"{local}@{domain}", "SENDER": "MAILER-DAEMON"},
    lambda local, domain: {"ORIGINAL_RECIPIENT": f"{local}@{domain}"},
    lambda local, domain: {"EXTENSION": local.split("+")[1]},
    lambda local, domain: {"LOCAL_PART": "bounce", "LOCAL_PART_SUFFIX": "+" + local.split("+")[1], "DOMAIN": domain},
], ids=["recipient", "original", "extension", "exim"])
def test_the_environment_tells_the_address(post_house, anna, server, environment):
    bob = anna.contact()
    deliver(anna, [bob])
    local, domain = server.only(bob["email"]).sender.split("@")
    code, words = bounce(post_house, report(bob["email"]), environment=environment(local.upper(), domain))
    assert code == 0 and "hard bounce" in words


def test_a_complaint_unsubscribes(post_house, anna, server):
    bob = anna.contact()
    deliver(anna, [bob])
    code, words = bounce(post_house, complaint(server.only(bob["email"]).message))
    assert code == 0 and "complaint" in words
    assert ok(anna.get(f"/api/contacts/{bob['id']}"))["isUnsubscribed"] is True


def test_a_large_message_is_read_to_its_end(post_house):
    code, words = bounce(post_house, b"Subject: large\n\n" + b"x" * (8 << 20))
    assert code == 0 and words.startswith("ignored")


def test_without_the_database_the_mail_server_tries_again(own_database_server, new_house):
    house = new_house(server=own_database_server, serve=False)
    own_database_server.stop()
    # What is forged needs no database; what is signed can't be made here, so the settings are taken away instead.
    assert bounce(house, b"Subject: junk\n\n")[0] == 0
    assert bounce(house, b"Subject: junk\n\n", "--config", "/nowhere/fastlinkit.env")[0] == 75
    assert bounce(house, b"", "--unknown")[0] == 64


def test_a_report_that_the_database_can_not_take_is_handed_in_again(own_database_server, new_house):
    house = new_house(server=own_database_server)
    with MailServer() as server:
        house.change_settings(FL_SMTP_URL=server.url)
        anna = house.account("Anna")
        bob = anna.contact()
        deliver(anna, [bob])
        path = server.only(bob["email"]).sender
    own_database_server.stop()
    code, words = bounce(house, report(bob["email"]), "--recipient", path)
    assert code == 75 and not words
    own_database_server.start()
    code, words = bounce(house, report(bob["email"]), "--recipient", path)
    assert code == 0 and "hard bounce" in words


class Mailbox:
    """A mailbox on loopback (POP3, RFC 1939) of Ben, whose password is `secret`."""

    def __init__(self):
        self.messages = []
        self.logins = 0
        mailbox = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self):
                deleted = set()
                self.say("+OK ready")
                for line in self.rfile:
                    command, _, argument = line.decode("latin-1").strip().partition(" ")
                    command = command.upper()
                    if command == "CAPA":
                        self.say("+OK", "USER", ".")
                    elif command == "USER":
                        self.say("+OK")
                    elif command == "PASS":
                        mailbox.logins += argument == "secret"
                        self.say("+OK" if argument == "secret" else "-ERR no")
                    elif command == "LIST":
                        sizes = [f"{number} {len(message)}" for number, message in enumerate(mailbox.messages, 1)]
                        self.say("+OK", *sizes, ".")
                    elif command == "RETR":
                        lines = mailbox.messages[int(argument) - 1].decode("latin-1").splitlines()
                        self.say("+OK", *("." + line if line.startswith(".") else line for line in lines), ".")
                    elif command == "DELE":
                        deleted.add(int(argument) - 1)
                        self.say("+OK")
                    elif command == "QUIT":
                        mailbox.messages = [message for number, message in enumerate(mailbox.messages)
                                            if number not in deleted]
                        self.say("+OK")
                        return
                    else:
                        self.say("-ERR unknown")

            def say(self, *lines):
                self.wfile.write("".join(line + "\r\n" for line in lines).encode("latin-1"))

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self._server.daemon_threads = True
        self.url = f"pop3://ben:secret@127.0.0.1:{self._server.server_address[1]}?tls=none"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def test_a_mailbox_is_emptied_once_a_minute(new_house):
    house = new_house()
    with MailServer() as server, Mailbox() as mailbox:
        house.change_settings(FL_SMTP_URL=server.url)
        anna = house.account("Anna")
        bob, eve = anna.contact(), anna.contact()
        mailing = deliver(anna, [bob, eve])
        house.change_settings(FL_BOUNCE_MAILBOX=mailbox.url)
        mailbox.messages = [bytes(report(bob["email"], to=server.only(bob["email"]).sender)),
                            bytes(complaint(server.only(eve["email"]).message)), b"Subject: junk\n\n.\n..\n"]
        house.run_sender()
        assert mailbox.messages == [] and mailbox.logins == 1
        assert anna.recipients(mailing)[bob["email"]]["status"] == "bounced"
        assert ok(anna.get(f"/api/contacts/{bob['id']}"))["isBounced"] is True
        assert ok(anna.get(f"/api/contacts/{eve['id']}"))["isUnsubscribed"] is True

        mailbox.messages = [b"Subject: junk\n\n"]
        house.run_sender()
        assert len(mailbox.messages) == 1 and mailbox.logins == 1, "not before a minute is over"
        house.database.sql("UPDATE rounds SET due_at = UTC_TIMESTAMP() WHERE name = 'bounces'")
        house.run_sender()
        assert mailbox.messages == [] and mailbox.logins == 2


def test_a_mailbox_that_is_not_there_holds_nothing_up(new_house):
    house = new_house()
    with MailServer() as server:
        house.change_settings(FL_SMTP_URL=server.url, FL_BOUNCE_MAILBOX="pop3://ben:secret@127.0.0.1:1?tls=none")
        anna = house.account("Anna")
        bob = anna.contact()
        deliver(anna, [bob])
        assert server.only(bob["email"])


class IMAPSession(socketserver.StreamRequestHandler):
    """Ben's mailbox by IMAP (RFC 3501), as far as it is asked here; the server has `messages` by their UIDs."""

    def handle(self):
        messages = self.server.messages
        self.say("* OK ready")
        for line in self.rfile:
            tag, command, *words = line.decode("latin-1").split()
            name, number = command.upper(), int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
            if name == "CAPABILITY":
                self.say("* CAPABILITY IMAP4rev1")
            elif name == "LOGIN" and [word.strip('"') for word in words] != ["ben", "secret"]:
                self.say(f"{tag} NO")
                continue
            elif name == "SELECT":
                self.say(f"* {len(messages)} EXISTS")
            elif name == "UID" and words[0] == "SEARCH":
                self.say(" ".join(["* SEARCH", *(map(str, messages) if words[-1] == "UNDELETED" else [])]))
            elif name == "UID" and words[0] == "FETCH":
                self.wfile.write(b"* 1 FETCH (BODY[]<0> {%d}\r\n%b)\r\n" % (len(messages[number]), messages[number]))
            elif name == "UID" and words[0] == "EXPUNGE":
                for number in words[1].split(","):
                    messages.pop(int(number))
            self.say(f"{tag} OK")
            if name == "LOGOUT":
                return

    def say(self, line):
        self.wfile.write((line + "\r\n").encode("latin-1"))


def behind_tls(server, paths):
    """Lets a server speak TLS from the beginning of each connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*paths)
    server.socket = context.wrap_socket(server.socket, server_side=True)


@pytest.mark.parametrize("scheme", ["pop3s", "imaps"])
def test_a_mailbox_is_read_by_tls_where_its_certificate_holds(new_house, tmp_path, scheme):
    house = new_house()
    paths = certificate(tmp_path)
    with MailServer() as server, Mailbox() as mailbox:
        server_of_box = mailbox._server
        if scheme == "imaps":
            server_of_box.RequestHandlerClass = IMAPSession
        behind_tls(server_of_box, paths)
        house.change_settings(FL_SMTP_URL=server.url)
        anna = house.account("Anna")
        bob = anna.contact()
        deliver(anna, [bob])
        message = bytes(report(bob["email"], to=server.only(bob["email"]).sender))
        mailbox.messages, server_of_box.messages = [message], {7: message}
        url = f"{scheme}://ben:secret@127.0.0.1:{server_of_box.server_address[1]}"

        house.change_settings(FL_BOUNCE_MAILBOX=url)
        house.run_sender()
        assert mailbox.messages and server_of_box.messages, "nobody known has signed it"
        house.database.sql("UPDATE rounds SET due_at = UTC_TIMESTAMP() WHERE name = 'bounces'")
        house.change_settings(FL_BOUNCE_MAILBOX=f"{url}?ca={paths[0]}")
        house.run_sender()
        assert not (mailbox.messages and server_of_box.messages)
        assert ok(anna.get(f"/api/contacts/{bob['id']}"))["isBounced"] is True
