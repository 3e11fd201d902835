from concurrent.futures import ThreadPoolExecutor

import pytest
from django.apps import apps
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import ForeignKey

from accounts.models import ApiKey, DailyUsage, IdempotentRequest
from accounts.tests.factories import make_key, make_member, make_tenant
from annotations.models import (
    Annotation,
    Batch,
    BatchItem,
    Colour,
    FashionImage,
    Garment,
    Label,
    Review,
)
from annotations.tests.factories import make_done_annotation
from kalas.lib.tenant_rows import only_rows_of

pytestmark = pytest.mark.django_db
# About people, who may be in several shops: the shop's own pages filter these.
OF_PEOPLE = {"accounts_membership", "accounts_invitation"}


def told():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('kalas.tenant', true)")
        return cursor.fetchone()[0] or ""


def guarded_tables():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class JOIN pg_policy ON polrelid = pg_class.oid"
            " WHERE row_security_active(pg_class.oid) AND relforcerowsecurity"
        )
        return {name for (name,) in cursor.fetchall()}


def test_every_table_of_a_shop_has_a_policy():
    """Those with the shop's id, and those whose rows go with a row of such a one."""
    models = {model._meta.db_table: model for model in apps.get_models()}
    of_shops = {
        name
        for name, model in models.items()
        if any(field.column == "tenant_id" for field in model._meta.concrete_fields)
    } - OF_PEOPLE
    for _level in range(3):
        of_shops |= {
            name
            for name, model in models.items()
            for field in model._meta.concrete_fields
            if isinstance(field, ForeignKey)
            and not field.null
            and field.remote_field.model._meta.db_table in of_shops
        }

    assert of_shops - guarded_tables() == set()
    assert len(of_shops) > 15


def test_a_shop_sees_and_changes_its_own_rows_only():
    mine, other = make_member(), make_member()
    for member in (mine, other):
        make_done_annotation(tenant=member.tenant)
        DailyUsage.objects.create(key=make_key(member=member).key, day="2026-01-02")
        batch = Batch.objects.create(tenant=member.tenant, total=1)
        BatchItem.objects.create(batch=batch, position=0)
    foreign = Garment.objects.exclude(annotation__tenant=mine.tenant).get()

    with only_rows_of(mine.tenant_id):
        for model in (Annotation, FashionImage, Garment, ApiKey, DailyUsage, Batch, BatchItem):
            assert model.objects.count() == 1, model
        assert Label.objects.count() == 1
        assert Colour.objects.count() == 2
        assert not Garment.objects.filter(id=foreign.id).update(category="mine now")
        with pytest.raises(DatabaseError), transaction.atomic():
            Label.objects.create(garment_id=foreign.id, key="k", name="n", confidence=1)
        with pytest.raises(DatabaseError), transaction.atomic():
            Review.objects.create(tenant=other.tenant, annotation_id=foreign.annotation_id)
        assert not IdempotentRequest.objects.exists()

    assert Garment.objects.count() == 2


def test_it_ends_with_the_block_also_after_an_error():
    outer, inner = make_tenant().id, make_tenant().id

    def fail():
        with only_rows_of(outer):
            with only_rows_of(inner):
                assert told() == str(inner)
            assert told() == str(outer)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert told() == ""


def test_it_ends_with_a_transaction_that_failed():
    tenant = make_tenant()

    with pytest.raises(IntegrityError), transaction.atomic(), only_rows_of(tenant.id):
        type(tenant).objects.create(id=tenant.id)

    assert told() == ""


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_is_made_meanwhile_is_told():
    tenant = make_tenant()

    with only_rows_of(tenant.id):
        connection.close()
        assert told() == str(tenant.id)
        connection.close()

    assert told() == ""


@pytest.mark.django_db(transaction=True)
def test_other_threads_see_what_they_saw():
    tenant = make_tenant()

    def ask():
        try:
            return told()
        finally:
            connection.close()

    with only_rows_of(tenant.id), ThreadPoolExecutor(1) as pool:
        assert pool.submit(ask).result() == ""
