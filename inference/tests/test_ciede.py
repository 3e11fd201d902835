import numpy as np
import pytest

from inference.ciede import hex_to_lab


@pytest.mark.parametrize(
    ("code", "lab"),
    [
        ("#ffffff", (100.0, 0.0, 0.0)),
        ("#000000", (0.0, 0.0, 0.0)),
        ("#ff0000", (53.24, 80.09, 67.2)),
        ("#808080", (53.59, 0.0, 0.0)),
    ],
)
def test_lab_of_a_code(code, lab):
    assert np.allclose(hex_to_lab(code)[0], lab, atol=0.3)
