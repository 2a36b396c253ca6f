"""Every setting of the service. What an operator may change is an environment variable; README lists them."""

import logging
from datetime import timedelta

from csp import constants as csp
from django.core.exceptions import ImproperlyConfigured

from btec_sync import logs

from .environment import BASE_DIR, choice, database, flag, number, secret, text, time_zone, words

DEBUG = flag("DJANGO_DEBUG", False)

SECRET_KEY = text("DJANGO_SECRET_KEY")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured(
            "DJANGO_SECRET_KEY: not set. Set it to a long random text, or DJANGO_DEBUG=true for a first try."
        )
    SECRET_KEY = "only-for-debug-" * 4

ALLOWED_HOSTS = words("DJANGO_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])

# --- The service -------------------------------------------------------------------------------------

BTEC_REQUIRE_API_KEY = flag("BTEC_REQUIRE_API_KEY", not DEBUG)
# A record's place in its batch takes 20 bits of its place in the order (btec_sync/order.py).
BTEC_MAX_BATCH = number("BTEC_MAX_BATCH", 1_000, maximum=2**20 - 1)
BTEC_MAX_BODY_BYTES = number("BTEC_MAX_BODY_BYTES", 5 * 1024 * 1024, maximum=2**30)
BTEC_LOCK_SECONDS = number("BTEC_LOCK_SECONDS", 10, maximum=600)
BTEC_IDEMPOTENCY_HOURS = number("BTEC_IDEMPOTENCY_HOURS", 72, maximum=24 * 366)
# What manage.py prune keeps, in days.
BTEC_BODY_DAYS = number("BTEC_BODY_DAYS", 90, maximum=36_500)
BTEC_HISTORY_DAYS = number("BTEC_HISTORY_DAYS", 730, maximum=36_500)
if BTEC_BODY_DAYS > BTEC_HISTORY_DAYS:
    raise ImproperlyConfigured(
        "BTEC_BODY_DAYS: expected at most BTEC_HISTORY_DAYS, as a body is removed before its delivery is."
    )

# Who may read /metrics. None, and nobody may.
BTEC_METRICS_TOKEN = secret("BTEC_METRICS_TOKEN", least=16)

# The modules, parents before children: replay runs them in this order.
BTEC_SYNC_SERVICES = [
    "btec_sync.reference.services.StudentSync",
    "btec_sync.reference.services.ProgramSync",
    "units.services.UnitSync",
    "registrations.services.RegistrationSync",
    "payments.services.PaymentSync",
    "grades.services.GradeSync",
]

# --- Django ------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "config.apps.SyncAdminConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",  # Swagger UI's files
    "axes",
    "btec_sync",
    "btec_sync.reference",
    "units",
    "registrations",
    "payments",
    "grades",
]

MIDDLEWARE = [
    "btec_sync.request_log.RequestLog",
    # Outside all that answers, so that no answer on /v1/ escapes it as HTML.
    "btec_sync.middleware.ProblemMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "btec_sync.middleware.TenantMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {
    "default": database(
        "DATABASE_URL",
        f"sqlite:///{BASE_DIR / 'btec.sqlite3'}",
        lock_seconds=BTEC_LOCK_SECONDS,
        pool_size=number("BTEC_DB_POOL_SIZE", 10, maximum=1_000),
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# SQLite leaves out what an index includes for PostgreSQL, and needs no warning about it.
SILENCED_SYSTEM_CHECKS = ["models.W040"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],  # TenantMiddleware has done it
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "btec_sync.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",  # of other views than SyncViewSet
}

SPECTACULAR_SETTINGS = {
    "TITLE": "BTEC sync",
    "VERSION": "1",
    "DESCRIPTION": "Keeps a college group's database a mirror of its Zoho CRM.",
    "OAS_VERSION": "3.1.1",
    "PREPROCESSING_HOOKS": ["btec_sync.schema.auto.without_trailing_slash"],
    "POSTPROCESSING_HOOKS": [],  # none of it is made of choices
    "SORT_OPERATIONS": False,  # parents before children, as in config/urls.py
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en"
TIME_ZONE = time_zone("DJANGO_TIME_ZONE", "UTC")
USE_TZ = True
FORMAT_MODULE_PATH = "config.formats"

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- Security ----------------------------------------------------------------------------------------

DJANGO_HTTPS = flag("DJANGO_HTTPS", not DEBUG)
SECURE_SSL_REDIRECT = DJANGO_HTTPS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if DJANGO_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = DJANGO_HTTPS
SECURE_HSTS_PRELOAD = DJANGO_HTTPS
SESSION_COOKIE_SECURE = DJANGO_HTTPS
CSRF_COOKIE_SECURE = DJANGO_HTTPS
CSRF_TRUSTED_ORIGINS = words("DJANGO_CSRF_TRUSTED_ORIGINS", [])
X_FRAME_OPTIONS = "DENY"
if flag("DJANGO_BEHIND_PROXY", False):
    # Only true where the proxy sets this header itself and drops what the client sent.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# A load balancer asks for health over plain HTTP, and Prometheus, for each machine by itself, for metrics.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]

# Everything from here, nothing inline: what a record holds cannot become a script on a page.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [csp.SELF],
        "img-src": [csp.SELF, "data:"],
        "object-src": [csp.NONE],
        "base-uri": [csp.NONE],
        "form-action": [csp.SELF],
        "frame-ancestors": [csp.NONE],
    }
}

# Against guessing passwords. Behind a proxy every address is the proxy's, and the user name decides alone.
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True  # attempts that failed are kept, not who came and went

# --- Logs --------------------------------------------------------------------------------------------

LOGGING = logs.set_up(choice("BTEC_LOG_LEVEL", "INFO", logs.LEVELS), as_json=not DEBUG)
# A request has one line, at its end, and the line does not say who was logged in.
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_USER_ID_FIELD = ""
