"""The invitation whose link a visitor opened, remembered in their session until they answer."""

from datetime import datetime

from django.http import HttpRequest

from accounts import selectors
from accounts.models import Invitation

INVITATION_KEY = "invitation_id"


def remember(request: HttpRequest, invitation: Invitation) -> None:
    request.session[INVITATION_KEY] = str(invitation.id)


def recall(request: HttpRequest, *, now: datetime) -> Invitation | None:
    return selectors.find_open_invitation(
        invitation_id=request.session.get(INVITATION_KEY), now=now
    )


def forget(request: HttpRequest) -> None:
    request.session.pop(INVITATION_KEY, None)
