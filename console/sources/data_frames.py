"""Data frames for reports: what `midwatch init` and `midwatch plot` read, off the live path.

prometheus-api-client is synchronous, retries for seconds, has no timeout of its own, puts the query
into the URL and raises KeyError for an empty range. So it runs in a thread, without retries, with
a timeout, without redirects, and an empty range never reaches it. Nothing here is imported by
the console before somebody asks for a report: pandas alone costs more than the first frame may.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from console.domain.text import visible
from console.http.endpoint import Credentials, shown
from console.http.resilience import WireError
from console.metrics.labels import Matcher
from console.metrics.profile import models_promql
from console.settings.secret_references import redact
from console.sources.base import SourceDown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd
    from prometheus_api_client import PrometheusConnect

    from console.http.endpoint import Endpoint, SecretLookup
    from console.metrics.profile import Profile
    from console.metrics.query_plan import Query

    Results = list[dict[str, Any]]

DISCOVERY_COLUMNS = ("profile", "model", "version", "server", "series")
"""Columns of the discovery frame: ``series`` counts the signature series behind a row."""

LONGEST_QUERY_CHARACTERS = 6000
"""A longer query makes a URL that servers and proxies refuse."""


class Frames:
    """Asks one Prometheus server for data frames; every method raises `SourceDown` with words."""

    def __init__(self, endpoint: Endpoint, resolver: SecretLookup | None = None) -> None:
        """Ask the first URL of ``endpoint``; secrets come from ``resolver``."""
        self._endpoint = endpoint
        self._credentials = Credentials(endpoint, resolver)

    async def discovery(self, profiles: Mapping[str, Profile], now: float) -> pd.DataFrame:
        """Return one row a model, version and server, sorted; see `DISCOVERY_COLUMNS`."""
        asked = [(profile, models_promql(profile)) for profile in profiles.values()]

        def read(client: PrometheusConnect) -> pd.DataFrame:
            return _frame_of(
                [
                    _discovered(profile, series)
                    for profile, promql in asked
                    for series in self._instant(client, promql, now)
                ]
            )

        return await self._in_thread(read)

    async def ranged(
        self, query: Query, series_value: str, start: float, end: float, step: float
    ) -> pd.DataFrame:
        """Return one model's values, indexed by UTC time, with the query's labels as columns.

        ``start`` and ``end`` are Unix seconds and are rounded to whole seconds by the client;
        ``step`` is seconds. Where nothing was measured the frame is empty, with its columns.
        """
        promql = query.promql
        if query.expression is not None:
            one = Matcher(query.by[0], "=", series_value)
            promql = query.expression.promql(
                replace(query, matchers=(*query.matchers, one)).scope()
            )

        def read(client: PrometheusConnect) -> pd.DataFrame:
            found = self._range(client, promql, start, end, step)
            mine = [one for one in found if one["metric"].get(query.by[0], "") == series_value]
            if query.exclusive and len(found) == 1:
                mine = found
            return _range_frame(mine, query.by)

        return await self._in_thread(read)

    async def _in_thread(self, read: Callable[[PrometheusConnect], pd.DataFrame]) -> pd.DataFrame:
        try:
            headers = await self._credentials.headers()
        except WireError as problem:
            raise SourceDown(problem.sentence) from problem

        def work() -> pd.DataFrame:
            with self._client(headers) as client:
                return read(client)

        return await asyncio.to_thread(work)

    def _client(self, headers: dict[str, str]) -> PrometheusConnect:
        import requests
        from prometheus_api_client import PrometheusConnect
        from urllib3.util.retry import Retry

        endpoint = self._endpoint
        session = requests.Session()
        # The environment could add proxies and a .netrc password that nobody declared.
        session.trust_env = False
        session.max_redirects = 0
        session.verify = endpoint.ca_file or True
        auth = endpoint.auth
        if auth is not None and auth.type == "mtls":
            if auth.secret is not None:
                raise SourceDown("reports cannot use a client key with a passphrase")
            session.cert = (auth.cert_file or "", auth.key_file or "")
        proxies = {} if endpoint.proxy is None else dict.fromkeys(("http", "https"), endpoint.proxy)
        return PrometheusConnect(
            url=endpoint.urls[0].rstrip("/"),
            headers=headers,
            retry=Retry(0),
            proxy=proxies,
            session=session,
            timeout=endpoint.timeout_seconds,
        )

    def _instant(self, client: PrometheusConnect, promql: str, now: float) -> Results:
        return self._asked(promql, lambda: client.custom_query(promql, {"time": f"{now:.3f}"}))

    def _range(
        self, client: PrometheusConnect, promql: str, start: float, end: float, step: float
    ) -> Results:
        begin, until = datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)
        return self._asked(
            promql, lambda: client.custom_query_range(promql, begin, until, f"{step:.3f}")
        )

    def _asked(self, promql: str, ask: Callable[[], Results]) -> Results:
        """Run one question of the library and turn every way it fails into a sentence."""
        import requests
        from prometheus_api_client.exceptions import PrometheusApiClientException

        server = shown(self._endpoint.urls[0])
        if len(promql) > LONGEST_QUERY_CHARACTERS:
            raise SourceDown(f"the query is too long for reports ({len(promql)} characters)")
        try:
            found = ask()
        except requests.TooManyRedirects:
            raise SourceDown(f"{server} redirects; write the right address down") from None
        except requests.JSONDecodeError:
            raise SourceDown(f"{server} answered something that is not JSON") from None
        except requests.RequestException as problem:
            if _timed_out(problem):
                seconds = self._endpoint.timeout_seconds
                raise SourceDown(f"{server} gave no answer within {seconds:g} s") from None
            raise SourceDown(f"{server} cannot be reached: {_innermost(problem)}") from None
        except PrometheusApiClientException as problem:
            said = redact(str(problem), self._credentials.known)
            raise SourceDown(f"{server} refused: {visible(said, 200)}") from None
        except (KeyError, TypeError):
            raise SourceDown(f"{server} answered, but not as the Prometheus API does") from None
        return found


def _timed_out(problem: BaseException) -> bool:
    """Look for a timeout behind a failure, which requests calls a lost connection."""
    import requests
    from urllib3.exceptions import MaxRetryError, NewConnectionError
    from urllib3.exceptions import TimeoutError as WaitedTooLong

    if isinstance(problem, requests.Timeout):
        return True
    behind = problem.args[0] if problem.args else None
    if not isinstance(behind, MaxRetryError) or isinstance(behind.reason, NewConnectionError):
        return False
    return isinstance(behind.reason, WaitedTooLong)


def _innermost(problem: BaseException) -> str:
    """Return the end of the library's tale: the beginning holds the URL with the whole query."""
    behind = problem.args[0] if problem.args else problem
    reason = getattr(behind, "reason", behind)
    return visible(str(reason).rpartition(": ")[2] or type(problem).__name__, 120)


def _discovered(profile: Profile, series: Mapping[str, Any]) -> tuple[str, str, str, str, float]:
    labels = series["metric"]
    version = labels.get(profile.version_label or "", "")
    return (
        profile.name,
        str(labels.get(profile.model_label, "")),
        profile.value_of(version) or "",
        str(labels.get(profile.server_label, "")),
        float(series["value"][1]),
    )


def _frame_of(rows: Sequence[tuple[str, str, str, str, float]]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame.from_records(list(rows), columns=list(DISCOVERY_COLUMNS))
    return frame.sort_values(list(DISCOVERY_COLUMNS[:4]), ignore_index=True)


def _range_frame(series: Results, by: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd
    from prometheus_api_client import MetricRangeDataFrame

    columns = [*by, "value"]
    if not any(one["values"] for one in series):
        index = pd.DatetimeIndex([], tz="UTC", name="timestamp")
        return pd.DataFrame(columns=columns, index=index)
    frame = pd.DataFrame(MetricRangeDataFrame(series))
    frame.index = pd.DatetimeIndex(frame.index).tz_localize("UTC")
    return frame.reindex(columns=columns)
