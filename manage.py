#!/usr/bin/env python
"""Django's command line for Kalas."""

import os
import sys

from django.core.management import execute_from_command_line

SETTINGS = "kalas.settings"
ENGINE_SETTINGS = "kalas.engine_settings"

if __name__ == "__main__":
    chosen = os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS)
    if chosen == SETTINGS and sys.argv[1:2] == ["run_inference"]:
        os.environ["DJANGO_SETTINGS_MODULE"] = ENGINE_SETTINGS
    execute_from_command_line(sys.argv)
