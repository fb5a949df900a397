// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/rsagen.h"

#include "base/buf.h"
#include "base/secret.h"
#include "crypto/rsa.h"
#include "harness/ktap.h"

#include <ev.h>

static struct np_rsa *made;
static int calls;

static void on_key(struct np_rsa *key, void *arg)
{
	made = key;
	calls++;
	ev_break(arg, EVBREAK_ALL);
}

static void gives_one_working_key(void)
{
	struct ev_loop *loop = ev_loop_new(0);
	struct np_secret plain = NP_SECRET_INIT;
	struct np_buf text = NP_BUF_INIT;
	struct np_rsagen *gen;

	calls = 0;
	KTAP_EQ(np_rsagen_start(loop, on_key, loop, &gen), 0);
	ev_run(loop, 0);
	KTAP_EQ(calls, 1);
	KTAP_OK(made != NULL);
	KTAP_EQ(np_rsa_encrypt_b64(made, "abc", 3, &text), 0);
	KTAP_EQ(np_rsa_decrypt_b64(made, np_buf_str(&text), text.len, &plain, NULL), 0);
	KTAP_STREQ(np_secret_str(&plain), "abc");
	np_secret_fini(&plain);
	np_buf_fini(&text);
	np_rsa_free(made);
	ev_loop_destroy(loop);
}

static void cancelled_calls_nobody(void)
{
	struct ev_loop *loop = ev_loop_new(0);
	struct np_rsagen *gen;

	calls = 0;
	KTAP_EQ(np_rsagen_start(loop, on_key, loop, &gen), 0);
	np_rsagen_cancel(gen);
	ev_run(loop, EVRUN_NOWAIT);
	KTAP_EQ(calls, 0);
	ev_loop_destroy(loop);
}

static void gives_up_when_told(void)
{
	atomic_bool stop = true;
	struct np_rsa *key = NULL;

	KTAP_OK(np_rsa_generate_unless(&stop, &key) < 0);
	KTAP_OK(key == NULL);
}

int main(void)
{
	KTAP_RUN(gives_one_working_key);
	KTAP_RUN(cancelled_calls_nobody);
	KTAP_RUN(gives_up_when_told);
	return ktap_done();
}
