import math
from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import numpy as np
import pytest
from django.db import connection

from accounts.tests.factories import make_tenant
from annotations.models import Annotation, Colour, FashionImage, Garment
from annotations.tests.factories import make_done_annotation, make_result
from inference.contract import Box, ModelName
from kalas.lib.tenant_rows import only_rows_of
from retrieval import looks, nearest, similar, wanting
from retrieval.filters import Filters
from retrieval.models import Embedding, IndexVersion, Product
from retrieval.services import indexes
from retrieval.tests.factories import add_annotated_photo, make_product

pytestmark = pytest.mark.django_db


def at(degrees: float) -> tuple[float, float]:
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))


def make_item(tenant, degrees: float, *, title: str = "", result=None, **values) -> Product:
    """A product with one photo, whose vector points there."""
    product = make_product(tenant=tenant, title=title or f"{degrees} degrees", **values)
    add_annotated_photo(product, result or make_result(embedding=at(degrees)))
    return product


def want(degrees: float = 0, **values) -> wanting.Wanted:
    wanted = wanting.want_found(make_result(embedding=at(degrees)))
    assert wanted is not None
    return replace(wanted, **values)


def find(tenant, wanted=None, **options) -> list[Product]:
    found = similar.find_similar(tenant=tenant, wanted=wanted or want(), **options)
    return [match.product for match in found]


def test_finds_the_most_similar_products_first(tenant):
    far, near = make_item(tenant, 50), make_item(tenant, 10)

    found = similar.find_similar(tenant=tenant, wanted=want())

    assert [match.product for match in found] == [near, far]
    assert [round(match.similarity, 3) for match in found] == [0.985, 0.643]
    assert found[0].distance == pytest.approx(math.dist(at(0), at(10)))


def test_nothing_similar_is_an_answer(tenant):
    make_item(tenant, 80)

    assert find(tenant) == []
    assert len(find(tenant, cut_off=-1)) == 1


def test_a_product_is_found_once_by_its_most_similar_photo(tenant):
    product = make_item(tenant, 40)
    photo = add_annotated_photo(product, make_result(embedding=at(5)))

    (match,) = similar.find_similar(tenant=tenant, wanted=want())

    assert (match.product, match.photo) == (product, photo)
    assert match.garment.box == Box(10, 10, 50, 70)


def test_many_photos_of_one_product_do_not_hide_others(tenant):
    product = make_item(tenant, 1)
    for degrees in range(2, 12):
        add_annotated_photo(product, make_result(embedding=at(degrees)))
    other = make_item(tenant, 30)

    assert find(tenant, limit=2) == [product, other]


def test_finds_nothing_of_another_shop(tenant):
    make_item(make_tenant(), 0)
    assert find(tenant) == []

    mine = make_item(tenant, 20)
    assert find(tenant) == [mine]


@pytest.mark.parametrize("exact_up_to", [0, 50_000])
def test_the_graph_finds_only_what_is_the_shops(tenant, monkeypatch, exact_up_to):
    """A small shop beside large ones whose vectors are all nearer."""
    monkeypatch.setattr(nearest, "EXACT_UP_TO", exact_up_to)
    random = np.random.default_rng(7)
    query = np.eye(nearest.GRAPH_SIZE)[0]
    for shop, number, noise in ((make_tenant(), 300, 0.01), (tenant, 3, 0.03)):
        for _ in range(number):
            make_vector(shop, query + random.normal(0, noise, len(query)))
    wanted = wanting.Wanted(indexes.Model("kalas-mini", "1"), query.tolist())

    found = similar.find_similar(tenant=tenant, wanted=wanted, limit=5)

    assert len(found) == 3
    assert {match.product.tenant_id for match in found} == {tenant.id}
    assert find(make_tenant(), wanted) == []


