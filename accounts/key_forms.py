from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.utils.functional import lazy
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from accounts.models import LONGEST_ORIGIN, ApiKey, Scope

MOST_ORIGINS = 20
format_html_lazy = lazy(format_html, SafeString)


class KeyForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=120, help_text=_("What uses it: “web shop”, “night import”.")
    )
    kind = forms.ChoiceField(
        label=_("Kind"), choices=ApiKey.Kind, initial=ApiKey.Kind.SECRET, widget=forms.RadioSelect
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"),
        # By the names that the API's answers and documentation use.
        choices=[
            (x.value, format_html_lazy("<span>{} <code>{}</code></span>", x.label, x.value))
            for x in Scope
        ],
        initial=[Scope.ANNOTATE],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    origins = forms.CharField(
        label=_("Web pages that may use it"),
        required=False,
        max_length=MOST_ORIGINS * LONGEST_ORIGIN,
        widget=forms.Textarea({"rows": 2}),
        help_text=_(
            "One origin a line, such as https://shop.example.com. Everybody can read a "
            "publishable key there, so it only finds similar items."
        ),
    )
    days = forms.TypedChoiceField(
        label=_("Expires"),
        coerce=int,
        initial=0,
        choices=[
            (0, _("Never")),
            (30, _("In 30 days")),
            (90, _("In 90 days")),
            (365, _("In a year")),
        ],
    )

    def clean_origins(self) -> list[str]:
        lines = [line.strip().rstrip("/") for line in self.cleaned_data["origins"].split()]
        wrong = [line for line in lines if not is_origin(line)]
        if wrong:
            raise forms.ValidationError(
                _t("“%s” is no origin: write https://, the host, and a port if it has one.")
                % wrong[0][:80]
            )
        if len(lines) > MOST_ORIGINS:
            raise forms.ValidationError(_t("At most %d.") % MOST_ORIGINS)
        return list(dict.fromkeys(_drop_usual_port(line.lower()) for line in lines))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        publishable = data.get("kind") == ApiKey.Kind.PUBLISHABLE
        if publishable and not data.get("origins") and "origins" not in self.errors:
            self.add_error("origins", _t("Name the pages that may use the key."))
        if not publishable:
            data["origins"] = []
            if not data.get("scopes") and "scopes" not in self.errors:
                self.add_error("scopes", _t("Choose at least one."))
        return data

    def expires_at(self, *, now: datetime) -> datetime | None:
        days = self.cleaned_data["days"]
        return now + timedelta(days=days) if days else None


class RotateForm(forms.Form):
    overlap = forms.TypedChoiceField(
        label=_("The old key works on for"),
        coerce=int,
        choices=[(0, _("not at all")), (1, _("an hour")), (24, _("a day")), (168, _("a week"))],
    )

    @property
    def duration(self) -> timedelta:
        return timedelta(hours=self.cleaned_data["overlap"])


def _drop_usual_port(origin: str) -> str:
    """No browser sends it."""
    usual = ":443" if origin.startswith("https:") else ":80"
    return origin.removesuffix(usual)


def is_origin(text: str) -> bool:
    """Scheme, host and port as a browser sends them."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    rest = (parts.path, parts.query, parts.fragment)
    plain = text.isascii() and text.isprintable() and len(text) <= LONGEST_ORIGIN
    return (
        plain
        and parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and "@" not in parts.netloc
        and not any(rest)
        and (port is None or port > 0)
    )
