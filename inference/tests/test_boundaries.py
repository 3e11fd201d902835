"""What the web process imports of the engine stays light; what the engine imports is no Django."""

import subprocess
import sys

import pytest

from inference.tests.engines import ROOT


def imports(module: str) -> set[str]:
    """The top-level packages that a fresh process has loaded after importing the module."""
    program = (
        f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(answer.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        "inference.contract",
        "inference.client",
        "inference.taxonomy",
        "inference.synonyms",
        "inference.spelling",
        "inference.request",
    ],
)
def test_the_web_side_needs_neither_torch_nor_numpy_nor_django(module):
    assert imports(module).isdisjoint({"torch", "torchvision", "numpy", "cv2", "PIL", "django"})


def test_the_engine_listens_before_anything_heavy_is_imported():
    heavy = {"torch", "onnxruntime", "numpy", "cv2", "django"}

    assert imports("inference.server").isdisjoint(heavy)


@pytest.mark.parametrize("module", ["inference.pipeline", "inference.families"])
def test_the_pipelines_need_neither_torch_nor_django(module):
    assert imports(module).isdisjoint({"torch", "torchvision", "onnx", "django"})
