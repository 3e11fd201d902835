import re

from django import forms
from django.utils.translation import gettext_lazy as _

from integrations.stores import addresses, failures
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


class ShopifyForm(forms.Form):
    domain = forms.CharField(
        label=_("Your store"),
        max_length=120,
        widget=forms.TextInput({"placeholder": "your-shop.myshopify.com", "autofocus": True}),
        help_text=_("The name that ends in .myshopify.com, also if customers see another one."),
    )
    client_id = forms.RegexField(
        label=_("Client ID of your app"),
        regex=r"^\s*[0-9a-zA-Z]{8,100}\s*$",
        error_messages={"invalid": _("Copy the client ID from the app's settings.")},
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
    )
    secret = forms.RegexField(
        label=_("Secret of your app"),
        regex=r"^\s*[0-9a-zA-Z_]{8,200}\s*$",
        error_messages={"invalid": _("Copy the secret from the app's settings.")},
        widget=forms.PasswordInput({"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
    )

    def clean_domain(self) -> str:
        """As people paste it: with https://, or from the address of the admin."""
        text = self.cleaned_data["domain"].strip().lower().removeprefix("https://")
        text = text.removeprefix("admin.shopify.com/store/").partition("/")[0]
        name = text.removesuffix(".myshopify.com")
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,60}", name):
            raise forms.ValidationError(failures.describe("not-shopify"), code="not-shopify")
        return f"https://{name}.myshopify.com"

    def clean_client_id(self) -> str:
        return str(self.cleaned_data["client_id"]).strip()

    def clean_secret(self) -> str:
        return str(self.cleaned_data["secret"]).strip()


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
