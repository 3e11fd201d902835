import struct
import threading
import zlib
from contextlib import ExitStack
from io import BytesIO

import pytest
from PIL import Image, ImageCms

from annotations import photos
from annotations.photos import PhotoRefused, check_photo, clean_name
from annotations.tests.factories import encode, make_photo_bytes
from inference import preprocess
from inference.contract import InvalidImage


def make_png_header(width: int, height: int) -> bytes:
    """A PNG that says it is so large and holds next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def make_avif_header(width: int, height: int) -> bytes:
    """An AVIF that says it is so large and holds a small picture."""
    data = encode(Image.new("RGB", (64, 48)), "AVIF")
    said = b"ispe" + bytes(4)
    return data.replace(said + struct.pack(">II", 64, 48), said + struct.pack(">II", width, height))


def make_noise(width: int, height: int) -> Image.Image:
    return Image.effect_noise((width, height), 80).convert("RGB")


REFUSED = {
    "nothing": (b"", "empty"),
    "text": (b"This is no photo at all." * 20, "unsupported-format"),
    "html": (b"<!doctype html><img src=x onerror=alert(1)>", "unsupported-format"),
    "pdf": (b"%PDF-1.7\n" + bytes(500), "unsupported-format"),
    "tiff": (encode(Image.new("RGB", (40, 40)), "TIFF"), "unsupported-format"),
    "svg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "svg"),
    "heic": (b"\x00\x00\x00\x18ftypheic" + bytes(500), "heic"),
    "heic without its name first": (
        b"\x00\x00\x00\x18ftypmif1" + bytes(4) + b"mif1heic" + bytes(500),
        "heic",
    ),
    "avif of nothing": (b"\x00\x00\x00\x18ftypavif" + bytes(500), "damaged"),
    "truncated avif": (encode(make_noise(300, 300), "AVIF")[:9000], "damaged"),
    "truncated jpeg": (encode(make_noise(300, 300))[:9000], "damaged"),
    "truncated png": (encode(make_noise(300, 300), "PNG")[:9000], "damaged"),
    "truncated webp": (encode(make_noise(300, 300), "WEBP")[:3000], "damaged"),
    "truncated gif": (encode(make_noise(300, 300), "GIF")[:3000], "damaged"),
    "jpeg magic only": (b"\xff\xd8\xff\xe0", "unsupported-format"),
    "png magic only": (b"\x89PNG\r\n\x1a\n", "unsupported-format"),
    "bomb": (make_png_header(50_000, 50_000), "too-many-pixels"),
    "bomb between Pillow's limits": (make_png_header(10_000, 10_000), "too-many-pixels"),
    "51 megapixels": (make_png_header(10_200, 5_000), "too-many-pixels"),
    "avif bomb": (make_avif_header(50_000, 50_000), "damaged"),
    "avif of 51 megapixels": (make_avif_header(10_200, 5_000), "too-many-pixels"),
    "too small": (encode(Image.new("RGB", (7, 400))), "too-small"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name):
    data, code = REFUSED[name]

    with pytest.raises(PhotoRefused) as refusal:
        check_photo(data)

    assert refusal.value.code == code
    assert refusal.value.detail.endswith(".")


def test_where_anybody_may_send_avif_is_refused_with_a_line_of_its_own():
    data = make_photo_bytes(format="AVIF")

    with pytest.raises(PhotoRefused, match="AVIF photos are not read here") as refusal:
        check_photo(data, formats=photos.PLAIN_FORMATS)

    assert refusal.value.code == "unsupported-format"


def test_an_avif_is_decoded_alone_as_its_header_may_lie():
    alone = []

    check_photo(make_avif_header(32, 32), when_decoded=lambda _: alone.append(photos._decoding[:]))

    assert alone == [[photos.MOST_PIXELS_AT_ONCE]]


def test_refuses_more_bytes_than_allowed(settings):
    settings.UPLOAD_MAX_BYTES = 1000

    with pytest.raises(PhotoRefused) as refusal:
        check_photo(encode(make_noise(300, 300)))

    assert refusal.value.code == "too-large"


@pytest.mark.parametrize("name", [n for n, (_, code) in REFUSED.items() if code != "empty"])
def test_the_engine_refuses_the_same(name):
    with pytest.raises(InvalidImage):
        preprocess.decode(REFUSED[name][0])


def test_has_the_limits_of_the_engine(settings):
    assert photos.FORMATS == preprocess.FORMATS
    assert photos.MIN_SIDE == preprocess.MIN_SIDE
    assert settings.UPLOAD_MAX_BYTES == preprocess.MAX_BYTES
    assert settings.UPLOAD_MAX_PIXELS == preprocess.MAX_PIXELS


def test_keeps_a_jpeg_as_jpeg_and_a_small_png_without_loss():
    noise = make_noise(90, 60)

    jpeg = check_photo(encode(noise, "JPEG"))
    png = check_photo(encode(noise, "PNG"))

    assert (jpeg.extension, png.extension) == ("jpg", "png")
    assert open_photo(png.data).tobytes() == noise.tobytes()


def test_stores_a_large_png_as_jpeg(monkeypatch):
    monkeypatch.setattr(photos, "LOSSLESS_PIXELS", 1000)

    photo = check_photo(make_photo_bytes())

    assert photo.extension == "jpg"


@pytest.mark.parametrize("format", photos.FORMATS)
def test_accepts_every_format(format):
    photo = check_photo(make_photo_bytes(format=format))

    assert open_photo(photo.data).mode == "RGB"
    assert open_photo(photo.thumbnail).format == "JPEG"


def test_turns_a_photo_upright_and_drops_what_it_says_about_itself():
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Camera of Jane Doe"
    image = Image.new("RGB", (90, 60), "red")
    image.paste("blue", (0, 0, 90, 20))

    photo = check_photo(encode(image, exif=exif, comment=b"Jane Doe"))

    assert (photo.width, photo.height) == (60, 90)
    stored = open_photo(photo.data)
    assert dict(stored.getexif()) == {}
    assert not {"exif", "comment", "icc_profile"} & set(stored.info)
    assert b"Jane" not in photo.data + photo.thumbnail
    assert is_near(stored.getpixel((55, 45)), (0, 0, 255))


def test_turns_an_avif_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("RGB", (90, 60), "red")
    image.paste("blue", (0, 0, 90, 20))

    photo = check_photo(encode(image, "AVIF", exif=exif))

    assert (photo.width, photo.height, photo.extension) == (60, 90, "jpg")
    assert is_near(open_photo(photo.data).getpixel((55, 45)), (0, 0, 255))


@pytest.mark.parametrize("format", ["GIF", "AVIF"])
def test_takes_the_first_frame_of_an_animation(format):
    frames = [Image.new("RGB", (50, 50), colour) for colour in ("red", "blue")]

    photo = check_photo(encode(frames[0], format, save_all=True, append_images=frames[1:]))

    assert is_near(open_photo(photo.data).getpixel((20, 20)), (255, 0, 0))


@pytest.mark.parametrize("format", ["PNG", "AVIF"])
def test_puts_transparency_on_white(format):
    image = Image.new("RGBA", (50, 50), (255, 0, 0, 0))

    photo = check_photo(encode(image, format))

    assert open_photo(photo.data).getpixel((20, 20)) == (255, 255, 255)


def test_puts_a_transparent_palette_on_white():
    image = Image.new("P", (50, 50), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])

    photo = check_photo(encode(image, "PNG", transparency=0))

    assert open_photo(photo.data).getpixel((20, 20)) == (255, 255, 255)


def test_reads_cmyk():
    photo = check_photo(encode(Image.new("CMYK", (50, 50), (0, 255, 255, 0))))

    assert is_near(open_photo(photo.data).getpixel((20, 20)), (255, 0, 0), by=12)


def test_reads_16_bit_grey():
    photo = check_photo(encode(Image.new("I;16", (50, 50), 128 * 256), "PNG"))

    assert open_photo(photo.data).getpixel((20, 20)) == (128, 128, 128)


def test_converts_the_colours_of_a_profile_to_srgb():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"tXYZ").replace(b"bXYZ", b"rXYZ").replace(b"tXYZ", b"bXYZ")

    photo = check_photo(encode(Image.new("RGB", (50, 50), "red"), icc_profile=swapped))

    assert is_near(open_photo(photo.data).getpixel((20, 20)), (0, 0, 255), by=12)


def test_leaves_the_pixels_alone_for_a_profile_of_another_colour_space():
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()

    photo = check_photo(encode(Image.new("RGB", (50, 50), "red"), icc_profile=lab))

    assert is_near(open_photo(photo.data).getpixel((20, 20)), (255, 0, 0))


def test_ignores_a_broken_profile():
    photo = check_photo(encode(Image.new("RGB", (50, 50), "red"), icc_profile=b"nonsense"))

    assert is_near(open_photo(photo.data).getpixel((20, 20)), (255, 0, 0))


def test_makes_a_small_thumbnail_of_a_long_photo():
    photo = check_photo(encode(Image.new("RGB", (3000, 10), "red")))

    assert open_photo(photo.thumbnail).size == (400, 1)


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("shirt.jpg", "shirt.jpg"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\photos\\şapka.png", "şapka.png"),
        ("a\x00b\nc.jpg", "abc.jpg"),
        ("evil\u202egpj.exe", "evilgpj.exe"),
        ("..", "photo"),
        ("", "photo"),
        (None, "photo"),
        ("x" * 400 + ".jpg", "x" * 196 + ".jpg"),
    ],
)
def test_cleans_a_name(name, cleaned):
    assert clean_name(name) == cleaned


def open_photo(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


def is_near(pixel, wanted, by: int = 4) -> bool:
    return all(abs(a - b) <= by for a, b in zip(pixel, wanted, strict=True))


def test_many_small_photos_are_decoded_at_once_and_few_large_ones(monkeypatch):
    monkeypatch.setattr(photos, "MOST_PIXELS_AT_ONCE", 100)
    entered = []

    def decode():
        with photos.room_for(60):
            entered.append("large")

    with ExitStack() as small:
        for _ in range(5):
            small.enter_context(photos.room_for(10))
        thread = threading.Thread(target=decode)
        thread.start()
        thread.join(0.1)
        assert entered == []
    thread.join(10)

    assert entered == ["large"]
