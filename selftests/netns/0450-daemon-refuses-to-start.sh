#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Starts that must fail, each with a sentence that says what to do.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"
need_cmd jq

use_home "$NP_TMP/home"
realm_up - localhost @alice @device
KEYS=$HOME/.atsign/keys
fails() { # fails NAME STATUS WORDS FLAG...
	local name=$1 want=$2 words=$3 rc=0
	shift 3
	timeout 20 sshnpd "${COMMON[@]}" "$@" >"$NP_TMP/words" 2>&1 || rc=$?
	expect_eq "$name: exit status" "$rc" "$want"
	check "$name: says '$words'" grep -qF -- "$words" "$NP_TMP/words"
}
M=(-m @alice)
fails 'no atSign' 2 '--atsign' "${M[@]}"
fails 'a bad atSign' 2 "--atsign" -a '@a b' "${M[@]}"
fails 'nobody may connect' 2 'name who may with --managers' -a @device
fails 'only itself as manager' 2 'name who may with --managers' -a @device -m @device
fails 'empty entries of a unit file' 2 'name who may with --managers' -a @device '' -m '' ''
fails 'a policy service' 2 '--policy-manager is not available' -a @device -p @policy
fails 'a bad device name' 2 'Device name must be' -a @device "${M[@]}" -d 'a.b'
fails 'an overlong one' 2 'Device name must be' -a @device "${M[@]}" -d "$(printf 'd%.0s' {1..37})"
fails 'host:0' 2 "permit-open entry 'host:0'" -a @device "${M[@]}" --permit-open host:0
fails 'port 65558' 2 "permit-open entry 'localhost:65558'" -a @device "${M[@]}" --permit-open localhost:22,localhost:65558
fails 'no port' 2 "permit-open entry 'localhost'" -a @device "${M[@]}" --po localhost
fails 'an overlong list' 2 'more than 1024 entries' -a @device "${M[@]}" --permit-open "$(printf 'h:%s,' {1..1024})h:1025"
fails 'an unknown option' 2 '--storage-path' -a @device "${M[@]}" --storage-path /x
fails 'no key file' 1 'Unable to find .atKeys file' -a @device "${M[@]}" -k "$NP_TMP/none"
cp "$KEYS/@device_key.atKeys" "$NP_TMP/open" && chmod 644 "$NP_TMP/open"
fails 'a key file that others can read' 1 'chmod 600' -a @device "${M[@]}" -k "$NP_TMP/open"
head -c 700 "$KEYS/@device_key.atKeys" >"$NP_TMP/cut" && chmod 600 "$NP_TMP/cut"
fails 'a truncated key file' 1 "$NP_TMP/cut" -a @device "${M[@]}" -k "$NP_TMP/cut"
fails 'a CA file that is not there' 1 'none.pem' -a @device "${M[@]}" --root-ca "$NP_TMP/none.pem"

# --- the config file ---
cat >"$NP_TMP/conf.yaml" <<-'YAML'
	atsign: "@device"
	access:
	  managers: ["@alice"]
	  permitopen: ["localhost:22", "host:0"]
	device:
	  name: dev1
YAML
fails 'a bad entry in the config file' 2 "permit-open entry 'host:0'" --config "$NP_TMP/conf.yaml"
sed 's/name: dev1/nmae: dev1/' "$NP_TMP/conf.yaml" >"$NP_TMP/typo.yaml"
fails 'an unknown key in the config file' 2 'nmae' --config "$NP_TMP/typo.yaml"
sed 's/, "host:0"//' "$NP_TMP/conf.yaml" >"$NP_TMP/good.yaml"
touch "$HOME/.ssh/authorized_keys"
SSHNPD_CONFIG=$NP_TMP/good.yaml start_daemon sshnpd sshnpd "${COMMON[@]}"
expect_eq 'a good one is enough to serve' "$(daemon_json sshnpd '.atsign + .device')" '@devicedev1'
