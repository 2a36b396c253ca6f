"""How `make run` serves."""

import os
import signal

from config.processes import child_exit, on_exit, on_starting, when_ready

__all__ = ["child_exit", "on_exit", "on_starting", "when_ready"]

bind = f"127.0.0.1:{os.environ['PORT']}"
worker_class = "gthread"
workers = 1
threads = 8
graceful_timeout = 10
# It would stand in the user's home, one for all the gunicorns there.
control_socket_disable = True


def post_worker_init(worker):
    # Ctrl-C reaches the worker itself, and again as the master's SIGQUIT. gunicorn's own handler for both
    # takes a lock that the worker may be holding, and then it hangs until it is killed. Ours ends the
    # requests under way, as on SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGQUIT, worker.handle_exit)
