"""Forms of the review pages."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.core.validators import MaxValueValidator
from django.db.models import QuerySet
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from annotations.forms import LAST_DAY, Choices, list_categories, midnight
from annotations.models import Review, ReviewSettings
from annotations.reviewing.grid import Setting
from annotations.reviewing.history import Wanted as PastWanted
from annotations.reviewing.queue import Wanted
from annotations.reviewing.thresholds import CATEGORY, DEFAULT_ATTRIBUTE, Thresholds
from inference import taxonomy


class QueueForm(forms.Form):
    """Which part of the review queue, and in which order."""

    category = forms.CharField(label=_("Category"), required=False, max_length=60)
    key = forms.ChoiceField(label=_("Unsure of"), required=False)
    store = forms.ChoiceField(label=_("Store"), required=False)
    product = forms.CharField(label=_("Product"), required=False, max_length=200)
    order = forms.ChoiceField(
        label=_("Order"),
        required=False,
        choices=[
            ("unsure", _("Least sure first")),
            ("oldest", _("Oldest first")),
            ("newest", _("Newest first")),
            ("product", _("Product by product")),
        ],
    )
    days = forms.IntegerField(
        label=_("Older than (days)"), required=False, min_value=0, max_value=3650
    )
    mine = forms.BooleanField(label=_("Only what is assigned to me"), required=False)
    # Set by links of the catalogue.
    of = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(
        self,
        *args: Any,
        categories: list[tuple[str, int]],
        stores: list[tuple[str, str]],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        for field, offered in (("key", list_keys()), ("store", stores)):
            choices_of(self, field, [("", _("All")), *offered])
        if not stores:
            del self.fields["store"]
        known, language = taxonomy.load(), get_language() or "en"
        choices = [
            (name, f"{known.title('category', name, language)} ({number})")
            for name, number in categories
        ]
        self.fields["category"].widget = forms.Select(choices=[("", _("All")), *choices])

    def as_wanted(self) -> Wanted:
        """What is wrong in the address is left out."""
        self.is_valid()
        data = self.cleaned_data
        days = data.get("days")
        return Wanted(
            category=data.get("category", ""),
            key=data.get("key", ""),
            store=UUID(data["store"]) if data.get("store") else None,
            product=data.get("product", ""),
            older_than=timedelta(days=days) if days else None,
            only_mine=data.get("mine", False),
            order=data.get("order") or "unsure",
            of=data.get("of"),
        )

    @property
    def is_filtered(self) -> bool:
        wanted = self.as_wanted()
        return wanted != Wanted(order=wanted.order, of=wanted.of)


def list_values() -> Choices:
    """Everything a garment can be said to have, by key: ("pattern:striped", "Striped")."""
    known = taxonomy.load()
    language = get_language() or "en"
    groups: Choices = [
        (gettext("Category"), [(f"category:{name}", title) for name, title in list_categories()])
    ]
    for attribute in known.attributes:
        values = [
            (
                f"{attribute.key}:{v.name}",
                known.title("value", f"{attribute.key}:{v.name}", language),
            )
            for v in attribute.values
        ]
        groups.append((known.title("attribute", attribute.key, language), values))
    return groups


class GridForm(forms.Form):
    """Which value's photos are shown."""

    value = forms.ChoiceField(label=_("Photos of"), required=False)
    all = forms.BooleanField(label=_("Also what needs no review"), required=False)

    def __init__(self, *args: Any, waiting: list[tuple[str, int]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices_of(self, "value", list_values())
        self.first = f"category:{waiting[0][0]}" if waiting else "category:t-shirt"
        self.fields["value"].initial = self.first

    def read(self) -> tuple[str, str, bool]:
        """Key, value and whether only what waits is shown; what is wrong is left out."""
        self.is_valid()
        data = getattr(self, "cleaned_data", {})
        key, _colon, value = (data.get("value") or self.first).partition(":")
        return key, value, not data.get("all", False)


class SetForm(forms.Form):
    """What chosen photos are: accepted as they are, or set to one value."""

    set = forms.ChoiceField(label=_("Set to"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known, language = taxonomy.load(), get_language() or "en"
        without = [
            (f"{a.key}:", _("No %s") % known.title("attribute", a.key, language).lower())
            for a in known.attributes
        ]
        choices: list[Any] = [
            ("accept", _("Right as it is")),
            (
                _("No answer"),
                [
                    ("verdict:not-a-garment", _("Not a garment")),
                    ("verdict:bad-photo", _("Bad photo")),
                ],
            ),
            *list_values(),
            (_("Take away"), without),
        ]
        choices_of(self, "set", choices)

    def as_setting(self) -> Setting:
        key, _colon, value = self.cleaned_data["set"].partition(":")
        if key == "accept":
            return Setting()
        if key == "verdict":
            return Setting(verdict=Review.Verdict(value))
        return Setting(key, value or None)

    @property
    def title(self) -> str:
        """Of what was chosen."""
        choices: Any = self.fields["set"].widget.choices
        flat = [pair for name, group in choices for pair in _flatten(name, group)]
        return str(dict(flat)[self.cleaned_data["set"]])


class AssignForm(forms.Form):
    """Whom chosen photos are meant for."""

    reviewer = forms.ModelChoiceField(
        label=_("Assign to"), required=False, queryset=User.objects.none(), empty_label=_("Nobody")
    )

    def __init__(self, *args: Any, reviewers: QuerySet[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["reviewer"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - tells mypy
        field.queryset = reviewers
        # An attribute of the field, as Django has it.
        field.label_from_instance = lambda user: user.get_full_name()  # type: ignore[assignment, method-assign]


class PastForm(forms.Form):
    """Which past reviews."""

    reviewer = forms.ChoiceField(label=_("Reviewer"), required=False)
    outcome = forms.ChoiceField(
        label=_("Outcome"),
        required=False,
        choices=[("", _("All")), ("changed", _("Changed")), ("accepted", _("Accepted"))],
    )
    key = forms.ChoiceField(label=_("What changed"), required=False)
    source = forms.ChoiceField(label=_("By way of"), required=False)
    since = forms.DateField(
        label=_("From"), required=False, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    )
    until = forms.DateField(
        label=_("To"),
        required=False,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        validators=[MaxValueValidator(LAST_DAY)],
    )
    annotation = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, reviewers: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known, language = taxonomy.load(), get_language() or "en"
        keys = [
            ("category", gettext("Category")),
            ("colours", gettext("Colours")),
            ("box", gettext("Box")),
            ("object", gettext("Object")),
            ("garment", gettext("Garment added or removed")),
            ("answer", gettext("Not a garment, bad photo")),
        ]
        keys += [(a.key, known.title("attribute", a.key, language)) for a in known.attributes]
        for name, choices in (
            ("reviewer", reviewers),
            ("key", keys),
            ("source", list(Review.Source.choices)),
        ):
            choices_of(self, name, [("", _("All")), *choices])

    def as_wanted(self) -> PastWanted:
        """What is wrong in the address is left out."""
        self.is_valid()
        data = self.cleaned_data
        until = data.get("until")
        return PastWanted(
            annotation_id=data.get("annotation"),
            email=data.get("reviewer", ""),
            key=data.get("key", ""),
            source=data.get("source", ""),
            changed={"changed": True, "accepted": False}.get(data.get("outcome", "")),
            since=midnight(data.get("since")),
            until=midnight(until + timedelta(days=1)) if until else None,
        )


class SuggestForm(forms.Form):
    note = forms.CharField(
        label=_("What should be better?"),
        max_length=1000,
        widget=forms.Textarea({"rows": 2}),
        help_text=_("A reviewer gets this photo next, with your words."),
    )


def _flatten(name: str, group: Any) -> Choices:
    return list(group) if isinstance(group, list | tuple) else [(name, group)]


def choices_of(form: forms.Form, name: str, choices: Choices) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)  # noqa: S101 - tells mypy
    field.choices = choices


class PlannerForm(forms.Form):
    """Of what the chart and the planner tell."""

    key = forms.ChoiceField(label=_("About"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices_of(self, "key", list_keys())

    def read_key(self) -> str:
        self.is_valid()
        return self.cleaned_data.get("key") or CATEGORY


class ReviewSettingsForm(forms.Form):
    second_review_percent = forms.IntegerField(
        label=_("Reviewed twice (percent)"),
        min_value=0,
        max_value=100,
        help_text=_(
            "So much of what one person has reviewed is shown to another, who does not see the "
            "first answer. The quality page then says how far your reviewers agree."
        ),
    )
    training_consent = forms.BooleanField(
        label=_("Our reviews may train the model"),
        required=False,
        help_text=_(
            "Reviewed photos of this shop then go into training sets. Photos that you delete leave "
            "them again."
        ),
    )

    def __init__(self, *args: Any, saved: ReviewSettings, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.initial = getattr(saved, name)


class ThresholdsForm(forms.Form):
    """A percentage for each key (empty: as delivered), and rows of one category: `one-<n>-…`."""

    CATEGORIES = 6

    def __init__(self, *args: Any, current: Thresholds, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.current = current
        for key, title in list_keys():
            value = current.category if key == CATEGORY else current.values.get((key, ""))
            self.fields[f"all-{key}"] = forms.IntegerField(
                label=title,
                min_value=0,
                max_value=100,
                required=key == CATEGORY,
                initial=None if value is None else round(value * 100),
                widget=forms.NumberInput(
                    {"placeholder": str(round(DEFAULT_ATTRIBUTE * 100)), "inputmode": "numeric"}
                ),
            )
        own = sorted((c, k, v) for (k, c), v in current.values.items() if c)
        self.rows = len(own) + self.CATEGORIES
        for number in range(self.rows):
            category, key, value = own[number] if number < len(own) else ("", CATEGORY, None)
            self.fields[f"one-{number}-category"] = forms.ChoiceField(
                label=_("Category"),
                required=False,
                choices=[("", "—"), *list_categories()],
                initial=category,
            )
            self.fields[f"one-{number}-key"] = forms.ChoiceField(
                label=_("What"), choices=list_keys(), initial=key, required=False
            )
            self.fields[f"one-{number}-value"] = forms.IntegerField(
                label=_("Review below (percent)"),
                min_value=0,
                max_value=100,
                required=False,
                initial=None if value is None else round(value * 100),
            )

    def shared(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith("all-")]

    def own(self) -> list[list[forms.BoundField]]:
        return [
            [self[f"one-{number}-{part}"] for part in ("category", "key", "value")]
            for number in range(self.rows)
        ]

    @property
    def category(self) -> float:
        percent: int = self.cleaned_data[f"all-{CATEGORY}"]
        return percent / 100

    def as_changes(self) -> dict[tuple[str, str], float | None]:
        """What is set, and None for what was and is not any more."""
        data = self.cleaned_data
        changes: dict[tuple[str, str], float | None] = dict.fromkeys(self.current.values)
        for key, _title in list_keys():
            value = data[f"all-{key}"]
            if key != CATEGORY:
                changes[key, ""] = None if value is None else value / 100
        for number in range(self.rows):
            category, value = data[f"one-{number}-category"], data[f"one-{number}-value"]
            if category and value is not None:
                changes[data[f"one-{number}-key"] or CATEGORY, category] = value / 100
        return changes


def list_keys() -> Choices:
    """Category and the attributes."""
    known, language = taxonomy.load(), get_language() or "en"
    attributes = [(a.key, known.title("attribute", a.key, language)) for a in known.attributes]
    return [(CATEGORY, gettext("Category")), *attributes]
