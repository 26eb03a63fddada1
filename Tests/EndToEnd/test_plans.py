"""Plans: what an account may have in a month, whoever asks and however often at once."""

import pytest

from actors import at_once, created, ok, problem, refuses, statuses

LINK = {"destinationUrl": "https://example.org/"}


@pytest.fixture
def free(house):
    return house.account("Free", plan="free")


def usage(account):
    return ok(account.get("/api/account/usage"))["links"]


def test_the_sixth_link_of_a_month_is_refused(house, free):
    for number in range(5):
        assert usage(free)["used"] == number
        free.link()
    body = problem(free.post("/api/links", LINK), 403, "plan_limit")
    assert (body["limit"], body["used"]) == (5, 5)
    assert (body["plan"].lower(), body["upgradeTo"].lower()) == ("free", "starter")
    assert ok(free.get("/api/links"))["total"] == 5
    problem(free.keyholder(["links"]).post("/api/links", LINK), 403, "plan_limit")


def test_deleting_does_not_give_the_month_back(free):
    links = [free.link() for _ in range(5)]
    free.delete(f"/api/links/{links[0]['id']}")
    problem(free.post("/api/links", LINK), 403, "plan_limit")


def test_fifty_at_once_at_the_last_unit_make_one_link(free):
    for _ in range(4):
        free.link()
    answers = at_once(50, lambda _: free.post("/api/links", LINK, fresh=True))
    assert statuses(answers) == {201: 1, 403: 49}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 403} == {"plan_limit"}
    assert ok(free.get("/api/links"))["total"] == 5
    assert usage(free)["used"] == 5


def test_a_create_that_fails_gives_the_unit_back(free, stranger):
    taken = stranger.link()["shortCode"]
    for _ in range(3):
        free.link()
    for _ in range(4):
        problem(free.post("/api/links", {**LINK, "shortCode": taken}), 409, "conflict")
        refuses(free.post("/api/links", {**LINK, "shortCode": "api"}), "shortCode")
        refuses(free.post("/api/links", {"destinationUrl": "nonsense"}), "destinationUrl")
    at_once(10, lambda _: free.post("/api/links", {**LINK, "shortCode": taken}))
    assert usage(free)["used"] == 3
    free.link()
    free.link()
    problem(free.post("/api/links", LINK), 403, "plan_limit")


def test_a_bulk_stops_at_the_limit(free):
    answer = free.post("/api/links/bulk", {"links": [LINK] * 8})
    assert answer.ok or answer.status_code == 403, answer.text
    total = ok(free.get("/api/links"))["total"]
    assert total == (5 if answer.ok else 0)
    assert usage(free)["used"] == total
    if answer.ok:
        refused = [row for row in answer.json()["results"] if row["status"] == 403]
        assert len(refused) == 3 and {row["error"]["code"] for row in refused} == {"plan_limit"}


def test_a_replayed_create_takes_one_unit(free):
    for _ in range(3):
        created(free.post("/api/links", LINK, headers={"Idempotency-Key": "one"}))
    assert usage(free)["used"] == 1


def test_a_higher_plan_lifts_the_limit_and_a_lower_one_holds_again(house, free):
    for _ in range(5):
        free.link()
    problem(free.post("/api/links", LINK), 403, "plan_limit")
    house.set_plan(free, "starter")
    for _ in range(5):
        free.link()
    body = problem(free.post("/api/links", LINK), 403, "plan_limit")
    assert (body["limit"], body["used"], body["plan"].lower()) == (10, 10, "starter")
    house.set_plan(free, "unlimited")
    free.link()
    assert usage(free)["limit"] is None
    house.set_plan(free, "free")
    body = problem(free.post("/api/links", LINK), 403, "plan_limit")
    assert (body["limit"], body["used"]) == (5, 11)


def test_one_accounts_links_are_not_anothers(house, free):
    other = house.account("Other", plan="free")
    for _ in range(5):
        free.link()
    other.link()
    assert usage(other)["used"] == 1


def test_the_plans_are_listed(nobody, free):
    plans = {plan["name"].lower(): plan for plan in ok(free.get("/api/plans"))["items"]}
    assert list(plans) == ["free", "starter", "basic", "professional", "unlimited"]
    assert [plans[name]["linksPerMonth"] for name in ("free", "starter", "unlimited")] == [5, 10, None]


def test_the_usage_is_told(free):
    free.link()
    body = ok(free.get("/api/account/usage"))
    assert body["plan"].lower() == "free"
    assert (body["links"]["used"], body["links"]["limit"]) == (1, 5)


def test_a_plan_that_is_none_is_refused(house, free):
    with pytest.raises(AssertionError):
        house.run("plan", "set", free.email, "platinum")
    with pytest.raises(AssertionError):
        house.run("plan", "set", "nobody-at-all@example.org", "starter")
    assert ok(free.get("/api/account/usage"))["plan"].lower() == "free"
