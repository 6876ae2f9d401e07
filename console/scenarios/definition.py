"""What may stand in a scenario, as pydantic sees it. What it means is in docs/testing-offers.md."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator


def _names(value: Any) -> Any:
    # A union would tell what is wrong once for each of its branches.
    several = value if isinstance(value, list) else [value]
    names = [name for one in several for name in (one or [None] if isinstance(one, dict) else [one])]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(
            "expected a name such as upgrade, a name with more such as {upgrade: bold}, or a list of these such as"
            f" [{{upgrade: bold}}, bonus, bonus]; got {value!r}"
        )
    return value


def _texts(value: Any) -> Any:
    if not isinstance(value, str) and not (isinstance(value, list) and all(isinstance(text, str) for text in value)):
        raise ValueError(f"expected a text such as 2 of 3, or a list of them; got {value!r}")
    return value


def _offers(value: Any) -> Any:
    if value != "all" and not (isinstance(value, list) and all(isinstance(text, str) for text in value)):
        raise ValueError("expected a list of offers, or all")
    return value


Text = Annotated[str, StringConstraints(min_length=1, strict=True)]
Names = Annotated[Any, AfterValidator(_names)]
"""One name, a name with what else is expected of it, or several of these."""

ACTIONS = ("event", "enter", "code", "fulfil", "reverse", "wait")
_ONLY: dict[str, tuple[str, ...]] = {
    "with": ("event",),
    "times": ("event",),
    "every": ("event",),
    "arrives": ("event",),
    "source": ("event",),
    "id": ("event",),
    "key": ("enter", "code"),
    "by": ("fulfil",),
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=False)


class ExpectDefinition(_Strict):
    entered: Names | None = None
    completed: Names | None = None
    exited: Names | None = None
    satisfied: Names | None = None
    fulfilled: Names | None = None
    reversed: Names | None = None
    refused: Names | None = None
    ignored: Literal["too_late", "duplicate", "unread"] | None = None
    dead_letter: Text | None = None
    progress: dict[Text, Annotated[Any, AfterValidator(_texts)]] | None = None
    status: dict[Text, Text] | None = None

    @model_validator(mode="before")
    @classmethod
    def _nothing(cls, value: Any) -> Any:
        return {} if value == "nothing" else value


class StepDefinition(_Strict):
    event: Text | None = None
    enter: Text | None = None
    code: Text | None = None
    fulfil: Text | None = None
    reverse: Text | None = None
    wait: Text | None = None
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    id: Text | None = None
    at: Text | None = None
    after: Text | None = None
    arrives: Text | None = None
    times: Annotated[int, Field(ge=1, le=1000, strict=True)] = 1
    every: Text | None = None
    user: Text | None = None
    anonymous: Text | None = None
    source: Text | None = None
    key: Text | None = None
    by: Text | None = None
    expect: ExpectDefinition | None = None

    @model_validator(mode="after")
    def _one_action(self) -> StepDefinition:
        said = [name for name in ACTIONS if getattr(self, name) is not None]
        if len(said) != 1:
            got = "nothing" if not said else " and ".join(said)
            raise ValueError(f"expected one of {', '.join(ACTIONS)}, got {got}")
        given = self.model_fields_set
        for name, belongs in _ONLY.items():
            if ("with_" if name == "with" else name) in given and said[0] not in belongs:
                raise ValueError(f"{name!r} belongs to {' or '.join(belongs)}, not to {said[0]}")
        if self.at is not None and self.after is not None:
            raise ValueError("expected at or after, got both")
        if self.wait is not None and (self.at is not None or self.after is not None):
            raise ValueError("wait says itself how long or until when, so it takes neither at nor after")
        if self.every is not None and self.times == 1:
            raise ValueError("'every' is the time between repetitions; expected times beside it")
        return self


class ScenarioDefinition(_Strict):
    kind: Literal["scenario"]
    name: Text
    description: str | None = None
    user: Text | None = None
    anonymous: Text | None = None
    start: Text = "2026-01-05"
    timezone: Text = "UTC"
    arms: dict[Text, Text] = {}
    defaults: dict[Text, dict[str, Any]] = {}
    offers: Annotated[Any, AfterValidator(_offers)] = []
    allow_other: bool = False
    steps: Annotated[list[StepDefinition], Field(min_length=1)]


def known_keys(path: tuple[str | int, ...]) -> list[str]:
    """The keys that may stand beside the last step of ``path``, which leads into a scenario."""
    model: type[BaseModel] = ScenarioDefinition
    if "expect" in path[:-1]:
        model = ExpectDefinition
    elif "steps" in path[:-1]:
        model = StepDefinition
    return [info.alias or name for name, info in model.model_fields.items()]
