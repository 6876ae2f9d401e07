"""The stages and those who read what they decide: would they go on, does anybody work, how far behind are they."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from console.doctor.brokers import CLIENT
from console.doctor.catalog import require_catalog
from console.doctor.finding import Check, Finding, some
from console.state.standing import RULES, VALIDATION, Stage, look
from offerflow.runtime.errors import Refused
from offerflow.runtime.kafka.admin import Admin, Place
from offerflow.runtime.positions import raw_topics
from offerflow.runtime.settings import Settings
from schemas.output_topics import RECORD_OF
from schemas.seen import Snapshot, load_snapshots

AREA = "stages"
LATE_S, TOO_LATE_S = 60, 15 * 60
"""As old as the oldest record that waits may be; the first is what the alert LagInSeconds waits for."""
HISTORY, HISTORY_EVENTS, WEBHOOKS = "history", "history-events", "webhooks"
OUTPUTS = tuple(name for name in RECORD_OF if name != "dead-letter")
READS = {HISTORY: OUTPUTS, HISTORY_EVENTS: ("journal", "dead-letter"), WEBHOOKS: OUTPUTS}
"""Groups that need not be there, and the topics that each reads."""


@dataclass(frozen=True, slots=True)
class StageChecks:
    """Those of one stage."""

    claims: Check
    members: Check
    lag: Check


def _checks(stage: str) -> StageChecks:
    return StageChecks(
        Check(f"{stage}-claims", AREA, "every partition can be worked on"),
        Check(f"{stage}-members", AREA, "a worker at least"),
        Check(f"{stage}-lag", AREA, f"nothing has waited for longer than {LATE_S} s"),
    )


OF = {stage: _checks(stage) for stage in (VALIDATION, RULES)}
LAGS = {group: Check(f"{group}-lag", AREA, f"nothing has waited for longer than {LATE_S} s") for group in READS}
FUSE = Check("validation-fuse", AREA, "the fuse is on and does not hold")


@dataclass(frozen=True, slots=True)
class Lag:
    """Of a group: offsets that wait, and how many partitions have one that is late or too late. ``known``: the group
    has committed something."""

    members: tuple[str, ...]
    offsets: int
    late: int
    too_late: int
    known: bool = True


def look_stage(settings: Settings, stage: str) -> Iterator[Finding]:
    admin = Admin(settings, CLIENT)
    if stage == VALIDATION:
        require_catalog(settings, admin)
    try:
        found = look(settings, stage)
    except Refused as error:
        yield OF[stage].claims.bad(f"{error.reason}: {error}", f"docs/runbook.md#{error.reason}")
        return
    yield judge_claims(found)
    lag = lag_of(admin, found.group, [one.place for one in found.standings], found.members)
    yield from judge_work(stage, lag)


def look_fuse(settings: Settings) -> Iterator[Finding]:
    require_catalog(settings, Admin(settings, CLIENT))
    yield judge_fuse(settings, load_snapshots(settings), raw_topics(settings))


def look_readers(settings: Settings) -> Iterator[Finding]:
    admin = Admin(settings, CLIENT)
    for group, names in READS.items():
        there = admin.topics(map(settings.topic, names)).values()
        places = [(topic.name, partition) for topic in there for partition in range(topic.partitions)]
        full = settings.group(group)
        yield judge_reader(group, lag_of(admin, full, places, admin.members(full)))


def lag_of(admin: Admin, group: str, places: Collection[Place], members: Collection[str]) -> Lag:
    """Late is what was appended before a moment and lies behind the committed offset."""
    # Positions first: what is committed meanwhile makes a lag smaller, never a lag where there is none.
    committed = {place: one.offset for place, one in admin.committed(group, places).items()}
    now = datetime.now(UTC)
    late, too_late = (admin.at(places, now - timedelta(seconds=age)) for age in (LATE_S, TOO_LATE_S))
    starts, ends = admin.starts(places), admin.ends(places)
    at = {place: max(committed.get(place, 0), starts[place]) for place in places}
    return Lag(
        tuple(members),
        sum(max(0, ends[place] - at[place]) for place in places),
        sum(at[place] < late[place] for place in places),
        sum(at[place] < too_late[place] for place in places),
        bool(committed),
    )


def judge_claims(stage: Stage) -> Finding:
    """What a worker would refuse now."""
    check, refused = OF[stage.name].claims, stage.refused
    if not refused:
        again = [one for one in stage.standings if one.claim != "carry on"]
        more = f"; {len(again)} would be folded on first" if again else ""
        return check.ok(f"{len(stage.standings)} partitions, none refused{more}")
    reasons = sorted({one.refusal.reason for one in refused if one.refusal is not None})
    where = some([one.where for one in refused])
    show = "offerflow state show" + (f" --stage {stage.name}" if stage.name != RULES else "")
    return check.bad(
        f"{len(refused)} of {len(stage.standings)} partitions are refused ({', '.join(reasons)}): {where}",
        f"`{show}` says why and what to do; docs/runbook.md#{reasons[0]}",
    )


def judge_work(stage: str, lag: Lag) -> Iterator[Finding]:
    checks = OF[stage]
    start = f"start one; on a local stack `offerflow up --detach --{stage}-workers 1`"
    if lag.members:
        yield checks.members.ok(", ".join(lag.members))
    elif lag.offsets:
        yield checks.members.bad(f"nobody works, and {lag.offsets:,} offsets wait", start)
    else:
        yield checks.members.warn("nobody works; nothing waits yet", start)
    yield _judge_lag(checks.lag, lag, "see whether workers refuse (`offerflow status`, their /readyz), or start more")


def judge_reader(group: str, lag: Lag) -> Finding:
    """Of a program that a deployment need not have."""
    program = group.partition("-")[0]
    if not lag.members and not lag.known:
        return LAGS[group].ok(f"the program {program} has never run here")
    if not lag.members:
        found, do = (
            f"the program {program} does not run; {lag.offsets:,} offsets wait",
            f"start it: {program} has run here",
        )
        if lag.too_late:
            return LAGS[group].bad(f"{found}, some for over {TOO_LATE_S // 60} min", do)
        return LAGS[group].warn(found, do)
    return _judge_lag(LAGS[group], lag, f"see what {program} says (its log, its /readyz) and whether the store is slow")


def _judge_lag(check: Check, lag: Lag, do: str) -> Finding:
    if lag.too_late:
        return check.bad(
            f"{lag.offsets:,} offsets behind; in {lag.too_late} partitions some have waited for over"
            f" {TOO_LATE_S // 60} min",
            do,
        )
    if lag.late:
        return check.warn(
            f"{lag.offsets:,} offsets behind; in {lag.late} partitions some have waited for over {LATE_S} s", do
        )
    return check.ok(f"{lag.offsets:,} offsets behind" if lag.offsets else "nothing waits")


def judge_fuse(settings: Settings, snapshots: Mapping[Place, Snapshot], topics: Collection[str]) -> Finding:
    """``topics``: those that are read now; what is kept of others holds nothing any more."""
    watches = [one.watch for place, one in snapshots.items() if place[0] in topics]
    held = next((watch.held for watch in watches if watch.held is not None), None)
    if held is not None:
        return FUSE.bad(f"validation holds: {held}", "offerflow fuse show (docs/alerts.md#fuseholds)")
    if not settings.fuse.enabled:
        return FUSE.warn(
            "the fuse is off: a mistaken apply may make dead letters of all events",
            "take OFFERFLOW_FUSE__ENABLED=false away",
        )
    if any(watch.released for watch in watches):
        return FUSE.ok("released by hand until the plan or the sources change")
    return FUSE.ok("on")
