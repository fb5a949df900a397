// SPDX-License-Identifier: BSD-3-Clause
/* monitor: no answer; the connection receives notifications from then on (atprotocol.md 12.1). */
#include "atserver/monitor.h"
#include "atserver/respond.h"
#include "atserver/verb.h"
#include "base/err.h"

void np_verb_monitor(struct np_session *s, char *rest)
{
	struct np_err err = NP_ERR_INIT;
	struct np_req_monitor req;

	if (np_parse_monitor(rest, &req, &err) || np_monitor_start(s, &req, &err))
		np_respond_error(s, "AT0003", "%s", err.msg);
}
