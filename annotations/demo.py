"""The demo shop: real photos under free licences (see demo_photos/README.md), annotated by the
model like any other photo."""

import csv
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import transaction

from accounts.models import Tenant, User
from accounts.services import create_shop
from annotations import jobs, photos, services
from annotations.models import Annotation, DemoShop, FashionImage
from inference import specs
from kalas.lib import local_secrets

FOLDER = Path(__file__).parent / "demo_photos"
EMAIL = "demo@kalas.example"


def read_password() -> str:
    """The demo user's, random for each installation."""
    return local_secrets.read_or_make(path=settings.VAR / "secrets.json", name="demo_password")


def load_demo(*, now: datetime) -> int:
    """Store the photos that the demo shop doesn't have yet; return how many.

    Nothing happens once all were loaded: what somebody removed stays away. A run that was
    interrupted goes on where it stopped.
    """
    shop = DemoShop.objects.select_related("tenant").first() or _create_shop(now=now)
    if shop.loaded_at or shop.removed_at:
        return 0
    stored = sum(_store(path, shop.tenant, now=now) for path in list_photos())
    DemoShop.objects.filter(pk=shop.pk).update(loaded_at=now)
    return stored


def list_photos() -> Iterator[Path]:
    """Outfits only for a model that takes them apart: it has a finder."""
    try:
        takes_apart = bool(specs.find(settings.INFERENCE_MODEL).finder)
    except specs.UnknownModel:
        takes_apart = False  # an imported model
    with (FOLDER / "manifest.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if takes_apart or not row["file"].startswith("outfit-"):
                yield FOLDER / row["file"]


@transaction.atomic
def _create_shop(*, now: datetime) -> DemoShop:
    user = User.objects.filter(email=EMAIL).first()
    if user is None:
        user = User.objects.create_user(EMAIL, read_password(), name="Demo")
        EmailAddress.objects.create(user=user, email=EMAIL, verified=True, primary=True)
    membership = create_shop(name="Demo shop", owner=user, now=now)
    return DemoShop.objects.create(tenant=membership.tenant)


def _store(path: Path, tenant: Tenant, *, now: datetime) -> bool:
    _annotation, created = services.store_photo(
        tenant=tenant,
        photo=photos.check_photo(path.read_bytes()),
        name=path.name,
        uploaded_by=None,
        now=now,
        source=FashionImage.Source.DEMO,
        priority=Annotation.Priority.BULK,
    )
    jobs.wake_shop(tenant.id, at=now)
    return created
