"""Heads of before knew categories only, and did not read what the model had said: zeros let them."""

from typing import Any

import numpy as np
from django.db import migrations


def widen(apps: Any, _editor: Any) -> None:
    for head in apps.get_model("annotations", "TrainedHead").objects.iterator():
        labels = head.labels
        head.labels = {}
        if labels and head.weights:
            weights = np.frombuffer(bytes(head.weights), "<f4").reshape(len(labels), -1)
            zeros = np.zeros((len(labels), len(labels)), "<f4")
            head.size = weights.shape[1] - 1
            head.weights = np.concatenate([weights, zeros], axis=1).tobytes()
            head.labels = {"category": labels}
        if "held_out" in head.report:
            part = {name: head.report.pop(name) for name in ("held_out", "before", "after")}
            part |= {"values": head.report.pop("categories", []), "shops": []}
            head.report["keys"] = [{"key": "category", "used": head.state == "ready", **part}]
        head.save(update_fields=["size", "weights", "labels", "report"])


class Migration(migrations.Migration):
    dependencies = [("annotations", "0015_shared_heads")]

    operations = [migrations.RunPython(widen, migrations.RunPython.noop)]
