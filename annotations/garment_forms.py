"""An answer as a plain form: every value a field, made by the taxonomy's rules."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from annotations.forms import list_categories
from annotations.models import Annotation, Garment, Review
from annotations.reviewing.corrections import Correction, Corrections
from inference import taxonomy


class AnswerForm(forms.Form):
    """`annotation` is one of `selectors.with_everything`."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    verdict = forms.ChoiceField(
        label=_("Answer"),
        required=False,
        choices=[("", _("The garments below")), *Review.Verdict.choices[1:]],
    )
    comment = forms.CharField(
        label=_("Comment"), required=False, max_length=1000, widget=forms.Textarea({"rows": 2})
    )

    def __init__(self, *args: Any, annotation: Annotation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.annotation = annotation
        self.garments = list(annotation.garments.all())
        self.fields["version"].initial = annotation.version
        for number, garment in enumerate(self.garments):
            self._add_garment(number, garment)

    def groups(self) -> Iterator[tuple[Garment, list[forms.BoundField]]]:
        for number, garment in enumerate(self.garments):
            prefix = f"{number}-"
            yield garment, [self[name] for name in self.fields if name.startswith(prefix)]

    def as_corrections(self) -> Corrections:
        """Only what differs from what is there."""
        data = self.cleaned_data
        corrections = []
        for number, garment in enumerate(self.garments):
            category = data[f"{number}-category"]
            values = {label.key: label.name for label in garment.labels.all()}
            attributes = {
                key: data[name] or None
                for key, name in self._names(number)
                if (data[name] or None) != values.get(key) and _applies(key, data[name], category)
            }
            corrections.append(
                Correction(
                    garment.id,
                    category=category,
                    attributes=attributes,
                    removed=data[f"{number}-removed"],
                )
            )
        return Corrections(corrections, verdict=Review.Verdict(data["verdict"]))

    def _names(self, number: int) -> Iterator[tuple[str, str]]:
        for attribute in taxonomy.load().attributes:
            name = f"{number}-{attribute.key}"
            if name in self.fields:
                yield attribute.key, name

    def _add_garment(self, number: int, garment: Garment) -> None:
        known, language = taxonomy.load(), get_language() or "en"
        values = {label.key: label.name for label in garment.labels.all()}
        # Of another taxonomy, too: what nobody chooses anew stays as it is.
        categories = list_categories()
        if garment.category not in {name for name, _title in categories}:
            categories = [(garment.category, garment.category), *categories]
        self.fields[f"{number}-category"] = forms.ChoiceField(
            label=_("Category"), choices=categories, initial=garment.category
        )
        for attribute in known.attributes:
            if garment.category not in attribute.applies_to and attribute.key not in values:
                continue
            choices = [
                (v.name, known.title("value", f"{attribute.key}:{v.name}", language))
                for v in attribute.values
                if garment.category in (v.applies_to or attribute.applies_to)
                or v.name == values.get(attribute.key)
            ]
            now = values.get(attribute.key)
            if now and now not in {name for name, _title in choices}:
                choices.append((now, now))
            self.fields[f"{number}-{attribute.key}"] = forms.ChoiceField(
                label=known.title("attribute", attribute.key, language),
                required=False,
                choices=[("", "—"), *choices],
                initial=values.get(attribute.key, ""),
            )
        self.fields[f"{number}-removed"] = forms.BooleanField(
            label=_("There is no such garment"), required=False
        )


def _applies(key: str, value: str, category: str) -> bool:
    """What the chosen category can't have goes by itself."""
    known = taxonomy.load()
    try:
        return not value or known.applies(key, value, category)
    except taxonomy.UnknownLabel:  # of another taxonomy
        return True
