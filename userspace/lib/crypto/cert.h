/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * X.509 certificates for a private realm: a CA and what it issues (atprotocol.md 3.1).
 *
 * Keys are EC P-256, signatures ECDSA with SHA-256: every SDK's TLS library accepts them, and a
 * server's handshake costs a small fraction of one with RSA-2048. Hosts stand as subject
 * alternative names (DNS or IP), the first one is also the common name. Server certificates carry
 * both serverAuth and clientAuth, because an atServer presents its own one when it connects to
 * another.
 */
#ifndef NP_CRYPTO_CERT_H
#define NP_CRYPTO_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct np_buf;
struct np_cert; /* a certificate together with its private key */
struct np_err;
struct np_secret;

#define NP_CERT_DAY_S (24 * 60 * 60)
#define NP_CERT_CA_DAYS 3650
#define NP_CERT_SERVER_DAYS 825 /* the longest that some clients accept, also from a private CA */
/* A device's clock may be behind when the certificate is fresh. Counts into the days above. */
#define NP_CERT_BACKDATE_S NP_CERT_DAY_S

/**
 * struct np_cert_params - what to issue.
 * @name: common name of a CA; unused for servers
 * @hosts: server: at least one DNS name or numeric address
 * @key_of: use the key of this certificate; NULL makes a fresh one
 * @from_s, @to_s: validity relative to now, in seconds; both 0 take the defaults above
 */
struct np_cert_params {
	const char *name;
	const char *const *hosts;
	size_t nr_hosts;
	const struct np_cert *key_of;
	int64_t from_s, to_s;
};

/** np_cert_make_ca() - a self-signed CA that may issue end certificates only. */
int np_cert_make_ca(const struct np_cert_params *params, struct np_cert **out, struct np_err *err);
/** np_cert_make_server() - issued by @ca. -EINVAL names the host that is no host. */
int np_cert_make_server(const struct np_cert *ca, const struct np_cert_params *params,
			struct np_cert **out, struct np_err *err);
void np_cert_free(struct np_cert *cert); /* NULL is accepted */

/** np_cert_load() - from two PEM files; the key file must be private. */
int np_cert_load(const char *cert_path, const char *key_path, struct np_cert **out,
		 struct np_err *err);
/** np_cert_each_host() - visit its DNS names and addresses in order; stops when @fn returns false. */
void np_cert_each_host(const struct np_cert *cert, bool (*fn)(const char *host, void *arg), void *arg);
/** np_cert_pem() - append the certificate as PEM. */
int np_cert_pem(const struct np_cert *cert, struct np_buf *out);
/** np_cert_key_pem() - the private key as PEM (PKCS#8, not encrypted). */
int np_cert_key_pem(const struct np_cert *cert, struct np_secret *out);
/** np_cert_save() - two new files, @key_path with mode 0600; -EEXIST when one is there already. */
int np_cert_save(const struct np_cert *cert, const char *cert_path, const char *key_path,
		 struct np_err *err);

#endif
