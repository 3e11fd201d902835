from django.apps import AppConfig


class KalasConfig(AppConfig):
    name = "kalas"
    verbose_name = "Kalas"
