"""A private copy of the product: settings, database, responder processes, nginx and the sender by hand."""

import base64
import email.policy
import itertools
import json
import os
import re
import secrets
import socket
import subprocess

import requests

from actors import Account, Actor, Visitor
from processes import Process, free_port, wait_until

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARIES = os.path.abspath(os.environ.get("FL_BIN") or os.path.join(REPOSITORY, ".build", "release"))
SCALAR = os.path.abspath(os.environ.get("FL_SCALAR") or os.path.join(REPOSITORY, ".build-assets", "scalar"))

_numbers = itertools.count(1)


class House:
    """Everything that a host of FastLinkIt runs, in one directory, on a port of its own."""

    def __init__(self, directory, server, processes=2, threads=4, settings=None, ignore_file_limit=False,
                 has_balancer=False):
        self.directory = str(directory)
        self.server = server
        self.processes = processes
        self.threads = threads
        self.ignore_file_limit = ignore_file_limit
        # Whether clients come by a load balancer on loopback, which tells their addresses.
        self.has_balancer = has_balancer
        self.state = os.path.join(self.directory, "state")
        self.config = os.path.join(self.state, "fastlinkit.env")
        self.socket = os.path.join(self.directory, "app.sock")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.extra_settings = settings or {}
        self.responder = self.nginx = self.database = None

    # ---- starting and stopping ----

    def start(self, serve=True):
        """Brings up the whole house; with `serve` false, all but the responders and nginx."""
        for program in ("fastlinkit", "fastlinkit-sender"):
            path = os.path.join(BINARIES, program)
            assert os.access(path, os.X_OK), f"{path} is not there: build the product, or set FL_BIN"
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        self.database = self.server.make_database()
        self._write_settings()
        self.run("migrate")
        if serve:
            self.start_responder()
            self.start_nginx()
            wait_until(self._is_healthy, seconds=60, every=0.1, what="a healthy answer of /health")
        return self

    def _write_settings(self):
        settings = {
            "FL_STATE": self.state,
            "FL_BASE_URL": self.url,
            "FL_SECRET": base64.b64encode(secrets.token_bytes(32)).decode(),
            "FL_SHARE": REPOSITORY,
            "FL_SCALAR": SCALAR,
            "FL_ACCEL": "/files-internal/",
            "FL_DB_SOCKET": self.server.socket,
            "FL_DB_USER": self.database.user,
            "FL_DB_PASSWORD": self.database.password,
            "FL_DB_NAME": self.database.name,
            "FL_DB_POOL": "8",
            # Nobody answers there: no test asks the DNS of the machine.
            "FL_DNS": "127.0.0.1:9",
            **self.extra_settings,
        }
        descriptor = os.open(self.config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.writelines(f"{name}={value}\n" for name, value in settings.items())
        self.settings = settings

    def start_responder(self):
        self.responder = Process(
            [os.path.join(BINARIES, "fastlinkit"), "serve", "--socket", self.socket,
             "--processes", self.processes, "--threads", self.threads],
            log=self.log_path("responder"), environment=self.environment(), directory=self.directory,
            ignore_file_limit=self.ignore_file_limit,
        )

        def listens():
            assert self.responder.runs, f"the responder did not start:\n{self.responder.tail()}"
            # Connecting, because the file of one that was killed is still there.
            with socket.socket(socket.AF_UNIX) as client:
                return client.connect_ex(self.socket) == 0

        wait_until(listens, seconds=60, what="the responder's socket")

    def start_nginx(self):
        """nginx with the repository's own templates, filled in as scripts/run fills them in."""
        script = """
            set -euo pipefail
            . "$1/scripts/lib.sh"
            use_state "$2"
            write_nginx
            fill_site fastlinkit "127.0.0.1:$3" "unix:$4" "$5" >"$STATE/nginx/fastlinkit.site"
        """
        subprocess.run(
            ["bash", "-c", script, "start_nginx", REPOSITORY, self.state, str(self.port), self.socket, SCALAR],
            check=True, timeout=60, env={**self.environment(), "FL_SHARE": REPOSITORY},
        )
        if self.has_balancer:
            self._name_balancer(os.path.join(self.state, "nginx", "fastlinkit.site"))
        self.nginx = Process(
            ["nginx", "-p", self.state, "-e", self.log_path("nginx-error"),
             "-c", os.path.join(self.state, "nginx", "nginx.conf")],
            log=self.log_path("nginx"),
        )

    @staticmethod
    def _name_balancer(path):
        """Takes the lines in that the site has as a comment for hosts behind a load balancer."""
        with open(path, encoding="utf-8") as file:
            site = file.read()
        for name, value in (("set_real_ip_from", "127.0.0.0/8"), ("real_ip_header", "X-Forwarded-For"),
                            ("real_ip_recursive", "on")):
            site, count = re.subn(rf"(?m)^  #   {name} .*;$", f"  {name} {value};", site)
            assert count == 1, f"the site has no line for {name}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(site)

    def stop(self):
        """Stops what runs, by pid, nginx first; then drops the database."""
        for process in (self.nginx, self.responder):
            if process:
                process.stop()
        if self.database:
            self.server.start()
            self.database.drop()
            self.database = None

    def _is_healthy(self):
        assert self.nginx.runs, f"nginx did not start:\n{self.nginx.tail()}{self.log('nginx-error')}"
        assert self.responder.runs, f"the responder ended:\n{self.responder.tail()}"
        try:
            return Actor(self).get("/health").status_code == 200
        except requests.ConnectionError:
            return False

    # ---- its programs ----

    def environment(self):
        """What every program of the house is started with: no setting but the file with all of them."""
        return {"PATH": os.environ["PATH"], "HOME": self.directory, "LANG": "C.UTF-8", "FL_CONFIG": self.config}

    def run(self, *arguments, input=None, check=True, program="fastlinkit"):
        """Runs a command of the product and answers what it printed."""
        done = subprocess.run(
            [os.path.join(BINARIES, program), *arguments], input=input, text=True, capture_output=True,
            env=self.environment(), cwd=self.directory, timeout=180,
        )
        if check:
            assert done.returncode == 0, f"{program} {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}"
        return done.stdout

    def run_sender(self, max_seconds=30):
        """A run of the sender, which ends by itself when nothing is due any more."""
        return self.run("--max-seconds", str(max_seconds), program="fastlinkit-sender")

    def start_sender(self, max_seconds=60):
        """A run of the sender beside the test, which may end it in whatever way."""
        return Process(
            [os.path.join(BINARIES, "fastlinkit-sender"), "--max-seconds", max_seconds],
            log=self.log_path("sender"), environment=self.environment(), directory=self.directory)

    def change_settings(self, **settings):
        """Writes settings anew; what is started from now on has them."""
        self.extra_settings.update(settings)
        keep = {name: self.settings[name] for name in ("FL_SECRET",)}
        self.extra_settings = {**keep, **self.extra_settings}
        self._write_settings()

    def set_plan(self, account, plan):
        self.run("plan", "set", account.email, plan)

    def log_path(self, name):
        return os.path.join(self.directory, name + ".log")

    def log(self, name="responder"):
        try:
            with open(self.log_path(name), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def mails(self):
        """What the sender wrote into the mail directory, oldest first, as parsed messages."""
        directory = os.path.join(self.state, "mail")
        if not os.path.isdir(directory):
            return []
        paths = [os.path.join(directory, name) for name in os.listdir(directory) if not name.startswith(".")]
        messages = []
        for path in sorted(paths, key=lambda path: (os.stat(path).st_mtime_ns, path)):
            with open(path, "rb") as file:
                messages.append(email.message_from_binary_file(file, policy=email.policy.default))
        return messages

    # ---- those who use it ----

    def nobody(self):
        """Somebody without any credential, at an address of their own."""
        return Actor(self)

    def visitor(self, **headers):
        """A person with a browser who follows short links."""
        return Visitor(self, headers)

    def new_email(self, name="somebody"):
        return f"{name.lower()}.{next(_numbers)}.{secrets.token_hex(3)}@example.org"

    def account(self, name="Anna", plan="unlimited", api_key=False):
        """An account on the plan, logged in with a JWT."""
        address, password = self.new_email(name), secrets.token_urlsafe(18)
        command = ["user", "create", address, "--name", name, "--plan", plan, "--password-stdin", "--json"]
        printed = json.loads(self.run(*command, *(["--api-key", "end to end"] if api_key else []),
                                      input=password + "\n"))
        assert printed["email"] == address and printed["baseUrl"] == self.url
        account = Account(self, address, password, name)
        account.command_line_key = printed.get("apiKey")
        account.login()
        return account
