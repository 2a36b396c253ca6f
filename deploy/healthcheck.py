"""Docker's HEALTHCHECK: exit status 0 while the service answers on its own port."""

import http.client
import os
import sys

# The service answers only to its own names, and to the first of them as well as to any.
host = os.environ.get("DJANGO_ALLOWED_HOSTS", "").split(",")[0].strip().lstrip("*.") or "localhost"
port = int(os.environ.get("BTEC_BIND", "127.0.0.1:8001").rpartition(":")[2])

connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
try:
    connection.request("GET", "/healthz", headers={"Host": host})
    status = connection.getresponse().status
except OSError as error:
    sys.exit(f"/healthz cannot be reached: {error}")
if status != 200:
    sys.exit(f"/healthz answers {status}")
