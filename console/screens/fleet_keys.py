"""What the registry's actions do on the fleet screen."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from msgspec.structs import replace

from console.actions.registry import PANES
from console.domain.text import visible
from console.screens.base import COMMAND_HINT
from console.screens.fleet_order import GROUPS
from console.screens.tables.fleet import BY_KEY, COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.actions.spec import ActionSpec
    from console.screens.fleet import FleetScreen

JUMP_LABEL = "go to: "


class FleetKeys:
    """Runs the actions that concern the fleet screen; the rest is the app's."""

    def __init__(self, screen: FleetScreen) -> None:
        self._screen = screen
        self.column = ""
        self._filter_before = ""
        self._cursor_before: str | None = None
        self._does: dict[str, Callable[[str], None]] = {
            "cursor.up": lambda _: self._move("up"),
            "cursor.down": lambda _: self._move("down"),
            "cursor.page_up": lambda _: self._move("page_up"),
            "cursor.page_down": lambda _: self._move("page_down"),
            "cursor.first": lambda _: self._move("first"),
            "cursor.last": lambda _: self._move("last"),
            "column.left": lambda _: self._step_column(-1),
            "column.right": lambda _: self._step_column(1),
            "back": lambda _: self._back(),
            "filter": self._filter,
            "jump": self._jump,
            "command": lambda _: self._open(":", "", COMMAND_HINT),
            "pane.latency": self._pane,
            "pane.confidence": lambda _: self._screen.choose_pane("confidence"),
            "pane.drift": lambda _: self._screen.choose_pane("drift"),
            "pane.cost": lambda _: self._screen.choose_pane("cost"),
            "sort.next": self._sort,
            "sort.previous": lambda _: self._step_sort(-1),
            "sort.reverse": lambda _: self._reverse(),
            "group": self._group,
            "freeze": lambda _: self._freeze(),
            "order.apply": lambda _: self._screen.apply_moves(),
            "mark": self._mark,
        }

    def perform(self, spec: ActionSpec, argument: str) -> bool:
        """Do an action of this screen; False when it is not one."""
        does = self._does.get(spec.id)
        if does is None:
            return False
        does(argument)
        return True

    # The cursor and the chosen column

    def _move(self, where: str) -> None:
        grid = self._screen.grid
        {
            "up": grid.action_cursor_up,
            "down": grid.action_cursor_down,
            "page_up": grid.action_page_up,
            "page_down": grid.action_page_down,
            "first": grid.action_cursor_first,
            "last": grid.action_cursor_last,
        }[where]()

    def _step_column(self, step: int) -> None:
        keys = [column.key for column in self._screen.grid.columns]
        if not keys:
            return
        if self.column in keys:
            place = keys.index(self.column) + step
            self.column = keys[place] if 0 <= place < len(keys) else ""
        else:
            self.column = keys[0] if step > 0 else keys[-1]
        self._screen.grid.choose_column(self.column)
        if self.column:
            column = BY_KEY[self.column]
            self._screen.say(f"{column.title}: {column.meaning}")

    def _back(self) -> None:
        screen = self._screen
        if screen.maximised:
            screen.choose_pane(screen.pane)
        elif self.column:
            self.column = ""
            screen.grid.choose_column("")
        elif screen.session.marked:
            screen.mark(frozenset())
            screen.say("nothing marked")
        elif screen.arrangement.words:
            screen.filter_by("")
        elif screen.arrangement.sort or screen.arrangement.reverse:
            screen.arrangement = replace(screen.arrangement, sort="", reverse=False)
            self._sorted()
        else:
            screen.say("this is the first screen; q quits", "dim")

    def _mark(self, name: str) -> None:
        screen = self._screen
        wanted = name or screen.grid.cursor_key or ""
        if wanted not in screen.words():
            screen.say(f"there is no model {visible(wanted, 60)}", "s3")
            return
        screen.mark(screen.session.marked ^ {wanted})
        if not name:
            screen.grid.action_cursor_down()
        count = len(screen.session.marked)
        several = f"{count} marked: the next action is for all of them, class C3"
        screen.say(several if count > 1 else f"{count or 'nothing'} marked")

    # Finding

    def _open(self, label: str, text: str, hint: str) -> None:
        screen = self._screen
        self._filter_before = " ".join(screen.arrangement.words)
        self._cursor_before = screen.grid.cursor_key
        screen.prompt.open(label, text, hint)

    def _filter(self, words: str) -> None:
        if words:
            self._screen.filter_by(words)
        else:
            now = " ".join(self._screen.arrangement.words)
            self._open("/", now, "words, s1 s2 ok unknown, !not; Enter keeps, Esc takes back")

    def _jump(self, name: str) -> None:
        if name:
            self._go_to(name)
        else:
            self._open(JUMP_LABEL, "", "the beginning of a model's name")

    def typed(self, label: str, text: str) -> None:
        """Follow what is being typed."""
        if label == "/":
            self._screen.filter_by(text)
        elif label == JUMP_LABEL and text:
            self._go_to(text, quiet=True)

    def take_text(self, label: str, text: str) -> None:
        """Use what was typed."""
        if label == "/":
            self._screen.filter_by(text)
        elif label == JUMP_LABEL and text:
            self._go_to(text)

    def cancelled(self, label: str) -> None:
        """Take back what typing had changed."""
        if label == "/":
            self._screen.filter_by(self._filter_before)
        elif label == JUMP_LABEL and self._cursor_before is not None:
            self._screen.grid.move_cursor_to(self._cursor_before)

    def _go_to(self, text: str, *, quiet: bool = False) -> None:
        screen = self._screen
        rows = screen.grid.rows
        wanted = text.lower()
        names = [rows.key(index) for index in range(len(rows))]
        found = next((name for name in names if name.lower().startswith(wanted)), None)
        found = found or next((name for name in names if wanted in name.lower()), None)
        if found is not None:
            screen.touched_at = screen.session.clock()
            screen.grid.move_cursor_to(found)
        elif not quiet:
            near = get_close_matches(text, names, n=1, cutoff=0.5)
            hint = f"; did you mean {visible(near[0], 60)}?" if near else ""
            screen.say(f"no model shown is called {visible(text, 60)}{hint}", "s3")

    # Order

    def _pane(self, name: str) -> None:
        wanted = name or "latency"
        if wanted in PANES:
            self._screen.choose_pane(wanted)
        else:
            self._screen.say(f"panes are {', '.join(PANES)}", "s3")

    def _sort(self, title: str) -> None:
        if not title:
            if self.column and self.column != self._screen.arrangement.sort:
                self._sort_by(self.column)
            else:
                self._step_sort(1)
            return
        if title.lower() in ("rank", "none"):
            self._sort_by("")
            return
        wanted = title.lower()
        key = next(
            (one.key for one in COLUMNS if wanted in (one.key, one.title.lower(), one.signal)), None
        )
        if key is None:
            titles = [one.title.lower() for one in COLUMNS]
            near = get_close_matches(wanted, titles, n=1, cutoff=0.4)
            hint = f"; did you mean {near[0]}?" if near else ""
            self._screen.say(f"there is no column {visible(title, 30)}{hint}", "s3")
        else:
            self._sort_by(key)

    def _step_sort(self, step: int) -> None:
        keys = ["", *(column.key for column in self._screen.grid.columns)]
        keys = [key for key in keys if key != "s"]
        now = self._screen.arrangement.sort
        place = keys.index(now) if now in keys else 0
        self._sort_by(keys[(place + step) % len(keys)])

    def _sort_by(self, key: str) -> None:
        self._screen.arrangement = replace(self._screen.arrangement, sort=key, reverse=False)
        self._sorted()

    def _reverse(self) -> None:
        arrangement = self._screen.arrangement
        self._screen.arrangement = replace(arrangement, reverse=not arrangement.reverse)
        self._sorted()

    def _sorted(self) -> None:
        self._screen.show_columns()
        self._screen.rearrange()

    def _group(self, name: str) -> None:
        now = self._screen.arrangement.group
        wanted = name.lower() or GROUPS[(GROUPS.index(now) + 1) % len(GROUPS)]
        if wanted not in GROUPS:
            self._screen.say(f"groups are {', '.join(GROUPS)}", "s3")
            return
        self._screen.arrangement = replace(self._screen.arrangement, group=wanted)
        self._screen.rearrange()

    def _freeze(self) -> None:
        self._screen.freeze(self._screen.frozen_at is None)
