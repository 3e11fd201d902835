from smtplib import SMTPException

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation

from accounts.models import Invitation, User


class NotSent(Exception):
    """The mail server did not take the e-mail."""


def send_invitation(invitation: Invitation, link: str) -> None:
    """In the receiver's language where they have an account, else the sender's; raises NotSent."""
    language = (
        User.objects.filter(email__iexact=invitation.email)
        .values_list("language", flat=True)
        .first()
    )
    context = {"invitation": invitation, "link": link}
    with translation.override(language or translation.get_language()):
        subject = render_to_string("accounts/email/invitation_subject.txt", context)
        text = render_to_string("accounts/email/invitation_message.txt", context)
        html = render_to_string("accounts/email/invitation_message.html", context)
    message = EmailMultiAlternatives(" ".join(subject.split()), text, to=[invitation.email])
    message.attach_alternative(html, "text/html")
    try:
        message.send()
    except (SMTPException, OSError) as error:
        raise NotSent from error
