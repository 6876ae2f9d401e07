"""The loop that keeps a stack as it was last wanted: services first, then topics, then the programs.

It alone writes ``state.json``; it reads ``wanted.json``, which commands write. Stopping goes the other way round.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time

from console.stack import cluster, jars, probe
from console.stack.broker import Node
from console.stack.failure import StackFailed
from console.stack.files import CHECKOUT, Failure, Identity, ProxiedPort, StackFiles, State, Wanted
from console.stack.ports import HOST, keep_or_choose
from console.stack.program import MARK, Child, last_lines
from console.stack.roster import FOLLOWERS, Roster
from console.stack.settings import local_store, own_services
from console.stack.valkey import valkey
from offerflow.runtime.errors import KafkaDown, OfferflowError, RedisDown
from offerflow.runtime.logs import get_logger
from offerflow.runtime.settings import Settings, environment, load_settings

TURN_S = 0.1
SERVICES_WITHIN_S = 90.0
DEATHS_BEFORE_READY = 3


class _Leave(Exception):
    pass


class Supervisor:
    """``stop`` may be set from a signal handler. ``run`` returns the exit code."""

    def __init__(self, files: StackFiles, identity: Identity, stop: threading.Event) -> None:
        self._files = files
        self._identity = identity
        self._stop = stop
        self._own_kafka, self._own_redis = own_services(load_settings())
        self._wanted = files.wanted() or Wanted(generation=0)
        self._nodes: list[Node] = []
        self._settings = self._addresses()
        self._roster = Roster(files, identity, self._settings)
        self._services: list[Child] = []
        self._programs: list[Child] = []
        self._leaving: list[Child] = []
        self._state = State(
            generation=self._wanted.generation,
            phase="starting",
            doing="starting",
            kafka=self._settings.kafka.bootstrap_servers,
            redis=self._settings.redis.url,
            topic_prefix=self._settings.topic_prefix,
            partitions=self._settings.partitions,
            proxied=[ProxiedPort(n.number, n.proxied.listens, n.proxied.told) for n in self._nodes if n.proxied],
        )

    def run(self) -> int:
        """Until ``stop`` is set or the stack cannot start. Everything it started has ended when it returns."""
        self._files.write(self._state)
        code = 0
        try:
            self._start_services()
            self._make_topics()
            self._follow(self._wanted)
            self._say("running", "")
            while not self._stop.is_set():
                wanted = self._files.wanted()
                if wanted is not None and wanted.generation > self._state.generation:
                    self._follow(wanted)
                self._turn()
                self._stop.wait(TURN_S)
        except _Leave:
            pass
        except OfferflowError as error:
            self._state.failure = Failure(str(error), error.exit_code)
            code = error.exit_code
        finally:
            self._end_all()
        return code

    def _addresses(self) -> Settings:
        """Settings with the addresses of the services: the user's own, or those this stack starts."""
        ports = self._identity.ports
        own: dict[str, object] = local_store(self._files, load_settings())
        if not self._own_kafka:
            self._nodes = cluster.nodes(self._identity, proxied=self._wanted.proxied)
            self._identity.cluster = self._identity.cluster or cluster.new_id()
            own["kafka"] = {"bootstrap_servers": ",".join(node.address for node in self._nodes)}
        if not self._own_redis:
            own["redis"] = {"url": f"redis://{HOST}:{keep_or_choose(ports, 'valkey', check=True)}/0"}
        self._files.write(self._identity)
        return load_settings(**own)

    def _start_services(self) -> None:
        ports = self._identity.ports
        if not self._own_redis:
            self._services.append(Child(valkey(self._files, ports["valkey"]), self._files.root))
        if not self._own_kafka:
            self._say("starting", "checking the broker's jars")
            paths = jars.class_path(lambda *counted: self._say("starting", "fetching the broker's jars", counted))
            self._say("starting", "starting Kafka")
            stack = self._settings.stack
            heap = stack.broker_heap if "broker_heap" in stack.model_fields_set else None
            brokers = cluster.programs(self._files, paths, heap, self._nodes, self._identity.cluster)
            self._services += [Child(program, self._files.root) for program in brokers]
        self._await_redis()

    def _await_redis(self) -> None:
        self._say("starting", "waiting for Redis")
        deadline = self._deadline(self._own_redis)
        while (why := probe.redis(self._settings)) is not None:
            if time.monotonic() > deadline:
                raise RedisDown(why + self._tails())
            self._turn()
            self._fail_if_dying()
            self._pause()

    def _make_topics(self) -> None:
        """Wait for Kafka and make what is missing, in a process that may be tried again."""
        self._say("starting", "waiting for Kafka and its topics")
        deadline = self._deadline(self._own_kafka)
        while True:
            code, why = self._topics_job()
            if code == 0:
                return
            if code > 0 and (code != KafkaDown.exit_code or time.monotonic() > deadline):
                raise StackFailed(why + self._tails(), code)
            if time.monotonic() > deadline:
                raise StackFailed(f"the job that makes the topics was killed by signal {-code}{self._tails()}")

    def _topics_job(self) -> tuple[int, str]:
        command = [sys.executable, "-m", "console.stack.topics_job", str(len(self._nodes))]
        job = subprocess.Popen(  # noqa: S603 - our own module
            command, cwd=CHECKOUT, env=self._environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            while job.poll() is None:
                self._turn()
                self._fail_if_dying()
                self._pause()
        finally:
            job.kill()
            _, why = job.communicate()
        return job.returncode, why.strip()

    def _environment(self) -> dict[str, str]:
        return {
            **environment(),
            "OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS": self._settings.kafka.bootstrap_servers,
            MARK: str(self._files.root),
        }

    def _deadline(self, own: bool) -> float:
        """A service of the user's own is up or it is not; one that we start gets time."""
        return time.monotonic() + (0 if own else SERVICES_WITHIN_S)

    def _follow(self, wanted: Wanted) -> None:
        """Make the running programs those that are wanted; what is there already is not touched."""
        self._wanted = wanted
        running = frozenset(child.program.name for child in self._programs)
        programs = self._roster.programs(wanted, running | {c.program.name for c in self._leaving})
        names = {program.name for program in programs}
        now = time.monotonic()
        for child in [c for c in self._programs if c.program.name not in names]:
            child.leave(now)
            self._leaving.append(child)
        children = {c.program.name: c for c in self._programs}
        self._programs = [children.get(p.name) or Child(p, self._files.root) for p in programs]
        for child in (*self._services, *self._programs):
            child.hurry()
        self._files.write(self._identity)
        self._state.ingest = self._roster.ingest_url() if wanted.programs else None
        self._state.console = self._roster.console_url() if wanted.programs else None
        self._state.registry = self._roster.registry_url() if wanted.programs else None
        self._turn(write=False)
        self._state.generation = wanted.generation
        self._say(self._state.phase, self._state.doing)

    def _turn(self, *, write: bool = True) -> None:
        now = time.monotonic()
        leaving = {child.program.name for child in self._leaving}
        changed = [child.turn(now) for child in self._leaving]
        # A program that comes back under a name must wait for the one that leaves: they share ports and ids.
        changed += [c.turn(now) for c in (*self._services, *self._programs) if c.program.name not in leaving]
        if any(changed):
            self._leaving = [child for child in self._leaving if not child.gone]
            if write:
                self._say(self._state.phase, self._state.doing)

    def _fail_if_dying(self) -> None:
        for child in self._services:
            if child.restarts >= DEATHS_BEFORE_READY:
                raise StackFailed(f"{child.program.name} does not come up{self._tails()}")

    def _tails(self) -> str:
        return "".join(f"; see {c.program.log}:\n{last_lines(c.program.log)}" for c in self._services if c.restarts)

    def _pause(self) -> None:
        if self._stop.wait(TURN_S):
            raise _Leave

    def _say(self, phase: str, doing: str, counted: tuple[int, int] | None = None) -> None:
        self._state.phase, self._state.doing, self._state.counted = phase, doing, counted
        self._state.programs = [c.state() for c in (*self._services, *self._programs, *self._leaving)]
        try:
            self._files.write(self._state)
        except OSError as error:  # a full disk must not end what runs
            get_logger().warning("cannot write the state of the stack", why=str(error))

    def _end_all(self) -> None:
        """What makes events first, then rules, then validation and what reads decisions, then the services: nobody
        loses what it depends on."""
        self._say("stopping", "stopping")
        for tier in self._tiers():
            for child in tier:
                child.leave(time.monotonic())
            while not all(child.gone for child in tier):
                for child in tier:
                    child.turn(time.monotonic())
                time.sleep(TURN_S / 2)
        self._services, self._programs, self._leaving = [], [], []
        self._say("stopped", "")

    def _tiers(self) -> list[list[Child]]:
        def stage(*starts: str) -> list[Child]:
            return [c for c in (*self._programs, *self._leaving) if c.program.name.startswith(starts)]

        # All brokers at once: half of them could not agree on who leads, and would wait for the others.
        brokers = [child for child in self._services if child.program.address is not None]
        return [
            stage("simulator"),
            stage("ingest", "console"),
            stage("rules"),
            stage("validation", *FOLLOWERS),
            [child for child in self._services if child not in brokers],
            brokers,
        ]
