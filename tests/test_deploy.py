"""nginx and gunicorn as production runs them, by the files of deploy/, with a real client before them."""

import json
import os
import re
import socket
import threading
import time

import pytest

from tests import deployment, live
from tests.conftest import payload
from tests.deployment import HOST
from tests.metrics import TOKEN

pytestmark = pytest.mark.once

MiB = 1024 * 1024


@pytest.fixture(scope="module")
def nginx_is_here():
    if not deployment.nginx_program():
        if os.environ.get("BTEC_REQUIRE_NGINX"):
            pytest.fail("nginx is not on this machine, and BTEC_REQUIRE_NGINX is set.")
        pytest.skip("nginx is not on this machine (Debian, Ubuntu: apt-get install nginx-light).")


@pytest.fixture(scope="module")
def database(nginx_is_here):
    with live.database() as url:
        live.manage(url, "create_tenant", "north")
        yield url


@pytest.fixture(scope="module")
def key(database):
    return live.manage(database, "create_api_key", "north").strip()


@pytest.fixture(scope="module")
def image(nginx_is_here, tmp_path_factory):
    """The tree of the image, made as the Dockerfile makes it, where only its owner may write."""
    folder = tmp_path_factory.mktemp("image") / "srv"
    folder.mkdir()
    deployment.build(folder)
    return folder


@pytest.fixture(scope="module")
def proxy(database, image, tmp_path_factory):
    """nginx before a service that has one thread."""
    folder = tmp_path_factory.mktemp("proxy")
    with (
        deployment.gunicorn(
            database,
            folder / "gunicorn.log",
            root=image,
            BTEC_THREADS="1",
            BTEC_METRICS_TOKEN=TOKEN,
        ) as service,
        deployment.nginx(folder, service.port) as running,
    ):
        yield running


def post(proxy, key, module="students", *records, **headers):
    body = json.dumps({"data": records or [payload("student")]})
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}", **headers}
    return proxy.request("POST", f"/v1/sync/{module}", body, headers)


