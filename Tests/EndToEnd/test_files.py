"""Files: uploads and downloads through nginx and as plain CGI, however large, slow, hostile or cut off."""

import hashlib
import json
import os
import select
import signal
import socket
import subprocess
import time

import pytest

from actors import at_once, created, no_content, ok, problem, redirects, refuses
from processes import wait_until
from test_cgi import ask

MIB = 1 << 20


def peak(pid):
    """The most memory that a process ever had, in MiB."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) / 1024


def incoming(house):
    directory = os.path.join(house.state, "files", "incoming")
    return [os.path.join(directory, name) for name in os.listdir(directory)] if os.path.isdir(directory) else []


def curl(*arguments):
    return subprocess.run(["curl", "-sS", "--noproxy", "*", "-m", "120", *arguments], check=True, capture_output=True,
                          timeout=130).stdout


def form(content, name="a.bin", boundary="xyz"):
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return head.encode() + content + f"\r\n--{boundary}--\r\n".encode()


def begin_upload(house, account, length, sent):
    """Sends the head of an upload and a part of its body; answers the connection."""
    connection = socket.create_connection(("127.0.0.1", house.port), timeout=60)
    connection.sendall(
        f"POST /api/files HTTP/1.1\r\nHost: x\r\nAuthorization: {account.headers['Authorization']}\r\n"
        f"Content-Type: multipart/form-data; boundary=xyz\r\nContent-Length: {length}\r\n"
        "Connection: close\r\n\r\n".encode() + sent)
    return connection


def status_of(connection):
    """The status that comes back, and the head."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        got = connection.recv(65536)
        if not got:
            break
        answer += got
    return (int(answer.split()[1]) if answer else None), answer.decode("latin-1")


def warm_up(house, account):
    """Has each process take files and send them, so that it has all the memory that this needs."""
    taking, sending = set(), set()

    def once(_):
        made = account.upload(b"x" * MIB)
        sent = account.get(f"/api/files/{created(made)['id']}/content", fresh=True)
        # A request's id begins with its process's own part.
        for seen, answer in ((taking, made), (sending, sent)):
            seen.add(answer.headers["X-Request-Id"].split("-")[0])

    def is_warm():
        for _ in range(3):
            at_once(2, once)
        return len(taking) == len(sending) == house.processes

    wait_until(is_warm, what="every process's turn")


@pytest.fixture(scope="module")
def large(workshop):
    """A file of 100 MiB, and its digest."""
    path = os.path.join(workshop, "large.bin")
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for _ in range(100):
            piece = os.urandom(MIB)
            digest.update(piece)
            file.write(piece)
    yield path, digest.hexdigest()
    os.remove(path)


