"""The same program as plain CGI, started anew for each request, as a shared host does it."""

import json
import os
import subprocess
import urllib.parse

import pytest
import requests

from actors import CHROME
from house import BINARIES
from processes import Process, wait_until


class Answer:
    """What a CGI program printed, taken apart."""

    def __init__(self, output):
        head, found, self.body = output.partition(b"\r\n\r\n")
        if not found:
            head, found, self.body = output.partition(b"\n\n")
        assert found, f"no end of the header in {output[:300]!r}"
        self.headers = {}
        for line in head.decode("latin-1").splitlines():
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        self.status = int(self.headers.get("status", "200").split()[0])

    def json(self):
        return json.loads(self.body)


def ask(house, method, target, body=b"", headers=None, standard_input=None, **variables):
    """Starts the program once, with the variables of RFC 3875."""
    path, _, query = target.partition("?")
    environment = {
        **house.environment(), "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "test", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": str(house.port),
        "REQUEST_METHOD": method, "REQUEST_URI": target, "SCRIPT_NAME": "", "PATH_INFO": urllib.parse.unquote(path),
        "QUERY_STRING": query, "REMOTE_ADDR": "127.9.9.9", "CONTENT_LENGTH": str(len(body)) if body else "",
    }
    for name, value in (headers or {}).items():
        name = name.upper().replace("-", "_")
        environment[name if name == "CONTENT_TYPE" else "HTTP_" + name] = value
    environment.update(variables)
    done = subprocess.run([os.path.join(BINARIES, "fastlinkit")], input=body, env=environment, cwd=house.directory,
                          capture_output=True, timeout=30)
    assert done.returncode == 0, f"exit {done.returncode}: {done.stderr.decode()}"
    return Answer(done.stdout)


def test_health(house):
    answer = ask(house, "GET", "/health")
    assert answer.status == 200 and answer.headers["content-type"].startswith("application/json")
    assert answer.json()


def test_a_link_is_made_and_read(house, keyholder):
    program = keyholder(["links"])
    body = json.dumps({"destinationUrl": "https://example.org/cgi", "title": "ü"}).encode()
    headers = {**program.headers, "Content-Type": "application/json"}
    answer = ask(house, "POST", "/api/links", body, headers)
    assert answer.status == 201, answer.body
    link = answer.json()
    assert link["title"] == "ü" and answer.headers["location"].endswith(link["id"])
    read = ask(house, "GET", f"/api/links/{link['id']}?", headers=program.headers)
    assert read.json() == link and read.headers["x-request-id"]
    # The responders know it, too.
    assert program.get(f"/api/links/{link['id']}").json() == link
    assert ask(house, "GET", "/api/links?limit=0", headers=program.headers).status == 422


def test_a_redirect_is_counted(house, anna):
    link = anna.link("https://example.org/cgi-click")
    for _ in range(3):
        answer = ask(house, "GET", "/" + link["shortCode"], headers={"User-Agent": CHROME})
        assert (answer.status, answer.headers["location"]) == (302, "https://example.org/cgi-click")
    stats = anna.sees_clicks(link, 3)
    assert (stats["totalClicks"], stats["uniqueClicks"]) == (3, 1)


def test_head_has_no_body(house, anna):
    assert ask(house, "HEAD", "/" + anna.link()["shortCode"]).body == b""
    assert ask(house, "HEAD", "/health").body == b""


def test_errors_are_problems(house):
    answer = ask(house, "GET", "/api/links")
    assert answer.status == 401 and answer.json()["code"] == "unauthenticated"
    assert ask(house, "GET", "/neverseen").status == 404


@pytest.mark.parametrize("announced, sent, status", [("1000", b"{}", 400), ("nonsense", b"{}", 400), ("-1", b"{}", 400),
                                                     ("99999999999999999999", b"{}", (400, 413))])
def test_a_length_that_is_not_true(house, keyholder, announced, sent, status):
    headers = {**keyholder(["links"]).headers, "Content-Type": "application/json"}
    answer = ask(house, "POST", "/api/links", sent, headers, CONTENT_LENGTH=announced)
    assert answer.status in (status if isinstance(status, tuple) else (status,)), answer.body


@pytest.fixture
def shared_host(new_house):
    """A host with nginx and fcgiwrap alone: no responder runs."""
    house = new_house(serve=False)
    socket = os.path.join(house.directory, "wrap.sock")
    configuration = os.path.join(house.directory, "cgi.conf")
    with open(configuration, "w") as file:
        file.write(NGINX.format(
            user="user root;" if os.geteuid() == 0 else "", directory=house.directory, port=house.port, socket=socket,
            program=os.path.join(BINARIES, "fastlinkit"), config=house.config))
    wrap = Process(["fcgiwrap", "-c", "4", "-s", "unix:" + socket], log=house.log_path("fcgiwrap"),
                   environment=house.environment())
    nginx = None
    try:
        wait_until(lambda: os.path.exists(socket), what="fcgiwrap's socket")
        nginx = Process(["nginx", "-p", house.directory, "-e", house.log_path("nginx-error"), "-c", configuration],
                        log=house.log_path("nginx"))

        def answers():
            try:
                return house.nobody().get("/health").status_code == 200
            except requests.ConnectionError:
                return False

        try:
            wait_until(answers, what="/health through fcgiwrap")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{house.log('fcgiwrap')}{house.log('nginx-error')}") from error
        yield house
    finally:
        for process in (nginx, wrap):
            if process:
                process.stop()


def test_a_shared_host_does_the_main_job(shared_host):
    house = shared_host
    anna = house.account("Anna")
    link = anna.keyholder(["links"]).link("https://example.org/shared", title="x" * 200)
    visitor = house.visitor()
    for _ in range(3):
        assert visitor.get("/" + link["shortCode"]).headers["Location"] == "https://example.org/shared"
    house.run_sender()  # as cron does: it adopts what finished programs left
    assert anna.sees_clicks(link, 3)["totalClicks"] == 3
    assert visitor.get("/neverseen").status_code == 404
    assert anna.delete(f"/api/links/{link['id']}").status_code == 204
    assert visitor.get("/" + link["shortCode"]).status_code == 404


NGINX = """
{user}
daemon off;
pid {directory}/cgi-nginx.pid;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {directory}/cgi-body;
  fastcgi_temp_path {directory}/cgi-fastcgi;
  proxy_temp_path {directory}/cgi-proxy;
  scgi_temp_path {directory}/cgi-scgi;
  uwsgi_temp_path {directory}/cgi-uwsgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      fastcgi_pass unix:{socket};
      fastcgi_param GATEWAY_INTERFACE CGI/1.1;
      fastcgi_param SERVER_PROTOCOL $server_protocol;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param REQUEST_URI $request_uri;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param REMOTE_ADDR $remote_addr;
      fastcgi_param SCRIPT_FILENAME {program};
      fastcgi_param FL_CONFIG {config};
    }}
  }}
}}
"""
