"""What deploy/ holds, run as it stands: gunicorn by its config, nginx by its template, on free ports."""

import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import live
from tests.live import ROOT, Answer

TEMPLATE = ROOT / "deploy/nginx.conf.template"
HOST = "sync.college.example"
PRODUCTION = {
    "DJANGO_ALLOWED_HOSTS": HOST,
    "DJANGO_HTTPS": "true",
    "DJANGO_BEHIND_PROXY": "true",
    "BTEC_WORKERS": "1",
}
# What the packages' own nginx.conf does around the template: everything that is written goes to one folder.
AROUND = """\
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/btec.conf;
}}
"""


def nginx_program() -> str | None:
    """Where nginx is; Debian keeps it where only root's PATH leads."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def variables(text: str) -> dict[str, str]:
    """The variables that a file of NAME=value lines sets."""
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE))


def filled(template: str, values: dict[str, str]) -> str:
    """The template as envsubst leaves it: variables that are set, and no others."""
    return re.sub(r"\$\{(\w+)\}", lambda match: values.get(match[1], match[0]), template)


@dataclass
class Proxy:
    """An nginx that is running."""

    http_port: int
    https_port: int
    folder: Path

    def request(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: dict[str, str] | None = None,
        *,
        plain: bool = False,
        source: str = "127.0.0.1",
    ) -> Answer:
        """The answer over TLS, or with plain over http, to one who asks from this address."""
        with closing(self._connection(plain, (source, 0))) as connection:
            connection.request(method, path, body, {"Host": HOST, **(headers or {})})
            return live.read(connection.getresponse())

    def _connection(self, plain: bool, source: tuple[str, int]) -> http.client.HTTPConnection:
        told = {"timeout": 30, "source_address": source}
        if plain:
            return http.client.HTTPConnection("127.0.0.1", self.http_port, **told)
        return http.client.HTTPSConnection("127.0.0.1", self.https_port, context=trusting(), **told)

    def connect(self) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.https_port), timeout=30)
        return trusting().wrap_socket(plain)

    def exchange(self, request: bytes) -> Answer:
        """The answer to these bytes, whatever they are."""
        with self.connect() as connection:
            connection.sendall(request)
            return read_answer(connection)

    def log(self, with_line: str) -> str:
        """The access log, once this expression is found in it: nginx writes there after it has answered."""
        deadline = time.monotonic() + 15
        while not re.search(with_line, text := (self.folder / "access.log").read_text()):
            assert time.monotonic() < deadline, text
            time.sleep(0.02)
        return text

    def error_log(self) -> str:
        return (self.folder / "error.log").read_text()


def read_answer(connection: socket.socket) -> Answer:
    with closing(http.client.HTTPResponse(connection)) as response:
        response.begin()
        return live.read(response)


def trusting() -> ssl.SSLContext:
    """TLS as a client speaks it, with a certificate that nobody has signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def make_certificate(folder: Path) -> dict[str, str]:
    """A new certificate for HOST, as the template's variables name it."""
    certificate, key = folder / "fullchain.pem", folder / "privkey.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-days", "2", "-subj", f"/CN={HOST}", "-keyout", key, "-out", certificate),
        ],
        stderr=subprocess.PIPE,
        check=True,
    )
    return {"PROXY_CERTIFICATE": str(certificate), "PROXY_CERTIFICATE_KEY": str(key)}


@contextmanager
def nginx(folder: Path, upstream_port: int, *, replace: tuple[str, str] | None = None) -> Iterator[Proxy]:
    """An nginx with our template in front of this port, until the block ends.

    replace changes one piece of the template, which must be in it.
    """
    proxy = Proxy(free_port(), free_port(), folder)
    values = {
        **variables((ROOT / "deploy/nginx.env").read_text()),
        **make_certificate(folder),
        "PROXY_HOST": HOST,
        "PROXY_HTTP_PORT": f"127.0.0.1:{proxy.http_port}",
        "PROXY_HTTPS_PORT": f"127.0.0.1:{proxy.https_port}",
        "PROXY_UPSTREAM": f"127.0.0.1:{upstream_port}",
        "PROXY_ACME_ROOT": str(folder / "acme"),
        "PROXY_METRICS_FROM": "127.0.0.1",
        "PROXY_ACCESS_LOG": str(folder / "access.log"),
        "PROXY_ERROR_LOG": str(folder / "error.log"),
    }
    template = TEMPLATE.read_text()
    if replace:
        assert replace[0] in template
        template = template.replace(*replace)
    (folder / "btec.conf").write_text(filled(template, values))
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder, user=user))
    command = [nginx_program(), "-p", folder, "-e", folder / "error.log", "-c", folder / "nginx.conf"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: listens(proxy.https_port), process, folder / "error.log")
        yield proxy
    finally:
        process.terminate()
        process.wait(15)


@dataclass
class Service:
    """A gunicorn that is running; process is its master."""

    port: int
    process: subprocess.Popen


@contextmanager
def gunicorn(
    database_url: str, log_path: Path, *, root: Path, before: Sequence[str] = (), **environment: str
) -> Iterator[Service]:
    """A gunicorn by deploy/gunicorn.conf.py in this tree until the block ends.

    before stands before the command, as `nice` might.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener, log_path.open("w") as log:
        port = listener.getsockname()[1]
        bound = {"BTEC_BIND": f"fd://{listener.fileno()}"}
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "gunicorn", "config.wsgi", "--config", "deploy/gunicorn.conf.py"],
            cwd=root,
            env=live.environ(database_url, **PRODUCTION, **bound, **environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    try:
        wait_for(lambda: alive(port), process, log_path)
        yield Service(port, process)
    finally:
        process.terminate()
        process.wait(30)


def alive(port: int) -> bool:
    """True once the service itself answers on this port, over plain http as the health check asks."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", "/healthz", headers={"Host": HOST})
        return connection.getresponse().status == 200


def wait_for(condition, process: subprocess.Popen, log: Path, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while True:
        assert process.poll() is None, log.read_text()
        try:
            if condition():
                return
        except OSError:
            assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# --- The Dockerfile ----------------------------------------------------------------------------------


def instructions(text: str) -> list[tuple[str, str]]:
    """A Dockerfile's instructions, each with its arguments on one line."""
    lines = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    found = (re.match(r"([A-Z]+)\s+(.*)", line) for line in lines.splitlines())
    return [(match[1], " ".join(match[2].split())) for match in found if match]


def final_stage() -> list[tuple[str, str]]:
    """The instructions of the image that is run."""
    all_of_them = instructions((ROOT / "Dockerfile").read_text())
    last = max(n for n, (name, _) in enumerate(all_of_them) if name == "FROM")
    return all_of_them[last:]


def copied() -> Iterator[tuple[list[str], str]]:
    """What the final image is copied from the tree: sources and target."""
    for name, arguments in final_stage():
        if name == "COPY":
            *sources, target = arguments.split()
            yield sources, target


def build(folder: Path) -> None:
    """Makes the tree of the image in the folder: its COPYs, and its RUN that collects the static files."""
    ignored = shutil.ignore_patterns("__pycache__", "*.sqlite3*", ".env")
    for sources, target in copied():
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, folder / target, ignore=ignored, dirs_exist_ok=True)
            else:
                (folder / target).mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, folder / target)
    (command,) = [text for name, text in final_stage() if name == "RUN" and "collectstatic" in text]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    kept = {"PATH": path, "BTEC_ENV_FILE": os.devnull}
    subprocess.run(command, shell=True, cwd=folder, env=kept, stdout=subprocess.PIPE, check=True)
