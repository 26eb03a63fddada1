"""Sending domains: verified by a real DNS server, and signatures that a verifier of others takes (dkimpy)."""

import subprocess
import os

import dkim
import pytest
from dnslib import QTYPE, RCODE, RR, TXT
from dnslib.server import DNSLogger, DNSServer

from actors import created, ok, problem
from house import BINARIES
from mailserver import MailServer
from processes import wait_until


class Zone:
    """A DNS server on loopback with the TXT records that a test puts there."""

    def __init__(self):
        self.records = {}
        self._server = DNSServer(self, address="127.0.0.1", port=0, logger=DNSLogger("-request,-reply"))
        self.port = self._server.server.server_address[1]

    def resolve(self, request, handler):
        reply = request.reply()
        name = str(request.q.qname).rstrip(".").lower()
        if name not in self.records:
            reply.header.rcode = RCODE.NXDOMAIN
        elif QTYPE[request.q.qtype] == "TXT":
            for text in self.records[name]:
                # A string of a record has at most 255 bytes (RFC 1035, section 3.3.14).
                pieces = [text[start:start + 250].encode() for start in range(0, len(text), 250)]
                reply.add_answer(RR(request.q.qname, QTYPE.TXT, rdata=TXT(pieces), ttl=5))
        return reply

    def text(self, name, timeout=5):
        """What dkimpy asks for."""
        found = self.records.get(name.decode().rstrip(".").lower())
        return found[0].encode() if found else None

    def publish(self, domain):
        for record in domain["records"]:
            self.records.setdefault(record["name"].lower(), []).append(record["value"])

    def __enter__(self):
        self._server.start_thread()
        return self

    def __exit__(self, *_):
        self._server.stop()
        self._server.server.server_close()


@pytest.fixture
def zone():
    with Zone() as zone:
        yield zone


@pytest.fixture
def server():
    with MailServer() as server:
        yield server


@pytest.fixture
def house(new_house, zone, server):
    return new_house(settings={"FL_DNS": f"127.0.0.1:{zone.port}", "FL_SMTP_URL": server.url})


@pytest.fixture
def anna(house):
    return house.account("Anna")


def signatures(message):
    return [value for name, value in message.message.items() if name.lower() == "dkim-signature"]


def test_a_verified_domain_signs_with_both_algorithms(anna, zone, server):
    domain = created(anna.post("/api/mailing/domains", {"domain": "news.example.org"}))
    assert domain["status"] == "pending" and len(domain["records"]) >= 3
    assert "private" not in str(domain).lower()
    draft = {"subject": "Signed", "htmlBody": "<p>Hello {{FirstName|there}}</p>", "fromName": "Anna",
             "fromEmail": "anna@news.example.org"}
    assert anna.post("/api/mailing", draft).status_code == 422, "not before DNS vouches for it"
    assert ok(anna.post(f"/api/mailing/domains/{domain['id']}/verify"))["status"] == "pending"

    zone.publish(domain)
    verified = ok(anna.post(f"/api/mailing/domains/{domain['id']}/verify"))
    assert verified["status"] == "verified" and verified["hasSpf"] and verified["hasDkim"] and verified["hasDmarc"]

    bob = anna.contact(firstName="Jürgen")
    mailing = created(anna.post("/api/mailing", draft))
    ok(anna.post(f"/api/mailing/{mailing['id']}/recipients", {"contactIds": [bob["id"]]}))
    assert not [item for item in ok(anna.post(f"/api/mailing/{mailing['id']}/check"))["items"]
                if item["code"].startswith(("no_spf", "no_dkim", "missing_spf", "missing_dkim"))]
    anna.send(mailing)
    anna.house.run_sender()
    message = server.only(bob["email"])
    assert message.message["From"].addresses[0].addr_spec == "anna@news.example.org"
    found = signatures(message)
    assert len(found) == 2 and {"rsa-sha256", "ed25519-sha256"} == {
        part.split("=", 1)[1] for value in found for part in value.replace(" ", "").replace("\r\n", "").split(";")
        if part.startswith("a=")}
    for index, value in enumerate(found):
        signed = value.lower().replace(" ", "").replace("\r\n", "").replace("\n", "").replace("\t", "")
        assert "list-unsubscribe:list-unsubscribe-post" in signed and "h=from" in signed
        verifier = dkim.DKIM(message.bytes)
        assert verifier.verify(idx=index, dnsfunc=zone.text), f"signature {index} does not hold"
    # A changed body or field breaks both.
    for forged in (message.bytes.replace(b"Hello", b"Hallo"), message.bytes.replace(b"Subject: ", b"Subject: x")):
        for index in range(2):
            verifier = dkim.DKIM(forged)
            try:
                assert not verifier.verify(idx=index, dnsfunc=zone.text)
            except dkim.ValidationError:
                pass


