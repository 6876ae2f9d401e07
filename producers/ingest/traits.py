"""Traits of a user under the names that the standard plan has for them, whatever the protocol calls them.

What was sent stays beside the plan's name: a plan of one's own may have either.
"""

from __future__ import annotations

from msgspec import Raw

from producers.ingest.members import Fields, as_value
from producers.ingest.times import milliseconds
from schemas.personal import SPELLINGS

_TIME = "created_at"


def planned(traits: Fields) -> Fields:
    """``traits`` itself where there is nothing to add. When the account was made becomes milliseconds, if it is text
    that is a time of any form, since the plan takes nothing but RFC 3339 with an offset."""
    more = {ours: traits[theirs] for ours, theirs in SPELLINGS.items() if theirs in traits and ours not in traits}
    created = traits.get(_TIME, traits.get("createdAt"))
    written = as_value(created) if created is not None else None
    moment = milliseconds(written) if isinstance(written, str) else None
    if moment is not None:
        more[_TIME] = Raw(str(moment).encode())
    return {**traits, **more} if more else traits
