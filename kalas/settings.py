"""Settings of Kalas: safe defaults, everything else from the environment.

`make up` and the tests run on the embedded PostgreSQL; `DATABASE_URL` replaces it.
"""

from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from kalas.lib import embedded_postgres, local_secrets, unix_sockets

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# Where this installation keeps what it makes: database, photos, sockets, logs, secrets.
VAR = Path(env.str("KALAS_VAR", default=str(BASE_DIR / "var"))).resolve()

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="") or local_secrets.read_or_make(
    path=VAR / "secrets.json", name="secret_key"
)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
# Seal what must be read again (secrets of webhooks): the first seals, all open.
ENCRYPTION_KEYS = env.list("ENCRYPTION_KEYS", default=[]) or [
    local_secrets.read_or_make(path=VAR / "secrets.json", name="encryption_key")
]
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
PUBLIC_URL = env.str("PUBLIC_URL", default="http://localhost:8000")
HTTPS = env.bool("HTTPS", default=PUBLIC_URL.startswith("https://"))

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "channels",
    "corsheaders",
    "csp",
    "django_htmx",
    "procrastinate.contrib.django",
    "rest_framework",
    "drf_spectacular",
    "kalas",
    "accounts",
    "inference",
    "annotations",
    "retrieval",
    "integrations",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "kalas.health.HealthMiddleware",
    "kalas.lib.request_sizes.RequestSizeMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "accounts.api.middleware.KeyRequestMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.UserLanguageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.SessionActivityMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.middleware.TenantMiddleware",
]

ROOT_URLCONF = "kalas.urls"
ASGI_APPLICATION = "kalas.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "accounts.context_processors.tenant",
            ],
        },
    },
]

# Database: "default" is the application's role (no superuser, owns nothing, so that row-level
# security can bite); "owner" runs migrations.
if env.str("DATABASE_URL", default=""):
    _default: dict[str, Any] = env.db("DATABASE_URL")
    _owner: dict[str, Any] = env.db("DATABASE_OWNER_URL", default=env.str("DATABASE_URL"))
    EMBEDDED_POSTGRES = False
else:
    _default = embedded_postgres.database_settings(VAR / "postgres", role="kalas_app")
    _owner = embedded_postgres.database_settings(VAR / "postgres", role="kalas_owner")
    EMBEDDED_POSTGRES = True
# A server on another machine that vanished is noticed within half a minute, and one that can't be
# reached within ten seconds; DATABASE_URL may say otherwise.
for _database in (_default, _owner):
    _database["OPTIONS"] = {
        "connect_timeout": 10,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        **_database.get("OPTIONS", {}),
    }
DATABASES: dict[str, Any] = {
    "default": {"CONN_HEALTH_CHECKS": True, "CONN_MAX_AGE": 60, **_default},
    "owner": {**_owner, "TEST": {"MIRROR": None}},
}
# Statements that come again are prepared: for one photo a third of PostgreSQL's work is planning. A
# pooler between must be in session mode, as row-level security goes by a setting of the session.
DATABASES["default"].setdefault("OPTIONS", {}).update(
    {"server_side_binding": True, "prepare_threshold": 5}
)
# For servers of pages and API: how many connections the threads of a process share. Each would keep
# one of its own, and Daphne's would make one for each request.
DATABASE_POOL_SIZE = env.int("DATABASE_POOL_SIZE", default=0)
if DATABASE_POOL_SIZE:
    DATABASES["default"] |= {
        "ENGINE": "kalas.lib.shared_connections",
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": False,
    }
    DATABASES["default"]["OPTIONS"]["shared"] = {
        "most": DATABASE_POOL_SIZE,
        "wait_s": 10.0,
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

if env.str("CHANNEL_REDIS_URL", default=""):
    CHANNEL_LAYERS: dict[str, Any] = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [env.str("CHANNEL_REDIS_URL")]},
        }
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "kalas.lib.notify_layer.NotifyChannelLayer"}}

# Rate limits count in the default cache, so all web processes must share it.
CACHES: dict[str, Any] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": env.str("CHANNEL_REDIS_URL"),
        "KEY_PREFIX": "kalas",
    }
    if env.str("CHANNEL_REDIS_URL", default="")
    else {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "kalas_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
    "local": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    },
}

