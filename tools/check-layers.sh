#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Who may include whom (style.md section 3): a row may include any row below it, never its own row or above;
# third-party headers stay in the one folder that wraps them.
set -u
cd "$(dirname "$0")/.." || exit 1
declare -A row=([base]=0 [ev]=1 [net]=2 [json]=2 [crypto]=2 [tls]=3 [kern]=3 [cli]=3
	[at]=4 [splice]=4 [store]=4 [noports]=5 [relay]=5 [atserver]=5)
bad=0
complain() { echo "check-layers: $*" >&2; bad=1; }

while IFS=: read -r file _ line; do
	from=$(echo "$file" | cut -d/ -f3)
	to=$(echo "$line" | sed -n 's|^#include "\([a-z]*\)/.*|\1|p')
	[ -n "$to" ] && [ -n "${row[$to]:-}" ] || continue
	[ "$from" = "$to" ] && continue
	[ "${row[$to]}" -lt "${row[$from]}" ] || complain "$file includes $to/ (row ${row[$to]} from row ${row[$from]})"
done < <(grep -rn '^#include "' userspace/lib --include='*.[ch]')

only() { # only HEADER-REGEX ALLOWED-FOLDER-REGEX
	grep -rlE "^#include <$1" userspace --include='*.[ch]' | grep -vE "^userspace/lib/($2)/" | while read -r f; do
		echo "$f includes <$1...> outside $2"
	done
}
found=$( { only 'openssl/' 'crypto|tls'; only 'jansson' 'json'; only 'sqlite3' 'store'
	only '(bpf/|libmnl|netlink/)' 'kern'; only 'yaml' 'cli'; } )
[ -z "$found" ] || complain "$found"

grep -rnE '^#include "(\.\./)*userspace' kmod bpf 2>/dev/null | grep . && complain 'kmod and bpf include nothing of userspace'
for f in $(git ls-files '*.c' '*.h' '*.sh' '*.mk' Makefile 2>/dev/null); do
	[ -f "$f" ] || continue
	head -n 3 "$f" | grep -q 'SPDX-License-Identifier' || complain "$f has no SPDX line"
done
[ "$bad" = 0 ] && echo "check-layers: ok"
exit "$bad"
