// SPDX-License-Identifier: BSD-3-Clause
#include "atsrv.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/secret.h"
#include "base/str.h"
#include "crypto/cert.h"
#include "crypto/hash.h"
#include "crypto/rsa.h"
#include "net/listen.h"
#include "net/sock.h"
#include "store/store.h"
#include "tls/tls.h"

#include <ev.h>

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEADLINE_MS 20000

struct srv_world world;

const char srv_public_key[] =
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAt1efH02xWikMiaDZLaVfBhK+1fRxZFM1V4P3"
	"YQigWsUy+fXjZ1ltM45HUjTOfWOidxdi8XFEwjrxeV5YgrNa1b+KCeqHjZrwvXqWzVcJsPog4OkCevVx"
	"9w9ZAaF2u/v1oxLK9ROHjxQ8ugg0ns0V0rHxrFdkBVxfV+LIsGBWR2A2QvKrFUdLh5hm/xJ+AAnzuYUX"
	"Qp86jxoOZsIqquS++X6oyXPMiwkoMMnMIZYTPHql+Ue9kIJJwF9R53Cxon+Saa8OCHkWjcjsdjdbd3se"
	"91tmacDkOIe47bGzyE3T/NmWNh1c3I162SL1dfkguoVNaVxdcGSbswNLPiC0nvxbDwIDAQAB";

const char srv_private_key[] =
	"MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQC3V58fTbFaKQyJoNktpV8GEr7V9HFk"
	"UzVXg/dhCKBaxTL59eNnWW0zjkdSNM59Y6J3F2LxcUTCOvF5XliCs1rVv4oJ6oeNmvC9epbNVwmw+iDg"
	"6QJ69XH3D1kBoXa7+/WjEsr1E4ePFDy6CDSezRXSsfGsV2QFXF9X4siwYFZHYDZC8qsVR0uHmGb/En4A"
	"CfO5hRdCnzqPGg5mwiqq5L75fqjJc8yLCSgwycwhlhM8eqX5R72QgknAX1HncLGif5Jprw4IeRaNyOx2"
	"N1t3ex73W2ZpwOQ4h7jtsbPITdP82ZY2HVzcjXrZIvV1+SC6hU1pXF1wZJuzA0s+ILSe/FsPAgMBAAEC"
	"ggEASGEajACfeeEHtpOd+WO2Qk8HMK8KTtl8jvqloBSIPZ1pNP3qEwReVIKgTGdVd3HskwhUAs49H1Km"
	"vsvMtHh67TRrGeQRNImM7bimLRVl2Yy9ixzh4kngfnD8KeUk2yyqegDyx9K4avdJzAVuRJzhNycRqgBs"
	"F6Oybh81LFAz74P0fOC30T/crh9pPT/h/fnEqlBBXdUWKSZKhBphcCenUBtno1tLUEfbpZ0Xd92+lsL0"
	"z4E3nTDqpO3jlgJPAHw0UnQWk/yvtiCujoh3g70+3TECbKdWKvYg7WBzkynXB251U09YUPDG3rFXCEnX"
	"3tWXhdtkfnS08WjgP8Y/Niz20QKBgQDd58ucIegwZkvBQCxlc/U2XGRcqWX4PofNn1Dzlyn6Pdr3fop1"
	"UWBpNkF/KpeMcFObPlkDlZQUxhGSEMtUwAsdb31cVrYbOwWFrSw/1KINcYnkP/MMHmc7yTIEa/9ZIQLN"
	"It0aiGpwB6kwJYr3ySvXiwJDgqrjza6sVxdFq0ApMQKBgQDTgwVo3Sk//OajwBXATtDIG8yNmL/KxRYn"
	"AmpgpO2Wfhjq09wCyxCOhQ424VzE0nrN+Ordy317xU64CZrFPabvwPvmwj+eOJ9jVHgSld0Qm6wKhnC9"
	"8Unk6vouezVeyjElYopRyoztU9YAcsz6oklS2MwD5Qk0CcjJnwsQ8Ee4PwKBgFJvO6pixjjEp7vAtT1z"
	"GFL7e6UYoPLZd+WhG5eCPmvh8qgicBkpA+HR7/7nuajISabQQI0eUgZtljVm28I+HWLv+egFplzzThfc"
	"vyVvPkw0M3+Bai7EVKFXGqed3xwjMUE3hF/I8ZFwpx9lsvxd1VWbJFoj/ovl6s/HArQ06/7hAoGBAK7r"
	"gTLLDE0t4rPzrElhJQsI6m8Dr0GLIpnaRo1seExoNkUmNqJcu3GSGkJKuETR6NukiuAoZLtSXpqW3tdV"
	"+FP5HpoldSVtoGsuNSrxo2QTygDeVCjRfpIBvitom6erwV8wkkG4KDoxhh7S0jBIvCj2wCpMZQMTQGl1"
	"zVoRzM5TAoGBALxhz1Ve8Oa4L+F2YKJSqnDFW2911+LpUTDr5/8rmlOhAL7OH0EDcikSb6CvQULUKcdd"
	"UxGC/OYLGKS+RzWQA8jn5zD1/lsSKUR+ir7gQn+vjZMpNGjzgKC/f6K030SPLQHw4pD9zlGDg1QBgI1v"
	"PXCkrTKtSAQGdxZEq2zlDU0w";

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "# world: %s failed\n", what);
	abort();
}

