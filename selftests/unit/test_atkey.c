// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/key.h"

#include "base/err.h"
#include "harness/ktap.h"

static struct np_key key;

static const char *parse(const char *text)
{
	struct np_err err = NP_ERR_INIT;

	return np_key_parse(text, NULL, &key, &err) ? "refused" : key.text;
}

static void every_kind(void)
{
	static const struct {
		const char *text, *normal;
		enum np_key_type type;
	} cases[] = {
		{"public:publickey@alice", "public:publickey@alice", NP_KEY_PUBLIC},
		{"@bob:phone.buzz@alice", "@bob:phone.buzz@alice", NP_KEY_SHARED},
		{"@Bob:Phone.Buzz@Alice", "@bob:phone.buzz@alice", NP_KEY_SHARED},
		{"notes.buzz@alice", "notes.buzz@alice", NP_KEY_SELF},
		{"@alice:notes.buzz@alice", "@alice:notes.buzz@alice", NP_KEY_SELF},
		{"public:__x@alice", "public:__x@alice", NP_KEY_PUBLIC},
		{"private:blocklist@alice", "private:blocklist@alice", NP_KEY_PRIVATE},
		{"private:@bob:x@alice", "private:@bob:x@alice", NP_KEY_PRIVATE},
		{"cached:@bob:phone@alice", "cached:@bob:phone@alice", NP_KEY_CACHED_SHARED},
		{"cached:public:publickey@alice", "cached:public:publickey@alice",
		 NP_KEY_CACHED_PUBLIC},
		{"privatekey:at_secret", "privatekey:at_secret", NP_KEY_PRIVATEKEY},
		{" @bob:a b@al.ice ", "@bob:ab@alice", NP_KEY_SHARED},
		{"x\xf0\x9f\x9b\xa0@alice", "x\xf0\x9f\x9b\xa0@alice", NP_KEY_SELF},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		KTAP_STREQ(parse(cases[i].text), cases[i].normal);
		KTAP_EQ(key.type, cases[i].type);
	}
}

static void parts(void)
{
	KTAP_STREQ(parse("@bob:username.default.sshnp@alice"), "@bob:username.default.sshnp@alice");
	KTAP_STREQ(key.name, "username.default.sshnp");
	KTAP_STREQ(key.with, "@bob");
	KTAP_STREQ(key.owner, "@alice");
	KTAP_STREQ(np_key_namespace(key.name), "sshnp");
	KTAP_STREQ(np_key_namespace("plain"), "");
	KTAP_EQ(np_key_parse("phone.buzz", "@alice", &key, NULL), 0);
	KTAP_STREQ(key.text, "phone.buzz@alice");
}

static void refuses(void)
{
	static const char *const bad[] = {"",
					  "@",
					  "x",
					  "@bob:",
					  "@bob:@alice",
					  "public:@alice",
					  "public:x",
					  "@bob:x@",
					  "a:b@alice",
					  "a@b@alice@",
					  "local:x@alice",
					  "cached:x@alice",
					  "x y:z@alice",
					  "x\x01@alice",
					  "x\xc3\x28@alice",
					  "x\xff@alice",
					  "x/y@alice",
					  "public:public:x@alice",
					  "@bob",
					  "x@alice!",
					  "\xed\xa0\x80@alice",
					  "@bob:public:x@alice"};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		KTAP_STREQ(parse(bad[i]), "refused");
}

static void length_is_bounded(void)
{
	char text[2100];

	memset(text, 'k', sizeof(text));
	strcpy(text + NP_KEY_CHARS - 6, "@alice");
	KTAP_OK(strcmp(parse(text), "refused"));
	strcpy(text + NP_KEY_CHARS - 5, "@alice");
	text[NP_KEY_CHARS - 6] = 'k';
	KTAP_STREQ(parse(text), "refused");
	memset(text, 'k', sizeof(text));
	strcpy(text + 2000, "@alice");
	KTAP_STREQ(parse(text), "refused");
}

static void reserved_and_logged(void)
{
	parse("shared_key.bob@alice");
	KTAP_OK(np_key_is_reserved(&key));
	parse("@bob:shared_key@alice");
	KTAP_OK(np_key_is_reserved(&key));
	parse("public:publickey@alice");
	KTAP_OK(np_key_is_reserved(&key));
	parse("my_shared_key.buzz@alice");
	KTAP_OK(!np_key_is_reserved(&key));
	KTAP_OK(np_key_is_logged("public:publickey@alice"));
	KTAP_OK(np_key_is_logged("public:__x@alice"));
	KTAP_OK(np_key_is_logged("cached:@bob:phone@alice"));
	KTAP_OK(!np_key_is_logged("public:_x@alice"));
	KTAP_OK(!np_key_is_logged("privatekey:at_secret"));
	KTAP_OK(!np_key_is_logged("private:blocklist@alice"));
	KTAP_OK(!np_key_is_logged("1-2.new.enrollments.__manage@alice"));
}

int main(void)
{
	KTAP_RUN(every_kind);
	KTAP_RUN(parts);
	KTAP_RUN(refuses);
	KTAP_RUN(length_is_bounded);
	KTAP_RUN(reserved_and_logged);
	return ktap_done();
}
