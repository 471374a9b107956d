"""The ``exec`` driver: a program of the operator's own, without shell, JSON out, within a time."""

import asyncio
import json
import os
import shlex
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from console.controls.declaration import Change, Declared, Probe, Query, QueryFailed
from console.controls.protocol import NOT_READ, TOLD_ONLY, ControlError
from console.controls.template import Variables, fill_argument, names_in
from console.domain.control import (
    JsonValue,
    Lookup,
    PreparedCall,
    TargetResult,
    TargetState,
    Verdict,
)
from console.domain.text import visible
from console.settings.endpoint_tables import ControlTimeouts
from console.settings.helper_process import Finished, run_child
from console.settings.problems import writable_by_others

EXCERPT_CHARACTERS = 300
LOCAL_TARGET = "program"


@dataclass(frozen=True, slots=True)
class Payload:
    """The command lines of one call."""

    argv: tuple[str, ...]
    dry_run: tuple[str, ...] = ()
    find: tuple[str, ...] = ()
    found: Query | None = None


class ExecDriver:
    """Runs declared programs; each is found and judged at start. Raises ``ControlError``."""

    def __init__(self, declared: Declared, environ: Mapping[str, str] | None = None) -> None:
        read, variables = declared.read, _variables(declared)
        place = f"controls.{declared.name}"
        told_only = read is None and declared.kind in TOLD_ONLY
        if (read is None or not read.argv) and not told_only:
            raise ControlError(f"{place}.read.argv is not set: no change could be judged")
        self._declared = declared
        self._environ = dict(os.environ if environ is None else environ)
        self._limit_seconds = (declared.settings.timeouts or ControlTimeouts()).total_seconds
        self._read_argv = () if read is None else read.argv
        self._exists = (
            Query(read.exists, variables, f"{place}.read.exists") if read and read.exists else None
        )
        self._value = (
            Query(read.value, variables, f"{place}.read.value") if read and read.value else None
        )
        self._programs: dict[str, str] = {}
        for argv, where in self._command_lines():
            self._programs[argv[0] if argv else ""] = self._judged(argv, where)

    @property
    def targets(self) -> tuple[str, ...]:
        """Return the declared targets, or the program itself where there are none."""
        return self._declared.settings.targets or (LOCAL_TARGET,)

    async def find(self) -> tuple[str, ...]:
        """Return the same: nothing is looked up."""
        return self.targets

    async def aclose(self) -> None:
        """Hold nothing between calls."""

    def _command_lines(self) -> list[tuple[tuple[str, ...], str]]:
        found = [(self._read_argv, "read.argv")] if self._read_argv else []
        for verb, change in self._declared.actions.items():
            found.append((change.argv, f"actions.{verb}.argv"))
            found += [
                (probe.argv, f"actions.{verb}, its probe's argv")
                for probe in (change.dry_run, change.find)
                if probe is not None
            ]
        return found

    def _judged(self, argv: Sequence[str], where: str) -> str:
        """Return the path of the program; raises ``ControlError`` where it must not be run."""
        where = f"controls.{self._declared.name}.{where}"
        if not argv:
            raise ControlError(f"{where} is empty; it is the program and its arguments")
        if names_in(argv[0]):
            raise ControlError(f"{where}: the program itself cannot be a variable")
        program = shutil.which(argv[0], path=self._environ.get("PATH"))
        if program is None:
            raise ControlError(f"{where}: there is no program {visible(argv[0], 80)} on PATH")
        try:
            complaint = writable_by_others(Path(program))
        except OSError as error:
            reason = visible(error.strerror or str(error))
            raise ControlError(f"{where}: {visible(program)} cannot be judged: {reason}") from error
        if complaint is not None:
            raise ControlError(f"{where} is refused: {complaint}")
        return program

    async def _run(self, argv: Sequence[str]) -> Finished | str:
        """Run in a thread; return how it ended, or why it could not start.

        A caller who gives up takes the child along: nothing may act after its result was told.
        """
        stop = threading.Event()
        # The very file that was judged, whatever PATH finds by now.
        judged = [self._programs[argv[0]], *argv[1:]]
        try:
            return await asyncio.to_thread(
                run_child, judged, self._environ, self._limit_seconds, stop=stop
            )
        except asyncio.CancelledError:
            stop.set()
            raise
        except OSError as error:
            return visible(f"{argv[0]} cannot be started: {error.strerror or error}")

    async def read(self, target: str, now: float) -> TargetState:
        """Run the read; never raises, ``error`` says what went wrong."""
        if not self._read_argv:
            return TargetState(target, now, error=NOT_READ)
        try:
            argv = _argv(self._read_argv, {**_variables(self._declared), "target": target})
        except ControlError as error:
            return TargetState(target, now, error=str(error))
        ended = await self._run(argv)
        if isinstance(ended, str):
            return TargetState(target, now, error=ended)
        excerpt = _excerpt(ended)
        trouble = self._trouble(argv, ended)
        if trouble:
            return TargetState(target, now, excerpt=excerpt, error=trouble)
        try:
            document: object = json.loads(ended.out)
            exists = self._exists.holds(document) if self._exists else None
            if exists is False:
                return TargetState(target, now, exists=False, excerpt=excerpt)
            value = self._value.scalar(document) if self._value else None
        except (ValueError, RecursionError):
            return TargetState(
                target, now, excerpt=excerpt, error=f"{argv[0]} printed something that is not JSON"
            )
        except QueryFailed as failed:
            return TargetState(target, now, excerpt=excerpt, error=f"{argv[0]}: {failed}")
        if value is None:
            sentence = f"{argv[0]} printed no state where it is expected"
            return TargetState(target, now, exists=exists, excerpt=excerpt, error=sentence)
        shown = visible(value, 120) if isinstance(value, str) else value
        return TargetState(target, now, shown, exists=True, excerpt=excerpt)

    def render(
        self, action: str, variables: Mapping[str, JsonValue], seen: TargetState
    ) -> tuple[str, object]:
        """Return the command line as shown, and the payload; raises ``ControlError``."""
        change = self._declared.actions[action]
        values: Variables = {**variables, "seen": seen.value, "target": seen.target, "match": None}
        payload = Payload(
            argv=_argv(change.argv, values),
            dry_run=_probe_argv(change.dry_run, values),
            find=_probe_argv(change.find, values),
            found=self._found(action, change, values),
        )
        return visible(shlex.join(payload.argv), 4000), payload

    def _found(self, action: str, change: Change, values: Variables) -> Query | None:
        if change.find is None or not change.find.found:
            return None
        place = f"controls.{self._declared.name}.actions.{action}.find.found"
        return Query(change.find.found, values, place)

    async def send(self, action: str, call: PreparedCall, now: float) -> TargetResult:
        """Run the change once; never raises. A non-zero end leaves open whether it acted."""
        ended = await self._run(_payload(call).argv)
        if isinstance(ended, str):
            return TargetResult(call.target, "rejected", f"{ended}; nothing was sent", False, now)
        trouble = self._trouble(_payload(call).argv, ended)
        verdict: Verdict = "accepted"
        if trouble:
            proven = ended.status in self._declared.actions[action].rejected_exits
            verdict = "rejected" if proven else "indeterminate"
        sentence = trouble or f"{_payload(call).argv[0]} ended well"
        return TargetResult(
            call.target, verdict, sentence, True, now, ended.status, _excerpt(ended)
        )

    async def dry_run(self, action: str, call: PreparedCall, now: float) -> TargetResult:
        """Run the rehearsal; never raises."""
        argv = _payload(call).dry_run
        ended = await self._run(argv)
        trouble = ended if isinstance(ended, str) else self._trouble(argv, ended)
        excerpt = "" if isinstance(ended, str) else _excerpt(ended)
        verdict: Verdict = "rejected" if trouble else "accepted"
        sentence = f"dry run: {trouble or f'{argv[0]} ended well'}"
        return TargetResult(call.target, verdict, sentence, True, now, excerpt=excerpt)

    async def lookup(self, action: str, call: PreparedCall, now: float) -> Lookup:
        """Run the search for the marker; never raises."""
        payload = _payload(call)
        if not payload.find or payload.found is None:
            return Lookup(call.target, None, f"{action} leaves no marker that could be looked up")
        ended = await self._run(payload.find)
        trouble = ended if isinstance(ended, str) else self._trouble(payload.find, ended)
        if trouble or isinstance(ended, str):
            return Lookup(call.target, None, trouble)
        try:
            found = payload.found.holds(json.loads(ended.out))
        except (ValueError, RecursionError, QueryFailed) as error:
            return Lookup(call.target, None, f"{payload.find[0]}: {visible(str(error), 160)}")
        words = "holds" if found else "does not hold"
        return Lookup(call.target, found, f"{call.target} {words} this operation's marker")

    def _trouble(self, argv: Sequence[str], ended: Finished) -> str:
        program = visible(argv[0], 80)
        match ended.stopped:
            case "time":
                return f"{program} did not end within {self._limit_seconds:g} s and was stopped"
            case "output":
                return f"{program} printed more than 64 KiB and was stopped"
            case "closing":
                return f"{program} was stopped because nobody waits for it any more"
        if ended.status == 0:
            return ""
        said = visible(ended.err.decode("utf-8", "replace").strip(), 200)
        return f"{program} ended with {ended.status}" + (f": {said}" if said else "")


def _variables(declared: Declared) -> dict[str, JsonValue]:
    return declared.vars  # type: ignore[return-value]


def _argv(templates: Sequence[str], values: Variables) -> tuple[str, ...]:
    return tuple(fill_argument(template, values) for template in templates)


def _probe_argv(probe: Probe | None, values: Variables) -> tuple[str, ...]:
    return () if probe is None else _argv(probe.argv, values)


def _payload(call: PreparedCall) -> Payload:
    if not isinstance(call.payload, Payload):
        raise ControlError("this call was prepared by another driver")
    return call.payload


def _excerpt(ended: Finished) -> str:
    return visible(ended.out.decode("utf-8", "replace").strip(), EXCERPT_CHARACTERS)