# Log-in: e-mail and password through allauth.
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_FORMS = {
    "login": "accounts.forms.LoginWithLabels",
    "signup": "accounts.forms.SignupShopForm",
    "add_email": "accounts.forms.AddEmailWithLabels",
    "change_password": "accounts.forms.ChangePasswordWithLabels",
    "set_password": "accounts.forms.SetPasswordWithLabels",
    "reset_password": "accounts.forms.ResetPasswordWithLabels",
    "reauthenticate": "accounts.forms.ReauthenticateWithLabels",
    "reset_password_from_key": "accounts.forms.ResetPasswordKeyWithLabels",
}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_SESSION_REMEMBER = None  # the log-in form asks
ACCOUNT_EMAIL_SUBJECT_PREFIX = "Kalas: "
ACCOUNT_EMAIL_NOTIFICATIONS = True  # of every change to password, addresses, second factor
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # before such a change
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=0)
MFA_ADAPTER = "accounts.adapter.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_FORMS = {
    "login_webauthn": "accounts.passkey_forms.CheckedLogin",
    "reauthenticate_webauthn": "accounts.passkey_forms.CheckedReauthentication",
}
MFA_TOTP_ISSUER = "Kalas"
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not HTTPS  # passkeys on http://localhost
USERSESSIONS_TRACK_ACTIVITY = True
SESSION_ACTIVITY_INTERVAL_S = 60
SESSION_ENGINE = "accounts.session_store"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "home"

EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Kalas <kalas@localhost>")

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("tr", _("Turkish"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_TZ = True
TIME_ZONE = env.str("TIME_ZONE", default="UTC")

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_ROOT = VAR / "media"

if env.str("AWS_STORAGE_BUCKET_NAME", default=""):
    _media: dict[str, Any] = {
        "BACKEND": "kalas.storage.MediaS3Storage",
        "OPTIONS": {
            "bucket_name": env.str("AWS_STORAGE_BUCKET_NAME"),
            "endpoint_url": env.str("AWS_S3_ENDPOINT_URL", default="") or None,
            "region_name": env.str("AWS_S3_REGION_NAME", default="") or None,
        },
    }
else:
    _media = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(MEDIA_ROOT)},
    }
STORAGES: dict[str, Any] = {
    "default": _media,
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# The engine: a Unix socket on this machine, or http://host:port.
INFERENCE_URL = env.str(
    "INFERENCE_URL", default=f"unix:{unix_sockets.place(VAR / 'run' / 'inference.sock')}"
)
# A model's name means its newest version; `name@version` is a given one.
INFERENCE_MODEL = env.str("INFERENCE_MODEL", default="kalas-mini")
# Models that were brought in by `manage.py import_weights`.
MODELS = Path(env.str("MODELS", default=str(VAR / "models")))
# Families that shops may choose beside it: imported ones that answer alone are offered by
# themselves, joined ones (fine+coarse+retriever) and kalas-mini where they stand here.
INFERENCE_FAMILIES = env.list("INFERENCE_FAMILIES", default=[])
INFERENCE_TIMEOUT_S = env.float("INFERENCE_TIMEOUT_S", default=60.0)
# The engine that builds search indexes, where another one runs a new model meanwhile.
INDEX_INFERENCE_URL = env.str("INDEX_INFERENCE_URL", default="")

# Whether `manage.py up` opens the demo shop at the first start.
LOAD_DEMO = env.bool("LOAD_DEMO", default=True)

# Limits of an uploaded photo; the engine checks the same ones.
UPLOAD_MAX_BYTES = 25 * 1024 * 1024
UPLOAD_MAX_PIXELS = 50_000_000
# Of a request as a whole: without JavaScript, all photos of the form come in one.
REQUEST_MAX_BYTES = 4 * UPLOAD_MAX_BYTES
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# Requests to addresses that others chose: photos by URL, receivers of results. Beside the public
# internet they reach only these networks ("192.168.1.0/24": a shop on the LAN) and ports.
OUTBOUND_NETWORKS = env.list("OUTBOUND_NETWORKS", default=[])
OUTBOUND_PORTS = env.list("OUTBOUND_PORTS", cast=int, default=[80, 443])
OUTBOUND_DEADLINE_S = env.float("OUTBOUND_DEADLINE_S", default=15.0)
# A simulated store for the demo shop, on this machine, which `manage.py up` opens at this port.
DEMO_STORE_PORT = env.int("DEMO_STORE_PORT", default=0)
if DEMO_STORE_PORT:
    OUTBOUND_NETWORKS = [*OUTBOUND_NETWORKS, "127.0.0.1/32"]
    OUTBOUND_PORTS = [*OUTBOUND_PORTS, DEMO_STORE_PORT]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "blob:", "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$"]  # asked by the machine itself, without TLS
