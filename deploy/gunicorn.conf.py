"""How production serves: in the container, under systemd and by hand (docs/deploy.md)."""

import os

from config.environment import number, text
from config.processes import LOGGING, child_exit, on_exit, on_starting, when_ready

__all__ = ["child_exit", "on_exit", "on_starting", "when_ready"]

bind = text("BTEC_BIND", "127.0.0.1:8001")
worker_class = "gthread"
workers = number("BTEC_WORKERS", 2, maximum=64)
threads = number("BTEC_THREADS", 8, maximum=1_000)
# A worker ends the requests under way within this time. Longer than one waits for its tenant's turn.
graceful_timeout = number("BTEC_LOCK_SECONDS", 10, maximum=600) + 20

# What nginx lets through (deploy/nginx.conf.template), gunicorn must read: what it refuses itself, it
# answers as HTML.
limit_request_line = 8190
limit_request_fields = 4_000

# Nothing in the tree is written, so that it can be read-only.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
control_socket_disable = True
logconfig_dict = LOGGING
