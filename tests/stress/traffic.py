"""Senders that never give up, and a journal of what they sent and what they were answered.

Every record says which version it is, in Version and in a field, so that what is lost, doubled or rolled
back shows in the tables.
"""

import http.client
import itertools
import json
import random
import threading
import time
from collections import Counter, deque
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

#: A name that may not stand in any answer of a refusal and in no log.
PRIVATE = "Zeynep"
SHARED_UNITS = 150


@dataclass
class Reply:
    """What came back for one request: status 0 where the connection ended without an answer."""

    status: int
    body: bytes
    content_type: str
    retry_after: str
    replayed: bool
    began: float
    ended: float


@dataclass
class Sent:
    """A request and all its replies; it is sent until it is answered 200."""

    module: str
    records: list[dict]
    key: str | None
    body: bytes
    replies: list[Reply] = field(default_factory=list)
    #: The answer that every repeat of its key must get.
    final: bytes | None = None

    def answers(self) -> list[dict]:
        return [json.loads(reply.body) for reply in self.replies if reply.status == 200]


class Traffic:
    """What to send next, and the journal."""

    def __init__(self, port: int, api_key: str, seed: int = 0) -> None:
        self.port = port
        self.api_key = api_key
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.versions = itertools.count(1)
        self.numbers = itertools.count(1)
        self.parts: deque[tuple[str, list[dict]]] = deque()
        self.journal: list[Sent] = []
        self.statuses: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.stopping = threading.Event()
        self.threads: list[threading.Thread] = []

    # Sending

    def start(self, senders: int) -> None:
        self.threads = [threading.Thread(target=self._send_on, daemon=True) for _ in range(senders)]
        for thread in self.threads:
            thread.start()

    def finish(self) -> None:
        """Waits until everything that was begun is answered 200, chains included."""
        self.stopping.set()
        for thread in self.threads:
            thread.join(90)
            if thread.is_alive():
                self.wrong.append("a sender got no 200 in 90 seconds without faults")
        while self.parts:
            self.send(self.sent(*self.parts.popleft()))

    def _send_on(self) -> None:
        while not self.stopping.is_set():
            try:
                if self.random.random() < 0.1 and (earlier := self._earlier()):
                    self.post(earlier)
                else:
                    self.send(self.next())
            except Exception as error:  # noqa: BLE001  (a sender that dies in silence proves nothing)
                self.wrong.append(f"a sender broke: {error!r}")
                return
            time.sleep(self.random.uniform(0, 0.15))

    def send(self, sent: Sent, patience: float = 80) -> None:
        """Sends it again and again until it is answered 200."""
        deadline = time.monotonic() + patience
        while self.post(sent).status != 200:
            if time.monotonic() > deadline:
                self.wrong.append(f"never answered 200: {sent.module} key={sent.key}")
                return
            time.sleep(self.random.uniform(0.02, 0.2))

    def post(self, sent: Sent, timeout: float = 60) -> Reply:
        """One request, and what has to be right about its reply."""
        reply = self._exchange(sent, timeout)
        with self.lock:
            if not sent.replies:
                self.journal.append(sent)
            sent.replies.append(reply)
            self.statuses[reply.status] += 1
            self.wrong += faulty(sent, reply)
        return reply

    def _exchange(self, sent: Sent, timeout: float) -> Reply:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.api_key}"}
        if sent.key:
            headers["Idempotency-Key"] = sent.key
        began = time.monotonic()
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)) as connection:
                connection.request("POST", f"/v1/sync/{sent.module}", sent.body, headers)
                response = connection.getresponse()
                body, got = response.read(), response.headers
                status = response.status
        except (OSError, http.client.HTTPException):
            status, body, got = 0, b"", {}
        return Reply(
            status,
            body,
            got.get("Content-Type", ""),
            got.get("Retry-After", ""),
            "Idempotent-Replayed" in got,
            began,
            time.monotonic(),
        )

    # What to send

    def next(self) -> Sent:
        kind = self.random.choice(["shared", "shared", "fresh", "chain"])
        with self.lock:
            if kind == "chain":
                return self.sent(*self._part_of_a_chain())
        if kind == "fresh":
            records = [
                {"id": f"s{next(self.numbers)}", "Name": PRIVATE} for _ in range(self.random.randint(1, 25))
            ]
            return self.sent("students", records)
        return self.sent("units", [self.unit() for _ in range(self.random.randint(1, 25))])

    def unit(self, zoho_id: str = "") -> dict:
        version = next(self.versions)
        return {
            "id": zoho_id or f"u{self.random.randrange(SHARED_UNITS)}",
            "Unit_Code": "U",
            "Unit_Name": f"v{version} {PRIVATE}",
            "Status": "Active",
            "Version": version,
        }

    def sent(self, module: str, records: list[dict]) -> Sent:
        key = f"k{next(self.numbers)}" if self.random.random() < 0.7 else None
        return Sent(module, records, key, json.dumps({"data": records}).encode())

    def _part_of_a_chain(self) -> tuple[str, list[dict]]:
        """Payments, their registration, its student and program: in any order, from any sender."""
        if len(self.parts) < 8:
            parts = [*self.parts, *(part for _ in range(4) for part in chain(next(self.numbers)))]
            self.random.shuffle(parts)
            self.parts = deque(parts)
        return self.parts.popleft()

    def _earlier(self) -> Sent | None:
        """A request with a key that was answered before."""
        with self.lock:
            some = self.random.choices(self.journal, k=5) if self.journal else []
        return next((sent for sent in some if sent.key and sent.replies[-1].status == 200), None)


