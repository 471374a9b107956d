"""A list of what the record says about models: how well it is known, and the way to the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from console.actions.registry import BY_ID
from console.screens.listscreen import ListScreen
from console.screens.runs import RunLine, fitted
from widgets.lines import Run

if TYPE_CHECKING:
    from console.actions.spec import ActionSpec
    from console.facts.snapshot import Snapshot


class RecordList(ListScreen, inherit_bindings=False):
    """Enter opens the model under the cursor; what opened the screen closes it.

    ``HEADING`` begins the second line, ``NO_MODEL`` is said where a row has no model to open.
    """

    HEADING: ClassVar[str] = ""
    NO_MODEL: ClassVar[str] = ""

    # What the subclass says

    def count_runs(self, snapshot: Snapshot, now: float) -> RunLine:
        """Return how many there are, and what of them matters first."""
        raise NotImplementedError

    @property
    def chosen_target(self) -> str:
        """What the row under the cursor is about, a model or not; empty for none."""
        raise NotImplementedError

    # What is the same for all

    def title_runs(self) -> RunLine:
        """Return how many there are, and how the record is."""
        snapshot, now, glyphs = self.session.snapshot, self.session.clock(), self.session.glyphs
        heading = Run(f"{self.HEADING}  ", "title")
        if snapshot is None:
            return [heading, Run("waiting for the first answer", "dim")]
        said, well = snapshot.record.summary(now)
        record = [Run(f" {glyphs.bar} ", "dim"), Run(said, "dim" if well else "s2")]
        line = [heading, *self.count_runs(snapshot, now), *record]
        return fitted(line, self.size.width, glyphs.ellipsis)

    @property
    def chosen_model(self) -> str:
        """The model under the cursor, empty where the newest answer has none of that name."""
        target, snapshot = self.chosen_target, self.session.snapshot
        return target if snapshot is not None and target in snapshot.index else ""

    def perform_here(self, spec: ActionSpec, argument: str) -> bool:
        """Open the model under the cursor, or close the screen."""
        if spec.id == self.PLACE:
            self.go_back()
        elif spec.id == "model.open" and not argument:
            if model := self.chosen_model:
                self.ask(BY_ID["model.open"], model)
            else:
                self.say(self.NO_MODEL, "s3")
        else:
            return False
        return True