static void make_certs(void)
{
	static const char *const hosts[] = {"localhost"};
	struct np_cert_params params = {.name = "test CA", .hosts = hosts, .nr_hosts = 1};
	struct np_cert *ca, *cert;
	char ca_key[160];

	snprintf(world.ca_path, sizeof(world.ca_path), "%s/ca.pem", world.dir);
	snprintf(ca_key, sizeof(ca_key), "%s/ca.key", world.dir);
	snprintf(world.cert_path, sizeof(world.cert_path), "%s/server.pem", world.dir);
	snprintf(world.key_path, sizeof(world.key_path), "%s/server.key", world.dir);
	must(!np_cert_make_ca(&params, &ca, NULL), "making the CA");
	must(!np_cert_make_server(ca, &params, &cert, NULL), "making the certificate");
	must(!np_cert_save(ca, world.ca_path, ca_key, NULL), "saving the CA");
	must(!np_cert_save(cert, world.cert_path, world.key_path, NULL), "saving the certificate");
	np_cert_free(cert);
	np_cert_free(ca);
}

void srv_open(void)
{
	signal(SIGPIPE, SIG_IGN);
	strcpy(world.dir, "/tmp/knp-atsrv-XXXXXX");
	must(mkdtemp(world.dir) != NULL, "mkdtemp");
	world.loop = ev_loop_new(0);
	make_certs();
	must(!np_tls_server_ctx(world.cert_path, world.key_path, world.ca_path, &world.server_tls,
				NULL),
	     "server TLS");
	must(!np_tls_client_ctx(world.ca_path, world.cert_path, world.key_path, &world.client_tls,
				NULL),
	     "client TLS");
	must(!np_tls_client_ctx(world.ca_path, NULL, NULL, &world.bare_tls, NULL), "bare TLS");
	must(!np_rsa_load_private(srv_private_key, strlen(srv_private_key), &world.key, NULL),
	     "test key");
	strcpy(world.secret, "0123456789abcdef0123456789abcdef");
}

void srv_close(void)
{
	char command[128];

	np_rsa_free(world.key);
	np_tls_ctx_free(world.server_tls);
	np_tls_ctx_free(world.client_tls);
	np_tls_ctx_free(world.bare_tls);
	ev_loop_destroy(world.loop);
	snprintf(command, sizeof(command), "rm -rf %s", world.dir);
	must(system(command) == 0, "removing the folder");
}

