"""The parts of scripts/bench, which starts everything that is measured here and tells where it is."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request

import geoip as addresses
import mailing as post
import qr as codes
from load import BROWSER, Results, alternate, compare, wrk
from seed import Database, add_clicks, copy_link

STATE = os.environ["BENCH_STATE"]
SOCKET = os.path.join(os.environ["BENCH_SOCKETS"], "mariadb.sock")
BIN = os.environ["BENCH_BIN"]
CONSTANT = os.environ["BENCH_CONSTANT"]
STATIC = os.environ["BENCH_STATIC"]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Takes a redirect as the answer that it is."""

    def redirect_request(self, *_):
        return None


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)


class House:
    """One responder with its database, as a client with a key sees it."""

    def __init__(self, name):
        self.name = name
        with open(os.path.join(STATE, name, "account.json"), encoding="utf-8") as file:
            account = json.load(file)
        self.url = account["baseUrl"]
        self.key = account["apiKey"]
        self.settings = os.path.join(STATE, name, "fastlinkit.env")
        self.database = Database(SOCKET, "bench_" + name)

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, method=method, headers={"X-Api-Key": self.key})
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with _opener.open(request, timeout=300) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{method} {path} answered {error.code}: {error.read().decode()}") from None

    def new_link(self, name):
        return self.call("POST", "/api/links", {"destinationUrl": f"https://example.com/{name}"})

    def clicks(self, link):
        stats = self.call("GET", f"/api/links/{link['id']}/stats")
        return stats["totalClicks"] + stats["botClicks"]

    def settled_clicks(self, link, expected):
        """The clicks of a link once `expected` are loaded and no more come, or none came for 20 seconds."""
        count, changed = self.clicks(link), time.monotonic()
        while time.monotonic() - changed < (2 if count >= expected else 20):
            time.sleep(0.25)
            now = self.clicks(link)
            if now != count:
                count, changed = now, time.monotonic()
        return count

    def processes(self):
        """The responder's processes."""
        with open(os.path.join(STATE, "run", self.name + ".pid"), encoding="utf-8") as file:
            waiting, found = [int(file.read().split()[0])], []
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children", encoding="utf-8") as file:
                    waiting += map(int, file.read().split())
        return found

    def memory(self):
        """Bytes of memory of the responder's processes: shared pages are split among them (Pss)."""
        return sum(_told(pid, "smaps_rollup", "Pss:") for pid in self.processes())

    def peak(self):
        """The most bytes that any of the responder's processes ever had."""
        return max(_told(pid, "status", "VmHWM:") for pid in self.processes())


def _told(pid, file, name):
    """Bytes that a file of /proc tells of a process."""
    with open(f"/proc/{pid}/{file}", encoding="utf-8") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024


def redirect(small, results, rounds, seconds, _):
    """Redirects at 16 connections with every click accounted for; the slowest of 256 and of 1,000 clients."""
    link = small.new_link("redirect")
    address, constant = f"{small.url}/{link['shortCode']}", f"{CONSTANT}/{link['shortCode']}"
    wrk(constant, 16, 1)
    # Each run of wrk leaves at most one request a connection unread, whose click counts all the same.
    least, most = wrk(address, 16, 1)["answers"], 16
    for connections in (16, 256, 1000):
        tell = {"member": "p99", "unit": "ms"} if connections > 16 else {}
        name = f"redirect, {connections:,} connections" + (", p99" if connections > 16 else "")
        mine, theirs = compare(results, name, rounds, lambda c=connections: wrk(address, c, seconds),
                               lambda c=connections: wrk(constant, c, seconds), **tell)
        least += sum(run["answers"] for run in mine)
        most += connections * len(mine)
        if connections > 16:
            for what, member, unit in (("requests", "rate", "1/s"), ("slowest", "max", "ms")):
                results.add(f"  {what}", statistics.median(run[member] for run in mine),
                            statistics.median(run[member] for run in theirs), unit,
                            statistics.median(a[member] / b[member] for a, b in zip(mine, theirs)))
    began = time.monotonic()
    clicks = small.settled_clicks(link, least)
    results.promise(least <= clicks <= least + most,
                    f"every redirect is one click: {least:,} answered (and up to {most:,} in flight at the"
                    f" ends), {clicks:,} clicks, loaded {time.monotonic() - began:.0f} s after the last")


