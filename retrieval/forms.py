from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.core.validators import RegexValidator, URLValidator
from django.urls import reverse_lazy
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.models import Tenant
from annotations.forms import list_colours
from annotations.models import Garment
from annotations.sources import list_stores
from inference import taxonomy
from retrieval import catalogue
from retrieval.auditing.texts import TITLES
from retrieval.models import Product

WEB_ADDRESS = URLValidator(schemes=["http", "https"])
CURRENCY = RegexValidator(r"^[A-Z]{3}$", _("Three letters, such as TRY or EUR."))

FLAGS: list[tuple[Any, Any]] = [
    ("disagree", _("Photos disagree")),
    ("duplicate", _("Possible duplicate")),
    ("unlisted", _("Not shown in the shop")),
    ("no-photo", _("No photo")),
    ("refused-photo", _("A photo was refused")),
    ("faults", _("Photos to improve")),
    ("gaps", _("Views that are missing")),
    (_("What photos lack"), list(TITLES.items())),
]
SORTS = [
    ("", _("Best match")),
    ("newest", _("Newest first")),
    ("oldest", _("Oldest first")),
    ("title", _("Title")),
    ("cheapest", _("Cheapest first")),
    ("dearest", _("Dearest first")),
    ("unsure", _("Least sure first")),
]


# What a search box needs to suggest while somebody types (see `suggest` in views.search).
SUGGESTING = {
    "type": "search",
    "list": "suggestions",
    "autocomplete": "off",
    "hx-get": reverse_lazy("suggest"),
    "hx-trigger": "input changed delay:150ms",
    "hx-target": "#suggestions",
    "hx-swap": "innerHTML",
    "hx-push-url": "false",
}


class CatalogueForm(forms.Form):
    q = forms.CharField(
        label=_("Words or id"),
        required=False,
        max_length=200,
        widget=forms.TextInput(SUGGESTING),
    )
    category = forms.ChoiceField(label=_("Category"), required=False)
    object = forms.ChoiceField(label=_("Object"), required=False)
    colour = forms.ChoiceField(label=_("Colour"), required=False)
    stock = forms.ChoiceField(label=_("Stock"), required=False)
    store = forms.ChoiceField(label=_("Store"), required=False)
    flag = forms.ChoiceField(label=_("Look at"), required=False)
    sort = forms.ChoiceField(label=_("Sort"), required=False, choices=SORTS)
    # Shown as tabs and as a switch beside the form.
    state = forms.ChoiceField(required=False, widget=forms.HiddenInput)
    view = forms.ChoiceField(
        required=False, widget=forms.HiddenInput, choices=[("grid", ""), ("list", "")]
    )

    def __init__(self, *args: Any, tenant: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._choose("category", list_own_categories(tenant))
        self._choose("object", list(Garment.ObjectType.choices))
        self._choose("colour", list_colours())
        self._choose("stock", [choice for choice in Product.Stock.choices if choice[0]])
        offer_stores(self, tenant)
        self._choose("flag", FLAGS)
        self._choose("state", list(Product.State.choices))

    def as_filter(self) -> dict[str, Any]:
        """Arguments of `filter_products`; what is wrong in the address is left out."""
        self.is_valid()
        data = self.cleaned_data
        names = ("state", "category", "colour", "stock", "flag")
        return {
            "text": data.get("q", ""),
            "object_type": data.get("object", ""),
            "store": read_store(data),
            "sort": data.get("sort") or ("best" if data.get("q") else "newest"),
            **{name: data.get(name, "") for name in names},
        }

    @property
    def is_filtering(self) -> bool:
        return any(self.cleaned_data.get(n) for n in self.fields if n not in ("sort", "view"))

    @property
    def is_narrowed(self) -> bool:
        """By more than words and state, which always show."""
        shown = ("q", "state", "sort", "view")
        return any(self.cleaned_data.get(name) for name in self.fields if name not in shown)

    def _choose(self, name: str, choices: list[tuple[str, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - tells mypy
        field.choices = [("", _("All")), *choices]


class ProductForm(forms.Form):
    title = forms.CharField(label=_("Title"), max_length=500, required=False)
    external_id = forms.CharField(
        label=_("Product id"),
        max_length=200,
        required=False,
        help_text=_("As in your shop, so that imports find it. Left empty, Kalas makes one."),
    )
    url = forms.URLField(
        label=_("Address in the shop"),
        max_length=2000,
        required=False,
        assume_scheme="https",
        validators=[WEB_ADDRESS],
    )
    price = forms.DecimalField(
        label=_("Price"), min_value=0, max_digits=12, decimal_places=2, required=False
    )
    currency = forms.CharField(
        label=_("Currency"),
        max_length=3,
        required=False,
        help_text=_("Three letters, such as TRY or EUR."),
    )
    stock = forms.ChoiceField(label=_("Stock"), required=False, choices=Product.Stock)
    listed = forms.BooleanField(
        label=_("Shown in the shop"),
        required=False,
        initial=True,
        help_text=_("What is not shown is found here, but not by visitors of your shop."),
    )
    description = forms.CharField(
        label=_("Description"), max_length=20_000, required=False, widget=forms.Textarea
    )

    def clean_currency(self) -> str:
        currency = str(self.cleaned_data["currency"]).upper()
        if currency:
            CURRENCY(currency)
        return currency

    @classmethod
    def of(cls, product: Product, data: Any = None) -> "ProductForm":
        return cls(data, initial={name: getattr(product, name) for name in cls.base_fields})


def offer_stores(form: forms.Form, tenant: Tenant) -> None:
    """The choices of `store`, which is left out where the shop has none; one query."""
    field = form.fields["store"]
    assert isinstance(field, forms.ChoiceField)  # noqa: S101 - tells mypy
    if named := list_stores(tenant):
        field.choices = [("", _("All")), *named]
    else:
        del form.fields["store"]


def read_store(data: Mapping[str, Any]) -> UUID | None:
    return UUID(data["store"]) if data.get("store") else None


def list_own_categories(tenant: Tenant) -> list[tuple[str, str]]:
    """Those that the shop has, with their numbers; one query."""
    known, language = taxonomy.load(), get_language() or "en"
    return [
        (name, f"{known.title('category', name, language)} ({number})")
        for name, number in catalogue.count_categories(tenant=tenant)
    ]