void srv_node_init(struct srv_node *node, const char *const *atsigns)
{
	struct np_atserver_conf dflt = NP_ATSERVER_DEFAULTS;
	char path[256];

	memset(node, 0, sizeof(*node));
	node->conf = dflt;
	snprintf(node->db, sizeof(node->db), "%s/node%u.db", world.dir, world.nr_nodes);
	snprintf(node->secrets, sizeof(node->secrets), "%s/secrets%u", world.dir, world.nr_nodes++);
	must(!np_dir_make(node->secrets, 0700, NULL), "secrets folder");
	must(!np_store_open_sqlite(node->db, false, &node->store, NULL), "store");
	for (; *atsigns; atsigns++) {
		struct np_dir_entry entry = {*atsigns, "localhost", 0, true};

		must(!node->store->ops->dir_put(node->store, &entry, true, NULL), "tenant");
		snprintf(path, sizeof(path), "%s/%s.cram", node->secrets, *atsigns);
		must(!np_file_write_atomic(path, world.secret, strlen(world.secret), 0600, NULL),
		     "secret");
	}
	node->conf.store = node->store;
	node->conf.server_tls = world.server_tls;
	node->conf.client_tls = world.client_tls;
	node->conf.directory_in_store = true;
	node->conf.secrets_dir = node->secrets;
	node->conf.retry_min_ms = 20;
	node->conf.retry_max_ms = 200;
}

void srv_node_start(struct srv_node *node)
{
	struct np_err err = NP_ERR_INIT;
	int fd = np_sock_listen("127.0.0.1", node->port, 64, NULL);

	must(fd >= 0, "listen");
	if (np_atserver_open(world.loop, &node->conf, &node->srv, &err)) {
		fprintf(stderr, "# %s\n", np_err_text(&err));
		abort();
	}
	must(!np_listener_open(world.loop, fd, "test", np_atserver_accept, node->srv,
			       &node->listener),
	     "listener");
	node->port = np_listener_port(node->listener);
}

void srv_node_stop(struct srv_node *node)
{
	np_listener_close(node->listener);
	np_atserver_close(node->srv);
	node->listener = NULL;
	node->srv = NULL;
	srv_run_ms(1);
}

void srv_node_fini(struct srv_node *node)
{
	srv_node_stop(node);
	np_store_close(node->store);
}

void srv_node_knows(struct srv_node *node, const char *atsign, const struct srv_node *other)
{
	struct np_dir_entry entry = {atsign, "localhost", other->port, false};

	must(!node->store->ops->dir_put(node->store, &entry, false, NULL), "directory entry");
}

static void on_timeout(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ONE);
}

void srv_run_ms(unsigned int ms)
{
	ev_timer timer;

	ev_now_update(world.loop);
	ev_timer_init(&timer, on_timeout, ms / 1000.0, 0);
	ev_timer_start(world.loop, &timer);
	ev_run(world.loop, 0);
	ev_timer_stop(world.loop, &timer);
}

bool srv_wait(bool (*cond)(void *arg), void *arg)
{
	long long end = np_clock_mono_ms() + DEADLINE_MS;
	ev_timer timer;

	/* The timer only keeps the loop from sleeping past the deadline. */
	ev_timer_init(&timer, on_timeout, 0.1, 0.1);
	ev_now_update(world.loop);
	ev_timer_start(world.loop, &timer);
	while (!cond(arg) && np_clock_mono_ms() < end)
		ev_run(world.loop, EVRUN_ONCE);
	ev_timer_stop(world.loop, &timer);
	return cond(arg);
}

static void on_ready(struct np_tls *tls, void *arg)
{
	(void)tls;
	((struct srv_client *)arg)->ready = true;
}

static void on_data(struct np_tls *tls, const uint8_t *data, size_t len, void *arg)
{
	struct srv_client *c = arg;
	size_t i;

	(void)tls;
	np_buf_append_str(&c->seen, "[");
	for (i = 0; i < len; i++) {
		char ch = data[i] == '\n' ? '|' : data[i] == '\r' ? '~' : (char)data[i];

		np_buf_append(&c->seen, &ch, 1);
	}
	np_buf_append_str(&c->seen, "]");
}

static void on_closed(struct np_tls *tls, const struct np_err *err, void *arg)
{
	(void)tls;
	(void)err;
	((struct srv_client *)arg)->closed = true;
}