def api(small, results, rounds, seconds, _):
    """Reading and creating a link with an API key, at 16 connections."""
    link = small.new_link("api")
    path = f"/api/links/{link['id']}"
    compare(results, "GET /api/links/{id}, API key", rounds,
            lambda: wrk(small.url + path, 16, seconds, key=small.key),
            lambda: wrk(CONSTANT + path, 16, seconds, key=small.key))
    before = small.call("GET", "/api/links?limit=1")["total"]
    runs = iter(range(rounds))
    mine, _ = compare(results, "POST /api/links, API key", rounds,
                      lambda: wrk(small.url + "/api/links", 16, seconds, "create", next(runs),
                                  key=small.key, body=True),
                      lambda: wrk(CONSTANT + "/api/links", 16, seconds, "create", 0, key=small.key, body=True))
    time.sleep(1)
    made, answered = small.call("GET", "/api/links?limit=1")["total"] - before, sum(run["good"] for run in mine)
    results.promise(answered <= made <= answered + 16 * rounds,
                    f"every 201 is one link: {answered:,} answered, {made:,} links more")


def scale(small, results, rounds, seconds, quick):
    """Redirects among many links, against those among 1,000: to 1,000 of the many that are asked for again and
    again, as on any real instance a small part is, and to any of all, most of which no process remembers."""
    many = 100_000 if quick else 1_000_000
    large = House("large")
    for house, count in ((small, 1000), (large, many)):
        began = time.monotonic()
        copy_link(house.database, house.new_link("scale"), count)
        print(f"  {count:,} links inserted in {time.monotonic() - began:.0f} s", flush=True)
        wrk(house.url, 16, 2, "codes", count)
    for hot in (1000, many):
        compare(results, f"redirect to {hot:,} of {many:,} links", rounds,
                lambda hot=hot: wrk(large.url, 16, seconds, "codes", many, hot),
                lambda: wrk(small.url, 16, seconds, "codes", 1000), note="yardstick: 1,000 links")


def stats(small, results, rounds, seconds, quick):
    """Statistics of a link with many clicks, against one with 5,000 over the same 90 days."""
    many, few, days = 500_000 if quick else 5_000_000, 5000, 90
    links = {}
    for count in (few, many):
        began = time.monotonic()
        links[count] = small.new_link("stats")
        add_clicks(small.database, links[count], count, days)
        print(f"  {count:,} clicks inserted in {time.monotonic() - began:.0f} s", flush=True)
    today = int(time.time()) // 86400 * 86400

    def moment(seconds_since_1970):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds_since_1970))

    for interval, back in (("day", days), ("hour", 7)):
        query = f"from={moment(today - back * 86400)}&to={moment(today)}&interval={interval}"
        paths = {count: f"/api/links/{link['id']}/stats?{query}" for count, link in links.items()}
        for count, path in paths.items():
            told, expected = small.call("GET", path)["totalClicks"], count * back // days
            results.promise(abs(told - expected) <= 1, f"{back} days of {count:,} clicks: {told:,} told")
        compare(results, f"statistics, {back} days by {interval}, {many:,} clicks", rounds,
                lambda p=paths: wrk(small.url + p[many], 4, seconds, key=small.key),
                lambda p=paths: wrk(small.url + p[few], 4, seconds, key=small.key),
                note=f"yardstick: {few:,} clicks")


def memory(small, results, rounds, seconds, quick):
    """Memory of the responder's processes after very many requests, against after a few."""
    requests = 100_000 if quick else 1_000_000
    link = small.new_link("memory")
    address = f"{small.url}/{link['shortCode']}"
    done = wrk(address, 16, 2)["answers"]
    before, first = small.memory(), done
    while done < requests:
        done += wrk(address, 16, 10)["answers"]
    after = small.memory()
    results.add(f"memory after {done:,} requests", after / 2**20, before / 2**20, "MiB", after / before,
                f"yardstick: after {first:,}")


def cgi(small, results, rounds, seconds, quick):
    """One redirect by a process of its own, against the emptiest C program."""
    link = small.new_link("cgi")
    environment = {
        "PATH": "/usr/bin:/bin", "FL_CONFIG": small.settings, "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_METHOD": "GET", "REQUEST_URI": "/" + link["shortCode"], "SCRIPT_NAME": "", "QUERY_STRING": "",
        "PATH_INFO": "/" + link["shortCode"], "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80", "HTTP_USER_AGENT": BROWSER,
    }

    def once(program):
        began = time.perf_counter()
        done = subprocess.run([program], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=30)
        took = (time.perf_counter() - began) * 1000
        if b"\nlocation:" not in done.stdout.lower().replace(b"\r", b"") or done.returncode != 0:
            raise SystemExit(f"{program} as CGI answered {done.returncode}: {done.stdout!r} {done.stderr!r}")
        return took

    times = 20 if quick else 100
    mine, theirs = alternate(times, lambda: once(os.path.join(BIN, "fastlinkit")),
                             lambda: once(os.path.join(STATE, "empty")))
    ours, yardstick = statistics.median(mine), statistics.median(theirs)
    results.add("plain CGI, one redirect", ours, yardstick, "ms", ours / yardstick, "yardstick: empty C program")
    # The process that answered is gone; its spool is adopted by the sender, at the latest.
    subprocess.run([os.path.join(BIN, "fastlinkit-sender"), "--max-seconds", "30"], check=True, timeout=120,
                   env={"PATH": "/usr/bin:/bin", "FL_CONFIG": small.settings}, stdin=subprocess.DEVNULL)
    clicks = small.settled_clicks(link, times)
    results.promise(clicks == times, f"every redirect by plain CGI is one click: {times} answered, {clicks} clicks")


