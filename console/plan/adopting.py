"""Names that plan themselves: for sources with ``unplanned_events: adopt``, meant for development.

A turn reads the dead letters that came since the last one. Names that are not planned are drafted from them and
applied, every property optional and nothing stripped, and what came too early is replayed. A turn that fails or is
killed is made good by the next one, which reads everything again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping

from console.dead_letters.handled import HandledLetters
from console.dead_letters.replay import replay
from console.plan.adding import planned_names
from console.plan.adoption import early, plan_definitions
from console.plan.catalog import read_catalog
from console.plan.drafting import Choices, Draft
from console.plan.inference import Drafting, Undraftable
from console.plan.names import name_problem, shown
from console.plan.samples import LetterPiles
from console.workspace.commit import current_author
from console.workspace.problems import WorkspaceProblems
from offerflow.catalog.follower import CatalogFollower
from offerflow.catalog.view import sources_of
from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.kafka.scan import read_spans, spans
from offerflow.runtime.logs import get_logger
from offerflow.runtime.settings import Settings
from schemas.dead_letter import StoredLetter, read_dead_letter

EVERY_S = 1.0
"""How often ``turn`` is worth calling."""
PER_MINUTE = 20
"""New names that are planned within a minute at most."""
WAITING = 200
"""Names that wait for their minute; what comes beyond is adopted when it comes again."""
CLIENT = "offerflow-adopter"
IN_FORCE_S = 30.0
_REASON = "__connect.errors.class.name"
_CHOICES = Choices(extra=True, required_from=1 << 62, doc="Adopted from the first events that came.")


class Adopter:
    """One per deployment is enough; several do no harm. Not for several threads."""

    def __init__(
        self, settings: Settings, clock: Callable[[], float] = time.monotonic, per_minute: int = PER_MINUTE
    ) -> None:
        self._settings = settings
        self._per_minute = per_minute
        self._clock = clock
        self._topic = settings.topic("dead-letter")
        self._follower = CatalogFollower(settings, CLIENT)
        self._follower.start()
        self._handled = HandledLetters(settings, CLIENT)
        self._positions: dict[Place, int] = {}
        self._adopting: set[str] = set()
        self._waiting = LetterPiles(names=WAITING)
        self._planned_at: deque[float] = deque()
        self._refused: set[str] = set()

    def turn(self) -> None:
        """Do what there is to do now. Raises DependencyDown, TryAgain; whatever it was, the next turn goes on."""
        try:
            self._turn()
        except BaseException:
            # What was read and not yet replayed is in no other memory than the topic.
            self._forget()
            raise

    def close(self) -> None:
        self._follower.close()

    def _turn(self) -> None:
        self._follower.poll()
        adopting = {
            source.id
            for source in sources_of(self._settings, self._follower.catalog).values()
            if source.unplanned_events == "adopt"
        }
        if adopting != self._adopting:  # letters of other sources were passed over
            self._forget()
            self._adopting = adopting
        if not adopting:
            return
        ready = self._read(planned_names(self._follower.catalog))
        if not ready and not self._waiting:
            return
        # Read anew rather than followed: what was planned a moment ago must not be planned again.
        catalog = read_catalog(self._settings)
        drafting = Drafting(catalog, sources_of(self._settings, catalog), _CHOICES, False)
        planned = [name for name in self._waiting if drafting.judged(name)]
        self._waiting.discard(*planned)
        due = self._due()
        drafts = self._draft(drafting, due)
        names = ready | {*planned} | self._plan(drafts)
        self._waiting.discard(*due)
        if names:
            report = replay(self._settings, early(names, adopting), dry_run=False)
            get_logger().info("replayed what came before it was planned", names=len(names), events=report.sent)

    def _forget(self) -> None:
        """Let the next turn read everything."""
        self._positions.clear()
        self._waiting = LetterPiles(names=WAITING)

    def _read(self, planned: Mapping[str, object]) -> set[str]:
        """Pile up the unknown events that came since the last turn and that nobody handled. Returns the names among
        them that are planned by now."""
        found = spans(self._settings, [self._topic], CLIENT)
        wanted = {place: (max(first, self._positions.get(place, 0)), end) for place, (first, end) in found.items()}
        ready: set[str] = set()
        refreshed = False
        for record in read_spans(self._settings, wanted, CLIENT):
            letter = _unknown_event(record)
            if letter is None or letter.event is None or letter.source not in self._adopting:
                continue
            if not refreshed:
                self._handled.refresh()
                refreshed = True
            if letter.at in self._handled:
                continue
            if letter.event in planned:
                ready.add(letter.event)
            else:
                self._wait(letter.event, letter)
        self._positions = {place: end for place, (_, end) in wanted.items()}
        return ready

    def _wait(self, name: str, letter: StoredLetter) -> None:
        """Pile the letter up under its name, unless that cannot be planned."""
        problem = None if name in self._refused else name_problem(name)
        if problem is not None:
            self._refuse(name, problem)
        elif name not in self._refused:
            self._waiting.take(letter)

    def _refuse(self, name: str, why: str) -> None:
        """Leave a name alone from now on, and say so once."""
        if len(self._refused) >= WAITING:
            self._refused.clear()
        self._refused.add(name)
        get_logger().warning("a name is not adopted", name=shown(name), why=why)

    def _draft(self, drafting: Drafting, names: list[str]) -> list[Draft]:
        drafts = []
        for name in names:
            try:
                drafts.append(drafting.new(name, self._waiting[name]))
            except Undraftable as error:
                self._refuse(name, str(error))
        return drafts

    def _due(self) -> list[str]:
        """The names that may be planned now: those that came first, as many as the minute allows."""
        now = self._clock()
        while self._planned_at and self._planned_at[0] <= now - 60:
            self._planned_at.popleft()
        due = list(self._waiting)[: max(0, self._per_minute - len(self._planned_at))]
        self._planned_at.extend([now] * len(due))
        return due

    def _plan(self, drafts: list[Draft]) -> set[str]:
        """The names that are planned by it."""
        if not drafts:
            return set()
        author = current_author("adopt")
        try:
            plan_definitions(self._settings, [draft.definition for draft in drafts], author, IN_FORCE_S)
        except WorkspaceProblems as error:
            if len(drafts) == 1:
                why = "; ".join(problem.message for problem in error.problems)
                self._refuse(drafts[0].event, why)
                return set()
            return {name for draft in drafts for name in self._plan([draft])}
        for draft in drafts:
            get_logger().info("adopted a new event", name=shown(draft.event), key=draft.key, samples=draft.samples)
        return {draft.event for draft in drafts}


def _unknown_event(record: Record) -> StoredLetter | None:
    """The dead letter of an unknown event, None of anything else. Its headers tell most of them apart unread."""
    if dict(record.headers() or ()).get(_REASON) != b"unknown_event":
        return None
    try:
        return read_dead_letter(record)
    except ValueError:
        return None