static const struct np_tls_ops ops = {.ready = on_ready, .data = on_data, .closed = on_closed};

static bool has_seen(void *arg)
{
	struct srv_client *c = arg;

	return c->seen.len || c->closed;
}

void srv_connect(struct srv_client *c, const struct srv_node *node, bool with_cert)
{
	struct np_addr addr;
	int fd;

	memset(c, 0, sizeof(*c));
	must(!np_addr_parse("127.0.0.1", node->port, &addr), "address");
	fd = np_sock_connect_start(&addr);
	must(fd >= 0, "connect");
	must(!np_tls_connect(world.loop, with_cert ? world.client_tls : world.bare_tls, fd,
			     "localhost", &ops, c, &c->tls, NULL),
	     "TLS");
	must(srv_wait(has_seen, c), "prompt");
}

void srv_hang_up(struct srv_client *c)
{
	np_tls_close(c->tls);
	c->tls = NULL;
	np_buf_fini(&c->seen);
}

void srv_forget(struct srv_client *c)
{
	np_buf_fini(&c->seen);
}

static bool skip(const char **p, const char *word)
{
	if (!np_str_starts(*p, word))
		return false;
	*p += strlen(word);
	return true;
}

static void put_signature(struct np_buf *out, enum np_hash_alg alg)
{
	must(!np_rsa_sign_b64(world.key, alg, world.challenge, strlen(world.challenge), out),
	     "signature");
}

static void expand(const char *text, struct np_buf *out)
{
	char hex[NP_HASH_HEX_MAX];

	while (*text) {
		if (skip(&text, "{cram}")) {
			np_hash_hex(NP_HASH_SHA512, world.secret, strlen(world.secret),
				    world.challenge, strlen(world.challenge), hex);
			np_buf_append_str(out, hex);
		} else if (skip(&text, "{sig}")) {
			put_signature(out, NP_HASH_SHA256);
		} else if (skip(&text, "{sig512}")) {
			put_signature(out, NP_HASH_SHA512);
		} else if (skip(&text, "{id}")) {
			np_buf_append_str(out, world.id);
		} else if (skip(&text, "{pub}")) {
			np_buf_append_str(out, srv_public_key);
		} else {
			np_buf_append(out, text++, 1);
		}
	}
}

static bool sent_all(void *arg)
{
	struct srv_client *c = arg;

	return c->closed || !np_tls_queued(c->tls);
}

void srv_send(struct srv_client *c, const char *text)
{
	struct np_buf out = NP_BUF_INIT;
	size_t i;

	expand(text, &out);
	if (!world.cut)
		np_tls_write(c->tls, out.data, out.len);
	for (i = 0; world.cut && i < out.len; i++)
		np_tls_write(c->tls, out.data + i, 1);
	np_buf_fini(&out);
	srv_wait(sent_all, c);
}

static bool has_prompt(void *arg)
{
	struct srv_client *c = arg;

	return c->closed || (c->seen.len > 2 && !memcmp(c->seen.data + c->seen.len - 2, "@]", 2));
}

const char *srv_ask(struct srv_client *c, const char *line)
{
	char *text;

	srv_forget(c);
	must(asprintf(&text, "%s\n", line) > 0, "memory");
	srv_send(c, text);
	free(text);
	srv_wait(has_prompt, c);
	return np_buf_str(&c->seen);
}

struct want {
	struct srv_client *c;
	const char *part;
};

static bool has_part(void *arg)
{
	struct want *want = arg;

	return want->c->seen.len && strstr(np_buf_str(&want->c->seen), want->part);
}

const char *srv_want(struct srv_client *c, const char *part)
{
	struct want want = {c, part};

	return srv_wait(has_part, &want) ? np_buf_str(&c->seen) : NULL;
}

static bool take_shape(const char **text, const char *shape)
{
	const char *p = *text;

	for (; *shape; shape++, p++) {
		bool good = *shape == 'x'   ? isxdigit((unsigned char)*p) != 0
			    : *shape == '9' ? isdigit((unsigned char)*p) != 0
					    : *p == *shape;

		if (!good)
			return false;
	}
	*text = p;
	return true;
}