@pytest.mark.parametrize("colour", ["", "navy-blue"])
def test_a_shop_in_a_crowd_of_others_is_found_whole(tenant, monkeypatch, colour):
    """The graph is walked a bounded way and gives up among the others' vectors."""
    monkeypatch.setattr(nearest, "EXACT_UP_TO", 0)
    monkeypatch.setattr(nearest, "GRAPH_SCANNED", 1)
    monkeypatch.setattr(nearest, "GRAPH_CANDIDATES", 5)
    random = np.random.default_rng(7)
    query = np.eye(nearest.GRAPH_SIZE)[0]
    for shop, number, noise in ((make_tenant(), 150, 0.01), (tenant, 12, 0.03)):
        for _ in range(number):
            make_vector(shop, query + random.normal(0, noise, len(query)))
    Product.objects.for_tenant(tenant).update(colours=["navy-blue"])
    wanted = wanting.Wanted(indexes.Model("kalas-mini", "1"), query.tolist())
    index = IndexVersion.objects.get(tenant=tenant)
    with connection.cursor() as cursor:  # as the planner does where there are many
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
    mine = Embedding.objects.filter(tenant=tenant, index=index)
    walked = nearest._ask_graph(nearest.near_in_graph(mine, query.tolist()), 12)
    assert len(walked) < 12

    found = nearest.find_nearest(
        index=index, wanted=wanted, filters=Filters(colour=colour), limit=10
    )

    assert len(found) == 10


def make_vector(tenant, vector) -> Embedding:
    """Without the photo's way through the house: hundreds are needed."""
    first = Embedding.objects.for_tenant(tenant).first()
    if first is None:
        make_item(tenant, 0, result=make_result(embedding=tuple(indexes.to_unit(vector))))
        return Embedding.objects.for_tenant(tenant).get()
    photo = first.photo
    product = Product.objects.create(tenant=tenant, external_id=str(uuid4()))
    photo.pk, photo.product, photo.source = uuid4(), product, ""
    photo._state.adding = True
    photo.save()
    return Embedding.objects.create(
        tenant=tenant,
        index=first.index,
        photo=photo,
        garment_id=first.garment_id,
        vector=indexes.to_unit(vector),
    )


def test_the_graph_and_comparing_all_find_the_same(tenant, monkeypatch):
    random = np.random.default_rng(3)
    for _ in range(120):
        make_vector(tenant, random.normal(size=nearest.GRAPH_SIZE))
    query = random.normal(size=nearest.GRAPH_SIZE).tolist()
    wanted = wanting.Wanted(indexes.Model("kalas-mini", "1"), query)

    exact = find(tenant, wanted, cut_off=-1, limit=10)
    monkeypatch.setattr(nearest, "EXACT_UP_TO", 0)

    assert find(tenant, wanted, cut_off=-1, limit=10) == exact


def test_large_shops_are_searched_by_the_graph(tenant):
    """The planner can follow the index that the migration made."""
    make_item(tenant, 0, result=make_result(embedding=tuple(np.eye(nearest.GRAPH_SIZE)[0])))
    rows = Embedding.objects.filter(tenant=tenant)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")

    plan = nearest.near_in_graph(rows, [1.0] + [0.0] * 255).explain()

    assert "embedding_graph" in plan
    assert "embedding_graph" not in nearest.near_by_comparing(rows, [1.0] + [0.0] * 255).explain()


def test_the_graph_is_the_finer_one():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE indexname LIKE 'embedding_graph%'"
        )
        ((name, definition),) = cursor.fetchall()

    assert name == "embedding_graph"
    assert "m='24', ef_construction='200'" in definition


def test_the_wall_stands_around_vectors_too(tenant):
    make_item(tenant, 0)
    foreign = make_item(make_tenant(), 0)

    with only_rows_of(tenant.id):
        rows = list(Embedding.objects.values_list("tenant_id", flat=True))
        ours = list(IndexVersion.objects.values_list("tenant_id", flat=True))

    assert rows == ours == [tenant.id]
    assert Embedding.objects.filter(tenant=foreign.tenant).exists()


def make_look(**fields) -> looks.Look:
    wanted = wanting.want_found(make_result(**fields))
    assert wanted is not None
    assert wanted.look is not None
    return wanted.look


def test_says_why(tenant):
    make_item(tenant, 10)

    (match,) = similar.find_similar(tenant=tenant, wanted=want())

    assert match.why == looks.Why(
        same_object=True,
        same_category=True,
        attributes=(("pattern", "striped"),),
        colours=("navy-blue", "white"),
        colour_distance=0.0,
    )


