"""Load on short links in which every redirect that was received can be told from every other."""

import itertools
import re
import threading
import time

import requests


class Load:
    """Visitors who follow links in a loop, each click marked by a referrer of its own."""

    def __init__(self, house, links, visitors=8, pause=0.002):
        self.links = links
        self.received = {link["shortCode"]: set() for link in links}
        self.other = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._pause = pause
        self._visitors = [house.visitor() for _ in range(visitors)]
        self._threads = [threading.Thread(target=self._work, args=(visitor,)) for visitor in self._visitors]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        for thread in self._threads:
            thread.join(60)

    @property
    def count(self):
        with self._lock:
            return sum(len(numbers) for numbers in self.received.values())

    def wait_for(self, more, seconds=30):
        """Until `more` further redirects were received."""
        goal, end = self.count + more, time.monotonic() + seconds
        while self.count < goal:
            assert time.monotonic() < end, f"only {self.count} of {goal} redirects came; else: {self.other}"
            time.sleep(0.01)

    def _work(self, visitor):
        while not self._ending.is_set():
            number = next(self._numbers)
            code = self.links[number % len(self.links)]["shortCode"]
            try:
                answer = visitor.get("/" + code, headers={"Referer": f"https://n{number}.load.example/"}, timeout=15)
                outcome = answer.status_code
            except requests.RequestException as error:
                outcome = type(error).__name__
            with self._lock:
                if outcome == 302:
                    self.received[code].add(number)
                else:
                    self.other[outcome] = self.other.get(outcome, 0) + 1
            time.sleep(self._pause if outcome == 302 else 0.02)


def counted(account, link):
    """How often each marked click of a link is in the database."""
    times = {}
    for click in account.clicks(link):
        found = re.search(r"\bn(\d+)\.load\.example", str(click))
        assert found, f"a click without its referrer: {click}"
        times[int(found[1])] = times.get(int(found[1]), 0) + 1
    return times


def assert_each_counted_once(account, load, seconds=30):
    """Every redirect that was received is one click, and no click is there twice."""
    for link in load.links:
        received = load.received[link["shortCode"]]
        account.sees_clicks(link, len(received), seconds=seconds)
        end = time.monotonic() + seconds
        while True:
            times = counted(account, link)
            lost = received - times.keys()
            if not lost or time.monotonic() > end:
                break
            time.sleep(0.5)
        assert not lost, f"{len(lost)} of {len(received)} clicks were lost: {sorted(lost)[:10]}"
        twice = {number: count for number, count in times.items() if count > 1}
        assert not twice, f"{len(twice)} clicks were counted more than once: {twice}"
        # One more click than answers is possible: the program was killed between the two.
        assert account.stats(link)["totalClicks"] == len(times)
