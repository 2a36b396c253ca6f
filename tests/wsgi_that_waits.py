"""The service, made to stop between the stored delivery and its processing: there, tests kill it."""

import time

from config.wsgi import application


def wait(delivery, **options):
    time.sleep(60)


def patch():
    from btec_sync import deliveries  # only once the apps are loaded

    deliveries.process = wait


patch()
__all__ = ["application"]
