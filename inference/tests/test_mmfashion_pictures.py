import hashlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from inference.contract import InvalidImage
from inference.mmfashion.pictures import read_picture
from inference.tests import goldens

CASES = goldens.read("pictures.json")["cases"]


def draw_picture(case):
    width, height = case["size_wh"]
    low = goldens.generate(case["seed"]).integers(
        0, 256, (height // 16 + 1, width // 16 + 1, 3), dtype=np.uint8
    )
    pixels = np.kron(low, np.ones((16, 16, 1), np.uint8))[:height, :width]
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == case["source_u8_sha256"]
    kept = BytesIO()
    Image.fromarray(pixels).save(kept, "PNG")
    return kept.getvalue()


@pytest.mark.parametrize("case", CASES, ids=lambda case: "x".join(map(str, case["size_wh"])))
def test_shows_a_photo_as_the_demo_does(case):
    picture = read_picture(draw_picture(case), square=False)

    assert [1, *picture.shape] == case["out_shape"]
    assert hashlib.sha256(picture.numpy().tobytes()).hexdigest() == case["tensor_sha256_f32le"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: "x".join(map(str, case["size_wh"])))
def test_is_a_square_whatever_comes(case):
    assert read_picture(draw_picture(case)).shape == (3, 224, 224)


def test_is_the_same_each_time():
    data = draw_picture(CASES[0])

    assert read_picture(data).equal(read_picture(data))


def test_refuses_what_is_no_photo():
    with pytest.raises(InvalidImage):
        read_picture(b"not a photo")
