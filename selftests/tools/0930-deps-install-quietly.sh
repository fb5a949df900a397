#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# deps.sh installs only what is missing, lets nothing start meanwhile, takes back what would start at boot, and
# leaves the machine's own policy-rc.d as it was. apt-get and dpkg-query are played here; /usr/sbin and /etc are
# overlays that vanish with the mount namespace.
. "$(dirname "$0")/../harness/lib.sh"
[ "$(id -u)" = 0 ] || skip "needs root for a mount namespace"
need_cmd unshare flock

mkdir -p "$NP_TMP/fake" "$NP_TMP/layers"
cat >"$NP_TMP/fake/dpkg-query" <<'SH'
#!/bin/bash
for pkg; do grep -qx -- "$pkg" "$STATE/installed" && echo "$pkg installed"; done
exit 1
SH
cat >"$NP_TMP/fake/apt-get" <<'SH'
#!/bin/bash
echo "$*" >>"$STATE/apt"
/usr/sbin/policy-rc.d ssh start
echo "policy $?" >>"$STATE/apt"
case " $* " in
*' install '*)
	[ ! -e "$STATE/apt-fails" ] || { echo "E: no such thing"; exit 100; }
	mkdir -p /etc/systemd/system/multi-user.target.wants
	ln -s /lib/systemd/system/np-fake.service /etc/systemd/system/multi-user.target.wants/np-fake.service
	;;
esac
SH
cat >"$NP_TMP/fake/systemctl" <<'SH'
#!/bin/bash
echo "systemctl $*" >>"$STATE/apt"
[ "$1" != disable ] || rm -f "/etc/systemd/system/multi-user.target.wants/$2"
SH
chmod +x "$NP_TMP/fake/"*

# run_deps SETUP SET: SETUP is shell run before, in the same namespace; what is left behind goes to $NP_TMP/after.
# shellcheck disable=SC2016
run_deps() {
	rc=0
	STATE=$NP_TMP unshare -m -- bash -c '
		set -e
		mount -t tmpfs none "$STATE/layers"
		for dir in usr/sbin etc; do
			mkdir -p "$STATE/layers/up/$dir" "$STATE/layers/work/$dir"
			mount -t overlay none -o "lowerdir=/$dir,upperdir=$STATE/layers/up/$dir,workdir=$STATE/layers/work/$dir" "/$dir" ||
				exit 77
		done
		rm -f /usr/sbin/policy-rc.d
		eval "$1"
		export PATH=$STATE/fake:$PATH
		status=0
		"$3/tools/deps.sh" "$2" || status=$?
		ls /usr/sbin/ | grep "^policy-rc" >"$STATE/after" || true
		[ ! -e /usr/sbin/policy-rc.d ] || cat /usr/sbin/policy-rc.d >>"$STATE/after"
		ls /etc/systemd/system/multi-user.target.wants | grep np-fake >>"$STATE/after" || true
		exit $status' sh "$1" "$2" "$NP_TOP" >"$NP_TMP/out" 2>&1 || rc=$?
	[ "$rc" != 77 ] || skip "kernel lacks overlayfs"
}

wanted() { sed -n "s/^\($1\) \([^ ]*\).*/\2/p" "$NP_TOP/tools/deps.list"; }

wanted 'build\|demo' >"$NP_TMP/installed"
run_deps true demo
expect_eq "with nothing missing it succeeds" "$rc" 0
check "says nothing" test ! -s "$NP_TMP/out"
check "and does not call apt-get" test ! -e "$NP_TMP/apt"

grep -vx 'jq\|nftables' "$NP_TMP/installed" >"$NP_TMP/less"
mv "$NP_TMP/less" "$NP_TMP/installed"
run_deps true demo
expect_eq "with two missing it succeeds" "$rc" 0
check "asks for exactly these" grep -q -- '--no-install-recommends install nftables jq$' "$NP_TMP/apt"
check "refreshes the lists first" grep -q 'update$' <(head -n1 "$NP_TMP/apt")
check "every start is refused meanwhile" test "$(grep -c '^policy 101$' "$NP_TMP/apt")" = 2
check "a unit that got enabled is disabled" grep -qx 'systemctl disable np-fake.service' "$NP_TMP/apt"
check "no policy and no boot link are left" test ! -s "$NP_TMP/after"

# shellcheck disable=SC2016
foreign='printf "#!/bin/sh\n# the owner'\''s\nexit 0\n" >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d'
rm "$NP_TMP/apt"
run_deps "$foreign" demo
check "a policy of the machine is overruled meanwhile" test "$(grep -c '^policy 101$' "$NP_TMP/apt")" = 2
check "and put back" grep -qx "# the owner's" "$NP_TMP/after"
check "without a copy beside it" test "$(grep -c '^policy-rc' "$NP_TMP/after")" = 1

touch "$NP_TMP/apt-fails"
run_deps "$foreign" demo
expect_eq "a failing apt-get is a failure" "$rc" 1
check "with apt's own words" grep -q 'E: no such thing' "$NP_TMP/out"
check "and what to do" grep -q 'then run the same command again' "$NP_TMP/out"
check "the machine's policy is back then too" grep -qx "# the owner's" "$NP_TMP/after"
