from django.conf import settings


def template_name() -> str:
    """Of a migrated database to copy: PostgreSQL copies none that somebody uses."""
    return f"{settings.DATABASES['default']['NAME']}_template"
