"""The environment that tests run in, set before the settings are read (pytest.ini names this plugin).

What a developer keeps in .env or in the shell must not change what tests see, the database excepted.
"""

import os

KEPT = ("BTEC_TEST_", "BTEC_REQUIRE_NGINX", "BTEC_REQUIRE_BROWSER", "BTEC_REQUIRE_PROMTOOL")

for name in list(os.environ):
    if name.startswith(("BTEC_", "DJANGO_")) and not name.startswith(KEPT):
        del os.environ[name]

os.environ |= {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "DJANGO_DEBUG": "true",
    "DJANGO_SECRET_KEY": "only-for-tests",
    "BTEC_ENV_FILE": os.devnull,
}
if "DATABASE_URL" not in os.environ:
    os.environ["DATABASE_URL"] = "sqlite:///:memory:"