if ALLAUTH_TRUSTED_PROXY_COUNT:
    # Only behind a proxy that sets this header itself, else anybody could.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"

# The API. Its limits are per minute; a key's requests count in its shop's as well.
API_REQUESTS_PER_KEY = env.int("API_REQUESTS_PER_KEY", default=1200)
API_REQUESTS_PER_SHOP = env.int("API_REQUESTS_PER_SHOP", default=2400)
# Of the publishable keys of a shop together.
API_REQUESTS_OF_PAGES = env.int("API_REQUESTS_OF_PAGES", default=600)
# So long a process takes a key for what it was: a revoked one is refused within a second.
API_KEY_REMEMBER_S = 0.5
REST_FRAMEWORK = {
    # Each view names its own: Django REST framework's defaults would try passwords without limit.
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "kalas.api_schema.Schema",
    "DEFAULT_PAGINATION_CLASS": "kalas.lib.api.pages.NewestFirst",
    "EXCEPTION_HANDLER": "kalas.lib.api.problems.handle_exception",
    "LIST_SERIALIZER_ERRORS_AS_DICT": True,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Kalas",
    "VERSION": "1",
    "DESCRIPTION": "Annotates product photos of clothes for online stores.",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # Names of choices say what they mean.
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "kalas.api_schema.complete",
    ],
    "ENUM_NAME_OVERRIDES": {
        "AnnotationState": "kalas.api_schema.ANNOTATION_STATES",
        "BatchState": "kalas.api_schema.BATCH_STATES",
        "ObjectType": "kalas.api_schema.OBJECT_TYPES",
        "Origin": "kalas.api_schema.ORIGINS",
        "WebhookState": "kalas.api_schema.WEBHOOK_STATES",
        "ChosenWebhookState": "kalas.api_schema.CHOSEN_STATES",
        "DeliveryState": "kalas.api_schema.DELIVERY_STATES",
        "StoreState": "kalas.api_schema.STORE_STATES",
        "StoreMode": "kalas.api_schema.STORE_MODES",
        "StorePlatform": "kalas.api_schema.STORE_PLATFORMS",
        "StoreDeliveryState": "kalas.api_schema.STORE_DELIVERY_STATES",
        "StoreChangeState": "kalas.api_schema.STORE_CHANGE_STATES",
        "BackfillState": "kalas.api_schema.BACKFILL_STATES",
        "ChosenBackfillState": "kalas.api_schema.CHOSEN_BACKFILL_STATES",
        "ProductState": "kalas.api_schema.PRODUCT_STATES",
        "PhotoAdvice": "kalas.api_schema.PHOTO_ADVICE",
        "PhotoState": "kalas.api_schema.PHOTO_STATES",
        "ImportState": "kalas.api_schema.IMPORT_STATES",
        "ImportKind": "kalas.api_schema.IMPORT_KINDS",
        "SuggestionKind": "kalas.api_schema.SUGGESTION_KINDS",
        "FoundKind": "kalas.api_schema.FOUND_KINDS",
        "ReviewKind": "kalas.api_schema.REVIEW_KINDS",
        "ReviewVerdict": "kalas.api_schema.REVIEW_VERDICTS",
    },
}
# Which web pages may read answers is a matter of publishable keys (accounts/api/middleware.py).
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_METHODS = ["GET", "POST"]
CORS_ALLOW_HEADERS = ["authorization", "content-type", "idempotency-key"]
CORS_EXPOSE_HEADERS = ["ratelimit", "ratelimit-policy", "retry-after"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "filters": {"mask_tokens": {"()": "kalas.lib.log_masks.MaskTokens"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["mask_tokens"],
        }
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        # A line for every task and every job that waits for another try (with a traceback): what
        # goes wrong for good is an error.
        "procrastinate": {"level": "WARNING"},
        # Of tests and benchmarks, each request.
        "httpx": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
    },
}
