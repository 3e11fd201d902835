from django import forms
from django.utils.translation import gettext_lazy as _

from integrations.stores import addresses
from integrations.stores.failures import StoreFailed
from integrations.stores.models import Store


class AddressForm(forms.Form):
    url = forms.CharField(
        label=_("Address of your store"),
        max_length=300,
        widget=forms.TextInput(
            {"placeholder": "https://shop.example.com", "autofocus": True, "inputmode": "url"}
        ),
        help_text=_("As you see it in the browser, on the store's front page."),
    )

    def clean_url(self) -> str:
        try:
            return addresses.clean_address(self.cleaned_data["url"])
        except StoreFailed as error:
            raise forms.ValidationError(error.detail, code=error.code) from error


class NameForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=120,
        widget=forms.TextInput({"placeholder": _("Our own shop"), "autofocus": True}),
    )


class KeysForm(forms.Form):
    key = forms.RegexField(
        label=_("Consumer key"),
        regex=r"^\s*ck_[0-9a-zA-Z]{8,100}\s*$",
        error_messages={"invalid": _("A consumer key begins with ck_. Copy all of it.")},
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
    )
    secret = forms.RegexField(
        label=_("Consumer secret"),
        regex=r"^\s*cs_[0-9a-zA-Z]{8,100}\s*$",
        error_messages={"invalid": _("A consumer secret begins with cs_. Copy all of it.")},
        widget=forms.PasswordInput({"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
    )

    def clean_key(self) -> str:
        return str(self.cleaned_data["key"]).strip()

    def clean_secret(self) -> str:
        return str(self.cleaned_data["secret"]).strip()


class SettingsForm(forms.ModelForm):  # type: ignore[type-arg]
    threshold = forms.IntegerField(
        label=_("Write from this confidence, %"),
        min_value=0,
        max_value=100,
        help_text=_("What the model is less sure of waits for a person or is left out."),
    )

    class Meta:
        model = Store
        fields = (
            "name",
            "mode",
            "threshold",
            "language",
            "write_tags",
            "write_category",
            "write_attributes",
            "write_alt",
            "create_categories",
            "append_only",
        )
        widgets = {"mode": forms.RadioSelect}

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.initial["threshold"] = round(self.instance.threshold * 100)

    def clean_threshold(self) -> float:
        return float(self.cleaned_data["threshold"]) / 100
