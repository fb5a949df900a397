// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/parse.h"
#include "atserver/regex.h"

#include "base/err.h"
#include "harness/ktap.h"

static char line[4096];
static char *rest;
static struct np_err err;

static enum np_verb verb(const char *text)
{
	snprintf(line, sizeof(line), "%s", text);
	return np_parse_verb(line, &rest);
}

static void verbs_by_prefix(void)
{
	static const struct {
		const char *text, *rest;
		enum np_verb verb;
	} cases[] = {
		{"", "", NP_VERB_UNKNOWN},
		{"from:@alice", "@alice", NP_VERB_FROM},
		{"FROM:@alice  ", "@alice", NP_VERB_FROM},
		{"update :x@alice 1", "x@alice 1", NP_VERB_UPDATE},
		{"update:meta:x@a:ttl:1", "x@a:ttl:1", NP_VERB_UPDATE_META},
		{"update:json:{}", "{}", NP_VERB_UPDATE_JSON},
		{"updates:x", "updates:x", NP_VERB_UNKNOWN},
		{"llookup:x@a", "x@a", NP_VERB_LLOOKUP},
		{"plookup:x@a", "x@a", NP_VERB_PLOOKUP},
		{"lookup:x@a", "x@a", NP_VERB_LOOKUP},
		{"scan", "", NP_VERB_SCAN},
		{"SCAN .FOO", " .FOO", NP_VERB_SCAN},
		{"scan:@bob x", ":@bob x", NP_VERB_SCAN},
		{"scanner", "scanner", NP_VERB_UNKNOWN},
		{"pol", "", NP_VERB_POL},
		{"pol:", "pol:", NP_VERB_UNKNOWN},
		{"monitor", "", NP_VERB_MONITOR},
		{"monitor:selfNotifications", ":selfNotifications", NP_VERB_MONITOR},
		{"notify:status:1", "1", NP_VERB_NOTIFY_STATUS},
		{"notify:@bob:x@a:1", "@bob:x@a:1", NP_VERB_NOTIFY},
		{"notify:list", "", NP_VERB_NOTIFY_LIST},
		{"notify:list:x", ":x", NP_VERB_NOTIFY_LIST},
		{"notify:listed:x@a:1", "listed:x@a:1", NP_VERB_NOTIFY},
		{"notify:all:@b:x@a:1", "@b:x@a:1", NP_VERB_NOTIFY_ALL},
		{"notify:fetch:1", "1", NP_VERB_NOTIFY_FETCH},
		{"notify:remove:1", "1", NP_VERB_NOTIFY_REMOVE},
		{"sync:from:-1:limit:5", "-1:limit:5", NP_VERB_SYNC},
		{"sync:-1", "sync:-1", NP_VERB_UNKNOWN},
		{"stats", "", NP_VERB_STATS},
		{"STATS:3", ":3", NP_VERB_STATS},
		{"batch:[]", "[]", NP_VERB_BATCH},
		{"config:block:show", "block:show", NP_VERB_CONFIG},
		{"info:brief", ":brief", NP_VERB_INFO},
		{"noop:0", "0", NP_VERB_NOOP},
		{"@exit", "", NP_VERB_EXIT},
		{"@exits", "@exits", NP_VERB_UNKNOWN},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		KTAP_EQ(verb(cases[i].text), cases[i].verb);
		KTAP_STREQ(rest, cases[i].rest);
	}
}

static void utf8(void)
{
	static const char *const good[] = {"",	       "abc",	       "a\tb",
					   "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x9b\xa0"};
	static const char *const bad[] = {
		"\x01",		"\x7f", "\xc3",	 "\xc0\x80",	     "\xe0\x80\x80",
		"\xed\xa0\x80", "\xff", "a\x80", "\xf4\x90\x80\x80", "\xe2\x82"};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		KTAP_OK(np_parse_utf8(good[i], strlen(good[i])));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		KTAP_OK(!np_parse_utf8(bad[i], strlen(bad[i])));
	KTAP_OK(!np_parse_utf8("a\0b", 3));
}

static void updates(void)
{
	struct np_req_update req;

	verb("update:ttl:60000:isEncrypted:false:public:location.buzz@alice Paris is: big @ night");
	KTAP_EQ(np_parse_update(rest, &req, &err), 0);
	KTAP_STREQ(req.key, "public:location.buzz@alice");
	KTAP_STREQ(req.value, "Paris is: big @ night");
	KTAP_EQ(np_meta_num(&req.meta, NP_META_TTL, 0), 60000);
	verb("update:immutable:true:ttln:5:@bob:x@alice 1");
	KTAP_EQ(np_parse_update(rest, &req, &err), 0);
	KTAP_STREQ(req.key, "@bob:x@alice");
	verb("update:privatekey:at_pkam_publickey MIIB");
	KTAP_EQ(np_parse_update(rest, &req, &err), 0);
	KTAP_STREQ(req.key, "privatekey:at_pkam_publickey");
	verb("update:meta:@bob:x@alice:ttr:-1:ccd:true");
	KTAP_EQ(np_parse_update_meta(rest, &req, &err), 0);
	KTAP_STREQ(req.key, "@bob:x@alice");
	KTAP_EQ(np_meta_num(&req.meta, NP_META_TTR, 0), -1);
	KTAP_EQ(np_meta_num(&req.meta, NP_META_CCD, 0), 1);
}

