"""The reason for the product: somebody registers, makes a link, and sees who followed it."""

from actors import Actor, created, ok, page, redirects


def test_from_registering_to_the_first_click(house):
    anna = house.nobody()
    address = house.new_email("anna")
    credentials = {"email": address, "password": "correct horse battery staple"}

    user = created(anna.post("/api/auth/register", {**credentials, "name": "Anna"}))["user"]
    assert (user["email"], user["name"]) == (address, "Anna")
    assert "password" not in str(user).lower()

    login = ok(anna.post("/api/auth/login", credentials))
    assert login["tokenType"] == "Bearer" and login["user"]["id"] == user["id"]
    anna.headers["Authorization"] = "Bearer " + login["token"]

    key = created(anna.post("/api/api-keys", {"name": "my shop", "scopes": ["links"]}))
    assert key["key"].startswith("fli_")

    shop = Actor(house, {"X-Api-Key": key["key"]})
    link = created(shop.post("/api/links", {"destinationUrl": "https://example.org/spring?size=m#top",
                                            "title": "Spring", "utmSource": "newsletter"}))
    assert link["shortUrl"] == f"{house.url}/{link['shortCode']}"
    assert len(link["shortCode"]) == 7
    assert link["clicks"] == 0 and link["lastClickedAt"] is None

    visitor = house.visitor(Referer="https://news.example.net/today")
    redirects(visitor.get("/" + link["shortCode"]),
              to="https://example.org/spring?size=m&utm_source=newsletter#top")

    stats = shop.sees_clicks(link, 1)
    assert (stats["totalClicks"], stats["uniqueClicks"], stats["botClicks"]) == (1, 1, 0)
    assert sum(source["clicks"] for source in stats["sources"]) == 1
    assert [(entry["key"], entry["clicks"]) for entry in stats["referrers"]] == [("news.example.net", 1)]
    assert stats["browsers"] == [{"key": "Chrome", "clicks": 1}]
    assert stats["devices"] == [{"key": "desktop", "clicks": 1}]
    assert sum(step["clicks"] for step in stats["series"]) == 1

    seen = ok(shop.get(f"/api/links/{link['id']}"))
    assert seen["clicks"] == 1 and seen["lastClickedAt"].endswith("Z")
    assert ok(anna.get("/api/auth/me"))["email"] == address


def test_a_new_account_is_on_the_free_plan(house):
    anna, address = house.nobody(), house.new_email("anna")
    created(anna.post("/api/auth/register", {"email": address, "password": "a long enough one 42", "name": "Anna"}))
    token = ok(anna.post("/api/auth/login", {"email": address, "password": "a long enough one 42"}))["token"]
    usage = ok(anna.get("/api/account/usage", headers={"Authorization": "Bearer " + token}))
    assert str(usage["plan"]).lower() == "free"


def test_the_key_of_the_command_line_works_at_once(house):
    anna = house.account("Anna", api_key=True)
    program = Actor(house, {"X-Api-Key": anna.command_line_key})
    link = program.link("https://example.org/by-key")
    assert ok(anna.get(f"/api/links/{link['id']}"))["destinationUrl"] == "https://example.org/by-key"


def test_an_unknown_code_gets_a_page(visitor):
    assert "<html" in page(visitor.get("/neverseen"), 404).lower()


def test_health_tells_the_schema_version(nobody):
    health = ok(nobody.get("/health"))
    assert any("schema" in name.lower() for name in health), health
