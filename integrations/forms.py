from django import forms
from django.utils.translation import gettext_lazy as _

from integrations import endpoints
from integrations.models import WebhookEvent
from kalas.lib import safe_http


class EndpointForm(forms.Form):
    url = forms.CharField(
        label=_("Address"),
        max_length=safe_http.LONGEST_URL,
        widget=forms.URLInput({"placeholder": "https://shop.example.com/kalas"}),
        help_text=_("Kalas posts each message here as JSON."),
    )
    name = forms.CharField(label=_("Name"), max_length=120, required=False)
    events = forms.MultipleChoiceField(
        label=_("Tell it when"),
        choices=WebhookEvent,
        initial=[WebhookEvent.ANNOTATION_FINISHED],
        widget=forms.CheckboxSelectMultiple,
    )

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            endpoints.check_address(url)
        except endpoints.AddressRefused as error:
            raise forms.ValidationError(error.detail, code=error.code) from error
        return url
