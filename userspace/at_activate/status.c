// SPDX-License-Identifier: BSD-3-Clause
#include "activate.h"

#include "at/keyfile.h"
#include "base/buf.h"
#include "json/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct status {
	int activated;	      /* 1, 0, or negative: could not be asked */
	bool has_file, works; /* the key file */
	struct np_err err;    /* why not */
};

static void ask(struct talk *t, const struct activate_conf *conf, struct status *st)
{
	struct np_at_keys *keys = NULL;

	st->activated = is_activated(t, conf->atsign);
	if (st->activated < 0)
		st->err = t->err;
	/* A default file may be absent; one that was named may not. */
	st->has_file = conf->key_path || access(conf->path, F_OK) == 0;
	if (st->activated <= 0 || !st->has_file)
		return;
	if (np_at_keys_load(conf->path, conf->atsign, &keys, &st->err) == 0) {
		st->works = talk_login(t, conf->atsign, keys, NULL) == 0;
		if (!st->works)
			st->err = t->err;
	}
	np_at_keys_free(keys);
}

static int print_json(const struct activate_conf *conf, const struct status *st)
{
	struct np_json *obj = np_json_obj();
	struct np_buf text = NP_BUF_INIT;
	int ret;

	ret = np_json_set_str(obj, "atsign", conf->atsign);
	if (!ret)
		ret = st->activated < 0 ? np_json_set_null(obj, "activated")
					: np_json_set_bool(obj, "activated", st->activated);
	if (!ret)
		ret = np_json_set_str(obj, "keyFile", st->has_file ? conf->path : NULL);
	if (!ret)
		ret = np_json_set_bool(obj, "keysAccepted", st->works);
	if (!ret)
		ret = np_json_set_str(obj, "error", st->err.code ? st->err.msg : NULL);
	if (!ret)
		ret = np_json_write(obj, &text);
	if (!ret)
		puts(np_buf_str(&text));
	np_json_put(obj);
	np_buf_fini(&text);
	return ret;
}

static void print_text(const struct activate_conf *conf, const struct status *st)
{
	if (st->activated > 0)
		printf("%s is activated\n", conf->atsign);
	else if (st->activated == 0)
		printf("%s is not activated; run: at_activate onboard -a %s\n", conf->atsign,
		       conf->atsign);
	if (st->works)
		printf("%s is accepted\n", conf->path);
}

int cmd_status(void *arg, const struct cli_parse *parse)
{
	struct activate_conf *conf = arg;
	struct status st = {0};
	struct talk t = {0};

	if (conf_finish(conf, &st.err))
		return np_cli_usage_exit(parse, &st.err);
	if (talk_open(&t, conf)) {
		st.activated = -1;
		st.err = t.err;
	} else {
		ask(&t, conf, &st);
	}
	talk_close(&t);
	if (conf->json) {
		if (print_json(conf, &st))
			np_fail(&st.err, -ENOMEM, "out of memory");
	} else {
		print_text(conf, &st);
	}
	if (st.err.code && !conf->json)
		return complain(&st.err);
	return st.activated > 0 && !st.err.code ? 0 : 1;
}
