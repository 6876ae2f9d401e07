"""Names that plan themselves: for sources with ``unplanned_events: adopt``, meant for development.

A turn reads the dead letters that came since the last one. Names that are not planned are drafted from them and
applied, every property optional and nothing stripped, and what came too early is replayed. A turn that is killed is
made good by the first turn of the next process, which reads everything once.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable

from console.dead_letters.handled import HandledLetters
from console.dead_letters.replay import replay
from console.plan.adoption import early, plan_definitions
from console.plan.catalog import read_catalog
from console.plan.drafting import Choices, Draft
from console.plan.inference import Drafting, sources_of
from console.plan.names import name_problem, shown
from console.plan.samples import Piles, pile_up
from console.workspace.commit import current_author
from console.workspace.problems import WorkspaceProblems
from offerflow.catalog.follower import CatalogFollower
from offerflow.runtime.kafka.admin import Place
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
        self._waiting: Piles = {}
        self._planned_at: deque[float] = deque()
        self._refused: set[str] = set()

    def turn(self) -> None:
        """Do what there is to do now. Raises DependencyDown, TryAgain; whatever it was, the next turn goes on."""
        self._follower.poll()
        adopting = {
            source.id
            for source in sources_of(self._settings, self._follower.catalog).values()
            if source.unplanned_events == "adopt"
        }
        if not adopting:
            self._positions.clear()
            self._waiting.clear()
            return
        letters = [letter for letter in self._new_letters() if letter.source in adopting]
        if not letters and not self._waiting:
            return
        # Read anew rather than followed: what was planned a moment ago must not be planned again.
        catalog = read_catalog(self._settings)
        drafting = Drafting(catalog, sources_of(self._settings, catalog), _CHOICES, False)
        known = {letter.event for letter in letters if letter.event and drafting.entry(letter.event)}
        self._wait(letter for letter in letters if letter.event not in known)
        for name in [name for name in self._waiting if drafting.entry(name)]:
            known.add(name)
            del self._waiting[name]
        due = self._due()
        planned = self._plan([drafting.new(name, self._waiting[name]) for name in due])
        for name in due:
            del self._waiting[name]
        names = {name for name in known if name is not None} | planned
        if names:
            report = replay(self._settings, early(names, adopting), dry_run=False)
            get_logger().info("replayed what came before it was planned", names=len(names), events=report.sent)

    def close(self) -> None:
        self._follower.close()

    def _new_letters(self) -> list[StoredLetter]:
        """Unknown events that nobody handled, since the last turn."""
        found = spans(self._settings, [self._topic], CLIENT)
        wanted = {place: (max(first, self._positions.get(place, 0)), end) for place, (first, end) in found.items()}
        letters = []
        for record in read_spans(self._settings, wanted, CLIENT):
            if dict(record.headers() or ()).get(_REASON) == b"unknown_event":
                letters.append(read_dead_letter(record))
        self._positions = {place: end for place, (_, end) in wanted.items()}
        if letters:
            self._handled.refresh()
        return [letter for letter in letters if letter.at not in self._handled]

    def _wait(self, letters: Iterable[StoredLetter]) -> None:
        """Pile the letters up under their names; names that cannot be planned are told of once."""
        for letter in letters:
            name = letter.event
            if name is None or name in self._refused:
                continue
            problem = name_problem(name)
            if problem is not None:
                get_logger().warning("a name is not adopted", name=shown(name), why=problem, source=letter.source)
                self._refused.add(name)
            elif name in self._waiting or len(self._waiting) < WAITING:
                pile_up(self._waiting, letter)
        if len(self._refused) > WAITING:
            self._refused.clear()

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
                get_logger().warning("a name is not adopted", name=shown(drafts[0].event), why=why)
                self._refused.add(drafts[0].event)
                return set()
            return {name for draft in drafts for name in self._plan([draft])}
        for draft in drafts:
            get_logger().info("adopted a new event", name=shown(draft.event), key=draft.key, samples=draft.samples)
        return {draft.event for draft in drafts}
