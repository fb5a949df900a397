// SPDX-License-Identifier: BSD-3-Clause
#include "splice/express_impl.h"
#include "splice/ops.h"

const struct np_splice_ops *const np_splice_backends[] = {
	&np_splice_express,
	&np_splice_user,
	&np_splice_pipe,
	&np_splice_copy,
	&np_splice_sockmap,
	NULL,
};

const char *const np_splice_names[] = {"auto", "express", "user", "pipe", "copy", "sockmap", NULL};
