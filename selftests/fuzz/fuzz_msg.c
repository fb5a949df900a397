// SPDX-License-Identifier: BSD-3-Clause
/*
 * Control messages: the first byte says which. What was accepted is written, read again and written
 * again: both texts must be the same, so nothing is accepted that would come out differently.
 */
#include "base/buf.h"
#include "json/json.h"
#include "noports/msg.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each reads @text and, when that is accepted, appends its own writing of it. */
static int ping(const char *text, size_t len, struct np_buf *out)
{
	struct np_ping_response msg;
	int ret = np_ping_response_read(text, len, &msg, NULL);

	if (ret)
		return ret;
	ret = np_ping_response_write(&msg, out);
	np_ping_response_fini(&msg);
	return ret;
}

static int relay_request(const char *text, size_t len, struct np_buf *out)
{
	struct np_relay_request msg;
	int ret = np_relay_request_read(text, len, &msg, NULL);

	return ret ? ret : np_relay_request_write(&msg, out);
}

static int relay_json(const char *text, size_t len, struct np_buf *out)
{
	struct np_relay_answer msg;
	int ret = np_relay_answer_read(text, len, &msg, NULL);

	return ret ? ret : np_relay_answer_write(&msg, true, out);
}

static int write_payload(struct np_json *payload, struct np_buf *out)
{
	int ret = payload ? np_json_write(payload, out) : -1;

	np_json_put(payload);
	return ret;
}

static int request(const char *text, size_t len, struct np_buf *out, bool is_npt)
{
	struct np_json *json = np_json_parse(text, len, "fuzz", NULL);
	struct np_session_request msg;
	int ret = json ? np_session_request_read(json, is_npt, &msg, NULL) : -1;

	np_json_put(json);
	if (ret)
		return ret;
	if (!msg.port || !np_session_id_ok(msg.sid) || (is_npt && !msg.target_port))
		abort();
	ret = write_payload(np_session_request_payload(&msg), out);
	np_session_request_fini(&msg);
	return ret;
}

static int answer(const char *text, size_t len, struct np_buf *out)
{
	struct np_json *json = np_json_parse(text, len, "fuzz", NULL);
	struct np_session_answer msg;
	int ret = json ? np_session_answer_read(json, &msg, NULL) : -1;

	np_json_put(json);
	if (ret)
		return ret;
	ret = write_payload(np_session_answer_payload(&msg), out);
	np_session_answer_fini(&msg);
	return ret;
}

static int convert(unsigned int which, const char *text, size_t len, struct np_buf *out)
{
	switch (which % 6) {
	case 0:
		return ping(text, len, out);
	case 1:
		return relay_request(text, len, out);
	case 2:
		return relay_json(text, len, out);
	case 3:
		return request(text, len, out, false);
	case 4:
		return request(text, len, out, true);
	default:
		return answer(text, len, out);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct np_buf once = NP_BUF_INIT, twice = NP_BUF_INIT;

	if (!size)
		return 0;
	if (!convert(data[0], (const char *)data + 1, size - 1, &once)) {
		if (convert(data[0], np_buf_str(&once), once.len, &twice) ||
		    once.len != twice.len || memcmp(once.data, twice.data, once.len))
			abort();
	}
	np_buf_fini(&once);
	np_buf_fini(&twice);
	return 0;
}
