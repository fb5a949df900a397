// SPDX-License-Identifier: BSD-3-Clause
/*
 * mkcert CA.pem CA.key OUT.pem OUT.key HOST [FROM TO]: a server certificate for tests, valid from
 * FROM to TO seconds relative to now (both negative: expired). With "-" as CA.pem and CA.key, a CA
 * named HOST.
 */
#include "base/err.h"
#include "crypto/cert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct np_cert *ca = NULL, *cert = NULL;
	struct np_cert_params params = {0};
	struct np_err err = NP_ERR_INIT;
	int ret;

	if (argc != 6 && argc != 8) {
		fprintf(stderr, "usage: mkcert CA.pem CA.key OUT.pem OUT.key HOST [FROM TO]\n");
		return 2;
	}
	params.name = argv[5];
	params.hosts = (const char *const *)&argv[5];
	params.nr_hosts = 1;
	if (argc == 8) {
		params.from_s = strtoll(argv[6], NULL, 10);
		params.to_s = strtoll(argv[7], NULL, 10);
	}
	if (!strcmp(argv[1], "-")) {
		ret = np_cert_make_ca(&params, &cert, &err);
	} else {
		ret = np_cert_load(argv[1], argv[2], &ca, &err);
		if (!ret)
			ret = np_cert_make_server(ca, &params, &cert, &err);
	}
	if (!ret)
		ret = np_cert_save(cert, argv[3], argv[4], &err);
	if (ret)
		fprintf(stderr, "mkcert: %s\n", np_err_text(&err));
	np_cert_free(cert);
	np_cert_free(ca);
	return ret ? 1 : 0;
}
