"""Webhooks: what is told to a receiver of the test's own, how it is signed, and what becomes of one that does not
behave. The signatures are checked by the library of Standard Webhooks."""

import calendar
import contextlib
import email.utils
import json
import os
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
import standardwebhooks

from actors import created, no_content, ok, problem
from conftest import houses
from house import BINARIES
from processes import wait_until


class Receiver:
    """An HTTP server on loopback that notes what it gets, and answers what `answer` says of it; `tls` are paths of its
    certificate for localhost and of the key."""

    def __init__(self, answer=None, tls=None):
        receiver = self
        self.requests = []
        self.answer = answer or (lambda request: request.reply(200))

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                # The same handler gets all requests of a connection.
                receiver.requests.append(SimpleNamespace(
                    path=self.path, headers=self.headers, at=time.monotonic(),
                    body=self.rfile.read(int(self.headers["Content-Length"]))))
                with contextlib.suppress(ConnectionError):
                    receiver.answer(self)

            def reply(self, status, body=b"", **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.url = f"https://localhost:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver():
    made = []

    def make(answer=None, tls=None):
        made.append(Receiver(answer, tls))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture(scope="module")
def open_house(workshop, database_server, request):
    """A house whose operator lets webhooks go to loopback."""
    with houses(workshop, database_server, request.config) as make:
        yield make(settings={"FL_WEBHOOK_ALLOW": "127.0.0.0/8"})


@pytest.fixture
def anna(open_house):
    return open_house.account("Anna")


def hook(actor, url, *events, **members):
    return created(actor.post("/api/webhooks", {"url": url, "events": list(events) or ["*"], **members}))


def deliveries(actor, webhook, **query):
    return ok(actor.get(f"/api/webhooks/{webhook['id']}/deliveries", params=query))["items"]


def verified(request, secret):
    """The body of a request whose signature holds."""
    return standardwebhooks.Webhook(secret).verify(request.body, dict(request.headers.items()))


def run_sender_elsewhere(house, namespace, preparation):
    """Runs the sender where the host is another for it, after a shell's `preparation`; skips the test where that can't
    be."""
    def run(*command):
        return subprocess.run(
            ["unshare", "--user", "--map-root-user", namespace, "sh", "-c", f'{preparation} && exec "$@"', "sh", *command],
            env=house.environment(), cwd=house.directory, capture_output=True, text=True, timeout=60)

    if run("true").returncode:
        pytest.skip("there are no namespaces for users here, or not the programs to use them")
    done = run(os.path.join(BINARIES, "fastlinkit-sender"), "--max-seconds", "5")
    assert done.returncode == 0, done.stderr


# ---- what is told ----

def test_a_link_and_a_click_are_told_and_signed(open_house, anna, receiver):
    shop = receiver()
    webhook = hook(anna, shop.url + "?of=anna#top")
    link = anna.link("https://example.org/x", title="Grüße", tags=["spring"])
    open_house.visitor(Referer="https://news.example.net/").get("/" + link["shortCode"])
    open_house.visitor().get("/" + link["shortCode"], headers={"User-Agent": "curl/8.0"})
    anna.sees_clicks(link, 1)
    open_house.run_sender()

    bodies = {body["event"]: (body, request) for request in shop.requests
              for body in [verified(request, webhook["secret"])]}
    assert len(shop.requests) == 2 and bodies.keys() == {"link.created", "link.clicked"}
    body, request = bodies["link.created"]
    assert body.keys() == {"id", "event", "timestamp", "data"}
    assert body["data"] == link and body["id"] == request.headers["webhook-id"]
    assert request.path == "/hook?of=anna"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"].startswith("FastLinkIt/")
    click = bodies["link.clicked"][0]["data"]
    assert (click["linkId"], click["shortUrl"]) == (link["id"], link["shortUrl"])
    assert (click["browser"], click["referrer"], click["isQrScan"]) == ("Chrome", "news.example.net", False)
    assert "127." not in json.dumps({**click, "shortUrl": ""}), "the visitor's address is told"

    log = deliveries(anna, webhook)
    assert [entry["status"] for entry in log] == ["delivered", "delivered"]
    assert all(entry["statusCode"] == 200 and entry["attempts"] == 1 for entry in log)
    # Nothing comes twice.
    open_house.run_sender()
    assert len(shop.requests) == 2


def test_a_false_signature_is_seen(open_house, anna, receiver):
    shop = receiver()
    webhook = hook(anna, shop.url)
    ok(anna.post(f"/api/webhooks/{webhook['id']}/test"), 202)
    open_house.run_sender()
    [request] = shop.requests
    assert verified(request, webhook["secret"])["event"] == "webhook.test"
    request.body += b" "
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verified(request, webhook["secret"])


def test_after_a_rotation_both_secrets_hold(open_house, anna, receiver):
    shop = receiver()
    webhook = hook(anna, shop.url)
    new = ok(anna.post(f"/api/webhooks/{webhook['id']}/rotate-secret"))["secret"]
    assert new != webhook["secret"]
    ok(anna.post(f"/api/webhooks/{webhook['id']}/test"), 202)
    open_house.run_sender()
    [request] = shop.requests
    assert verified(request, new) == verified(request, webhook["secret"])
    assert new not in anna.get("/api/webhooks").text


def test_redelivery_sends_the_same_event(open_house, anna, receiver):
    shop = receiver()
    webhook = hook(anna, shop.url)
    anna.link()
    open_house.run_sender()
    [entry] = deliveries(anna, webhook)
    again = ok(anna.post(f"/api/webhooks/{webhook['id']}/deliveries/{entry['id']}/redeliver"), 202)
    assert again["status"] == "pending"
    open_house.run_sender()
    first, second = shop.requests
    assert first.body == second.body and first.headers["webhook-id"] == second.headers["webhook-id"]
    assert verified(second, webhook["secret"])
    detail = ok(anna.get(f"/api/webhooks/{webhook['id']}/deliveries/{entry['id']}"))
    assert detail["body"] == json.loads(first.body) and detail["attempts"] == 2


# ---- receivers that do not behave ----

def test_a_failure_is_tried_again_and_a_redirect_is_one(open_house, anna, receiver):
    elsewhere = receiver()
    shop = receiver(lambda request: request.reply(307, b"go", Location=elsewhere.url))
    webhook = hook(anna, shop.url)
    anna.link()
    open_house.run_sender()
    [entry] = deliveries(anna, webhook)
    assert (entry["status"], entry["statusCode"], entry["response"]) == ("pending", 307, "go")
    assert "edirect" in entry["error"] and entry["nextAttemptAt"]
    assert ok(anna.get(f"/api/webhooks/{webhook['id']}"))["failingSince"]

    # Five seconds later comes the next: in the same run, where that takes so long.
    def was_tried_again():
        open_house.run_sender()
        return len(shop.requests) > 1

    wait_until(was_tried_again, seconds=60, every=1, what="the second attempt")
    assert shop.requests[1].at - shop.requests[0].at >= 4
    [entry] = deliveries(anna, webhook)
    assert (entry["status"], entry["statusCode"], entry["attempts"]) == ("pending", 307, len(shop.requests))
    assert elsewhere.requests == []
    shop.answer = lambda request: request.reply(500, b"\x00\xffno \x1b[1m")
    redeliver = f"/api/webhooks/{webhook['id']}/deliveries/{entry['id']}/redeliver"
    ok(anna.post(redeliver), 202)
    open_house.run_sender()
    [entry] = deliveries(anna, webhook)
    assert (entry["status"], entry["statusCode"], entry["response"]) == ("pending", 500, "\ufffdno [1m")
    shop.answer = lambda request: request.reply(204)
    ok(anna.post(redeliver), 202)
    open_house.run_sender()
    assert deliveries(anna, webhook)[0]["status"] == "delivered"
    assert ok(anna.get(f"/api/webhooks/{webhook['id']}"))["failingSince"] is None


def test_gone_disables_and_the_owner_gets_a_mail(open_house, anna, receiver):
    shop = receiver(lambda request: request.reply(410))
    webhook = hook(anna, shop.url)
    anna.link()
    open_house.run_sender()
    seen = ok(anna.get(f"/api/webhooks/{webhook['id']}"))
    assert (seen["isEnabled"], seen["disabledReason"]) == (False, "gone")
    anna.link()
    open_house.run_sender()
    assert len(shop.requests) == 1
    [mail] = [mail for mail in open_house.mails() if mail["To"] == anna.email]
    assert "webhook" in mail["Subject"] and shop.url in mail.get_content()
    shop.answer = lambda request: request.reply(200)
    enabled = ok(anna.patch(f"/api/webhooks/{webhook['id']}", {"isEnabled": True}))
    assert enabled["disabledReason"] is None
    anna.link()
    open_house.run_sender()
    assert len(shop.requests) == 2


@pytest.mark.parametrize("wait", [3600, "date"])
def test_who_asks_for_patience_gets_it(open_house, anna, receiver, wait):
    value = email.utils.formatdate(time.time() + 3600, usegmt=True) if wait == "date" else str(wait)
    shop = receiver(lambda request: request.reply(429, Retry_After=value))
    webhook = hook(anna, shop.url)
    anna.link()
    anna.link()
    open_house.run_sender()
    assert 1 <= len(shop.requests) <= 2, "the endpoint asked to be left alone"
    [entry] = [entry for entry in deliveries(anna, webhook) if entry["statusCode"] == 429][:1]
    next_at = calendar.timegm(time.strptime(entry["nextAttemptAt"], "%Y-%m-%dT%H:%M:%SZ"))
    assert 3500 < next_at - time.time() < 3700


def test_an_endless_answer_is_cut(open_house, anna, receiver):
    def drip(request):
        request.send_response(200)
        request.end_headers()
        while True:
            request.wfile.write(b"and so on " * 400)

    shop = receiver(drip)
    webhook = hook(anna, shop.url)
    anna.link()
    began = time.monotonic()
    open_house.run_sender()
    assert time.monotonic() - began < 15
    [entry] = deliveries(anna, webhook)
    # Its status is a good one, and that is all that was asked.
    assert (entry["status"], entry["statusCode"]) == ("delivered", 200)
    assert entry["response"].startswith("and so on and so on") and len(entry["response"]) <= 1024


def test_one_that_hangs_holds_up_no_other(open_house, anna, receiver):
    release = threading.Event()
    stuck = receiver(lambda request: release.wait(40))
    good = receiver()
    for _ in range(20):
        hook(anna, stuck.url, "link.created")
    bea = open_house.account("Bea")
    webhook = hook(bea, good.url)
    hook(anna, good.url, "link.created")
    anna.link()
    time.sleep(0.05)
    for number in range(10):
        bea.link(f"https://example.org/{number}")
    sender = threading.Thread(target=open_house.run_sender, kwargs={"max_seconds": 25})
    sender.start()
    try:
        wait_until(lambda: len(deliveries(bea, webhook, status="delivered")) == 10, seconds=30, what="Bea's")
        assert 1 <= len(stuck.requests) <= 8
    finally:
        sender.join()
        release.set()
    links = [json.loads(request.body)["data"]["destinationUrl"] for request in good.requests
             if json.loads(request.body)["data"]["destinationUrl"] != "https://example.org/"]
    assert sorted(links) == [f"https://example.org/{number}" for number in range(10)]
    entry = [entry for page in ok(anna.get("/api/webhooks?limit=100"))["items"]
             for entry in deliveries(anna, page) if entry["attempts"]][-1]
    assert entry["statusCode"] is None and "15 seconds" in entry["error"]
    # So that nothing waits behind them in the tests that follow.
    for page in ok(anna.get("/api/webhooks?limit=100"))["items"]:
        no_content(anna.delete(f"/api/webhooks/{page['id']}"))


def test_an_endpoint_that_is_dead_for_days_is_given_up(open_house, anna, receiver):
    shop = receiver(lambda request: request.reply(500))
    webhook = hook(anna, shop.url)
    anna.link()
    open_house.run_sender(max_seconds=10)
    identifier = webhook["id"].replace("-", "")
    database = open_house.database
    database.sql(f"""UPDATE webhook_endpoints SET failures = 9, failing_since = NOW() - INTERVAL 73 HOUR
                         WHERE id = UNHEX('{identifier}')""")
    database.sql(f"UPDATE webhook_deliveries SET due_at = NOW() WHERE endpoint_id = UNHEX('{identifier}')")
    open_house.run_sender(max_seconds=10)
    seen = ok(anna.get(f"/api/webhooks/{webhook['id']}"))
    assert (seen["isEnabled"], seen["disabledReason"]) == (False, "failing")
    open_house.run_sender(max_seconds=10)
    assert [mail for mail in open_house.mails() if mail["To"] == anna.email and shop.url in mail.get_content()]


# ---- TLS ----

SYSTEM_STORE = "/etc/ssl/certs/ca-certificates.crt"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate authority, and a certificate for localhost that it has made."""
    directory = tmp_path_factory.mktemp("tls")

    def path(name):
        return str(directory / name)

    def make(name, subject, *options):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={subject}",
             "-keyout", path(name + ".key"), "-out", path(name + ".crt"), *options],
            check=True, capture_output=True, timeout=60)

    make("authority", "An authority of the test's")
    make("server", "localhost", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE",
         "-CA", path("authority.crt"), "-CAkey", path("authority.key"))
    return SimpleNamespace(certificate=path("authority.crt"), server=(path("server.crt"), path("server.key")))


def test_nothing_goes_where_the_certificate_is_of_nobody(open_house, anna, receiver, authority):
    shop = receiver(tls=authority.server)
    webhook = hook(anna, shop.url)
    ok(anna.post(f"/api/webhooks/{webhook['id']}/test"), 202)
    open_house.run_sender()
    [entry] = deliveries(anna, webhook)
    assert (entry["status"], entry["statusCode"]) == ("failed", None)
    assert "certificate does not hold" in entry["error"] and "authority" in entry["error"]
    assert shop.requests == []


@pytest.mark.skipif(not os.path.exists(SYSTEM_STORE), reason="the system has its certificates elsewhere")
def test_https_is_told_where_the_host_trusts_the_authority(open_house, anna, receiver, authority, tmp_path):
    shop = receiver(tls=authority.server)
    webhook = hook(anna, shop.url)
    # The same receiver, whose certificate is not for this name.
    other = hook(anna, shop.url.replace("localhost", "127.0.0.1"))
    for one in (webhook, other):
        ok(anna.post(f"/api/webhooks/{one['id']}/test"), 202)
    # As `update-ca-certificates` would add it.
    store = tmp_path / "certificates.crt"
    with open(SYSTEM_STORE, encoding="utf-8") as system, open(authority.certificate, encoding="utf-8") as own:
        store.write_text(system.read() + own.read(), encoding="utf-8")
    run_sender_elsewhere(open_house, "--mount", f"mount --bind {store} {SYSTEM_STORE}")
    [request] = shop.requests
    assert verified(request, webhook["secret"])["event"] == "webhook.test"
    assert [entry["status"] for entry in deliveries(anna, webhook)] == ["delivered"]
    [entry] = deliveries(anna, other)
    assert entry["status"] == "failed" and "another name" in entry["error"]


# ---- where nothing goes ----

@pytest.mark.parametrize("address", [
    "http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://[::1]:{port}/", "http://[::ffff:127.0.0.1]:{port}/",
    "http://0.0.0.0:{port}/", "http://2130706433:{port}/", "http://10.0.0.1:{port}/", "http://169.254.169.254/latest",
    "http://100.64.0.1/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://[fd00::1]/",
])
def test_no_private_address_is_connected_to(house, receiver, address):
    victim = receiver()
    anna = house.account("Anna")
    answer = anna.post("/api/webhooks", {"url": address.format(port=victim.server.server_port), "events": ["*"]})
    if answer.status_code == 422:
        return
    webhook = created(answer)
    ok(anna.post(f"/api/webhooks/{webhook['id']}/test"), 202)
    house.run_sender()
    assert victim.requests == []
    [entry] = deliveries(anna, webhook)
    assert (entry["status"], entry["statusCode"]) == ("failed", None)
    assert "public address" in entry["error"] or "not known" in entry["error"], entry


@pytest.mark.parametrize("address", ["9.9.9.8", "9.9.9.9", "[2a00::1]"])
def test_the_host_is_not_reached_by_its_own_public_addresses(house, address):
    anna = house.account("Anna")
    webhook, other = hook(anna, f"http://{address}:9/"), hook(anna, "http://9.9.8.1:9/")
    for one in (webhook, other):
        ok(anna.post(f"/api/webhooks/{one['id']}/test"), 202)
    # The second one of a network is not what the host sends from by itself.
    run_sender_elsewhere(house, "--net", """ip link set lo up && ip address add 9.9.9.8/24 dev lo &&
        ip address add 9.9.9.9/24 dev lo && ip address add 2a00::1/64 dev lo nodad""")
    errors = [deliveries(anna, one)[0]["error"] for one in (webhook, other)]
    assert "this server's own" in errors[0] and "takes no connection" in errors[1]


def test_a_limited_key_gets_no_more_than_it_may_see(anna):
    shop = anna.keyholder(["payments"])
    problem(shop.get("/api/webhooks"), 403, "scope_missing")
    base = "/api/payment/webhooks"
    problem(shop.post(base, {"url": "https://h.example/", "events": ["*"]}), 403, "scope_missing")
    created(shop.post(base, {"url": "https://h.example/", "events": ["payment.succeeded"]}))
    theirs = hook(anna, "https://h.example/")
    problem(shop.post(f"{base}/{theirs['id']}/rotate-secret"), 404)