def is_problem(answer, status, code):
    """Whether it is problem+json with this status and code, in its head and in its body."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.body
    problem = answer.json()
    assert {"type", "title", "status", "code", "detail"} <= set(problem)
    return (answer.status, problem["status"], problem["code"]) == (status, status, code)


def test_a_batch_goes_through(proxy, database, key):
    answer = post(proxy, key, "students", {"id": "through_1", "Name": "Ahmed Mohamed"})

    assert answer.status == 200
    assert answer.json()["summary"]["NEW"] == 1
    stored = live.query(database, "SELECT name FROM reference_student WHERE zoho_id = 'through_1'")
    assert stored == [("Ahmed Mohamed",)]


def test_a_request_without_a_key_is_refused_by_the_service(proxy):
    answer = proxy.request("POST", "/v1/sync/students", "{}", {"Content-Type": "application/json"})

    assert is_problem(answer, 401, "unauthenticated")
    assert "WWW-Authenticate" in answer.headers


def test_a_body_a_little_too_large_is_refused_by_the_service_which_says_the_limit(proxy, key):
    body = b" " * (5 * MiB + 1)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}

    answer = proxy.request("POST", "/v1/sync/students", body, headers)

    assert is_problem(answer, 413, "too_large")
    assert "5,242,880 bytes" in answer.json()["detail"]


def test_a_body_far_too_large_is_refused_by_nginx_in_the_same_form(proxy):
    answer = proxy.request("POST", "/v1/sync/students", b" " * (64 * MiB))

    assert is_problem(answer, 413, "too_large")
    assert answer.headers["X-Request-ID"]


def test_a_full_batch_of_the_largest_body_goes_through(proxy, key):
    padding = b" " * (5 * MiB - 100)
    body = b'{"data": [{"id": "large_1", "Name": "A"}]}' + padding

    answer = proxy.request(
        "POST",
        "/v1/sync/students",
        body,
        {"Content-Type": "application/json", "Authorization": f"Bearer {key}"},
    )

    assert answer.json()["summary"]["NEW"] == 1


def test_a_chunked_body_reaches_the_service_whole(proxy, key):
    body = json.dumps({"data": [{"id": "chunked_1", "Name": "A"}]}).encode()
    head = f"POST /v1/sync/students HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {key}\r\n"
    head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"

    answer = proxy.exchange(head.encode() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))

    assert answer.json()["summary"]["NEW"] == 1


@pytest.mark.parametrize("module", ["/v1/sync/students", "/v1/schema"])
def test_a_service_that_is_away_is_answered_for(nginx_is_here, tmp_path, module):
    # Bound and not listening: nobody else gets the port, and who connects is refused.
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with deployment.nginx(tmp_path, nobody.getsockname()[1]) as proxy:
            answer = proxy.request("POST", module, '{"data": []}')

    assert is_problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "30"


def test_a_service_that_does_not_answer_in_time_is_answered_for(nginx_is_here, tmp_path):
    shorter = ("proxy_read_timeout 120s", "proxy_read_timeout 1s")
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        deployment.nginx(tmp_path, silent.getsockname()[1], replace=shorter) as proxy,
    ):
        answer = proxy.request("POST", "/v1/sync/students", '{"data": []}')

    assert is_problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "30"


def test_a_slow_sender_holds_no_thread_of_the_service(proxy, key):
    body = json.dumps({"data": [{"id": "slow_1", "Name": "A"}]}).encode()
    head = f"POST /v1/sync/students HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {key}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"

    with proxy.connect() as slow:
        slow.sendall(head.encode() + body[:10])
        began = time.monotonic()
        others = [post(proxy, key).status for _ in range(3)]
        took = time.monotonic() - began
        slow.sendall(body[10:])
        answer = deployment.read_answer(slow)

    assert others == [200, 200, 200]
    assert took < 10
    assert answer.json()["summary"]["NEW"] == 1


def test_without_nginx_the_same_slow_sender_would_hold_it(proxy, database, image, key, tmp_path):
    """That the test above can fail: the service itself reads a body as it comes."""
    with deployment.gunicorn(database, tmp_path / "log", root=image, BTEC_THREADS="1") as service:
        with socket.create_connection(("127.0.0.1", service.port)) as slow:
            head = f"POST /v1/sync/students HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {key}\r\n"
            head += (
                "X-Forwarded-Proto: https\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
            )
            slow.sendall(head.encode())
            time.sleep(0.5)
            waiting = threading.Event()
            other = threading.Thread(target=lambda: (deployment.alive(service.port), waiting.set()))
            other.start()
            held = not waiting.wait(1.5)
        other.join(30)

    assert held


def test_plain_http_is_sent_to_https_and_never_to_the_service(proxy, database):
    before = live.query(database, "SELECT count(*) FROM btec_sync_delivery")

    answer = proxy.request("POST", "/v1/sync/students?a=b", "{}", plain=True)

    assert (answer.status, answer.headers["Location"]) == (301, f"https://{HOST}/v1/sync/students?a=b")
    assert live.query(database, "SELECT count(*) FROM btec_sync_delivery") == before


def test_a_redirect_leads_to_our_own_name_whatever_host_was_asked_for(proxy):
    answer = proxy.request("GET", "/admin/", headers={"Host": "elsewhere.example"}, plain=True)

    assert answer.headers["Location"] == f"https://{HOST}/admin/"


@pytest.mark.parametrize(
    "spoof",
    [
        {"X-Forwarded-Proto": "http"},
        {"X_Forwarded_Proto": "http"},
        {"X-Forwarded-Ssl": "off", "X-Forwarded-Protocol": "plain"},
        {"Forwarded": "proto=http", "X-Forwarded-Host": "elsewhere.example"},
    ],
    ids=str,
)
def test_what_a_client_says_of_its_protocol_is_not_passed_on(proxy, spoof):
    answer = proxy.request("GET", "/admin/login/", headers=spoof)

    # The service redirects what it takes for plain http, and gunicorn refuses what contradicts itself.
    assert answer.status == 200


def test_the_service_itself_would_believe_that_header(proxy, database, image, tmp_path):
    """That the test above can fail."""
    with deployment.gunicorn(database, tmp_path / "log", root=image) as service:
        server = live.Server(service.port, database, None, tmp_path / "log")
        statuses = [
            server.request("GET", "/admin/login/", headers={"Host": HOST, **headers}).status
            for headers in ({"X-Forwarded-Proto": "https"}, {"X-Forwarded-Proto": "http"})
        ]

    assert statuses == [200, 301]


def test_security_headers_come_through(proxy):
    headers = proxy.request("GET", "/admin/login/").headers

    assert headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "Secure" in headers["Set-Cookie"]
    assert headers["Server"] == "nginx"  # and not which one


def test_static_files_are_served_and_may_be_kept(proxy):
    page = proxy.request("GET", "/admin/login/").body.decode()
    (path,) = re.findall(r'href="(/static/admin/css/base\.[0-9a-f]{12}\.css)"', page)

    answer = proxy.request("GET", path)

    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/css")
    assert "immutable" in answer.headers["Cache-Control"]


@pytest.mark.parametrize(
    "path", ["/metrics", "/metrics/", "/%6detrics", "//metrics", "/v1/../metrics", "/./metrics"]
)
def test_metrics_cannot_be_reached_from_another_address_even_with_the_token(proxy, path):
    answer = proxy.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"}, source="127.0.0.2")

    assert answer.status in (403, 404)
    assert b"<center>nginx</center>" in answer.body  # so nginx, and not the service, has answered


def test_the_monitoring_reads_metrics_through_nginx_and_needs_the_token(proxy):
    with_token = proxy.request("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    without = proxy.request("GET", "/metrics", headers={"Authorization": "Bearer any"})
    plain = proxy.request("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, plain=True)

    assert with_token.status == 200
    assert "\nbtec_database_up 1.0\n" in with_token.body.decode()
    assert without.status == 401
    assert plain.status == 301


def test_a_request_has_one_id_the_senders_own_where_it_is_plain(proxy):
    given = proxy.request("GET", "/healthz", headers={"X-Request-ID": "zoho-42"}).headers
    made = proxy.request("GET", "/healthz", headers={"X-Request-ID": "a b\tc"}).headers

    assert given.get_all("X-Request-ID") == ["zoho-42"]
    assert re.fullmatch("[0-9a-f]{32}", made["X-Request-ID"])
    assert proxy.log(with_line="GET /healthz 200 .* zoho-42\n")


def test_what_staff_search_for_is_in_no_log(proxy):
    proxy.request("GET", "/admin/login/?q=Ahmed")

    assert "Ahmed" not in proxy.log(with_line="GET /admin/login/ 200") + proxy.error_log()


def test_what_staff_search_for_is_in_no_log_where_the_service_does_not_answer_either(nginx_is_here, tmp_path):
    search, page = "/admin/login/?q=Ahmed", {"Referer": f"https://{HOST}/admin/?q=Ahmed"}
    away, silent = tmp_path / "away", tmp_path / "silent"
    away.mkdir()
    silent.mkdir()
    shorter = ("proxy_read_timeout 120s", "proxy_read_timeout 1s")

    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with deployment.nginx(away, nobody.getsockname()[1]) as proxy:
            refused = proxy.request("GET", search, headers=page)
            large = proxy.request("POST", search, b" " * (64 * MiB), headers=page)
            proxy.request("GET", "/metrics?q=Ahmed", headers=page, source="127.0.0.2")
            logs = proxy.log(with_line="GET /admin/login/ 502 .* 502 ") + proxy.log(
                with_line="GET /metrics 403 "
            )
            logs += proxy.error_log()
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        deployment.nginx(silent, listener.getsockname()[1], replace=shorter) as proxy,
    ):
        late = proxy.request("GET", search, headers=page)
        logs += proxy.log(with_line="GET /admin/login/ 504 .* 504 ") + proxy.error_log()

    assert (refused.status, large.status, late.status) == (502, 413, 504)
    assert "Ahmed" not in logs


REST = f"Host: {HOST}\r\nContent-Type: application/json\r\n"
POST = f"POST /v1/sync/students HTTP/1.1\r\n{REST}"
SMUGGLED = "0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
BROKEN = {
    "length and chunks": f"{POST}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n{SMUGGLED}",
    "chunks and length": f"{POST}Transfer-Encoding: chunked\r\n"
    f"Content-Length: {len(SMUGGLED)}\r\n\r\n{SMUGGLED}",
    "two lengths": f"{POST}Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
    "a length that is none": f"{POST}Content-Length: +5\r\n\r\nhello",
    "a blank before the colon": f"{POST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "chunks twice": f"{POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "an unknown coding": f"{POST}Transfer-Encoding: gzip\r\n\r\n",
    "a chunk that is none": f"{POST}Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "no host": "POST /v1/sync/students HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "two hosts": f"{POST}Host: elsewhere.example\r\nContent-Length: 0\r\n\r\n",
    "no HTTP": "hello\r\n\r\n",
    "an address too long": f"GET /v1/{'a' * 9_000} HTTP/1.1\r\n{REST}\r\n",
    "a header too long": f"GET /v1/schema HTTP/1.1\r\n{REST}A: {'a' * 9_000}\r\n\r\n",
    "trace": f"TRACE /v1/schema HTTP/1.1\r\n{REST}\r\n",
    "plain http": None,
}


@pytest.mark.parametrize("case", BROKEN)
def test_http_that_cannot_be_read_is_refused_as_a_problem_and_goes_no_further(proxy, database, case):
    before = live.query(database, "SELECT count(*) FROM btec_sync_delivery")

    if case == "plain http":
        with socket.create_connection(("127.0.0.1", proxy.https_port), timeout=30) as connection:
            connection.sendall(b"GET /v1/schema HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = deployment.read_answer(connection)
    else:
        answer = proxy.exchange(BROKEN[case].encode())

    assert answer.status in (400, 405, 414, 501)
    assert is_problem(answer, answer.status, "bad_request" if answer.status == 400 else "refused")
    assert live.query(database, "SELECT count(*) FROM btec_sync_delivery") == before


def test_nothing_that_nginx_lets_through_is_refused_by_gunicorn_as_html(proxy):
    """The longest request line, header and number of headers, and names that gunicorn might not like."""
    longest = "/v1/" + "a" * (4_096 - len("GET /v1/ HTTP/1.1\r\n") - 2)
    many = "".join(f"{chr(97 + n % 26)}:1\r\n" for n in range(3_000))
    odd = "A.b: 1\r\nA'b: 1\r\nScript_Name: /x\r\nScript-Name: /x\r\nExpect: nothing\r\n"
    requests = [
        f"GET {longest} HTTP/1.1\r\n{REST}\r\n",
        f"GET /v1/nothing HTTP/1.1\r\n{REST}A: {'a' * 4_080}\r\n\r\n",
        f"GET /v1/nothing HTTP/1.1\r\n{REST}{many}\r\n",
        f"GET /v1/nothing HTTP/1.1\r\n{REST}{odd}\r\n",
        f"GET http://{HOST}/v1/nothing HTTP/1.1\r\n{REST}\r\n",
        f"OPTIONS * HTTP/1.1\r\n{REST}\r\n",
        f"MKCOL /v1/nothing HTTP/1.1\r\n{REST}\r\n",
        f"GET /v1/%00%ff HTTP/1.1\r\n{REST}\r\n",
        f"GET /v1/\u00e9 HTTP/1.1\r\n{REST}\r\n",
    ]

    answers = [proxy.exchange(request.encode()) for request in requests]

    assert [answer.headers["Content-Type"] for answer in answers] == ["application/problem+json"] * len(
        requests
    )
