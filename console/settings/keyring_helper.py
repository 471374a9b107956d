"""Helper process that talks to the keyring, so that a prompt or a hang hits only itself.

Arguments: ``get SERVICE USER`` or ``set SERVICE USER`` (the value on standard input). Prints one
JSON object: ``value`` and ``backend``, or ``problem`` and ``detail``.
"""

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend


def judge(module: str, name: str) -> str:
    """Return why the backend of that class is refused, or nothing if it keeps secrets."""
    if module == "keyring.backends.fail":
        return "no_keyring"
    if module == "keyring.backends.null":
        return "null"
    if module.startswith("keyrings.alt") or "plaintext" in name.casefold():
        return "plain_text"
    return ""


def _members(backend: "KeyringBackend") -> "Iterator[KeyringBackend]":
    """Yield the backends behind a chain of backends, or the one itself."""
    chained = getattr(backend, "backends", None)
    if chained is not None and type(backend).__module__ == "keyring.backends.chainer":
        yield from chained
    else:
        yield backend


def _choose(backend: "KeyringBackend") -> "tuple[KeyringBackend | None, str, str]":
    refusal, refused = "no_keyring", ""
    for member in _members(backend):
        kind = type(member)
        verdict = judge(kind.__module__, kind.__name__)
        if not verdict:
            return member, "", f"{kind.__module__}.{kind.__name__}"
        refusal, refused = verdict, f"{kind.__module__}.{kind.__name__}"
    return None, refusal, refused


def _answer(verb: str, service: str, user: str) -> dict[str, str]:
    try:
        import keyring
        import keyring.errors
    except ImportError as error:
        return {"problem": "not_installed", "detail": str(error)}
    try:
        backend, refusal, name = _choose(keyring.get_keyring())
        if backend is None:
            return {"problem": refusal, "detail": name}
        if verb == "set":
            backend.set_password(service, user, sys.stdin.read())
        value = backend.get_password(service, user)
    except keyring.errors.NoKeyringError as error:
        return {"problem": "no_keyring", "detail": str(error)}
    except keyring.errors.KeyringLocked as error:
        return {"problem": "locked", "detail": str(error)}
    except Exception as error:  # noqa: BLE001 - backends raise anything; the parent tells the operator
        return {"problem": "failed", "detail": f"{type(error).__name__}: {error}"}
    if value is None:
        return {"problem": "missing", "detail": name}
    return {"value": value, "backend": name}


if __name__ == "__main__":
    json.dump(_answer(*sys.argv[1:4]), sys.stdout)
