"""The demo's own references: the console measures drift against them, from the first look."""

from pathlib import Path

import pytest

from console.demo.demo_fleet import DemoFleet
from console.domain.signals import ReadingState
from console.engine.service import Engine
from console.settings.load import Flags, load
from console.settings.schema import SourceSettings
from console.sources.base import Source
from console.sources.factory import build_source
from console.sources.scrape import ScrapeSource


async def test_two_models_are_measured_against_their_references(tmp_path: Path) -> None:
    fleet = DemoFleet(seed=3)
    fleet.start()
    try:
        for name, content in fleet.reference_files().items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(content)
        path = tmp_path / "config.toml"
        path.write_text(fleet.config_toml(references=True))
        path.chmod(0o600)
        loaded = load(Flags(config=path), {"HOME": str(tmp_path)})
        assert loaded.warnings == ()

        def make(settings: SourceSettings) -> Source:
            source = build_source(settings, None, interval_seconds=5.0)
            assert isinstance(source, ScrapeSource)
            source.preload(fleet.history())
            return source

        engine = Engine(
            loaded,
            make_source=make,
            load_again=lambda: load(Flags(config=path), {"HOME": str(tmp_path)}),
        )
        try:
            snapshot = await engine.once(remembers=False)
            calm = snapshot.reading("drift_psi", snapshot.index["fraud-scorer"])
            moved = snapshot.reading("drift_psi", snapshot.index["churn-ranker"])
            own = snapshot.reading("drift_psi", snapshot.index["kyc-vision"])
            assert calm.value is not None
            assert calm.value < 0.05
            assert moved.value == pytest.approx(0.22, abs=0.05)
            assert "refs/churn-ranker.json (n=50000" in moved.method
            assert own.method == "last value, max"
            raised = {finding.rule for finding in snapshot.findings[snapshot.index["churn-ranker"]]}
            # A drawn hour lies on either side of the limit between the three.
            assert raised & {"drift_watch", "drift_alone", "drift_with_second"}
            (curve,) = (await engine.series("churn-ranker", ("drift_psi",), 4 * 3600, 48)).series
            assert curve.error is None
            assert curve.values[0] < 0.1 < curve.values[-1]

            # A reference that changes is a configuration that changes.
            held = tmp_path / "refs" / "churn-ranker.json"
            held.write_text(held.read_text().replace("simulated", "Simulated"))
            assert (await engine.reload()).sentence == "configuration reloaded"
            held.write_text("{}")
            refused = await engine.reload()
            assert not refused.applied
            assert "churn-ranker" in refused.problems[0]
            snapshot = await engine.once(remembers=False)
            kept = snapshot.reading("drift_psi", snapshot.index["churn-ranker"])
            assert kept.state is ReadingState.OK
            assert "refs/churn-ranker.json" in kept.method
        finally:
            await engine.close()
    finally:
        fleet.stop()
