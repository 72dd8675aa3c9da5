"""Language tags."""

from __future__ import annotations

import re

from lexiclass.errors import InvalidParameters

# language[-Script][-REGION][-variant...]: the part of BCP 47 (RFC 5646) that ICU locales use.
_LANGUAGE_TAG = re.compile(
    r"[A-Za-z]{2,3}(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*"
)


def with_hyphens(locale: str) -> str:
    """Return the one spelling of a locale that is used here: ``en-US``, also for ``en_US``."""
    return locale.replace("_", "-")


def check_locale(locale: str) -> str:
    """Return the locale with hyphens.

    ICU itself takes any text and silently uses its root rules for what it doesn't know.

    Raises:
        InvalidParameters: If it is not a language tag.
    """
    tag = with_hyphens(locale)
    if _LANGUAGE_TAG.fullmatch(tag) is None:
        raise InvalidParameters(
            f"{locale!r} is not a locale; give a language tag such as 'en', 'pt-BR' or 'zh-Hant'.",
            details={"locale": locale},
        )
    return tag