static void bad_updates(void)
{
	static const char *const bad[] = {"update:",
					  "update: ",
					  "update:x@a",
					  "update:x@a ",
					  "update:ttl:x:x@a 1",
					  "update:ttl:-1:x@a 1",
					  "update:ttl:5 1",
					  "update:ttr:-2:x@a 1",
					  "update:isEncrypted:maybe:x@a 1",
					  "update:ttl:1: 1"};
	struct np_req_update req;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		verb(bad[i]);
		KTAP_OK(np_parse_update(rest, &req, &err) < 0);
	}
	verb("update:meta:x@a");
	KTAP_OK(np_parse_update_meta(rest, &req, &err) < 0);
	verb("update:meta:x@a:ttl");
	KTAP_OK(np_parse_update_meta(rest, &req, &err) < 0);
}

static void notifications(void)
{
	struct np_req_notify req;

	verb("notify:id:1f0e:update:messageType:key:priority:low:strategy:all:latestN:1:notifier:"
	     "SYSTEM:ttln:60000:ttl:10000:"
	     "isEncrypted:true:sharedKeyEnc:S0VZ==:pubKeyCS:b91c:ivNonce:a+/"
	     "=:@dev:ping.default.sshnp@alice:b:c@d e");
	KTAP_EQ(np_parse_notify(rest, &req, &err), 0);
	KTAP_STREQ(req.id, "1f0e");
	KTAP_STREQ(req.to, "@dev");
	KTAP_STREQ(req.key, "ping.default.sshnp");
	KTAP_STREQ(req.owner, "alice");
	KTAP_STREQ(req.value, "b:c@d e");
	KTAP_EQ(req.ttln_ms, 60000);
	KTAP_OK(!req.is_delete && !req.is_text && !req.is_latest);
	verb("notify:delete:message_type:text:@dev:how are you: fine");
	KTAP_EQ(np_parse_notify(rest, &req, &err), 0);
	KTAP_OK(req.is_delete && req.is_text && !req.owner && !req.value && !req.id);
	KTAP_STREQ(req.key, "how are you: fine");
	verb("notify:strategy:latest:latestN:3:notifier:wavi:@dev:ab@alice");
	KTAP_EQ(np_parse_notify(rest, &req, &err), 0);
	KTAP_OK(req.is_latest);
	KTAP_EQ(req.depth, 3);
	verb("notify:public:ab@alice:1");
	KTAP_EQ(np_parse_notify(rest, &req, &err), 0);
	KTAP_OK(!req.to);
}

static void bad_notifications(void)
{
	static const char *const bad[] = {
		"notify:",
		"notify:@bob",
		"notify:@bob:",
		"notify:@bob:x",
		"notify:@bob::x@a",
		"notify:@bob:a::b@a:1",
		"notify:id:a b:@bob:xx@a",
		"notify:id::@bob:xx@a",
		"notify:priority:urgent:@bob:xx@a",
		"notify:strategy:latest:@bob:xx@a",
		"notify:ttln:-1:@bob:xx@a",
		"notify:messageType:blob:@bob:xx@a",
		"notify:@bob:text with a@b c",
		"notify:id",
		"notify:ttl:x:@bob:xx@a",
		"notify:@bob:xx@",
		"notify:@bob:xx@a@b",
	};
	struct np_req_notify req;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		verb(bad[i]);
		if (np_parse_notify(rest, &req, &err) == 0)
			KTAP_FAILF("accepted: %s", bad[i]);
	}
}

