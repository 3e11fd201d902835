"""Why a request to somebody else's server failed: a stable code and a sentence for a person."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SENTENCES: dict[str, Promise] = {
    "invalid-url": _("This is not a complete web address such as https://example.com/shirt.jpg."),
    "scheme": _("Only addresses that begin with https:// or http:// can be used."),
    "credentials": _("Remove the user name and password from the address."),
    "port": _("This installation does not connect to this port. Use the usual ones."),
    "host-refused": _("With this key photos are fetched from its own web pages' hosts only."),
    "unresolvable": _("There is no host of this name. Check the spelling."),
    "private-address": _("This host is not on the public internet, so it is not asked."),
    "unreachable": _("The host does not take connections."),
    "tls": _("The host's certificate is not valid."),
    "timeout": _("The host took too long to answer."),
    "broken-answer": _("The host's answer broke off or was not HTTP."),
    "compressed": _("The host compressed its answer although it was asked not to."),
    "redirects": _("The address leads to another one too many times."),
    "too-large": _("The file at this address is too large."),
    "status": _("The host has no photo for us at this address."),
    "not-an-image": _("What lies at this address is not a photo."),
}


class RequestFailed(Exception):
    """`code` is one of SENTENCES and never changes; `detail` says it in the active language.

    `status` is what the server answered where the code is `status`.
    """

    def __init__(self, code: str, *, status: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.status = status

    @property
    def detail(self) -> str:
        return describe(self.code)


def describe(code: str) -> str:
    return str(SENTENCES[code])
