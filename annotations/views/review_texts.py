"""Words that the review page's script shows."""

from django.utils.translation import gettext as _


def build_page_texts() -> dict[str, str]:
    """`%s` is a name, a number or the server's own words."""
    return {
        "accept": _("Accept"),
        "save": _("Save"),
        "offline": _("No connection. What you do is kept here and sent as soon as it is back."),
        "loggedOut": _("You are logged out. What you did is kept here: log in to save it."),
        "otherShop": _(
            "You work in another shop by now. What you did here is kept: choose this page's shop "
            "again and load the page to save it."
        ),
        "conflict": _(
            "%s has reviewed this photo meanwhile. Your answer is kept and shown over theirs: save "
            "it, or start over to keep theirs."
        ),
        "refused": _("That could not be saved: %s"),
        "taken": _("Somebody else has just reviewed this photo."),
        "gone": _("The photo was deleted."),
        "broken": _("The page could not be loaded completely. Load it again."),
    }


def build_panel_texts() -> dict[str, str]:
    return {
        "none": _("None"),
        "more": _("All"),
        "main": _("Main"),
        "box": _("Box"),
        "remove": _("Remove"),
        "changed": _("changed"),
        "doubt": _("unsure"),
        "human": _("by hand"),
        "store": _("from the store"),
        "empty": _("No garment here. Add one, or accept that there is none."),
    }


def build_help_texts() -> dict[str, str]:
    return {
        "press": _("Press the new key."),
        "taken": _("That key is taken. Press another one."),
    }


def list_actions() -> list[tuple[str, str, str]]:
    """Name, title and the key as delivered (as in static/js/review-keys.js)."""
    return [
        ("accept", _("Accept or save, and go on"), "⏎"),
        ("skip", _("Skip: somebody else does it"), "S"),
        ("undo", _("Undo the last one (also Ctrl+Z)"), "U"),
        ("notGarment", _("Not a garment"), "N"),
        ("badPhoto", _("Bad photo"), "B"),
        ("search", _("Find a value"), "/"),
        ("comment", _("Comment"), "M"),
        ("add", _("Add a garment: draw its box"), "A"),
        ("box", _("Correct the box"), "D"),
        ("remove", _("Remove the garment"), "X"),
        ("next", _("Next garment of the photo"), "G"),
        ("main", _("Make it the main garment"), "P"),
        ("reset", _("Start over with this photo"), "R"),
        ("help", _("These keys"), "?"),
    ]
