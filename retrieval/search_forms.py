"""What pages ask a search for; what is wrong in an address is left out."""

from typing import Any

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.models import Tenant
from annotations.forms import list_colours
from annotations.models import Garment
from inference import taxonomy
from inference.contract import Box
from retrieval.filters import Filters
from retrieval.forms import SUGGESTING, list_own_categories, offer_stores, read_store
from retrieval.models import Product


class WordsForm(forms.Form):
    q = forms.CharField(
        label=_("Words"),
        required=False,
        max_length=200,
        widget=forms.TextInput(SUGGESTING),
    )


class FiltersForm(forms.Form):
    category = forms.ChoiceField(label=_("Category"), required=False)
    object = forms.ChoiceField(label=_("Object"), required=False)
    colour = forms.ChoiceField(label=_("Colour"), required=False)
    attribute = forms.ChoiceField(label=_("Attribute"), required=False)
    stock = forms.ChoiceField(label=_("Stock"), required=False)
    store = forms.ChoiceField(label=_("Store"), required=False)
    price_from = forms.DecimalField(label=_("Price from"), required=False, min_value=0)
    price_to = forms.DecimalField(label=_("Price to"), required=False, min_value=0)

    def __init__(self, *args: Any, tenant: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._choose("category", list_own_categories(tenant))
        self._choose("object", list(Garment.ObjectType.choices))
        self._choose("colour", list_colours())
        self._choose("attribute", list_attributes())
        self._choose("stock", [choice for choice in Product.Stock.choices if choice[0]])
        offer_stores(self, tenant)
        for field in self.fields.values():
            # They belong to the form for words; the one for photos takes them along.
            field.widget.attrs["form"] = "by-words"

    @property
    def are_set(self) -> bool:
        return not self.as_filters().are_empty

    def as_filters(self) -> Filters:
        self.is_valid()
        data = self.cleaned_data
        return Filters(
            object_type=data.get("object", ""),
            category=data.get("category", ""),
            colour=data.get("colour", ""),
            attribute=data.get("attribute", ""),
            stock=data.get("stock", ""),
            store=read_store(data),
            price_from=data.get("price_from"),
            price_to=data.get("price_to"),
        )

    def _choose(self, name: str, choices: list[tuple[str, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - tells mypy
        field.choices = [("", _("All")), *choices]


class DetailsForm(forms.Form):
    match_details = forms.BooleanField(
        label=_("Match the details"),
        required=False,
        help_text=_("The same print, seams or buttons first. Takes longer."),
        # As the filters, it belongs to the form for words.
        widget=forms.CheckboxInput({"form": "by-words"}),
    )

    @property
    def is_on(self) -> bool:
        return self.is_valid() and bool(self.cleaned_data["match_details"])


class SearchPhotoForm(forms.Form):
    """The box is optional: all four sides or none."""

    use_required_attribute = False  # the input is hidden where a script shows buttons for it

    photo = forms.FileField(
        label=_("Photo"), widget=forms.FileInput({"accept": "image/*", "data-photo": ""})
    )
    left = forms.IntegerField(label=_("Left"), min_value=0, required=False)
    top = forms.IntegerField(label=_("Top"), min_value=0, required=False)
    right = forms.IntegerField(label=_("Right"), min_value=1, required=False)
    bottom = forms.IntegerField(label=_("Bottom"), min_value=1, required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        sides = [data.get(side) for side in ("left", "top", "right", "bottom")]
        data["box"] = None
        if all(side is not None for side in sides):
            try:
                data["box"] = Box(*sides)  # type: ignore[arg-type]
            except ValueError as error:
                raise forms.ValidationError(
                    _("The right side must exceed the left one, and the bottom the top.")
                ) from error
        return data


def list_attributes() -> list[tuple[str, Any]]:
    """Values by key, in the page's language."""
    known, language = taxonomy.load(), get_language() or "en"
    return [
        (
            known.title("attribute", attribute.key, language),
            [
                (
                    f"{attribute.key}:{value.name}",
                    known.title("value", f"{attribute.key}:{value.name}", language),
                )
                for value in attribute.values
            ],
        )
        for attribute in known.attributes
    ]
