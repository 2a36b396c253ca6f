"""For gunicorn's configuration files: what its processes share, where they count requests, and how it logs.

/metrics adds up what stands in the folder. PROMETHEUS_MULTIPROC_DIR names it; where nobody set that, each
master makes a folder of its own.
"""

import os
import shutil
import tempfile
from pathlib import Path

from btec_sync import logs

#: gunicorn's own lines, as the service's look in production. For requests it has none: the service has.
LOGGING = {
    **logs.console(as_json=True),
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "gunicorn.error": {"handlers": ["console"], "level": "INFO", "propagate": False},
        "gunicorn.access": {"level": "CRITICAL", "propagate": False},
    },
}

NAME = "PROMETHEUS_MULTIPROC_DIR"
OURS = "btec-metrics-"
# In memory, where it can be had: on a full disk, a write to a mapped file ends the process.
MEMORY = "/dev/shm"


def on_starting(arbiter) -> None:
    """Before all else. What an earlier run has counted is over."""
    folder = os.environ.get(NAME, "")
    # The folder of another master is inherited where gunicorn is replaced on the fly (USR2).
    if not folder or _is_ours(folder):
        where = MEMORY if os.access(MEMORY, os.W_OK) else None
        os.environ[NAME] = tempfile.mkdtemp(prefix=OURS, dir=where)
        return
    Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in Path(folder).glob("*.db"):
        file.unlink()


def when_ready(arbiter) -> None:
    """Before the first worker, when requests can already queue: loads the service, once for all workers.

    Who takes a dead one's place is there at once. gunicorn's own preload_app would load it before there is a
    folder to count in, and while connections are still refused.
    """
    try:
        arbiter.app.wsgi()
    except BaseException:
        # gunicorn does not call on_exit for a start that fails, and systemd would start it again and again.
        on_exit(arbiter)
        raise


def child_exit(arbiter, worker) -> None:
    """A worker's counts stay when it ends, so that the totals do not fall."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)


def on_exit(arbiter) -> None:
    folder = os.environ[NAME]
    if _is_ours(folder):
        shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: str) -> bool:
    return Path(folder).name.startswith(OURS)
