from typing import Self, TypeVar

from django.db import models

from accounts.models import Tenant

M = TypeVar("M", bound=models.Model)


class TenantQuerySet(models.QuerySet[M]):
    """Rows that belong to a shop by a column of their own."""

    def for_tenant(self, tenant: Tenant) -> Self:
        return self.filter(tenant=tenant)