static bool take_digits(const char **text)
{
	const char *p = *text;

	while (isdigit((unsigned char)**text))
		++*text;
	return *text > p;
}

static void capture(char *dst, size_t size, const char *from, const char *to)
{
	snprintf(dst, size, "%.*s", (int)(to - from), from);
}

#define UUID "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"

bool srv_match(const char *pattern, const char *text)
{
	while (*pattern) {
		const char *start = text;

		if (skip(&pattern, "{uuid}")) {
			if (!take_shape(&text, UUID))
				return false;
		} else if (skip(&pattern, "{newid}")) {
			if (!take_shape(&text, UUID))
				return false;
			capture(world.id, sizeof(world.id), start, text);
		} else if (skip(&pattern, "{id}")) {
			if (!skip(&text, world.id))
				return false;
		} else if (skip(&pattern, "{n}")) {
			if (!take_digits(&text))
				return false;
		} else if (skip(&pattern, "{time}")) {
			if (!take_shape(&text, "9999-99-99 99:99:99.999Z"))
				return false;
		} else if (skip(&pattern, "{challenge}")) {
			text += strcspn(text, "|");
			capture(world.challenge, sizeof(world.challenge), start, text);
		} else if (skip(&pattern, "{any}")) {
			for (; *text; text++)
				if (srv_match(pattern, text))
					return true;
			return !*pattern;
		} else if (*pattern++ != *text++) {
			return false;
		}
	}
	return !*text;
}

static void note_challenge(const char *answer)
{
	const char *p = strstr(answer, "data:");

	if (!p)
		return;
	p += 5;
	capture(world.challenge, sizeof(world.challenge), p, p + strcspn(p, "|"));
}

bool srv_login_cram(struct srv_client *c, const char *atsign)
{
	char line[256];

	snprintf(line, sizeof(line), "from:%s", atsign);
	note_challenge(srv_ask(c, line));
	return np_str_starts(srv_ask(c, "cram:{cram}"), "[data:success|");
}

bool srv_login_pkam(struct srv_client *c, const char *atsign, const char *enrol_id)
{
	char line[256];

	snprintf(line, sizeof(line), "from:%s", atsign);
	note_challenge(srv_ask(c, line));
	if (!enrol_id)
		return np_str_starts(srv_ask(c, "pkam:{sig}"), "[data:success|");
	snprintf(line, sizeof(line),
		 "pkam:signingAlgo:rsa2048:hashingAlgo:sha256:enrollmentId:%s:{sig}", enrol_id);
	return np_str_starts(srv_ask(c, line), "[data:success|");
}

void srv_activate(struct srv_node *node, const char *atsign)
{
	struct srv_client c;
	char line[256];

	srv_connect(&c, node, false);
	must(srv_login_cram(&c, atsign), "cram");
	srv_ask(&c, "update:privatekey:at_pkam_publickey {pub}");
	snprintf(line, sizeof(line), "update:public:publickey%s {pub}", atsign);
	srv_ask(&c, line);
	srv_ask(&c, "delete:privatekey:at_secret");
	srv_hang_up(&c);
}

void srv_owner(struct srv_client *c, const struct srv_node *node, const char *atsign)
{
	srv_connect(c, node, false);
	must(srv_login_pkam(c, atsign, NULL), "pkam");
}

static void report(const struct srv_step *step, unsigned int nr, const char *seen)
{
	printf("# step %u\n#   sent %.300s#   want %.600s\n#   seen %.600s\n", nr,
	       step->send ? step->send : "-\n", step->want, seen);
}

bool srv_play(struct srv_client *c, const struct srv_step *steps)
{
	unsigned int nr = 0;

	for (; steps->send || steps->want; steps++, nr++) {
		if (steps->send) {
			srv_forget(c);
			srv_send(c, steps->send);
		}
		if (!steps->want)
			continue;
		srv_wait(has_prompt, c);
		if (srv_match(steps->want, np_buf_str(&c->seen)))
			continue;
		report(steps, nr, np_buf_str(&c->seen));
		return false;
	}
	return true;
}
