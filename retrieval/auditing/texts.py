"""The audit in words that say what to do; in the language of who reads it."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from retrieval.auditing.advice import LEAST_SIDE, Advice, Code

TITLES = {
    "other-garment": gettext_lazy("Another garment"),
    "no-garment": gettext_lazy("Nothing found on the first photo"),
    "dark": gettext_lazy("Too dark"),
    "blurred": gettext_lazy("Blurred"),
    "small": gettext_lazy("Too few pixels"),
    "busy-cover": gettext_lazy("Busy background"),
    "no-whole": gettext_lazy("Never shown whole"),
    "far": gettext_lazy("Too far away"),
    "few": gettext_lazy("Too few photos"),
    "no-detail": gettext_lazy("No close-up"),
    "no-worn": gettext_lazy("Not shown worn"),
    "never-alone": gettext_lazy("Never shown alone"),
}


def say(advice: Advice, *, object_type: str) -> str:
    """One or two sentences for whoever takes the photos."""
    match advice.code:
        case "few":
            said = _say_few(object_type)
        case "no-detail":
            said = _say_detail(object_type)
        case "no-worn":
            said = _say_worn(object_type)
        case "no-whole":
            said = _("Every photo cuts it off: add one with a little space on all four sides.")
        case "far":
            said = _("It is small on every photo: go nearer, or cut the photo to it.")
        case "never-alone":
            said = _("Every photo shows other garments too: add one of this product alone.")
        case fault:
            said = f"{_name(advice.photos)}: {_say_fault(fault)}"
    return said


def _name(numbers: tuple[int, ...]) -> str:
    listed = ", ".join(str(number) for number in numbers)
    return ngettext("Photo %s", "Photos %s", len(numbers)) % listed


def _say_fault(code: Code) -> str:
    return {
        "other-garment": _("another garment is on it; remove it, or take it of this product."),
        "no-garment": _(
            "no garment is found on it, and customers see it first; put a photo of the whole"
            " product first."
        ),
        "dark": _("too dark; take it by a window in daylight, or with a second lamp."),
        "blurred": _("blurred; hold the camera still or put it on something, and clean the lens."),
        "small": _(
            "too few pixels to zoom in; %d on the longer side are needed. Use the camera's own"
            " file, not one that a messenger has shrunk."
        )
        % LEAST_SIDE,
        "busy-cover": _(
            "customers see it first, and its background is busy; use a white wall or sheet, or put"
            " a photo first that has a plain one."
        ),
    }[code]  # the gaps are said above


def _say_few(object_type: str) -> str:
    return {
        "footwear": _(
            "Show shoes from the side, from above and from below: three photos at least."
        ),
        "accessory": _("Show it closed and open or from two sides: two photos at least."),
        "lower-body": _("Show it from the front, from behind and its waistband: three photos."),
    }.get(object_type) or _("Show it from the front, from behind and one detail: three photos.")


def _say_detail(object_type: str) -> str:
    return {
        "upper-body": _("Add a close-up that fills the photo: collar, cuffs, buttons or print."),
        "lower-body": _("Add a close-up that fills the photo: waistband, pocket, seam or hem."),
        "full-body": _("Add a close-up that fills the photo: neckline, fastening or fabric."),
        "footwear": _("Add a close-up that fills the photo: sole, heel or fastening."),
    }.get(object_type) or _("Add a close-up that fills the photo: clasp, lining or material.")


def _say_worn(object_type: str) -> str:
    return {
        "footwear": _("Show them on feet, so that height and shape can be judged."),
        "accessory": _("Show it worn or carried, so that its size can be judged."),
    }.get(object_type) or _("Show it worn, so that length and fit can be judged.")