def files(small, results, rounds, seconds, quick):
    """Upload and download of 100 MiB by curl, against nginx alone that serves a static file of that size, and
    the upload also against a copy of the file that waits for the disk."""
    path, megabytes = os.path.join(STATE, "static", "large.bin"), 100
    with open(path, "wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(2**20))
    os.sync()

    def curl(*arguments):
        done = subprocess.run(["curl", "-sS", "-f", "-m", "300", "-w", "\n%{time_total}", *arguments], text=True,
                              capture_output=True, check=True, timeout=310)
        body, _, took = done.stdout.rpartition("\n")
        return float(took) * 1000, body

    def static():
        return curl("-o", "/dev/null", STATIC + "/large.bin")[0]

    key = ["-H", "X-Api-Key: " + small.key]

    def upload(keep=False):
        took, body = curl(*key, "-F", f"file=@{path}", small.url + "/api/files")
        made = json.loads(body)
        if made["size"] != megabytes * 2**20:
            raise SystemExit(f"not all of it came: {made}")
        if keep:
            return made
        request = urllib.request.Request(f"{small.url}/api/files/{made['id']}", method="DELETE",
                                         headers={"X-Api-Key": small.key})
        _opener.open(request, timeout=60).close()
        return took

    def row(name, ours, yardstick=static, times=2 * rounds + 1, note="yardstick: nginx, static file"):
        mine, theirs = alternate(times, ours, yardstick)
        ratio = statistics.median(a / b for a, b in zip(mine, theirs))
        results.add(name, statistics.median(mine), statistics.median(theirs), "ms", ratio, note, list(zip(mine, theirs)))

    static()
    before = small.peak()
    upload()
    made = upload(keep=True)
    content = f"{small.url}/api/files/{made['id']}/content"
    row("download of 100 MiB", lambda: curl(*key, "-o", "/dev/null", content)[0])
    row("upload of 100 MiB", upload)

    def plain_write():
        began = time.perf_counter()
        target = os.path.join(STATE, "static", "copy.bin")
        with open(path, "rb") as source, open(target, "wb") as copy:
            while piece := source.read(2**18):
                copy.write(piece)
            copy.flush()
            os.fsync(copy.fileno())
        took = (time.perf_counter() - began) * 1000
        os.remove(target)
        return took

    row("upload of 100 MiB", upload, plain_write, note="yardstick: copy of the file with fsync")
    after = small.peak()
    results.add("  memory of a process at most", after / 2**20, before / 2**20, "MiB", after / before,
                "yardstick: before the uploads")
    results.promise(after - before < 16 * 2**20, "an upload takes no memory by its size")


def geoip(small, results, rounds, seconds, _):
    """Looking addresses up, with an API key."""
    addresses.geoip(small, results, rounds, seconds, CONSTANT)


def qr(small, results, rounds, seconds, quick):
    """Drawing a QR code with a logo."""
    codes.qr(small, results, rounds, seconds, quick, STATE)


def mailing(small, results, rounds, seconds, quick):
    """A mailing of 4 KB to 20,000 recipients, against postfix's smtp-source with as many sessions."""
    post.mailing(small, results, rounds, seconds, quick)


def upsert(small, results, rounds, seconds, quick):
    """Bulk upsert of 10,000 contacts, against LOAD DATA of the same rows into the same tables."""
    post.upsert(small, results, rounds, seconds, quick)


def contacts(small, results, rounds, seconds, quick):
    """Searching among 1,000,000 contacts against 1,000, and queueing a mailing to all of them."""
    post.contacts(small, results, rounds, seconds, quick, House("large"))


PARTS = {part.__name__: part for part in (
    redirect, api, geoip, scale, stats, memory, cgi, files, qr, upsert, mailing, contacts)}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--json")
    arguments.add_argument("parts", nargs="*", choices=[*PARTS, []])
    options = arguments.parse_args()
    small, results = House("small"), Results()
    for name in options.parts or PARTS:
        print(f"== {name}: {PARTS[name].__doc__}", flush=True)
        rounds, seconds = (3, 2) if options.quick else (5, 8)
        PARTS[name](small, results, rounds, seconds, options.quick)
    print("\n" + results.table())
    for fault in results.faults:
        print(f"FAULT: {fault}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"cores": os.cpu_count(), "quick": options.quick, "results": results.rows,
                       "faults": results.faults}, file, indent=2)
            file.write("\n")
    return 1 if results.faults else 0


if __name__ == "__main__":
    sys.exit(main())