def chain(number: int) -> list[tuple[str, list[dict]]]:
    registration = {
        "id": f"r{number}",
        "Student": {"id": f"cs{number}"},
        "Program": {"id": f"cp{number}"},
        "Enrollment_Status": "Active",
    }
    payments = [
        {
            "id": f"y{number}-{n}",
            "Registration": {"id": f"r{number}"},
            "Amount": 500 + n,
            "Payment_Status": "Paid",
        }
        for n in range(4)
    ]
    return [
        ("payments", payments[:2]),
        ("payments", payments[2:]),
        ("registrations", [registration]),
        ("students", [{"id": f"cs{number}", "Name": PRIVATE}]),
        ("programs", [{"id": f"cp{number}", "Product_Name": "P"}]),
    ]


# What has to be right about every reply


def faulty(sent: Sent, reply: Reply) -> list[str]:
    """What is wrong with a reply, in words."""
    if reply.status == 0:
        return []
    if reply.status == 200:
        return _faulty_answer(sent, reply)
    return _faulty_refusal(reply)


def _faulty_answer(sent: Sent, reply: Reply) -> list[str]:
    answer = json.loads(reply.body)
    if len(answer["results"]) != len(sent.records):
        return ["not one result per record"]
    odd = [r for r in answer["results"] if r["status"] in ("INVALID", "ERROR") and not r.get("retryable")]
    if odd:
        return [f"a good record was answered {odd[0]['status']}"]
    if sent.key is None or any(r["status"] == "INVALID" for r in answer["results"]):
        return []
    if sent.final is None:
        sent.final = reply.body
    return [] if sent.final == reply.body else ["the same key got other bytes"]


def _faulty_refusal(reply: Reply) -> list[str]:
    words = []
    problem: Any = {}
    if reply.content_type != "application/problem+json":
        words.append(f"{reply.status} as {reply.content_type or 'nothing'}")
    else:
        problem = json.loads(reply.body)
    if (reply.status, problem.get("code")) not in EXPECTED:
        words.append(f"{reply.status} {problem.get('code')}")
    if reply.status == 503 and not reply.retry_after.isdigit():
        words.append("503 without Retry-After")
    if reply.status == 500 and "delivery_id" not in problem:
        words.append("500 without delivery_id")
    if any(text in reply.body for text in (b"<", b"Traceback", PRIVATE.encode())):
        words.append(f"{reply.status} shows internals")
    return words


EXPECTED = {(503, "unavailable"), (409, "key_in_flight"), (500, "processing_failed")}
