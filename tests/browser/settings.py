"""Production's settings, but for where static files are collected: not into the checkout."""

import os

from config.settings import *  # noqa: F403

STATIC_ROOT = os.environ["DJANGO_STATIC_ROOT"]
