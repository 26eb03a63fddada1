"""The pages in a real browser: nothing from elsewhere, no error, no sideways scrolling on a phone."""

import shutil
import urllib.parse

import pytest
from playwright.sync_api import sync_playwright

from actors import created

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
SIZES = {"phone": {"width": 360, "height": 740}, "desktop": {"width": 1280, "height": 800}}


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


class Tab:
    """A page that remembers what it asked for and what it complained about."""

    def __init__(self, house, context):
        self.house = house
        self.page = context.new_page()
        self.requests, self.complaints = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        self.page.on("requestfailed", lambda request: self.complaints.append(f"{request.url}: {request.failure}"))
        self.page.on("response", self._response)

    def _console(self, message):
        # The browser itself notes the page's own 404 or 410 as an error; the status is checked by the test.
        if message.type == "error" and message.location.get("url") != self.expected:
            self.complaints.append(f"console: {message.text} ({message.location.get('url')})")

    def _response(self, response):
        if response.status >= 400 and response.url != self.expected:
            self.complaints.append(f"{response.url}: {response.status}")

    def open(self, path, status=200, timeout=60_000):
        self.expected = self.house.url + path
        response = self.page.goto(self.expected, wait_until="networkidle", timeout=timeout)
        assert response.status == status
        return self.page

    def is_clean(self):
        """No complaint, nothing from another host, nothing wider than the window."""
        assert self.requests, "the page was not even asked for"
        own = urllib.parse.urlsplit(self.house.url).netloc
        foreign = [url for url in self.requests if urllib.parse.urlsplit(url).scheme in ("http", "https", "ws", "wss")
                   and urllib.parse.urlsplit(url).netloc != own]
        assert not foreign, f"asked elsewhere: {foreign}"
        assert not self.complaints, self.complaints
        width, window = self.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert width <= window, f"{width} px of page in a window of {window} px"


@pytest.fixture(params=SIZES)
def tab(house, chromium, request):
    context = chromium.new_context(viewport=SIZES[request.param], locale="en-GB")
    try:
        yield Tab(house, context)
    finally:
        context.close()


def test_the_home_page(tab):
    page = tab.open("/")
    assert page.title() and page.locator("h1").count() == 1
    assert page.locator("html").get_attribute("lang")
    tab.is_clean()


def test_an_unknown_code(tab):
    page = tab.open("/neverseen", 404)
    assert page.title() and page.locator("h1").is_visible()
    tab.is_clean()


def test_a_link_that_is_over(tab, anna):
    page = tab.open("/" + anna.link(isEnabled=False)["shortCode"], 410)
    assert page.locator("h1").is_visible()
    tab.is_clean()


def test_the_preview_of_a_very_long_link(tab, anna):
    destination = "https://example.org/" + "a-very-long-path" * 60 + "?q=" + "x" * 800
    link = anna.link(destination, title="W" * 255)
    page = tab.open(f"/{link['shortCode']}+")
    assert destination[:60] in page.inner_text("body")
    tab.is_clean()


def test_a_password_is_asked_for_and_opens(tab, anna):
    link = anna.link(tab.house.url + "/health", password="open sesame")
    page = tab.open("/" + link["shortCode"])
    field = page.locator("input[type=password]")
    assert page.locator("label").count() >= 1 and field.is_visible()
    tab.is_clean()
    field.fill("wrong")
    field.press("Enter")
    page.locator("[role=alert], [aria-invalid=true], .error").first.wait_for()
    assert page.locator("input[type=password]").is_visible(), "a wrong password got in"
    page.locator("input[type=password]").fill("open sesame")
    page.locator("input[type=password]").press("Enter")
    page.wait_for_url(tab.house.url + "/health", timeout=30_000)


def test_the_api_reference(tab, document):
    page = tab.open("/scalar/v1", timeout=90_000)
    summary = document["paths"]["/api/links"]["post"]["summary"]
    page.get_by_text(summary, exact=False).first.wait_for(state="attached", timeout=60_000)
    assert tab.house.url + "/openapi/v1.json" in tab.requests
    tab.is_clean()


def test_a_stranger_subscribes(tab, anna):
    body = {"name": "News of the bakery", "description": "What is fresh.\nOnce a month.", "isPublic": True}
    group = created(anna.post("/api/contact-groups", body))
    page = tab.open("/m/subscribe/" + group["id"])
    assert page.locator("h1").inner_text() == "News of the bakery"
    # The field for programs is neither seen nor reached.
    trap = page.locator("input[name=homepage]")
    box = trap.bounding_box()
    assert box is None or box["x"] + box["width"] <= 0
    assert trap.get_attribute("tabindex") == "-1"
    tab.is_clean()
    page.locator("input[name=email]").fill(tab.house.new_email())
    page.wait_for_timeout(2100)
    page.locator("input[name=email]").press("Enter")
    page.get_by_text("Look into your mailbox", exact=True).wait_for()
    tab.is_clean()


def test_the_form_in_a_frame(tab, anna):
    group = created(anna.post("/api/contact-groups", {"name": "Framed", "isPublic": True}))
    page = tab.open(f"/m/subscribe/{group['id']}?embed=1")
    assert page.locator("input[name=email]").is_visible() and page.locator(".masthead").count() == 0
    tab.is_clean()


def test_every_page_is_usable_by_keyboard(tab, anna):
    page = tab.open("/" + anna.link(password="open sesame")["shortCode"])
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement && document.activeElement.type") == "password":
            return
        if page.evaluate("document.activeElement && document.activeElement.autofocus"):
            return
    pytest.fail("the password field is not reached with the Tab key")
