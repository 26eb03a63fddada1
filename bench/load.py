"""Load by wrk, rounds that alternate between two sides, and the table of what came out."""

import json
import os
import statistics
import subprocess

LOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "load.lua")
# Clicks of programs that name themselves are counted as bots; wrk plays a person here.
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def wrk(url, connections, seconds, *mode, key=None, body=False):
    """One run of wrk; answers what load.lua prints, with `rate` in good answers a second."""
    command = ["wrk", "-t", str(min(os.cpu_count() or 2, connections)), "-c", str(connections),
               "-d", f"{seconds}s", "--timeout", "10s", "-s", LOAD, "-H", f"User-Agent: {BROWSER}"]
    if key:
        command += ["-H", f"X-Api-Key: {key}"]
    if body:
        command += ["-H", "Content-Type: application/json"]
    printed = subprocess.run([*command, url, "--", *map(str, mode)], text=True, capture_output=True,
                             check=True, timeout=seconds + 120).stdout
    run = json.loads(printed.strip().splitlines()[-1])
    run["good"] = run["answers"] - run["refused"]
    run["rate"] = run["good"] / run["seconds"]
    return run


class Results:
    """What was measured, a row each; `faults` are the promises that did not hold."""

    def __init__(self):
        self.rows = []
        self.faults = []

    def add(self, name, ours, yardstick, unit, ratio, note="", rounds=None):
        self.rows.append({"name": name, "ours": ours, "yardstick": yardstick, "unit": unit, "ratio": ratio,
                          "note": note, "rounds": rounds or []})
        print(self.line(self.rows[-1]), flush=True)

    def promise(self, holds, words):
        """Notes a promise that was checked on the way."""
        print(f"  {'ok   ' if holds else 'FAULT'} {words}", flush=True)
        if not holds:
            self.faults.append(words)

    @staticmethod
    def line(row):
        def number(value):
            if value is None:
                return "-"
            return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
        ratio = "-" if row["ratio"] is None else f"{row['ratio']:.3f}"
        return (f"{row['name']:<46} {number(row['ours']):>10} {number(row['yardstick']):>10} "
                f"{row['unit']:<5} {ratio:>7}  {row['note']}")

    def table(self):
        head = f"{'':<46} {'ours':>10} {'yardstick':>10} {'':<5} {'ratio':>7}"
        return "\n".join([head, *map(self.line, self.rows)])


def alternate(rounds, ours, yardstick):
    """Runs both sides in each round, the first to go changing; answers both lists of runs."""
    mine, theirs = [], []
    for number in range(rounds):
        for side in ((ours, mine), (yardstick, theirs))[:: -1 if number % 2 else 1]:
            side[1].append(side[0]())
    return mine, theirs


def compare(results, name, rounds, ours, yardstick, member="rate", unit="1/s", note=""):
    """One row: the medians of both sides, and the median of the rounds' ratios."""
    mine, theirs = alternate(rounds, ours, yardstick)
    pairs = [(a[member], b[member]) for a, b in zip(mine, theirs)]
    ratios = [a / b for a, b in pairs if b]
    troubles = {what: sum(run[what] for run in mine) for what in ("refused", "broken", "timeouts")}
    results.add(name, statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), unit,
                statistics.median(ratios) if ratios else None, note, pairs)
    results.promise(not any(troubles.values()),
                    f"{name}: every request was answered well" +
                    ("" if not any(troubles.values()) else f" ({troubles})"))
    return mine, theirs
