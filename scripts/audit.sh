#!/usr/bin/env bash
# Whether a vulnerability is known of what the package requires, extras included, in the versions that the python on PATH has.
#   AUDIT_SECONDS=20   how long to wait for the database, which is the package index's own
#   AUDIT_REQUIRED=1   to fail where it does not answer; else only a vulnerability fails
set -uo pipefail
cd "$(dirname "$0")/.." || exit

seconds=${AUDIT_SECONDS:-20}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Names and exact versions are all it needs: it never resolves, and so asks the index for no package.
ask() {
    timeout "$((seconds > SECONDS ? seconds - SECONDS : 1))" pip-audit --progress-spinner off --timeout 5 \
        --disable-pip --no-deps --desc off --requirement "$1" >"$scratch/answer" 2>"$scratch/said"
}

names_one() { grep -qE '(CVE|GHSA|PYSEC)-' "$scratch/answer"; }

unanswered() {
    echo "not audited: $*" >&2
    tail -n 1 "$scratch/said" | sed 's/^/    pip-audit says: /' >&2
    [[ ${AUDIT_REQUIRED:-0} != 1 ]]
    exit
}

python -m tests.project.runtime >"$scratch/required" || exit

# A mirror knows no vulnerability of any package, and what it does not know it does not say. This one has some.
echo 'python-multipart==0.0.6' >"$scratch/probe"
ask "$scratch/probe"
names_one || unanswered "no database of vulnerabilities answers here (asked for $(<"$scratch/probe"), which has some)"

ask "$scratch/required"
code=$?
cat "$scratch/answer"
if names_one; then
    tail -n 1 "$scratch/said" >&2
    exit 1
fi
[[ $code -eq 0 ]] || unanswered "the database stopped answering (within $seconds s)"
unknown=$(grep -c 'could not be audited' "$scratch/answer")
echo "no vulnerability is known of $(($(wc -l <"$scratch/required") - unknown)) packages; unknown to the index: $unknown"