def test_the_check_tells_what_the_senders_domain_lacks(new_house, zone):
    house = new_house(settings={"FL_DNS": f"127.0.0.1:{zone.port}", "FL_MAIL_FROM": "no-reply@operator.example"})
    anna = house.account("Anna")
    mailing = anna.mailing()

    def lacks():
        report = ok(anna.post(f"/api/mailing/{mailing['id']}/check"))
        return {item["code"]: item["message"] for item in report["items"] if item["field"] == "fromEmail"}

    found = lacks()
    assert set(found) == {"no_dkim", "no_spf", "no_dmarc"}
    for message in found.values():
        assert "POST /api/mailing/domains" in message and "fastlinkit domain add operator.example" in message
    zone.records["operator.example"] = ["v=spf1 mx -all"]
    # An answer that took long is kept, for a minute at the most.
    wait_until(lambda: "no_spf" not in lacks(), seconds=70, every=0.5)


def test_the_operators_domain_signs_for_all(house, zone, server):
    house.change_settings(FL_MAIL_FROM="no-reply@operator.example")
    environment = {**house.environment()}
    added = subprocess.run([os.path.join(BINARIES, "fastlinkit"), "domain", "add", "operator.example"],
                           env=environment, capture_output=True, text=True, timeout=60)
    assert added.returncode == 0, added.stdout + added.stderr
    for line in added.stdout.splitlines():
        words = line.split()
        for number, word in enumerate(words):
            if "._domainkey.operator.example" in word:
                value = line[line.index("v=DKIM1"):].strip().strip('"')
                zone.records[word.lower().rstrip(".")] = [value]
    if not zone.records:
        # The value stands on a line of its own.
        name = None
        for line in added.stdout.splitlines():
            if "_domainkey.operator.example" in line:
                name = next(word for word in line.split() if "_domainkey" in word).lower().rstrip(".")
            elif name and "v=DKIM1" in line:
                zone.records[name] = [line[line.index("v=DKIM1"):].strip().strip('"')]
    assert len(zone.records) == 2, added.stdout
    verified = subprocess.run([os.path.join(BINARIES, "fastlinkit"), "domain", "verify", "operator.example"],
                              env=environment, capture_output=True, text=True, timeout=60)
    assert verified.returncode in (0, 1), verified.stderr
    anna = house.account("Anna")
    bob = anna.contact()
    anna.send(anna.mailing([bob]))
    anna.post("/api/auth/password/forgot", {"email": anna.email})
    house.run_sender()
    for message in (server.only(bob["email"]), server.only(anna.email)):
        assert message.message["From"].addresses[0].addr_spec == "no-reply@operator.example"
        found = signatures(message)
        assert len(found) == 2
        for index in range(2):
            assert dkim.DKIM(message.bytes).verify(idx=index, dnsfunc=zone.text)


def test_a_domain_is_its_accounts_own(anna, house, zone):
    domain = created(anna.post("/api/mailing/domains", {"domain": "mine.example.org"}))
    zone.publish(domain)
    ok(anna.post(f"/api/mailing/domains/{domain['id']}/verify"))
    stranger = house.account("Stranger")
    problem(stranger.get(f"/api/mailing/domains/{domain['id']}"), 404, "not_found")
    problem(stranger.post("/api/mailing", {"subject": "x", "htmlBody": "x", "fromEmail": "a@mine.example.org"}), 422)
    # The same domain with other keys is no proof for the stranger.
    theirs = created(stranger.post("/api/mailing/domains", {"domain": "mine.example.org"}))
    assert ok(stranger.post(f"/api/mailing/domains/{theirs['id']}/verify"))["status"] == "pending"
