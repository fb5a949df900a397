// SPDX-License-Identifier: BSD-3-Clause
/*
 * The control socket's reader. With twin keys the same messages come out however the stream is cut;
 * in every mode the reader stays within its bounds and a connect message has whole keys or ends the
 * session. The first byte says how the stream is cut, its lowest bit whether the session has twin
 * keys.
 */
#include "base/err.h"
#include "noports/mux_ctl.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	unsigned int nr, sum;
	int ret;
};

static void check_message(const struct np_mux_ctl *msg, struct outcome *out)
{
	const struct np_session_keys *k = &msg->keys;

	out->nr++;
	out->sum = out->sum * 31 + (unsigned int)msg->type;
	if (msg->type != NP_MUX_CONNECT)
		return;
	if (k->key_c2d.len != 32 || k->iv_c2d.len != 16 || k->key_d2c.len != 32 ||
	    k->iv_d2c.len != 16)
		abort();
	out->sum = out->sum * 31 + k->key_c2d.data[0] + k->iv_d2c.data[15];
}

static void drain(struct np_mux_reader *reader, struct outcome *out)
{
	struct np_err err = NP_ERR_INIT;
	struct np_mux_ctl msg;

	while ((out->ret = np_mux_reader_next(reader, &msg, &err)) == 1) {
		check_message(&msg, out);
		np_mux_ctl_fini(&msg);
	}
	if (out->ret < 0 && (!err.msg[0] || (out->ret != -EPROTO && out->ret != -EMSGSIZE)))
		abort();
}

static struct outcome run(const uint8_t *data, size_t size, size_t cut, bool twin)
{
	static struct np_mux_reader reader;
	struct outcome out = {0, 0, 0};
	size_t n;

	memset(&reader, 0, sizeof(reader));
	reader.twin = twin;
	while (size && out.ret >= 0) {
		n = size < cut ? size : cut;
		if (n > np_mux_reader_room(&reader))
			n = np_mux_reader_room(&reader);
		if (!n || np_mux_reader_put(&reader, data, n))
			abort();
		drain(&reader, &out);
		data += n;
		size -= n;
	}
	np_mux_reader_fini(&reader);
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome a, b;
	bool twin;

	if (!size)
		return 0;
	twin = data[0] & 1;
	a = run(data + 1, size - 1, 1 + data[0] / 2, twin);
	b = run(data + 1, size - 1, size, twin);
	if (twin && (a.nr != b.nr || a.sum != b.sum || a.ret != b.ret))
		abort();
	return 0;
}
