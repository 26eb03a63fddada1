"""Rows in numbers that the API would take hours for, put into the database by SQL."""

import subprocess


class Database:
    """One house's database, as root over the private socket."""

    def __init__(self, socket, name):
        self.socket = socket
        self.name = name

    def sql(self, statements):
        """Runs statements; answers the rows as lists of text."""
        done = subprocess.run(
            ["mariadb", "--no-defaults", f"--socket={self.socket}", "--user=root", "--batch",
             "--skip-column-names", "--default-character-set=utf8mb4", self.name],
            input="SET time_zone = '+00:00';\n" + statements, text=True, capture_output=True, timeout=3600)
        if done.returncode != 0:
            raise SystemExit(f"SQL failed: {done.stderr.strip()}")
        return [line.split("\t") for line in done.stdout.splitlines()]


def _binary(identifier):
    return f"UNHEX('{identifier.replace('-', '')}')"


def copy_link(database, link, count, begin=0):
    """Copies a link that the API made `count` times, with the codes b<begin> to b<begin + count - 1>.

    Which tables and columns hold the code and the id is read from the database: a copy then has
    whatever a link made by the API has.
    """
    code, new_code = link["shortCode"], "CONCAT('b', LPAD(seq, 7, '0'))"
    # A UUIDv7 whose time is the number, so that rows come in the order of the key.
    new_id = "UNHEX(CONCAT('0199', LPAD(HEX(seq), 8, '0'), '70008000000000000000'))"
    columns = database.sql(
        "SELECT table_name, column_name, column_type, is_generated, column_key"
        f" FROM information_schema.columns WHERE table_schema = '{database.name}'"
        " ORDER BY table_name, ordinal_position")
    tables = {}
    for table, *column in columns:
        tables.setdefault(table, []).append(column)
    copied = []
    for table, columns in tables.items():
        texts = [c for c, kind, *_ in columns if kind.startswith(("varchar", "char", "varbinary"))]
        holders = [c for c in texts
                   if database.sql(f"SELECT COUNT(*) FROM `{table}` WHERE `{c}` = '{code}'") != [["0"]]]
        if not holders:
            continue
        keys = [c for c, *_, key in columns if key == "PRI"]
        names, values = [], []
        for column, kind, generated, _ in columns:
            if generated != "NEVER":
                continue
            names.append(f"`{column}`")
            old = f"t.`{column}`"
            if column in holders or column in texts and "code" in column:
                values.append(new_code)
            elif kind == "binary(16)" and keys == [column]:
                values.append(new_id)
            elif kind == "binary(16)":
                values.append(f"IF({old} = {_binary(link['id'])}, {new_id}, {old})")
            else:
                values.append(old)
        for start in range(begin, begin + count, 100_000):
            end = min(start + 100_000, begin + count) - 1
            database.sql(
                f"INSERT INTO `{table}` ({', '.join(names)}) SELECT {', '.join(values)}"
                f" FROM seq_{start}_to_{end} JOIN `{table}` t ON t.`{holders[0]}` = '{code}'")
        database.sql(f"ANALYZE TABLE `{table}`")
        copied.append(table)
    if not copied:
        raise SystemExit(f"no table holds the short code {code}")


# How a click number is turned into a value of each dimension; numbers as in sql/0019_click_breakdowns.sql.
_DIMENSIONS = {
    1: "ELT(1 + seq % 7, 'DE', 'US', 'FR', 'GB', 'IN', 'JP', 'BR')",
    2: "CONCAT('City ', seq % 13)",
    3: "CONCAT('site', seq % 11, '.example')",
    4: "ELT(1 + seq % 4, 'Chrome', 'Firefox', 'Safari', 'Edge')",
    5: "ELT(1 + seq % 5, 'Windows', 'Android', 'iOS', 'macOS', 'Linux')",
    6: "ELT(1 + seq % 3, 'desktop', 'mobile', 'tablet')",
    7: "ELT(1 + seq % 2, 'click', 'scan')",
    8: "ELT(1 + seq % 3, 'en', 'de', 'fr')",
    9: "CONCAT('source', seq % 5)",
}


def add_clicks(database, link, count, days):
    """Gives a link `count` clicks, spread evenly over the `days` before today, and their roll-ups.

    The raw rows are there too: what reads them instead of the roll-ups shows in the time it takes.
    """
    subject = _binary(link["id"])
    # Milliseconds since 1970 of click number `seq`; whole days, so that both links have the same ones.
    at = (f"((UNIX_TIMESTAMP(UTC_DATE()) - {days} * 86400) * 1000"
          f" + FLOOR(seq * ({days} * 86400000 / {count})))")
    quarter = f"FROM_UNIXTIME(FLOOR({at} / 900000) * 900)"
    # The end of the link's id, so that clicks of two links at one moment differ.
    mark = link["id"][-3:]
    account = database.sql(f"SELECT HEX(account_id) FROM links WHERE id = {subject}")[0][0]
    for start in range(0, count, 250_000):
        end = min(start + 250_000, count) - 1
        database.sql(
            "INSERT INTO clicks (id, link_id, account_id, at, visitor, is_bot, is_unique, source, device,"
            " browser, system, referrer_host, language, country, city, utm_source)"
            f" SELECT UNHEX(CONCAT(LPAD(HEX({at}), 12, '0'), '7000', '8{mark}', LPAD(HEX(seq), 12, '0'))),"
            f" {subject}, UNHEX('{account}'), FROM_UNIXTIME({at} / 1000),"
            f" seq % 100000, 0, seq % 3 = 0, 1 + seq % 2, 1 + seq % 3, {_DIMENSIONS[4]}, {_DIMENSIONS[5]},"
            f" {_DIMENSIONS[3]}, {_DIMENSIONS[8]}, {_DIMENSIONS[1]}, {_DIMENSIONS[2]}, {_DIMENSIONS[9]}"
            f" FROM seq_{start}_to_{end}")
    every = f"seq_0_to_{count - 1}"
    database.sql(
        "INSERT INTO click_buckets (subject, start, clicks, unique_clicks, bot_clicks)"
        f" SELECT {subject}, {quarter} AS q, COUNT(*), SUM(seq % 3 = 0), 0 FROM {every} GROUP BY q")
    for dimension, value in _DIMENSIONS.items():
        database.sql(
            "INSERT INTO click_breakdowns (subject, period, start, dimension, value, clicks)"
            f" SELECT {subject}, 0, {quarter} AS q, {dimension}, {value} AS v, COUNT(*) FROM {every}"
            " GROUP BY q, v")
    database.sql(
        "INSERT INTO click_breakdowns (subject, period, start, dimension, value, clicks)"
        " SELECT subject, 1, DATE(start), dimension, value, SUM(clicks) FROM click_breakdowns"
        f" WHERE subject = {subject} AND period = 0 GROUP BY DATE(start), dimension, value;"
        "INSERT INTO link_click_totals (link_id, clicks, last_clicked_at)"
        f" VALUES ({subject}, {count}, UTC_DATE())"
        " ON DUPLICATE KEY UPDATE clicks = VALUES(clicks);"
        "ANALYZE TABLE clicks, click_buckets, click_breakdowns, link_click_totals;")
