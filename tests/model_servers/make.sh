#!/usr/bin/env bash
# Makes the virtual environments of the real model servers that tests/controls talks to:
#   tests/model_servers/make.sh [NAME…]        all of them without a name
# Each is pinned by requirements/NAME.txt and made again only when that file has changed.
# They live in $MIDWATCH_MODEL_SERVERS, or ~/.cache/midwatch-model-servers: about 1.8 GB, 3 minutes.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="${MIDWATCH_MODEL_SERVERS:-$HOME/.cache/midwatch-model-servers}"
python="${PYTHON:-python3}"

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
  for file in "$here"/requirements/*.txt; do names+=("$(basename "$file" .txt)"); done
fi

mkdir -p "$root"
for name in "${names[@]}"; do
  pins="$here/requirements/$name.txt"
  [ -f "$pins" ] || { echo "there is no model server named $name" >&2; exit 64; }
  want="$(sha256sum <"$pins" | cut -d' ' -f1) $("$python" -V)"
  stamp="$root/$name/.made"
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then
    echo "$name: as pinned"
    continue
  fi
  echo "$name: installing"
  rm -rf "${root:?}/$name"
  "$python" -m venv "$root/$name"
  "$root/$name/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$pins"
  echo "$want" >"$stamp"
done
