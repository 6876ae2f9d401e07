"""Sending one event by the edge: what its answers become."""

from __future__ import annotations

import httpx
import pytest

from console.events.sending import NotTaken, by_edge


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"error": "bad_event", "message": "1 of 1 is bad", "events": [
            {"index": 0, "field": "user_id", "message": "an event needs one"}]},
         "user_id: an event needs one"),
        ({"error": "over_quota", "message": "wait a little"}, "wait a little"),
        ({"message": 5}, '{"message":5}'), ([], "[]"),
    ],
)  # fmt: skip
def test_a_refusal_is_told_in_words(answer: object, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with the event, else the message; what is no refusal of the edge is shown as it is."""
    monkeypatch.setattr(httpx, "post", lambda url, **_: httpx.Response(400, json=answer))
    with pytest.raises(NotTaken) as error:
        by_edge("http://edge", "sk_x", {})
    assert str(error.value) == f"http://edge answered 400: {said}"
