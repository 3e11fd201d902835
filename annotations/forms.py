from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from annotations.models import Annotation, Garment
from inference import taxonomy
from inference.contract import Box

Choices = list[tuple[str, Any]]
LAST_DAY = date.max - timedelta(days=1)  # a filter reaches until the day after


class HistoryForm(forms.Form):
    q = forms.CharField(label=_("File name"), required=False, max_length=200)
    state = forms.ChoiceField(label=_("State"), required=False)
    review = forms.BooleanField(label=_("Needs review"), required=False)
    object = forms.ChoiceField(label=_("Object"), required=False)
    category = forms.ChoiceField(label=_("Category"), required=False)
    colour = forms.ChoiceField(label=_("Colour"), required=False)
    since = forms.DateField(
        label=_("From"), required=False, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    )
    until = forms.DateField(
        label=_("To"),
        required=False,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        validators=[MaxValueValidator(LAST_DAY)],
    )
    sort = forms.ChoiceField(
        label=_("Sort"),
        required=False,
        choices=[
            ("newest", _("Newest first")),
            ("oldest", _("Oldest first")),
            ("unsure", _("Least sure first")),
            ("name", _("File name")),
        ],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Titles come from the taxonomy, in the language of the request.
        self._choose("state", list(Annotation.State.choices))
        self._choose("object", list(Garment.ObjectType.choices))
        self._choose("category", list_categories())
        self._choose("colour", list_colours())

    def as_filter(self) -> dict[str, Any]:
        """Arguments of `selectors.filter_history`; what is wrong in the address is left out."""
        self.is_valid()
        data = self.cleaned_data
        until = data.get("until")
        return {
            "text": data.get("q", ""),
            "state": data.get("state", ""),
            "review": data.get("review", False),
            "object_type": data.get("object", ""),
            "category": data.get("category", ""),
            "colour": data.get("colour", ""),
            "since": midnight(data.get("since")),
            "until": midnight(until + timedelta(days=1)) if until else None,
            "sort": data.get("sort") or "newest",
        }

    def _choose(self, name: str, choices: Choices) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - tells mypy
        field.choices = [("", _("All")), *choices]


class CropForm(forms.Form):
    left = forms.IntegerField(label=_("Left"), min_value=0)
    top = forms.IntegerField(label=_("Top"), min_value=0)
    right = forms.IntegerField(label=_("Right"), min_value=1)
    bottom = forms.IntegerField(label=_("Bottom"), min_value=1)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors and not (data["left"] < data["right"] and data["top"] < data["bottom"]):
            raise forms.ValidationError(
                _("Right must be larger than left, and bottom larger than top.")
            )
        return data

    @property
    def box(self) -> Box:
        data = self.cleaned_data
        return Box(data["left"], data["top"], data["right"], data["bottom"])


def list_categories() -> Choices:
    known = taxonomy.load()
    language = get_language() or "en"
    titles = [(c.name, known.title("category", c.name, language)) for c in known.categories]
    return sorted(titles, key=lambda title: title[1].casefold())


def list_colours() -> Choices:
    known = taxonomy.load()
    language = get_language() or "en"
    return [(c.name, known.title("colour", c.name, language)) for c in known.colours]


def midnight(day: Any) -> datetime | None:
    return timezone.make_aware(datetime(day.year, day.month, day.day)) if day else None  # noqa: DTZ001
