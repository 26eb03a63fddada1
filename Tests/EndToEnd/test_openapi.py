"""The OpenAPI document: valid, complete, and true enough that a client made from it works."""

import glob
import importlib
import inspect
import json
import os
import re
import subprocess
import sys
import typing

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

METHODS = ("get", "put", "post", "delete", "patch")


@pytest.fixture(scope="module")
def operations(document):
    return [(f"{method.upper()} {path}", path, operation) for path, item in document["paths"].items()
            for method, operation in item.items() if method in METHODS]


def test_it_is_a_valid_openapi_3_1_document(document):
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    errors = [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
              for error in OpenAPIV31SpecValidator(document).iter_errors()]
    assert not errors, "\n".join(errors)


def test_the_command_line_prints_the_same_document(house, document):
    assert json.loads(house.run("openapi")) == document


def test_it_names_every_route_of_the_contract(document):
    contract = {
        "/api/auth/register": "post", "/api/auth/login": "post", "/api/auth/refresh": "post",
        "/api/auth/logout": "post", "/api/auth/me": "get patch", "/api/auth/password": "post",
        "/api/auth/password/forgot": "post", "/api/auth/password/reset": "post",
        "/api/auth/session": "post delete", "/api/api-keys": "get post",
        "/api/api-keys/{id}": "get patch delete", "/api/plans": "get", "/api/account/usage": "get",
        "/api/links": "get post", "/api/links/{id}": "get patch delete", "/api/links/bulk": "post",
        "/api/links/availability": "get", "/api/links/stats": "get", "/api/links/{id}/stats": "get",
        "/api/links/{id}/clicks": "get", "/api/links/{id}/tags": "get put post",
        "/api/links/{id}/tags/{name}": "delete",
        "/api/qrcodes": "get post", "/api/qrcodes/{id}": "get patch delete", "/api/qrcodes/{id}/image": "get",
        "/api/qrcodes/{id}/stats": "get",
        "/api/files": "get post", "/api/files/{id}": "get patch delete", "/api/files/{id}/content": "get",
        "/api/tags": "get post", "/api/tags/{id}": "patch delete",
        **{base + path: methods for base in ("/api/webhooks", "/api/payment/webhooks") for path, methods in {
            "": "get post", "/{id}": "get patch delete", "/{id}/rotate-secret": "post", "/{id}/test": "post",
            "/{id}/deliveries": "get", "/{id}/deliveries/{deliveryId}": "get",
            "/{id}/deliveries/{deliveryId}/redeliver": "post"}.items()},
        "/api/geoip/{ip}": "get", "/api/geoip/{ip}/simple": "get", "/api/geoip/me": "get",
        "/api/geoip/me/simple": "get", "/api/geoip/batch": "post", "/api/geoip/databases": "get",
    }
    for path, methods in contract.items():
        assert path in document["paths"], path
        assert set(methods.split()) <= document["paths"][path].keys(), path


def test_every_operation_is_described(document, operations):
    schemes = document["components"]["securitySchemes"]
    kinds = {(scheme["type"], scheme.get("in") or scheme.get("scheme")) for scheme in schemes.values()}
    assert kinds == {("http", "bearer"), ("apiKey", "header"), ("apiKey", "cookie")}
    tags = {tag["name"] for tag in document["tags"]}
    names, wrong = set(), []
    for name, path, operation in operations:
        def expect(condition, what):
            if not condition:
                wrong.append(f"{name}: {what}")

        expect(operation.get("summary"), "no summary")
        expect(operation.get("tags") and set(operation["tags"]) <= tags, "no tag, or one that is not explained")
        expect(re.fullmatch(r"[a-z][A-Za-z0-9]*", operation.get("operationId", "")), "no operationId")
        expect(operation.get("operationId") not in names, "an operationId used twice")
        names.add(operation.get("operationId"))
        responses = operation["responses"]
        good = [status for status in responses if status.startswith(("2", "3"))]
        expect(good, "no good answer")
        if not path.startswith("/api/"):
            continue
        expect("security" in operation or "security" in document, "no security")
        security = operation.get("security", document.get("security"))
        expected = {"429"}
        if security:
            expected |= {"401"}
        if "{id}" in path:
            expected |= {"404"}
        if "requestBody" in operation:
            expected |= {"400", "413", "415", "422"}
        expect("default" in responses or expected <= responses.keys(), f"no {expected - responses.keys()} described")
        for status, response in responses.items():
            response = resolve(document, response)
            if status[0] in "45":
                expect("application/problem+json" in response.get("content", {}), f"{status} is no problem+json")
            expect(response.get("description"), f"{status} is not explained")
        for parameter in operation.get("parameters", []):
            parameter = resolve(document, parameter)
            expect(parameter.get("description"), f"the parameter {parameter['name']} is not explained")
    assert not wrong, "\n".join(wrong)


