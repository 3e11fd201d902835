from django.apps import AppConfig


class InferenceConfig(AppConfig):
    """Registers the engine's management commands; the app has no tables."""

    name = "inference"
