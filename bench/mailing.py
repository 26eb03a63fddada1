"""The parts of scripts/bench that are about contacts and mailings."""

import json
import os
import secrets
import socket
import subprocess
import time
import urllib.request

ASSETS = os.environ.get("BENCH_POSTFIX", "")
LIBRARIES = {**os.environ, "LD_LIBRARY_PATH": os.path.join(ASSETS, "lib")}


class Sink:
    """postfix's smtp-sink on a port of its own."""

    def __init__(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        user = ["-u", "nobody"] if os.getuid() == 0 else []
        self._process = subprocess.Popen(
            [os.path.join(ASSETS, "smtp-sink"), *user, f"127.0.0.1:{self.port}", "1024"], env=LIBRARIES,
            stdout=subprocess.DEVNULL)
        for _ in range(100):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise SystemExit("smtp-sink did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()

    def source(self, sessions, messages, size):
        """Messages a second that postfix's smtp-source reaches."""
        began = time.monotonic()
        subprocess.run(
            [os.path.join(ASSETS, "smtp-source"), "-s", str(sessions), "-m", str(messages), "-l", str(size),
             f"127.0.0.1:{self.port}"], check=True, env=LIBRARIES, timeout=300)
        return messages / (time.monotonic() - began)


def body(size):
    """HTML of about so many bytes, with placeholders."""
    start = "<html><body><p>Dear {{FirstName|customer}} {{LastName}},</p>\n"
    end = "<p><a href=\"{{UnsubscribeUrl}}\">Unsubscribe</a></p></body></html>\n"
    line = "<p>Twelve pieces of cloth were dyed in the morning and hung up to dry.</p>\n"
    return start + line * ((size - len(start) - len(end)) // len(line)) + end


def text(size):
    line = "Twelve pieces of cloth were dyed in the morning and hung up to dry.\n"
    return "Dear {{FirstName|customer}},\n\n" + line * ((size - 40) // len(line))


def make_contacts(database, account, count, group=None):
    """Contacts with their words, by the database itself."""
    mark = secrets.token_hex(4)
    database.sql(f"""
        SET SESSION max_recursive_iterations = 10000000, max_statement_time = 0;
        CREATE TEMPORARY TABLE fresh AS
          WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count - 1})
          SELECT n, UNHEX(CONCAT(LPAD(HEX(UNIX_TIMESTAMP() * 1000 + n DIV 1000), 12, '0'), '7',
            LPAD(HEX(n MOD 1000), 3, '0'), '8', LPAD(HEX(FLOOR(RAND() * 1152921504606846975)), 15, '0'))) AS id
          FROM numbers;
        INSERT INTO contacts (id, account_id, email, email_key, first_name, last_name, company, created_at, updated_at)
          SELECT id, UNHEX(REPLACE('{account}', '-', '')), CONCAT('c', n, '.{mark}@example.org'),
            CONCAT('c', n, '.{mark}@example.org'), CONCAT('First', n), CONCAT('Last', n MOD 1000),
            CONCAT('Company ', n MOD 5000), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) FROM fresh;
        INSERT INTO contact_words (account_id, word, contact_id)
          SELECT UNHEX(REPLACE('{account}', '-', '')), CONCAT('first', n), id FROM fresh
          UNION ALL SELECT UNHEX(REPLACE('{account}', '-', '')), CONCAT('last', n MOD 1000), id FROM fresh
          UNION ALL SELECT UNHEX(REPLACE('{account}', '-', '')), 'company', id FROM fresh
          UNION ALL SELECT UNHEX(REPLACE('{account}', '-', '')), CONCAT(n MOD 5000), id FROM fresh
          UNION ALL SELECT UNHEX(REPLACE('{account}', '-', '')), CONCAT('c', n, '.{mark}@example.org'), id FROM fresh
          UNION ALL SELECT UNHEX(REPLACE('{account}', '-', '')), 'example.org', id FROM fresh;
        {f'''INSERT INTO contact_group_members (group_id, contact_id, status, added_at, confirmed_at)
          SELECT UNHEX(REPLACE('{group}', '-', '')), id, 'confirmed', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) FROM fresh;'''
         if group else ''}
        """)


def account_of(house):
    """The id of the account that the house's key is of."""
    return house.database.sql("SELECT LOWER(CONCAT_WS('-', SUBSTR(HEX(id), 1, 8), SUBSTR(HEX(id), 9, 4),"
                              " SUBSTR(HEX(id), 13, 4), SUBSTR(HEX(id), 17, 4), SUBSTR(HEX(id), 21)))"
                              " FROM accounts LIMIT 1")[0][0]


def run_sender(house, sink, connections, seconds=600):
    environment = {**os.environ, "FL_CONFIG": house.settings, "FL_SMTP_URL": f"smtp://127.0.0.1:{sink.port}",
                   "FL_SMTP_CONNECTIONS": str(connections)}
    began = time.monotonic()
    subprocess.run([os.path.join(os.environ["BENCH_BIN"], "fastlinkit-sender"), "--max-seconds", str(seconds)],
                   env=environment, check=True, timeout=seconds + 60, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def mailing(house, results, rounds, seconds, quick):
    """A mailing of 4 KB to 20,000 recipients against smtp-source with as many sessions."""
    count, sessions = 5_000 if quick else 20_000, 10
    group = house.call("POST", "/api/contact-groups", {"name": "bench " + secrets.token_hex(4)})
    make_contacts(house.database, account_of(house), count, group["id"])
    mine, theirs = [], []
    with Sink() as sink:
        sink.source(sessions, 2000, 4096)
        for _ in range(max(2, rounds // 2)):
            theirs.append(sink.source(sessions, count, 4096))
            draft = house.call("POST", "/api/mailing", {
                "subject": "Hello {{FirstName}}", "htmlBody": body(2200), "textBody": text(1800)})
            added = house.call("POST", f"/api/mailing/{draft['id']}/recipients", {"groupIds": [group["id"]]})
            assert added["recipients"] == count, added
            house.call("POST", f"/api/mailing/{draft['id']}/send")
            mine.append(count / run_sender(house, sink, sessions))
            after = house.call("GET", f"/api/mailing/{draft['id']}")
            results.promise(after["counts"]["sent"] == count and after["status"] == "sent",
                            f"every one of {count:,} recipients is marked as sent")
    ratio = sorted(a / b for a, b in zip(mine, theirs))[len(mine) // 2]
    results.add(f"mailing of 4 KB to {count:,}, {sessions} sessions", max(mine), max(theirs), "1/s", ratio,
                "yardstick: smtp-source")


def upsert(house, results, rounds, seconds, quick):
    """Bulk upsert of 10,000 contacts against LOAD DATA of the same rows into the same tables."""
    count = 10_000
    account = account_of(house)
    mine, theirs = [], []
    for _ in range(max(2, rounds // 2)):
        mark = secrets.token_hex(4)
        rows = [{"email": f"c{n}.{mark}@example.org", "firstName": f"First{n}", "lastName": f"Last{n % 1000}",
                 "company": f"Company {n % 5000}"} for n in range(count)]
        began = time.monotonic()
        answer = house.call("POST", "/api/contacts/bulk", {"contacts": rows})
        mine.append(time.monotonic() - began)
        assert answer["created"] == count, answer
        theirs.append(load_data(house, account, mark, answer))
        before = time.monotonic()
        again = house.call("POST", "/api/contacts/bulk", {"contacts": rows})
        results.add("  the same again, nothing changes", (time.monotonic() - before) * 1000, None, "ms", None)
        assert again["skipped"] == count, again
    ratio = sorted(a / b for a, b in zip(mine, theirs))[len(mine) // 2]
    results.add(f"bulk upsert of {count:,} contacts", min(mine) * 1000, min(theirs) * 1000, "ms", ratio,
                "yardstick: LOAD DATA")


def load_data(house, account, mark, answer):
    """Seconds that LOAD DATA takes for the rows that the upsert has just made, in their place."""
    database, directory = house.database, os.path.join(os.environ["BENCH_STATE"], "tmp")
    files = {}
    for table, where in (("contacts", f"email_key LIKE '%.{mark}@example.org'"),
                         ("contact_words", f"contact_id IN (SELECT id FROM contacts WHERE email_key LIKE '%.{mark}@example.org')")):
        path = os.path.join(directory, f"{table}.{mark}")
        database.sql(f"SELECT * FROM {table} WHERE {where} INTO OUTFILE '{path}' CHARACTER SET binary")
        files[table] = path
    database.sql(f"DELETE FROM contacts WHERE email_key LIKE '%.{mark}@example.org'")
    began = time.monotonic()
    database.sql("".join(f"LOAD DATA INFILE '{path}' INTO TABLE {table} CHARACTER SET binary;"
                         for table, path in files.items()))
    spent = time.monotonic() - began
    for path in files.values():
        os.unlink(path)
    return spent


def contacts(small, results, rounds, seconds, quick, large):
    """Searching among many contacts against 1,000; queueing a mailing to all of them."""
    from load import compare, wrk
    many = 100_000 if quick else 1_000_000
    groups = {}
    for house, count in ((small, 1000), (large, many)):
        groups[count] = house.call("POST", "/api/contact-groups", {"name": "all " + secrets.token_hex(4)})
        began = time.monotonic()
        make_contacts(house.database, account_of(house), count, groups[count]["id"])
        print(f"  {count:,} contacts inserted in {time.monotonic() - began:.0f} s", flush=True)
    for words in ("last17", "first", "company+first12", "last1+company"):
        compare(results, f"search “{words.replace('+', ' ')}” in {many:,} contacts", rounds,
                lambda w=words: wrk(large.url + f"/api/contacts?search={w}", 4, seconds, key=large.key),
                lambda w=words: wrk(small.url + f"/api/contacts?search={w}", 4, seconds, key=small.key),
                note="yardstick: 1,000 contacts")
    draft = large.call("POST", "/api/mailing", {"subject": "Hello", "htmlBody": body(2000)})
    began = time.monotonic()
    added = large.call("POST", f"/api/mailing/{draft['id']}/recipients", {"groupIds": [groups[many]["id"]]})
    large.call("POST", f"/api/mailing/{draft['id']}/send")
    spent = time.monotonic() - began
    results.promise(added["recipients"] == many, f"{added['recipients']:,} of {many:,} contacts are recipients")
    results.add(f"queueing a mailing to {many:,} contacts", spent, None, "s", None)
    results.add("  memory of the responder then", large.memory() / 2**20, None, "MiB", None)
    large.call("POST", f"/api/mailing/{draft['id']}/cancel")
