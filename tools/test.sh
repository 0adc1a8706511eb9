#!/bin/bash
# Runs the tests of a build tree label by label and sums them up: tools/test.sh [BUILD_DIR] [LABEL]...
set -euo pipefail
cd "$(dirname "$0")/.."

build=${1:-build/release}
shift || true
labels=("$@")
everything=0
if [[ ${#labels[@]} -eq 0 ]]; then
  everything=1
  labels=(unit fuzz packet verifier e2e guest scale)
fi
results=$build/test-results
timeout_seconds=120 # of one test that does not say otherwise

# What touches the kernel runs as root; the unit tests prove that they need none.
as_root=()
if [[ $EUID -ne 0 ]]; then
  as_root=(sudo --preserve-env=PATH)
fi

rm -rf "$results"
mkdir -p "$results/cases" # for the cases of tests that ctest sees as one
failed=0
for label in "${labels[@]}"; do
  prefix=("${as_root[@]}")
  jobs=1 # end-to-end tests measure time: side by side they would disturb one another
  case $label in
    unit)
      prefix=()
      jobs=$(nproc)
      ;;
    fuzz) prefix=() ;;
    packet | verifier) jobs=$(nproc) ;;
  esac
  echo "== test: $label"
  "${prefix[@]}" ctest --test-dir "$build" -L "^$label\$" -j "$jobs" --timeout "$timeout_seconds" \
    --output-on-failure --progress --output-junit "$PWD/$results/$label.xml" || failed=1
done
if [[ $EUID -ne 0 ]]; then
  sudo chown -R "$(id -u):$(id -g)" "$build/Testing" "$results"
fi
echo "== test: summary"
python3 tools/test_summary.py "$results"/*.xml || failed=1
# Only a full run shows all that the table says.
if [[ $everything -eq 1 ]]; then
  echo "== test: docs/spec/conformance.md"
  python3 tools/conformance.py --check "$build" || failed=1
fi
exit "$failed"