def test_a_hundred_mebibytes_in_flat_memory(house, anna, large, workshop):
    path, digest = large
    processes = house.responder.children()
    assert len(processes) == house.processes
    warm_up(house, anna)
    before = {pid: peak(pid) for pid in processes}
    header = "Authorization: " + anna.headers["Authorization"]
    made = json.loads(curl("-H", header, "-F", f"file=@{path};filename=large.bin", house.url + "/api/files"))
    assert (made["size"], made["sha256"]) == (100 * MIB, digest), made
    back = os.path.join(workshop, "back.bin")
    curl("-H", header, "-o", back, f"{house.url}/api/files/{made['id']}/content")
    with open(back, "rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == digest
    curl("-H", header, "-o", back, "-r", "50000000-", f"{house.url}/api/files/{made['id']}/content")
    assert os.path.getsize(back) == 100 * MIB - 50_000_000
    os.remove(back)
    assert house.responder.children() == processes, "a process died"
    grown = {pid: peak(pid) - before[pid] for pid in processes}
    assert all(mebibytes < 8 for mebibytes in grown.values()), grown
    too_large = problem(anna.upload(b"x" * (100 * MIB + 1)), 403, "plan_limit")
    assert too_large["limit"] == 100 * MIB
    no_content(anna.delete(f"/api/files/{made['id']}"))


def test_nginx_sends_ranges_and_the_programs_headers(house, anna):
    content = bytes(range(256)) * 1000
    made = anna.file(content, "Über.bin")
    path = f"/api/files/{made['id']}/content"
    whole = anna.get(path)
    assert whole.status_code == 200 and whole.content == content
    assert whole.headers["ETag"] == f'"{made["sha256"]}"' and whole.headers["Accept-Ranges"] == "bytes"
    assert whole.headers["Content-Disposition"] == "attachment; filename=\"_ber.bin\"; filename*=UTF-8''%C3%9Cber.bin"
    assert whole.headers["Content-Type"] == "application/octet-stream"
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    assert whole.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert whole.headers["Cache-Control"] == "private, no-cache"
    assert whole.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert whole.headers["X-Request-Id"] and whole.headers["RateLimit"] and whole.headers["RateLimit-Policy"]
    assert whole.headers["Access-Control-Allow-Origin"] == "*"
    assert "X-Accel-Redirect" not in whole.headers
    # It is nginx that sends them: its own time of the file's last change is there.
    assert "Last-Modified" in whole.headers

    part = anna.get(path, headers={"Range": "bytes=100-299"})
    assert part.status_code == 206 and part.content == content[100:300]
    assert part.headers["Content-Range"] == f"bytes 100-299/{len(content)}"
    assert part.headers["X-Content-Type-Options"] == "nosniff" and part.headers["ETag"] == whole.headers["ETag"]
    assert anna.get(path, headers={"Range": "bytes=-5"}).content == content[-5:]
    assert anna.get(path, headers={"Range": "bytes=0-1,5-6"}).status_code == 200
    behind = anna.get(path, headers={"Range": f"bytes={len(content)}-"})
    problem(behind, 416, "range_not_satisfiable")
    assert behind.headers["Content-Range"] == f"bytes */{len(content)}"
    for odd in ("bytes=5-2", "bytes=abc", "bytes=", "items=0-5"):
        assert anna.get(path, headers={"Range": odd}).content == content, odd
    far = anna.get(path, headers={"Range": "bytes=5-99999999999999999999999"})
    assert far.status_code == 206 and far.content == content[5:]
    good, bad = {"If-Range": whole.headers["ETag"]}, {"If-Range": '"other"'}
    assert anna.get(path, headers={"Range": "bytes=0-0", **good}).status_code == 206
    assert anna.get(path, headers={"Range": "bytes=0-0", **bad}).status_code == 200
    assert anna.get(path, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    head = anna.head(path)
    assert head.status_code == 200 and head.headers["Content-Length"] == str(len(content)) and not head.content


def test_nobody_gets_at_files_from_outside(house, anna, stranger, nobody):
    made = anna.file()
    place = f"{made['id'][-2:]}/{made['id'][-4:-2]}/{made['id']}"
    assert os.path.exists(os.path.join(house.state, "files", place))
    for path in (f"/files-internal/{place}", f"/files-internal/../files-internal/{place}", f"/files/{place}"):
        assert nobody.get(path).status_code == 404
        assert anna.get(path, headers={"X-Accel-Redirect": path}).status_code == 404
    problem(nobody.get(f"/api/files/{made['id']}/content"), 401, "unauthenticated")
    problem(stranger.get(f"/api/files/{made['id']}/content"), 404, "not_found")


def test_bytes_that_are_gone_are_a_503(house, anna):
    made = anna.file()
    os.remove(os.path.join(house.state, "files", made["id"][-2:], made["id"][-4:-2], made["id"]))
    problem(anna.get(f"/api/files/{made['id']}/content"), 503, "unavailable")
    no_content(anna.delete(f"/api/files/{made['id']}"))


@pytest.mark.parametrize("name, safe", [
    ("../../../etc/passwd", "passwd"), ("C:\\Windows\\win.ini", "win.ini"), ("CON.txt", "_CON.txt"),
    ("a\"b.txt", "a_b.txt"), ("invoice\u202efdp.exe", "invoicefdp.exe"), ("ä/ö ü.txt", "ö ü.txt"),
    (".bashrc", "_bashrc"), ("x" * 300 + ".txt", "x" * 251 + ".txt"),
])
def test_hostile_names(anna, name, safe):
    made = ok(anna.request("POST", "/api/files", data=form(b"x", name.replace('"', "%22")),
                           headers={"Content-Type": "multipart/form-data; boundary=xyz"}), 201)
    assert made["name"] == safe
    disposition = anna.get(f"/api/files/{made['id']}/content").headers["Content-Disposition"]
    assert disposition.startswith("attachment; filename=\"")


def test_curl_sends_names_as_they_are(house, anna, workshop):
    path = os.path.join(workshop, "Grüße \"50%\" \\ a;b.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write("hello")
    quoted = path.replace("\\", "\\\\").replace('"', '\\"')
    made = json.loads(curl("-H", "Authorization: " + anna.headers["Authorization"], "-F", f'file=@"{quoted}"',
                           "-F", "name=", house.url + "/api/files"))
    assert made["code"] == "invalid" and made["errors"][0]["field"] == "name"
    made = json.loads(curl("-H", "Authorization: " + anna.headers["Authorization"], "-F", f'file=@"{quoted}"',
                           house.url + "/api/files"))
    # Behind the backslash it is a name of its own.
    assert made["name"] == "a;b.txt", made


def test_what_a_browser_could_run_is_an_attachment(anna):
    for content, kind in ((b"<html><script>alert(1)</script>", "text/html"),
                          (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "image/svg+xml"),
                          (b"%PDF-1.4\n", "application/pdf")):
        made = anna.file(content, "picture.png")
        assert made["contentType"] == kind
        shown = anna.get(f"/api/files/{made['id']}/content?disposition=inline")
        assert shown.headers["Content-Disposition"].startswith("attachment;")
        assert shown.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert "Content-Encoding" not in shown.headers and shown.content == content


def test_forms_that_are_none(anna):
    def send(body, kind="multipart/form-data; boundary=xyz"):
        return anna.request("POST", "/api/files", data=body, headers={"Content-Type": kind})

    problem(send(b"{}", "application/json"), 415, "unsupported_media_type")
    problem(send(form(b"x" * 200_000)[:-20]), 400, "malformed_form")
    problem(send(b"", "multipart/form-data"), 400, "malformed_form")
    assert refuses(anna.request("POST", "/api/files", files={"other": ("a", b"x")}), "other")
    assert refuses(send(b"--xyz--"), "file") == {"file": "required"}


def test_too_much_is_refused_by_nginx(house, anna):
    connection = begin_upload(house, anna, 102 * MIB, form(b"")[:60])
    status, head = status_of(connection)
    assert status == 413 and "application/problem+json" in head


def test_who_may_not_upload_is_told_before_the_bytes(house, anna, keyholder, nobody):
    wrong = keyholder(["links"])
    body = form(b"x" * (5 * MIB))
    named = {"data": body, "headers": {"Content-Type": "multipart/form-data; boundary=xyz"}}
    problem(nobody.post("/api/files", **named), 401, "unauthenticated")
    assert problem(wrong.post("/api/files", **named), 403, "scope_missing")["requiredScope"] == "files"
    free = house.account("Free", plan="free")
    limit = problem(free.post("/api/files", **{**named, "data": form(b"x" * (6 * MIB))}), 403, "plan_limit")
    assert limit["plan"] == "free" and limit["upgradeTo"] == "starter" and limit["limit"] == 5 * MIB
    assert not incoming(house)


def test_a_repetition_is_replayed(anna):
    key = {"Idempotency-Key": "upload 1"}
    first = anna.upload(b"content" * 20_000, headers=key)
    again = anna.upload(b"content" * 20_000, headers=key)  # requests makes another boundary
    assert created(first) == created(again) and again.headers["Idempotency-Replayed"] == "true"
    problem(anna.upload(b"other", headers=key), 422, "idempotency_key_reused")
    assert ok(anna.get("/api/files"))["total"] == 1


def test_an_upload_that_is_cut_off_leaves_nothing(house, anna):
    for _ in range(5):
        connection = begin_upload(house, anna, 10 * MIB, form(b"x" * (3 * MIB))[:3 * MIB])
        wait_until(lambda: incoming(house), what="the upload to have begun")
        connection.close()
        wait_until(lambda: not incoming(house), what="the remains to be gone")
    assert ok(anna.get("/api/files"))["total"] == 0
    assert ok(anna.get("/api/account/usage"))["storage"]["used"] == 0


def test_killed_in_the_middle_of_an_upload(new_house):
    house = new_house(processes=1)
    anna = house.account("Anna")
    kept = anna.file(b"kept")
    connection = begin_upload(house, anna, 10 * MIB, form(b"x" * (3 * MIB))[:3 * MIB])
    wait_until(lambda: incoming(house), what="the upload to have begun")
    [process] = house.responder.children()
    os.kill(process, signal.SIGKILL)
    status, head = status_of(connection)
    assert status == 503 and "application/problem+json" in head, head
    wait_until(lambda: house.nobody().get("/health").status_code == 200, what="a new process")
    [left] = incoming(house)
    house.run_sender()
    assert incoming(house) == [left], "too young to be surely dead"
    long_ago = time.time() - 2 * 86400
    os.utime(left, (long_ago, long_ago))
    house.run_sender()
    assert not incoming(house)
    assert anna.get(f"/api/files/{kept['id']}/content").content == b"kept"
    assert ok(anna.get("/api/files"))["total"] == 1


def test_slow_uploaders_stop_no_redirect(new_house):
    house = new_house(processes=1, threads=4)
    anna = house.account("Anna")
    link = anna.link("https://example.org/fast")
    began = time.monotonic()
    slow = [begin_upload(house, anna, 5 * MIB, form(b"x" * 1000)[:1000]) for _ in range(8)]
    try:
        def answered():
            return select.select(slow, [], [], 0)[0]

        # Half of the workers take uploads; the others are told to come again.
        wait_until(lambda: len(answered()) >= 6, seconds=12, what="six answers")
        refused = answered()
        waiting = [connection for connection in slow if connection not in refused]
        assert len(waiting) == 2 and [status_of(connection)[0] for connection in refused] == [503] * 6
        visitor = house.visitor()
        times = []
        for _ in range(200):
            start = time.monotonic()
            redirects(visitor.get("/" + link["shortCode"]), "https://example.org/fast")
            times.append(time.monotonic() - start)
        assert sorted(times)[190] < 1, sorted(times)[-10:]
        assert ok(anna.get("/api/links"))["total"] == 1
        # They send on, a byte at a time, and are given up.
        given_up = set()
        while len(given_up) < 2 and time.monotonic() - began < 60:
            for connection in waiting:
                if connection in given_up:
                    continue
                if not select.select([connection], [], [], 0.3)[0]:
                    connection.sendall(b"x")
                    continue
                connection.settimeout(10)
                status, answer = status_of(connection)
                while got := connection.recv(65536):
                    answer += got.decode("latin-1")
                assert status == 408 and "too_slow" in answer, answer
                given_up.add(connection)
        assert len(given_up) == 2, "nobody gave the slow ones up"
        assert 14 < time.monotonic() - began < 50
        assert anna.file()["size"] == 6
    finally:
        for connection in slow:
            connection.close()


def test_plain_cgi_takes_and_sends_files(house, keyholder):
    program = keyholder(["files"])
    content = os.urandom(3 * MIB)
    body = form(content, "cgi.bin")
    headers = {**program.headers, "Content-Type": "multipart/form-data; boundary=xyz"}
    made = ask(house, "POST", "/api/files", body, headers)
    assert made.status == 201, made.body
    path = f"/api/files/{made.json()['id']}/content"
    whole = ask(house, "GET", path, headers=program.headers)
    assert whole.status == 200 and whole.body == content and whole.headers["content-length"] == str(len(content))
    assert "x-accel-redirect" not in whole.headers
    part = ask(house, "GET", path, headers={**program.headers, "Range": "bytes=1000000-"})
    assert part.status == 206 and part.body == content[1_000_000:]
    assert ask(house, "HEAD", path, headers=program.headers).body == b""
    assert ask(house, "POST", "/api/files", body[:-100], headers).json()["code"] == "malformed_form"
    cut = ask(house, "POST", "/api/files", body[:2 * MIB], headers, CONTENT_LENGTH=str(len(body)))
    assert cut.status == 400 and cut.json()["code"] == "incomplete_body"
    # The responders have it, too.
    assert program.get(path).content == content
    assert not incoming(house)


def test_without_the_web_servers_help_the_program_sends(new_house):
    house = new_house(settings={"FL_ACCEL": ""})
    anna = house.account("Anna")
    content = os.urandom(5 * MIB)
    made = anna.file(content, "a.bin")
    path = f"/api/files/{made['id']}/content"
    whole = anna.get(path)
    assert whole.content == content and "Last-Modified" not in whole.headers
    assert anna.get(path, headers={"Range": "bytes=7-5000000"}).content == content[7:5_000_001]


def test_the_doctor_misses_bytes(new_house):
    house = new_house()
    anna = house.account("Anna")
    made = anna.file()
    assert "the last 1 files are on the disk" in house.run("doctor")
    os.remove(os.path.join(house.state, "files", made["id"][-2:], made["id"][-4:-2], made["id"]))
    assert made["id"] in house.run("doctor", check=False)
