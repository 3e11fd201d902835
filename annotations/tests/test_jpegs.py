import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotations import jpegs
from annotations.photos import PhotoRefused, check_photo
from annotations.tests.factories import encode

DEMO = sorted((Path(__file__).parents[1] / "demo_photos").glob("*.jpg"))
SECRET = b"Jane Doe, 41.0082 N"


def make_picture(mode: str = "RGB", size: tuple[int, int] = (90, 60)) -> Image.Image:
    return Image.effect_noise(size, 80).convert(mode)


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def insert(data: bytes, *segments: bytes) -> bytes:
    """After the start of the picture."""
    return data[:2] + b"".join(segments) + data[2:]


def read_pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(data)))


@pytest.mark.parametrize("path", DEMO[::9], ids=lambda path: path.stem)
def test_keeps_the_pixels_of_photos(path):
    data = path.read_bytes()

    kept = jpegs.take_over(data)

    assert (read_pixels(kept) == read_pixels(data)).all()
    assert jpegs.take_over(kept) == kept


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True},
        {"subsampling": 0, "quality": 97},
        {"restart_marker_rows": 1},
        {"optimize": True, "quality": 30},
    ],
    ids=str,
)
def test_keeps_the_pixels_however_they_are_encoded(options):
    data = encode(make_picture(), **options)

    photo = check_photo(data)

    assert photo.data == jpegs.take_over(data)
    assert (read_pixels(photo.data) == read_pixels(data)).all()


def test_drops_all_that_a_decoder_does_not_need():
    exif = Image.Exif()
    exif[0x010F] = SECRET.decode()
    data = insert(
        encode(make_picture(), exif=exif, comment=SECRET, xmp=SECRET),
        segment(0xED, b"Photoshop 3.0\x00" + SECRET),
        segment(0xE2, b"FPXR\x00" + SECRET),
        segment(0xFE, SECRET),
    )

    kept = check_photo(data + SECRET + data).data

    assert SECRET not in kept
    assert (read_pixels(kept) == read_pixels(data)).all()
    assert set(Image.open(BytesIO(kept)).info) <= {
        "jfif",
        "jfif_version",
        "jfif_unit",
        "jfif_density",
        "progressive",
        "progression",
    }


def test_takes_fill_bytes_before_a_marker():
    data = encode(make_picture())

    assert jpegs.take_over(insert(data, b"\xff\xff")) == jpegs.take_over(data)


def with_adobe(transform: int) -> bytes:
    adobe = segment(0xEE, b"Adobe\x00\x64\x00\x00\x00\x00" + bytes([transform]))
    return insert(encode(make_picture()), adobe)


NOT_PLAIN = {
    "grey": encode(make_picture("L")),
    "CMYK": encode(make_picture("CMYK")),
    "RGB without transform": encode(make_picture(), keep_rgb=True),
    "Adobe's RGB": with_adobe(0),
    "no end": encode(make_picture())[:-2],
    "cut in a table": encode(make_picture())[:50],
    "empty": b"",
    "PNG": encode(make_picture(), "PNG"),
    "arithmetic coding": encode(make_picture()).replace(b"\xff\xc0", b"\xff\xc9", 1),
    "12 bits": encode(make_picture()).replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c", 1),
    "two frames": insert(
        encode(make_picture()), segment(0xC0, bytes.fromhex("08003c005a03012200021101031101"))
    ),
    "unknown segment": insert(encode(make_picture()), segment(0xF0, b"x")),
    "a length of one": insert(encode(make_picture()), b"\xff\xfe\x00\x01"),
    "a table of restarts without its length": encode(make_picture())[:2] + b"\xff\xdd",
}


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_takes_over_no_other(name):
    with pytest.raises(jpegs.NotPlain):
        jpegs.take_over(NOT_PLAIN[name])


def test_takes_over_none_with_very_many_scans():
    data = encode(make_picture(), progressive=True)
    scan = data.index(b"\xff\xda")
    end = data.index(b"\xff", data.index(b"\xff", scan + 14) + 2)
    many = data[:scan] + data[scan:end] * jpegs.MOST_SCANS + data[scan:]

    with pytest.raises(jpegs.NotPlain):
        jpegs.take_over(many)


def test_takes_what_adobe_calls_ycc():
    data = with_adobe(1)

    assert (read_pixels(jpegs.take_over(data)) == read_pixels(data)).all()


def test_a_photo_that_must_be_turned_is_encoded_anew():
    exif = Image.Exif()
    exif[0x0112] = 6

    photo = check_photo(encode(make_picture(), exif=exif))

    assert (photo.width, photo.height) == (60, 90)
    assert Image.open(BytesIO(photo.data)).size == (60, 90)


def test_every_cut_of_a_photo_is_refused_or_taken_whole():
    data = encode(make_picture(size=(40, 40)))
    whole = read_pixels(data)

    for end in range(2, len(data), 7):
        try:
            photo = check_photo(data[:end])
        except PhotoRefused:
            continue
        assert (read_pixels(photo.data) == whole).all(), end


def test_garbage_is_refused_or_decoded_alike():
    """What Pillow takes in spite of damage is seen alike before and after."""
    data = encode(make_picture(size=(64, 64)))
    random = np.random.default_rng(7)
    for _ in range(200):
        damaged = bytearray(data)
        for at in random.integers(2, len(data), 3):
            damaged[at] = int(random.integers(256))
        try:
            kept = jpegs.take_over(bytes(damaged))
            before = read_pixels(bytes(damaged))
        except (jpegs.NotPlain, OSError, ValueError, SyntaxError):
            continue
        if before.ndim == 3:
            assert (read_pixels(kept) == before).all()
