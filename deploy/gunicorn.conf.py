"""How production serves. Options of the command line win over these."""

from config.processes import LOGGING, child_exit, on_exit, on_starting

__all__ = ["child_exit", "on_exit", "on_starting"]

worker_class = "gthread"
workers = 2
threads = 8
# It would stand in the home of whoever starts it, one for all the gunicorns there.
control_socket_disable = True
logconfig_dict = LOGGING
