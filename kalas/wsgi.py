"""The API behind gunicorn (deploy/README.md). Sockets need kalas.asgi."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kalas.settings")
application = get_wsgi_application()
