"""Settings of the engine's process: it needs none of the apps, whose imports take seconds."""

from kalas.settings import *  # noqa: F403 all that is said elsewhere holds here

INSTALLED_APPS = ["inference"]
