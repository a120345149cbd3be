#!/usr/bin/env bash
# Makes the locks of this folder anew, with the newest versions that pyproject.toml allows: all files and their
# digests, for all supported Pythons. It wants uv.
set -euo pipefail
cd "$(dirname "$0")/.."
compile="uv pip compile --quiet --upgrade --universal --python-version 3.10 --generate-hashes --no-header
  --no-annotate --no-emit-index-url --no-emit-find-links"
echo "setuptools>=77" | $compile - -o requirements/build.txt
$compile pyproject.toml -o requirements/train.txt
same="-c requirements/train.txt"  # one environment grows from the other
$compile pyproject.toml $same --extra test --extra lint --extra sweep --extra tsne --extra docs -o requirements/test.txt
$compile pyproject.toml $same -c requirements/test.txt --extra notebook -o requirements/notebook.txt
# axe-core, the accessibility checker, comes in a package that asks for a browser as well
echo "axe-playwright-python==0.1.8" | $compile - --no-deps -o requirements/axe.txt
# the oldest NumPy, SciPy and matplotlib that pyproject.toml allows, which CI tries
printf '%s\n' numpy==1.23.5 scipy==1.9.3 matplotlib==3.6.0 pytest pytest-timeout hypothesis |
  uv pip compile --quiet --upgrade --universal --python-version 3.10 --generate-hashes --no-header --no-annotate \
    --no-emit-index-url pyproject.toml - -o requirements/oldest.txt
