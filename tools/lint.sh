#!/bin/bash
# All checks of the source that need no run of the program: tools/lint.sh [BUILD_DIR]
# clang-tidy takes compiler flags and generated headers from the build.
# Every check runs to its end; the exit status is 1 if one of them failed.
# shellcheck disable=SC2317  # the checks are called by name, through check()
set -euo pipefail
cd "$(dirname "$0")/.."

build=${1:-build/release}
status=0

# Files under version control or about to be, by pattern.
sources() {
  git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
    [[ ! -f $file ]] || printf '%s\n' "$file"
  done
}

check() { # TITLE COMMAND...
  local started=$SECONDS title=$1
  shift
  if "$@"; then
    echo "ok      $title ($((SECONDS - started)) s)"
  else
    echo "FAILED  $title ($((SECONDS - started)) s)"
    status=1
  fi
}

# Prints matches of a pattern and what to do instead; fails when there are any.
forbid() { # ADVICE PATTERN FILES...
  local advice=$1 pattern=$2
  shift 2
  [[ $# -gt 0 ]] || return 0
  if grep -nHE -- "$pattern" "$@"; then
    echo "  $advice"
    return 1
  fi
}

format() {
  sources '*.h' '*.cc' '*.c' | xargs -r clang-format-19 --dry-run --Werror
}

shell_scripts() {
  local file scripts=()
  while read -r file; do
    [[ $(head -c 32 "$file" | head -1 | tr -d '\0') != '#!'*sh ]] || scripts+=("$file")
  done < <(sources)
  shellcheck "${scripts[@]}"
}

python_scripts() {
  sources '*.py' | xargs -r python3 -c '
import ast, sys
for name in sys.argv[1:]:
    ast.parse(open(name, encoding="utf-8").read(), name)'
}

# Every packet leaves through the funnel in verdict.h, which counts it.
bpf_verdicts() {
  local files
  mapfile -t files < <(sources 'bpf/*.c' 'bpf/*.h' | grep -v '^bpf/lib/verdict\.h$')
  forbid 'drop packets with drop(ctx, REASON) of bpf/lib/verdict.h: it counts them' \
    '\bTC_ACT_SHOT\b' "${files[@]}"
}

no_manual_sync() {
  local files
  mapfile -t files < <(sources '*.h' '*.cc' '*.c' '*.py' '*.proto' '*.sh' | grep -v '^tools/lint\.sh$')
  forbid 'make one of the two from the other, or test that they agree' \
    '([Kk]eep|[Mm]ust be( kept)?|[Ss]tay) in sync' "${files[@]}"
}

# No exception crosses a module: libraries that throw are wrapped, each in one of these files.
catch_allowed='^src/(agent/(metrics_server|options)|cli/app|lab/yaml_node)\.cc$'
no_catch() {
  local files
  mapfile -t files < <(sources 'src/*.cc' 'src/*.h' 'geneve/*.cc' 'geneve/*.h' |
    grep -Ev "$catch_allowed" || true)
  forbid 'return a Result; a wrapper of a throwing library goes on the list in tools/lint.sh' \
    '\bcatch \(|\bthrow\b [^;]*;' "${files[@]}"
}

echo "== lint"
check "format (clang-format-19 -i FILE mends it)" format
check "include directions" tools/check_includes.py
check "shell scripts" shell_scripts
check "python scripts" python_scripts
check "BPF verdicts" bpf_verdicts
check "no copies to keep equal by hand" no_manual_sync
check "no exceptions across modules" no_catch
check "clang-tidy, all but its slowest checks (make tidy runs those)" tools/tidy.py --quick "$build"
exit "$status"
