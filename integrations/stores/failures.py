"""What goes wrong with a store: a stable code, and a sentence that says what to do."""

import re
from datetime import timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kalas.lib import request_failures

SENTENCES: dict[str, Promise] = {
    "moved": _("The store answers at another address: %(about)s. Connect that one."),
    "redirected": _(
        "The store sends every request on to another address: %(about)s. Kalas tries again by"
        " itself."
    ),
    "not-wordpress": _(
        "There is no WordPress with WooCommerce at this address. Check it in your browser, and"
        " leave out what comes after the name, such as /shop."
    ),
    "permalinks-off": _(
        "Pretty permalinks are off. In WordPress, open Settings, Permalinks, choose “Post name”"
        " and save."
    ),
    "no-woocommerce": _("WordPress answers, but WooCommerce is not active there. Activate it."),
    "key-unknown": _("The store does not know this key. Make a new one and paste both parts."),
    "secret-wrong": _("The consumer secret does not belong to the key. Paste both parts again."),
    "key-read-only": _("The key is read-only. Make one with the permission “Read/Write”."),
    "key-unheard": _(
        "The store does not see the key: a server or plug-in removes it from the request. Ask your"
        " host to pass the Authorization header on."
    ),
    "owner-without-rights": _(
        "The key's owner may no longer see products. Give them the role “Shop manager” or connect"
        " again as another user."
    ),
    "new-keys": _("The store is asked for nothing until it has new keys."),
    "key-revoked": _("The store no longer accepts the key. Connect again."),
    "firewall": _(
        "A firewall in front of the store refuses Kalas. Allow the user agent “Kalas” there."
    ),
    "busy": _("The store asks for a pause. Kalas tries again by itself."),
    "store-error": _("The store itself broke on the request. Kalas tries again by itself."),
    "maintenance": _("The store is in maintenance. Kalas tries again by itself."),
    "not-json": _("The store answered with a page instead of data. Kalas tries again by itself."),
    "refused": _("The store refused the request: %(about)s"),
    "not-kept": _("The store answered yes but did not keep what was written: %(about)s"),
    "not-there": _("The product is no longer in the store."),
    "probe-failed": _("Writing and removing a test tag did not work: %(about)s"),
    "webhooks-failed": _("The store does not let Kalas add webhooks: %(about)s"),
    "webhooks-disabled": _(
        "The store had switched its webhooks off after failed deliveries. Kalas made new ones."
    ),
    "uninstalled": _("The app was removed in the store. Connect again to go on."),
    "token-refused": _("The store no longer gives access. Connect again."),
    "app-unknown": _("Shopify does not know this app. Check the client ID and secret."),
    "not-shopify": _("This is not a Shopify store. It looks like your-shop.myshopify.com."),
    "scopes-missing": _("The app lacks permissions: %(about)s. Add them and connect again."),
    "changed-meanwhile": _("Somebody changes the product again and again. Kalas tries later."),
    "secret-unreadable": _(
        "The store's key can't be read: what sealed it is gone from this installation. Connect"
        " again."
    ),
    "no-photo": _("The product has no photo that can be used."),
    "quota": _("All annotations of this month are used."),
    "defect": _("Something broke on our side. It is written in the log."),
    "taken-by-nobody": _("No endpoint of yours takes product results. Add one under Webhooks."),
    "bad-message": _("The message could not be used: %(about)s"),
}
# What may be over in a while by itself.
PASSING = frozenset({"busy", "store-error", "maintenance", "not-json", "firewall", "not-kept"})
PASSING |= frozenset({"changed-meanwhile", "unresolvable", "unreachable", "timeout"})
PASSING |= frozenset({"broken-answer", "quota", "compressed", "redirected"})
# What only a person can mend, and what makes everything else vain until then.
BREAKING = frozenset(
    {
        *("key-unknown", "secret-wrong", "key-read-only", "key-unheard", "key-revoked"),
        *("owner-without-rights", "uninstalled", "token-refused", "app-unknown"),
        *("secret-unreadable", "permalinks-off", "no-woocommerce", "not-wordpress", "moved"),
        *("scopes-missing",),
    }
)


# Stores repeat in their answers what they were asked with.
_SECRETS = re.compile(
    r"(?P<name>(?:consumer_key|consumer_secret|oauth_[a-z]+)(?:=|%3D)|\b(?:c[ks]|shp[a-z]{2})_)[^\s&\"'<>]+",
    re.IGNORECASE,
)


class StoreFailed(Exception):
    """`code` is one of SENTENCES or of `request_failures`; `about` goes into its sentence and is
    shown, kept and mailed, so it holds no secrets."""

    def __init__(
        self, code: str, *, about: str = "", retry_after: timedelta = timedelta(0)
    ) -> None:
        super().__init__(code, about)
        self.code = code
        self.about = _SECRETS.sub(r"\g<name>…", about)[:300]
        self.retry_after = retry_after

    @property
    def detail(self) -> str:
        return describe(self.code, about=self.about)

    @property
    def is_passing(self) -> bool:
        return self.code in PASSING

    @property
    def is_breaking(self) -> bool:
        return self.code in BREAKING


def describe(code: str, *, about: str = "") -> str:
    """In the active language."""
    if code in SENTENCES:
        return str(SENTENCES[code]) % {"about": about}
    return request_failures.describe(code)
