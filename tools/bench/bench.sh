#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# bench.sh [NAME...]: runs the named benchmarks, or all of them (every other script in this folder).
# Exit: 0 all targets met, 1 a target missed or a bench failed, 2 unknown name. A skipped bench is no failure.
set -u
here=$(cd "$(dirname "$0")" && pwd)

names() {
	local f
	for f in "$here"/*.sh; do
		f=$(basename "$f" .sh)
		case $f in bench | lib-*) ;; *) echo "$f" ;; esac
	done
}

[ $# -gt 0 ] || mapfile -t all < <(names)
[ $# -gt 0 ] || set -- "${all[@]}"
for name in "$@"; do
	if ! names | grep -qxF -- "$name"; then
		echo "bench: no benchmark '$name'; there are: $(names | xargs)" >&2
		exit 2
	fi
done

failed=
for name in "$@"; do
	echo "== $name"
	bash "$here/$name.sh"
	case $? in 0 | 4) ;; 130 | 143) exit 130 ;; *) failed="$failed $name" ;; esac
done
[ -z "$failed" ] && exit 0
echo "bench: targets missed or failed:$failed" >&2
exit 1
