"""Schemathesis makes up requests from the document, good ones and bad ones, and judges the answers."""

import json
import os
import subprocess
import sys

import pytest

from actors import ok
from conftest import houses
from test_dkim import Zone
from test_geoip import write

# What a run may never reach: it would end the account that it works with.
LEFT_OUT = ["POST /api/auth/logout", "POST /api/auth/password"]

# Checks whose premise does not hold here; test_routes.py holds every operation to what they are about.
# ignored_auth: the run's own key goes along with the made-up credential, and opens the door.
# unsupported_method: nginx itself answers TRACE with 405, without Allow.
# positive_data_acceptance: a document can't say that an idempotency key goes with one body, that `from` is before
# `to`, that a token was mailed, or that an ETag is the present one.
NOT_CHECKED = ["ignored_auth", "unsupported_method", "positive_data_acceptance"]


@pytest.fixture(scope="module")
def verdict(new_house_for_schemathesis, tmp_path_factory):
    """One run over the whole document with a key of full access on the unlimited plan."""
    house = new_house_for_schemathesis
    anna = house.account("Anna")
    for number in range(3):
        anna.link(f"https://example.org/{number}", tags=["seed"])
    key = anna.new_key()["key"]
    directory = tmp_path_factory.mktemp("schemathesis")
    # One worker: Python 3.11 fails now and then where two threads parse Python at once, as Hypothesis does ("AST constructor
    # recursion depth mismatch", github.com/python/cpython/issues/106905).
    report = directory / "report.json"
    command = [
        os.path.join(os.path.dirname(sys.executable), "schemathesis"), "run", house.url + "/openapi/v1.json",
        "--header", f"X-Api-Key: {key}", "--checks", "all", "--exclude-checks", ",".join(NOT_CHECKED), "--max-examples", "12",
        "--generation-deterministic", "--continue-on-failure", "--no-color",
        "--request-timeout", "60", "--request-retries", "2", "--workers", "1",
        "--suppress-health-check", "all", "--warnings", "off", "--include-path-regex", "^/(api|health|openapi)",
        "--report", "json", "--report-json-path", str(report),
    ]
    for name in LEFT_OUT:
        command += ["--exclude-name", name]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=2400)
    assert report.exists(), f"schemathesis did not run:\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    result = json.loads(report.read_text())
    result["output"] = done.stdout[-20000:]
    result["house"] = house
    return result


@pytest.fixture(scope="module")
def new_house_for_schemathesis(workshop, database_server, request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("geoip")
    write(directory / "country.mmdb", "Test-Country", {"0.0.0.0/1": {"country": {"iso_code": "DE"}}})
    with Zone() as zone, houses(workshop, database_server, request.config) as make:
        # With a database, so that addresses are looked up and not just refused; and with a DNS server that answers at
        # once, as the machine's may not.
        yield make(settings={"FL_GEOIP_DIR": directory, "FL_DNS": f"127.0.0.1:{zone.port}"})


def test_it_went_over_every_operation(verdict, document):
    assert verdict["stop_reason"] == "completed" and verdict["complete"], verdict["output"]
    assert not verdict["errors"], f"{verdict['errors']}\n{verdict['output']}"
    operations = verdict["operations"]
    assert operations["tested"] == operations["selected"] >= 28, operations
    assert verdict["test_cases"]["generated"] > 500


def test_no_input_makes_a_500(verdict):
    errors = [failure for failure in verdict["failures"] if failure["type"] == "ServerError"]
    assert not errors, f"{errors}\n{verdict['output']}"
    assert ok(verdict["house"].nobody().get("/health"))
    assert verdict["house"].responder.runs


def test_every_check_passes(verdict):
    assert not verdict["failures"], verdict["output"]
    assert verdict["exit_code"] == 0, verdict["output"]