static void others(void)
{
	struct np_req_lookup lookup;
	struct np_req_monitor mon;
	struct np_req_scan scan;
	struct np_req_pkam pkam;
	struct np_req_from from;
	char *key;

	verb("lookup:bypassCache:true:all:phone@bob");
	KTAP_EQ(np_parse_lookup(rest, &lookup, &err), 0);
	KTAP_OK(lookup.bypass_cache && lookup.all && !lookup.meta);
	KTAP_STREQ(lookup.key, "phone@bob");
	verb("monitor:strict:selfNotifications:multiplexed:1729733702123 a:b");
	KTAP_EQ(np_parse_monitor(rest, &mon, &err), 0);
	KTAP_OK(mon.strict && mon.self && mon.multiplexed && mon.after_ms == 1729733702123);
	KTAP_STREQ(mon.regex, "a:b");
	verb("monitor default.sshnp@");
	KTAP_EQ(np_parse_monitor(rest, &mon, &err), 0);
	KTAP_OK(mon.after_ms == -1 && !mon.self);
	verb("monitor:bogus");
	KTAP_OK(np_parse_monitor(rest, &mon, &err) < 0);
	verb("scan:showHidden:TRUE:@bob:page:3 a.*");
	KTAP_EQ(np_parse_scan(rest, &scan, &err), 0);
	KTAP_OK(scan.show_hidden);
	KTAP_STREQ(scan.of, "@bob");
	KTAP_STREQ(scan.regex, "a.*");
	verb("scan:page");
	KTAP_OK(np_parse_scan(rest, &scan, &err) < 0);
	verb("pkam:signingAlgo:rsa2048:hashingAlgo:sha256:enrollmentId:e-1:c2ln");
	KTAP_EQ(np_parse_pkam(rest, &pkam, &err), 0);
	KTAP_STREQ(pkam.enrollment_id, "e-1");
	KTAP_STREQ(pkam.signature, "c2ln");
	verb("pkam:enrollmentId:e-1");
	KTAP_OK(np_parse_pkam(rest, &pkam, &err) < 0);
	verb("pkam:");
	KTAP_OK(np_parse_pkam(rest, &pkam, &err) < 0);
	verb("from:alice:clientConfig:{\"version\":\"3.3.0\"}");
	KTAP_EQ(np_parse_from(rest, &from, &err), 0);
	KTAP_STREQ(from.atsign, "alice");
	KTAP_STREQ(from.config, "{\"version\":\"3.3.0\"}");
	verb("from:alice:x");
	KTAP_OK(np_parse_from(rest, &from, &err) < 0);
	verb("delete:priority:low:cached:public:publickey@bob");
	KTAP_EQ(np_parse_delete(rest, &key, &err), 0);
	KTAP_STREQ(key, "cached:public:publickey@bob");
}

static bool matches(const char *re, const char *text)
{
	struct np_regex *regex;
	bool yes;

	if (np_regex_new(re, &regex, &err)) {
		KTAP_FAILF("refused: %s", re);
		return false;
	}
	yes = np_regex_match(regex, text);
	np_regex_free(regex);
	return yes;
}

static void regexes_of_dart(void)
{
	KTAP_OK(matches("", "x"));
	KTAP_OK(matches(".*", "x"));
	KTAP_OK(matches("device_info\\.[a-z0-9_][a-z0-9_\\-]{1,35}\\.sshnp",
			"@a:device_info.my-dev.sshnp@b"));
	KTAP_OK(!matches("device_info\\.[a-z0-9_][a-z0-9_\\-]{1,35}\\.sshnp",
			 "@a:device_info.my*dev.sshnp@b"));
	KTAP_OK(!matches("a\\.b", "axb"));
	KTAP_OK(matches("^public:.*\\d{2}$", "public:x12"));
	KTAP_OK(matches("[\\]x]y", "]y"));
	KTAP_OK(matches("[^\\]x]y", "zy"));
	KTAP_OK(!matches("[^\\]x]y", "]y"));
	KTAP_OK(matches("(?:ab)+?c", "ababc"));
	KTAP_OK(matches("FOO", "foo"));
	KTAP_OK(matches("a|b\\@", "b@"));
	KTAP_OK(matches(".*\\.new\\.enrollments\\.__manage", "1.new.enrollments.__manage@a"));
}

static void regexes_refused(void)
{
	static const char *const bad[] = {"(",
					  "[",
					  "[]",
					  "a{",
					  "a{1",
					  "a{1,2",
					  "a{300}",
					  "(a)\\1",
					  "(?=a)",
					  "(?<n>a)",
					  "\\",
					  "[a\\",
					  "((a{1,200}){1,200})",
					  "a**",
					  "*{",
					  "\\q"};
	struct np_regex *regex;
	char huge[NP_REGEX_MAX + 2];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!np_regex_new(bad[i], &regex, &err)) {
			KTAP_FAILF("accepted: %s", bad[i]);
			np_regex_free(regex);
		}
	memset(huge, 'a', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	KTAP_OK(np_regex_new(huge, &regex, &err) < 0);
}

int main(void)
{
	KTAP_RUN(verbs_by_prefix);
	KTAP_RUN(utf8);
	KTAP_RUN(updates);
	KTAP_RUN(bad_updates);
	KTAP_RUN(notifications);
	KTAP_RUN(bad_notifications);
	KTAP_RUN(others);
	KTAP_RUN(regexes_of_dart);
	KTAP_RUN(regexes_refused);
	return ktap_done();
}
