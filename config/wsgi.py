"""What a WSGI server runs: `gunicorn config.wsgi`."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()

from btec_sync.checks import refuse_unsafe_start  # noqa: E402  (the apps must be loaded first)

refuse_unsafe_start()

# What is loaded now stays until the end: the garbage collector need not look through it again and again,
# which took a tenth of a batch's time.
gc.collect()
gc.freeze()
