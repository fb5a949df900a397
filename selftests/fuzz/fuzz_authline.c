// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a relay reads from a socket before it trusts it: the line is found at the same place however the stream is
 * cut, the bytes behind it are untouched, and no line passes the check without a signature. The first byte says how
 * the stream is cut.
 */
#include "base/buf.h"
#include "base/err.h"
#include "crypto/rsa.h"
#include "json/json.h"
#include "net/linebuf.h"
#include "noports/envelope.h"
#include "relay/relay.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A key that nothing here signs with. */
static const struct np_rsa *some_key(void)
{
	static struct np_rsa *key;

	if (!key && np_rsa_generate(&key, NULL))
		abort();
	return key;
}

static void check_line(const char *line, size_t len)
{
	static const char own[] = "{\"sessionId\":\"s\",\"clientNonce\":\"c\",\"rvdNonce\":\"r\"}";
	struct np_err err = NP_ERR_INIT;
	struct np_envelope *env = NULL;

	if (np_envelope_parse(line, len, &env, &err)) {
		if (!err.msg[0])
			abort();
		return;
	}
	(void)np_json_str(np_envelope_payload(env), "rvdNonce");
	if (!np_envelope_verify_text(env, some_key(), own, sizeof(own) - 1, &err))
		abort();
	np_envelope_free(env);
}

/* Feeds pieces until the line is there. Return: as np_linebuf_next(); *@fed: bytes given. */
static int feed(struct np_linebuf *in, const uint8_t *data, size_t size, unsigned int cut, char **line,
		size_t *len, size_t *fed)
{
	size_t n;
	int ret = 0;

	*fed = 0;
	while (*fed < size && !ret) {
		n = cut ? 1 + (*fed * 7 + cut) % cut : size;
		if (n > size - *fed)
			n = size - *fed;
		if (np_linebuf_feed(in, data + *fed, n))
			abort();
		*fed += n;
		ret = np_linebuf_next(in, line, len);
	}
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct np_linebuf in = NP_LINEBUF_INIT(NP_RELAY_AUTH_LINE_MAX);
	unsigned int cut = size ? data[0] : 0;
	const uint8_t *lf;
	size_t len, fed;
	char *line;
	int ret;

	if (!size)
		return 0;
	data++;
	size--;
	lf = size ? memchr(data, '\n', size) : NULL;
	ret = feed(&in, data, size, cut, &line, &len, &fed);
	if (ret == 1) {
		if (!lf || (size_t)(lf - data) > NP_RELAY_AUTH_LINE_MAX || len > (size_t)(lf - data))
			abort();
		check_line(line, len);
		np_linebuf_drop(&in);
		if (in.buf.len != fed - (size_t)(lf - data) - 1 ||
		    (in.buf.len && memcmp(in.buf.data, lf + 1, in.buf.len)))
			abort();
	} else if (ret == 0 && (lf || size > NP_RELAY_AUTH_LINE_MAX)) {
		abort();
	}
	np_linebuf_fini(&in);
	return 0;
}