def test_says_how_far_colours_are_apart():
    blue = make_look()
    red = replace(blue, category="top", colours=(("red", "#ff0000", 1.0),))

    (why,) = looks.explain(red, [blue])

    assert not why.same_category
    assert why.colours == ()
    assert why.colour_distance
    assert 40 < why.colour_distance < 80
    (colourless,) = looks.explain(replace(red, colours=()), [blue])
    assert colourless.colour_distance is None
    nothing, again = looks.explain(red, [replace(blue, colours=()), blue])
    assert (nothing.colour_distance, again) == (None, why)


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"category": "dress"}, ["dress"]),
        ({"object_type": "full-body"}, ["dress"]),
        ({"colour": "red"}, ["dress"]),
        ({"attribute": "pattern:striped"}, ["shirt"]),
        ({"price_from": Decimal(20)}, ["dress"]),
        ({"price_to": Decimal(20)}, ["shirt"]),
        ({"stock": "in-stock"}, ["shirt"]),
        ({"store": uuid4()}, []),
    ],
)
def test_filters(tenant, filters, names):
    make_item(tenant, 0, title="shirt", price=Decimal(10), stock="in-stock")
    result = make_result(embedding=at(5), category="dress", object_type="full-body", colour="red")
    plain = replace(result, garments=(replace(result.garments[0], attributes=()),))
    make_item(tenant, 5, title="dress", price=Decimal(30), result=plain)

    found = find(tenant, filters=Filters(**filters))

    assert [product.title for product in found] == names


def test_by_a_product_itself_is_left_out(tenant):
    query, near = make_item(tenant, 0), make_item(tenant, 10)

    wanted = wanting.want_product(query)

    assert find(tenant, wanted) == [near]


def test_by_a_product_without_photos(tenant):
    assert wanting.want_product(make_product(tenant=tenant)) is None
    make_item(tenant, 0)
    assert wanting.want_product(make_product(tenant=tenant)) is None


def test_by_an_annotation(tenant):
    near = make_item(tenant, 10)
    annotation = make_done_annotation(tenant=tenant, result=make_result(embedding=at(0)))

    wanted = wanting.want_annotation(annotation)

    assert find(tenant, wanted) == [near]
    assert wanted
    assert wanted.look
    assert wanted.look.category == "t-shirt"
    assert wanting.want_annotation(annotation, garment_id=uuid4()) is None


def test_an_annotation_of_a_products_photo_finds_others(tenant):
    query, near = make_item(tenant, 0), make_item(tenant, 10)
    annotation = Annotation.objects.get(image__product_images__product=query)

    assert find(tenant, wanting.want_annotation(annotation)) == [near]


def test_the_engine_found_nothing():
    assert wanting.want_found(make_result(abstained="no-garment")) is None
    assert wanting.want_found(make_result(embedding=())) is None


def test_vectors_of_another_model_are_not_compared(tenant):
    make_item(tenant, 0)
    newer = want(0, model=indexes.Model("kalas-mini", "2"))

    with pytest.raises(similar.BeingBuilt, match="kalas-mini 2"):
        find(tenant, newer)
    assert find(make_tenant(), newer) == []


def test_photos_of_another_garment_are_not_found(tenant):
    product = make_item(tenant, 80)
    other = make_result(embedding=at(0), category="boots", object_type="footwear", confidence=0.99)
    add_annotated_photo(product, make_result(embedding=at(81)))
    photo = add_annotated_photo(product, other)
    photo.refresh_from_db()
    assert photo.verdict == "other-garment"

    assert find(tenant) == []


def test_deleted_photos_are_not_found(tenant):
    product = make_item(tenant, 0)
    FashionImage.objects.get(product_images__product=product).delete()

    assert find(tenant) == []
    assert Product.objects.filter(id=product.id).exists()


def test_queries_do_not_grow_with_results(tenant, django_assert_max_num_queries):
    for degrees in range(8):
        make_item(tenant, degrees)

    with django_assert_max_num_queries(8):
        found = similar.find_similar(tenant=tenant, wanted=want())
        assert all(match.photo.image for match in found)
    assert len(found) == 8


def test_other_sizes_of_vectors_are_compared_too(tenant):
    """A model with longer vectors than the graph's has an index of its own."""
    result = replace(
        make_result(embedding=(1.0, 0.0, 0.0)), model=ModelName("kalas-big", "1", "kalas-1")
    )
    make_item(tenant, 0, result=result)
    wanted = wanting.want_found(result)

    assert len(find(tenant, wanted)) == 1


def test_colours_are_taken_in_their_order(tenant):
    product = make_item(tenant, 0)
    garment = Garment.objects.get(annotation__image__product_images__product=product)
    Colour.objects.filter(garment=garment).delete()
    for position, name in ((1, "red"), (0, "white")):
        Colour.objects.create(
            garment=garment, position=position, name=name, hex="#ff0000", share=0.5
        )
    look = looks.describe_look(garment)

    assert [name for name, _hex, _share in look.colours] == ["white", "red"]
