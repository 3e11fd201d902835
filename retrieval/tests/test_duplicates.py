"""Near duplicates on the demo photos: real clothes, so that strangers look alike as in a shop."""

from io import BytesIO

import pytest
from django.utils import timezone
from PIL import Image, ImageEnhance, ImageOps

from accounts.tests.factories import make_tenant
from annotations import services as annotation_services
from annotations.models import FashionImage
from retrieval import hashing
from retrieval.models import NearDuplicate, PhotoHash, Product
from retrieval.services import duplicates, photos
from retrieval.tests.factories import DEMO_PHOTOS, add_waiting_photo, make_product

PHOTO = DEMO_PHOTOS / "clothing-dress-2074bc3b.jpg"
OTHER = DEMO_PHOTOS / "clothing-shoes-22c96e26.jpg"

VARIANTS = {
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "a thumbnail": lambda image: image.resize((120, 120 * image.height // image.width)),
    "mirrored": ImageOps.mirror,
    "mirrored and small": lambda image: ImageOps.mirror(image).resize(
        (200, 200 * image.height // image.width)
    ),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "grey": lambda image: image.convert("L").convert("RGB"),
}


def encode(image: Image.Image, format: str = "JPEG", quality: int = 55) -> bytes:
    out = BytesIO()
    image.save(out, format, quality=quality)
    return out.getvalue()


def hash_file(path) -> hashing.Hashes:
    with Image.open(path) as image:
        return hashing.hash_photo(encode(image.convert("RGB"), quality=92))


def add_stripes(image: Image.Image) -> Image.Image:
    """Another pattern on what is worn in the same pose: too fine for the hash."""
    width = image.width // 16
    stripes = Image.new("L", image.size)
    for i in range(0, 16, 2):
        stripes.paste(120, (i * width, 0, (i + 1) * width, image.height))
    return Image.composite(Image.new("RGB", image.size, "black"), image, stripes)


def distance(first: hashing.Hashes, second: hashing.Hashes) -> int:
    return min(
        hashing.count_different_bits(first.value, value)
        for value in (second.value, second.mirrored)
    )


def compare(photo) -> int:
    return duplicates.compare_photos(product_image_ids=[photo.id], now=timezone.now())


def test_finds_copies_and_tells_photos_apart():
    """The numbers of the decision record, on the photos that come with the demo shop."""
    paths = sorted(DEMO_PHOTOS.glob("*.jpg"))
    hashes = {path: hash_file(path) for path in paths}

    found, wanted = 0, 0
    for path in paths:
        with Image.open(path) as image:
            original = image.convert("RGB")
        for name, vary in VARIANTS.items():
            copy = hashing.hash_photo(encode(vary(original)))
            wanted += 1
            found += distance(hashes[path], copy) <= hashing.NEAR_BITS and hashing.have_same_edges(
                hashes[path].brightness, copy.brightness, mirrored=name.startswith("mirrored")
            )
    strangers = [
        (first.name, second.name)
        for i, first in enumerate(paths)
        for second in paths[i + 1 :]
        if distance(hashes[first], hashes[second]) <= hashing.NEAR_BITS
    ]

    assert found / wanted >= 0.98
    assert strangers == []


def test_another_pattern_in_the_same_pose_is_another_product(tenant):
    with Image.open(PHOTO) as image:
        original = image.convert("RGB")
    striped = encode(add_stripes(original))
    compare(add_waiting_photo(make_product(tenant=tenant), PHOTO.read_bytes()))
    assert distance(hash_file(PHOTO), hashing.hash_photo(striped)) <= hashing.NEAR_BITS

    assert compare(add_waiting_photo(make_product(tenant=tenant), striped)) == 0


def test_photos_of_before_are_looked_at_once_more(tenant):
    compare(add_waiting_photo(make_product(tenant=tenant), PHOTO.read_bytes()))
    PhotoHash.objects.update(brightness=None)
    with Image.open(PHOTO) as image:
        original = image.convert("RGB")

    striped = add_waiting_photo(make_product(tenant=tenant), encode(add_stripes(original)))
    assert compare(striped) == 0

    assert not PhotoHash.objects.filter(brightness=None).exists()
    copy = add_waiting_photo(make_product(tenant=tenant), encode(original, quality=60))
    assert compare(copy) == 1


def test_the_mirrored_hash_is_the_hash_of_the_mirror_image():
    with Image.open(PHOTO) as image:
        original = image.convert("RGB")

    plain = hashing.hash_photo(encode(original, "PNG"))
    mirrored = hashing.hash_photo(encode(ImageOps.mirror(original), "PNG"))

    assert hashing.count_different_bits(plain.mirrored, mirrored.value) <= 1


def test_a_lookup_of_quarters_reaches_eleven_bits():
    assert len(hashing.list_near(0)) == len(set(hashing.list_near(0))) == 137
    value = -(2**62) + 12345
    quarters = hashing.split(value)
    assert sum(q << (16 * i) for i, q in enumerate(quarters)) == value & (2**64 - 1)


@pytest.mark.parametrize("name", VARIANTS)
def test_finds_the_product_with_nearly_the_same_photo(tenant, name):
    with Image.open(PHOTO) as image:
        original = image.convert("RGB")
    first, second = make_product(tenant=tenant), make_product(tenant=tenant)
    compare(add_waiting_photo(first, PHOTO.read_bytes()))

    found = compare(add_waiting_photo(second, encode(VARIANTS[name](original))))

    assert found == 1
    pair = NearDuplicate.objects.get()
    assert {pair.product_id, pair.other_id} == {first.id, second.id}
    assert pair.mirrored == name.startswith("mirrored")


def test_finds_the_very_same_photo_in_another_product(tenant):
    compare(add_waiting_photo(make_product(tenant=tenant), PHOTO.read_bytes()))

    assert compare(add_waiting_photo(make_product(tenant=tenant), PHOTO.read_bytes())) == 1


def test_notes_a_pair_once_however_often_it_is_compared(tenant):
    photo = add_waiting_photo(make_product(tenant=tenant), PHOTO.read_bytes())
    other = add_waiting_photo(make_product(tenant=tenant), PHOTO.read_bytes())

    for _ in range(2):
        compare(photo)
        compare(other)

    assert NearDuplicate.objects.count() == 1


def test_finds_nothing_of_another_shop_nor_of_the_same_product(tenant):
    product = make_product(tenant=tenant)
    compare(add_waiting_photo(make_product(tenant=make_tenant()), PHOTO.read_bytes()))
    compare(add_waiting_photo(product, PHOTO.read_bytes()))
    with Image.open(PHOTO) as image:
        smaller = encode(image.convert("RGB").resize((300, 400)))

    assert compare(add_waiting_photo(product, smaller)) == 0


def test_other_photos_are_no_duplicates(tenant):
    compare(add_waiting_photo(make_product(tenant=tenant), PHOTO.read_bytes()))

    assert compare(add_waiting_photo(make_product(tenant=tenant), OTHER.read_bytes())) == 0


def make_pair(tenant) -> tuple[Product, Product, NearDuplicate]:
    kept = make_product(tenant=tenant, external_id="KEEP", title="", price=None)
    gone = make_product(tenant=tenant, external_id="GONE", title="Dress", price="19.90")
    with Image.open(PHOTO) as image:
        mirrored = encode(ImageOps.mirror(image.convert("RGB")))
    compare(add_waiting_photo(kept, PHOTO.read_bytes()))
    compare(add_waiting_photo(gone, mirrored))
    return kept, gone, NearDuplicate.objects.get()


def merge(tenant, pair, keep_id) -> Product:
    return duplicates.merge_duplicate(
        tenant=tenant, duplicate_id=pair.id, keep_id=keep_id, now=timezone.now()
    )


def test_merging_keeps_photos_ids_and_what_was_missing(tenant):
    kept, gone, pair = make_pair(tenant)

    merge(tenant, pair, kept.id)

    product = Product.objects.get()
    assert (product.id, product.also_known_as, product.title) == (kept.id, ["GONE"], "Dress")
    assert product.photos.count() == 2
    assert not Product.objects.filter(id=gone.id).exists()


def test_merges_only_into_one_of_the_two(tenant):
    _kept, _gone, pair = make_pair(tenant)

    with pytest.raises(NearDuplicate.DoesNotExist):
        merge(tenant, pair, make_product(tenant=tenant).id)
    with pytest.raises(NearDuplicate.DoesNotExist):
        merge(make_tenant(), pair, pair.product_id)
    assert Product.objects.count() == 3


def test_what_was_dismissed_stays_dismissed(tenant):
    kept, _gone, pair = make_pair(tenant)
    duplicates.dismiss_duplicate(tenant=tenant, duplicate_id=pair.id, now=timezone.now())

    compare(kept.photos.get())

    assert NearDuplicate.objects.get().dismissed_at


def delete_image(tenant, photo) -> None:
    annotation_services.delete_image(tenant=tenant, image_id=photo.image_id)


def remove_photo(tenant, photo) -> None:
    photos.remove_photo(tenant=tenant, product_image_id=photo.id, now=timezone.now())


def drop_from_feed(tenant, photo) -> None:
    type(photo).objects.filter(id=photo.id).update(source="https://shop.example/a.jpg")
    photos.expect_photos(tenant=tenant, product_id=photo.product_id, sources=[], now=timezone.now())


def delete_product(tenant, photo) -> None:
    photo.product.delete()


@pytest.mark.parametrize("take", [delete_image, remove_photo, drop_from_feed, delete_product])
@pytest.mark.parametrize("index", [0, 1])
def test_a_pair_goes_with_the_photo_that_it_is_of(tenant, take, index):
    one, two, _pair = make_pair(tenant)

    take(tenant, (one, two)[index].photos.get())

    assert not NearDuplicate.objects.exists()


def test_a_pair_stays_while_other_photos_of_the_two_are_alike(tenant):
    kept, gone, pair = make_pair(tenant)
    with Image.open(PHOTO) as image:
        smaller = encode(image.convert("RGB").resize((300, 400)))
    compare(add_waiting_photo(gone, smaller))

    delete_image(tenant, gone.photos.in_order()[0])
    assert NearDuplicate.objects.get() == pair

    delete_image(tenant, gone.photos.get())
    assert not NearDuplicate.objects.exists()
    assert {kept, gone} == set(Product.objects.all())


def test_a_photo_of_two_products_takes_their_pair_with_it(tenant):
    first, second = (make_product(tenant=tenant) for _ in range(2))
    add_waiting_photo(first, PHOTO.read_bytes())
    compare(add_waiting_photo(second, PHOTO.read_bytes()))
    assert NearDuplicate.objects.count() == 1
    image = FashionImage.objects.get()

    annotation_services.delete_image(tenant=tenant, image_id=image.id)

    assert not NearDuplicate.objects.exists()


def test_what_was_dismissed_is_remembered_without_its_photo(tenant):
    kept, _gone, pair = make_pair(tenant)
    duplicates.dismiss_duplicate(tenant=tenant, duplicate_id=pair.id, now=timezone.now())

    delete_image(tenant, kept.photos.get())

    assert NearDuplicate.objects.get().dismissed_at


def test_notes_no_pair_with_a_photo_that_went_while_it_was_compared(tenant, monkeypatch):
    first, second = (make_product(tenant=tenant) for _ in range(2))
    old = add_waiting_photo(first, PHOTO.read_bytes())
    with Image.open(PHOTO) as image:
        new = add_waiting_photo(second, encode(ImageOps.mirror(image.convert("RGB"))))
    compare(old)
    NearDuplicate.objects.all().delete()
    note = duplicates._note

    def delete_and_note(*args, **options):
        delete_image(tenant, old)
        note(*args, **options)

    monkeypatch.setattr(duplicates, "_note", delete_and_note)

    assert compare(new) == 1
    assert not NearDuplicate.objects.exists()