def resolve(document, value):
    while "$ref" in value:
        target = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        value = target
    return value


def test_answers_are_as_their_schemas_say(document, anna):
    """Checked strictly: a member that the schema does not know is an error here."""
    link = anna.link(title="x", tags=["a"], expiresAt="2038-01-01T00:00:00Z", maxClicks=3)
    code, file = anna.qrcode(title="x"), anna.file()
    for path, template in ((f"/api/links/{link['id']}", "/api/links/{id}"), ("/api/links", "/api/links"),
                           ("/api/api-keys", "/api/api-keys"), ("/api/auth/me", "/api/auth/me"),
                           ("/api/plans", "/api/plans"), ("/api/account/usage", "/api/account/usage"),
                           (f"/api/links/{link['id']}/stats", "/api/links/{id}/stats"),
                           (f"/api/qrcodes/{code['id']}", "/api/qrcodes/{id}"), ("/api/qrcodes", "/api/qrcodes"),
                           (f"/api/qrcodes/{code['id']}/stats", "/api/qrcodes/{id}/stats"),
                           (f"/api/files/{file['id']}", "/api/files/{id}"), ("/api/files", "/api/files"),
                           ("/api/tags", "/api/tags"), ("/api/geoip/databases", "/api/geoip/databases")):
        answer = anna.get(path)
        response = resolve(document, document["paths"][template]["get"]["responses"]["200"])
        schema = response["content"]["application/json"]["schema"]
        errors = list(OAS31Validator({**schema, "components": document["components"]}).iter_errors(answer.json()))
        assert not errors, f"{path}: {errors[0].message}"
        properties = resolve(document, schema)["properties"]
        assert answer.json().keys() <= properties.keys(), f"{path} answers more than its schema says"


def test_a_generated_client_makes_and_reads_a_link(house, document, keyholder, tmp_path):
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document))
    # To the generator an image is bytes.
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"content_type_overrides": {
        kind: "application/octet-stream" for kind in ("image/png", "image/svg+xml")}}))
    target = tmp_path / "fastlinkit_client"
    done = subprocess.run(
        [os.path.join(os.path.dirname(sys.executable), "openapi-python-client"), "generate", "--path", str(file),
         "--config", str(config), "--meta", "none", "--output-path", str(target), "--fail-on-warning"],
        capture_output=True, text=True, timeout=180,
        env={**os.environ, "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]})
    assert done.returncode == 0, done.stdout + done.stderr

    sys.path.insert(0, str(tmp_path))
    try:
        package = importlib.import_module("fastlinkit_client")
        client = package.AuthenticatedClient(base_url=house.url, token=keyholder(["links"]).headers["X-Api-Key"],
                                             prefix="", auth_header_name="X-Api-Key",
                                             raise_on_unexpected_status=True)

        def operation(path, method):
            name = document["paths"][path][method]["operationId"]
            snake = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
            [source] = glob.glob(str(target / "api" / "*" / (snake + ".py")))
            return importlib.import_module(
                f"fastlinkit_client.api.{os.path.basename(os.path.dirname(source))}.{snake}")

        create, read = operation("/api/links", "post"), operation("/api/links/{id}", "get")
        body_type = typing.get_type_hints(create.sync_detailed)["body"]
        body = body_type.from_dict({"destinationUrl": "https://example.org/generated", "title": "by a machine"})
        made = create.sync_detailed(client=client, body=body)
        assert made.status_code == 201 and made.parsed.destination_url == "https://example.org/generated"

        identifier = next(name for name in inspect.signature(read.sync).parameters if name.startswith("id"))
        seen = read.sync(**{identifier: made.parsed.id}, client=client)
        assert seen.title == "by a machine" and seen.short_code == made.parsed.short_code
        with open(inspect.getfile(type(seen))) as source:
            assert "created_at: datetime.datetime" in source.read(), "times are not typed in the document"
    finally:
        sys.path.remove(str(tmp_path))
        for name in [name for name in sys.modules if name.split(".")[0] == "fastlinkit_client"]:
            del sys.modules[name]
