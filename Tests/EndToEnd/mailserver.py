"""Mail servers of the tests: one that takes what it is sent apart, and postfix's smtp-sink for speed."""

import asyncio
import email
import email.policy
import os
import ssl
import subprocess
import threading
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from processes import Process, free_port, wait_until

ASSETS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), ".build-assets")


class Received:
    """One message as it came."""

    def __init__(self, sender, recipient, content):
        self.sender = sender
        self.recipient = recipient
        self.bytes = content
        self.message = email.message_from_bytes(content, policy=email.policy.default)
        self.at = time.monotonic()

    def part(self, kind):
        """The text of the part of this type: `plain` or `html`."""
        return self.message.get_body((kind,)).get_content()


class MailServer:
    """A mail server on loopback (aiosmtpd) that keeps what it takes, and refuses what it is told to.

    `refusals` has an answer for a recipient (`{"bob@example.org": "550 5.1.1 no such user"}`): a text each time, or a
    list of texts, one a time and then the address is fine."""

    def __init__(self, tls=None, credentials=None, require_tls=False, implicit_tls=False, pause=0.0, **named):
        self.received = []
        self.refusals = {}
        self.data_refusals = {}
        self.sessions = 0
        self.logins = []
        self.pause = pause
        self.port = free_port()
        self._lock = threading.Lock()
        self.credentials = credentials
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
        options = {"hostname": "127.0.0.1", "port": self.port, "ready_timeout": 20, "decode_data": False,
                   "enable_SMTPUTF8": False, **named}
        if credentials:
            options.update(authenticator=self._authenticate, auth_required=True, auth_require_tls=bool(tls))
        if context and implicit_tls:
            options["ssl_context"] = context
        elif context:
            options.update(tls_context=context, require_starttls=require_tls)
        self._controller = Controller(self, **options)

    def start(self):
        self._controller.start()
        return self

    def stop(self):
        self._controller.stop()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def url(self):
        return f"smtp://127.0.0.1:{self.port}"

    def _authenticate(self, server, session, envelope, mechanism, data):
        login, password = data.login.decode(), data.password.decode()
        self.logins.append((mechanism, login))
        return AuthResult(success=(login, password) == self.credentials)

    # ---- what aiosmtpd asks ----

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        with self._lock:
            self.sessions += 1
        return responses

    async def handle_RCPT(self, server, session, envelope, address, options):
        refusal = self._refusal(self.refusals, address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.pause:
            await asyncio.sleep(self.pause)
        for recipient in envelope.rcpt_tos:
            refusal = self._refusal(self.data_refusals, recipient)
            if refusal:
                return refusal
        with self._lock:
            for recipient in envelope.rcpt_tos:
                self.received.append(Received(envelope.mail_from, recipient, envelope.content))
        return "250 2.0.0 taken"

    def _refusal(self, refusals, address):
        with self._lock:
            refusal = refusals.get(address)
            if isinstance(refusal, list):
                return refusal.pop(0) if refusal else None
            return refusal

    # ---- what tests ask ----

    def to(self, address):
        """The messages to an address, in the order in which they came."""
        with self._lock:
            return [message for message in self.received if message.recipient == address]

    def only(self, address):
        """The one message to an address."""
        found = self.to(address)
        assert len(found) == 1, f"{len(found)} messages to {address}, not one"
        return found[0]

    def recipients(self):
        with self._lock:
            return [message.recipient for message in self.received]


class Sink:
    """postfix's smtp-sink, which takes whatever comes, quickly."""

    def __init__(self, directory, *options):
        self.port = free_port()
        self.log = os.path.join(str(directory), f"sink-{self.port}.log")
        self.options = options
        self.process = None

    def start(self):
        program = os.path.join(ASSETS, "postfix", "smtp-sink")
        assert os.access(program, os.X_OK), f"{program} is not there: scripts/setup test fetches it"
        # It must not become root's: -u is for a started-as-root program alone.
        user = ["-u", "nobody"] if os.getuid() == 0 and not any("-d" in o or "-D" in o for o in self.options) else []
        self.process = Process(
            [program, *user, *self.options, f"127.0.0.1:{self.port}", "1024"], log=self.log,
            environment={"LD_LIBRARY_PATH": os.path.join(ASSETS, "postfix", "lib"), "PATH": os.environ["PATH"]},
            directory=os.path.dirname(self.log))
        wait_until(self._listens, what="smtp-sink")
        return self

    def _listens(self):
        import socket
        assert self.process.runs, f"smtp-sink did not start:\n{self.process.tail()}"
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.process:
            self.process.stop()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def url(self):
        return f"smtp://127.0.0.1:{self.port}"


def certificate(directory, host="127.0.0.1"):
    """A certificate of its own for a server on loopback: paths of the certificate and the key."""
    certificate_path, key_path = os.path.join(str(directory), "tls.crt"), os.path.join(str(directory), "tls.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", f"subjectAltName=IP:{host},DNS:localhost", "-keyout", key_path, "-out", certificate_path],
        check=True, capture_output=True, timeout=60)
    return certificate_path, key_path
