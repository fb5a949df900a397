// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/cert.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/secret.h"
#include "base/str.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOST_LEN_MAX 253
#define CN_LEN_MAX 64 /* ub-common-name */
#define PEM_MAX 65536

struct np_cert {
	X509 *x509;
	EVP_PKEY *key;
};

void np_cert_free(struct np_cert *cert)
{
	if (!cert)
		return;
	X509_free(cert->x509);
	EVP_PKEY_free(cert->key);
	free(cert);
}

static int ssl_fail(struct np_err *err, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	const char *why = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return np_fail(err, -EIO, "certificate: cannot %s: %s", what, why ? why : "OpenSSL failed");
}

static bool is_ip(const char *host)
{
	struct in6_addr addr;

	return inet_pton(AF_INET, host, &addr) == 1 || inet_pton(AF_INET6, host, &addr) == 1;
}

/* Hosts go into OpenSSL's extension syntax, where a comma or a colon would start something else. */
static int check_host(const char *host, struct np_err *err)
{
	if (strlen(host) <= HOST_LEN_MAX &&
	    (is_ip(host) || (np_str_is_charset(host, "-._") && host[0] != '.' && host[0] != '-')))
		return 0;
	return np_fail(err, -EINVAL, "host \"%.100s\": is neither a DNS name nor a numeric address",
		       host);
}

static int san_text(const struct np_cert_params *params, struct np_buf *out, struct np_err *err)
{
	size_t i;
	int ret;

	if (!params->nr_hosts)
		return np_fail(err, -EINVAL, "certificate: needs at least one host");
	for (i = 0; i < params->nr_hosts; i++) {
		ret = check_host(params->hosts[i], err);
		if (!ret)
			ret = np_buf_printf(out, "%s%s:%s", i ? "," : "",
					    is_ip(params->hosts[i]) ? "IP" : "DNS",
					    params->hosts[i]);
		if (ret)
			return ret;
	}
	return 0;
}

static bool add_ext(X509 *x509, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;
	bool ok;

	X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext && X509_add_ext(x509, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

static bool set_serial(X509 *x509)
{
	unsigned char bytes[16];
	BIGNUM *number = NULL;
	bool ok = false;

	if (RAND_bytes(bytes, sizeof(bytes)) == 1) {
		bytes[0] =
			(unsigned char)((bytes[0] & 0x7f) | 0x40); /* positive, and never short */
		number = BN_bin2bn(bytes, sizeof(bytes), NULL);
		ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509));
	}
	BN_free(number);
	return ok;
}

static bool set_name(X509 *x509, const char *name)
{
	const char *cn = strlen(name) <= CN_LEN_MAX ? name : "atServer";

	return X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8,
					  (const unsigned char *)cn, -1, -1, 0) == 1;
}

/*
 * Days and seconds apart: long has 32 bits on small devices, and ten years still fit, but not by
 * much.
 */
static bool set_time(ASN1_TIME *when, int64_t offset_s)
{
	return X509_time_adj_ex(when, (int)(offset_s / NP_CERT_DAY_S),
				(long)(offset_s % NP_CERT_DAY_S), NULL);
}

static EVP_PKEY *choose_key(const struct np_cert *key_of)
{
	if (!key_of)
		return EVP_EC_gen("P-256");
	return EVP_PKEY_up_ref(key_of->key) == 1 ? key_of->key : NULL;
}

/* Everything but the extensions and the signature. @days: validity when @params says none. */
static int start_cert(const struct np_cert_params *params, const char *name, int days,
		      struct np_cert **out, struct np_err *err)
{
	bool dflt = !params->from_s && !params->to_s;
	int64_t from_s = dflt ? -NP_CERT_BACKDATE_S : params->from_s;
	int64_t to_s = dflt ? (int64_t)days * NP_CERT_DAY_S - NP_CERT_BACKDATE_S : params->to_s;
	struct np_cert *cert = calloc(1, sizeof(*cert));

	if (!cert)
		return -ENOMEM;
	cert->key = choose_key(params->key_of);
	cert->x509 = X509_new();
	if (!cert->key || !cert->x509 || X509_set_version(cert->x509, X509_VERSION_3) != 1 ||
	    !set_serial(cert->x509) || !set_name(cert->x509, name) ||
	    !set_time(X509_getm_notBefore(cert->x509), from_s) ||
	    !set_time(X509_getm_notAfter(cert->x509), to_s) ||
	    X509_set_pubkey(cert->x509, cert->key) != 1) {
		np_cert_free(cert);
		return ssl_fail(err, "prepare one");
	}
	*out = cert;
	return 0;
}

int np_cert_make_ca(const struct np_cert_params *params, struct np_cert **out, struct np_err *err)
{
	struct np_cert *cert = NULL;
	int ret;

	*out = NULL;
	ret = start_cert(params, params->name, NP_CERT_CA_DAYS, &cert, err);
	if (ret)
		return ret;
	if (X509_set_issuer_name(cert->x509, X509_get_subject_name(cert->x509)) != 1 ||
	    !add_ext(cert->x509, cert->x509, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
	    !add_ext(cert->x509, cert->x509, NID_key_usage, "critical,keyCertSign,cRLSign") ||
	    !add_ext(cert->x509, cert->x509, NID_subject_key_identifier, "hash") ||
	    !X509_sign(cert->x509, cert->key, EVP_sha256())) {
		np_cert_free(cert);
		return ssl_fail(err, "make a CA");
	}
	*out = cert;
	return 0;
}

static bool issue(const struct np_cert *ca, struct np_cert *cert, const char *san)
{
	X509 *x509 = cert->x509;

	return X509_set_issuer_name(x509, X509_get_subject_name(ca->x509)) == 1 &&
	       add_ext(x509, ca->x509, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_ext(x509, ca->x509, NID_key_usage, "critical,digitalSignature") &&
	       add_ext(x509, ca->x509, NID_ext_key_usage, "serverAuth,clientAuth") &&
	       add_ext(x509, ca->x509, NID_subject_alt_name, san) &&
	       add_ext(x509, ca->x509, NID_subject_key_identifier, "hash") &&
	       add_ext(x509, ca->x509, NID_authority_key_identifier, "keyid:always") &&
	       X509_sign(x509, ca->key, EVP_sha256());
}

int np_cert_make_server(const struct np_cert *ca, const struct np_cert_params *params,
			struct np_cert **out, struct np_err *err)
{
	struct np_buf san = NP_BUF_INIT;
	struct np_cert *cert = NULL;
	int ret;

	*out = NULL;
	ret = san_text(params, &san, err);
	if (ret)
		goto out;
	ret = start_cert(params, params->hosts[0], NP_CERT_SERVER_DAYS, &cert, err);
	if (ret)
		goto out;
	if (!issue(ca, cert, np_buf_str(&san))) {
		ret = ssl_fail(err, "issue one");
		goto out;
	}
	*out = cert;
	cert = NULL;
out:
	np_cert_free(cert);
	np_buf_fini(&san);
	return ret;
}

static X509 *read_x509(const char *path, struct np_err *err)
{
	struct np_buf pem = NP_BUF_INIT;
	X509 *x509 = NULL;
	BIO *bio = NULL;

	if (!np_file_read(path, PEM_MAX, &pem, err)) {
		bio = BIO_new_mem_buf(pem.data, (int)pem.len);
		x509 = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
		if (!x509)
			np_fail(err, -EBADMSG, "%s: holds no PEM certificate", path);
	}
	BIO_free(bio);
	np_buf_fini(&pem);
	ERR_clear_error();
	return x509;
}

/* Without this OpenSSL asks the terminal for the password of an encrypted key. */
static int no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static EVP_PKEY *read_key(const char *path, struct np_err *err)
{
	struct np_secret pem = NP_SECRET_INIT;
	EVP_PKEY *key = NULL;
	BIO *bio = NULL;
	int fd, ret;

	fd = np_fd_open_private(path, err);
	if (fd < 0)
		return NULL;
	ret = np_secret_read(&pem, fd, PEM_MAX);
	np_fd_close(&fd);
	if (!ret) {
		bio = BIO_new_mem_buf(pem.data, (int)pem.len);
		key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
	}
	if (!key)
		np_fail(err, ret ? ret : -EBADMSG,
			"%s: holds no PEM private key without a password", path);
	BIO_free(bio);
	np_secret_fini(&pem);
	ERR_clear_error();
	return key;
}

int np_cert_load(const char *cert_path, const char *key_path, struct np_cert **out,
		 struct np_err *err)
{
	struct np_err local = NP_ERR_INIT;
	struct np_cert *cert = calloc(1, sizeof(*cert));

	*out = NULL;
	err = err ? err : &local;
	if (!cert)
		return -ENOMEM;
	cert->x509 = read_x509(cert_path, err);
	cert->key = cert->x509 ? read_key(key_path, err) : NULL;
	if (!cert->key) {
		np_cert_free(cert);
		return err->code;
	}
	if (X509_check_private_key(cert->x509, cert->key) != 1) {
		np_cert_free(cert);
		ERR_clear_error();
		return np_fail(err, -EBADMSG, "%s: is not the key of certificate %s", key_path,
			       cert_path);
	}
	*out = cert;
	return 0;
}

static bool host_text(const GENERAL_NAME *name, char *dst, size_t size)
{
	const ASN1_STRING *str = name->type == GEN_DNS	   ? name->d.dNSName
				 : name->type == GEN_IPADD ? name->d.iPAddress
							   : NULL;
	int len = str ? ASN1_STRING_length(str) : 0;

	if (!len || (size_t)len >= size)
		return false;
	if (name->type == GEN_IPADD)
		return (len == 4 || len == 16) &&
		       inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(str), dst,
				 (socklen_t)size);
	memcpy(dst, ASN1_STRING_get0_data(str), (size_t)len);
	dst[len] = '\0';
	return true;
}

void np_cert_each_host(const struct np_cert *cert, bool (*fn)(const char *host, void *arg),
		       void *arg)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert->x509, NID_subject_alt_name, NULL, NULL);
	char host[HOST_LEN_MAX + 1];
	int i;

	for (i = 0; i < sk_GENERAL_NAME_num(names); i++)
		if (host_text(sk_GENERAL_NAME_value(names, i), host, sizeof(host)) &&
		    !fn(host, arg))
			break;
	GENERAL_NAMES_free(names);
}

int np_cert_pem(const struct np_cert *cert, struct np_buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data = NULL;
	long len;
	int ret = -EIO;

	if (bio && PEM_write_bio_X509(bio, cert->x509) == 1) {
		len = BIO_get_mem_data(bio, &data);
		ret = np_buf_append(out, data, (size_t)len);
	}
	BIO_free(bio);
	return ret;
}

int np_cert_key_pem(const struct np_cert *cert, struct np_secret *out)
{
	BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when it is freed */
	char *data = NULL;
	long len;
	int ret = -EIO;

	if (bio && PEM_write_bio_PKCS8PrivateKey(bio, cert->key, NULL, NULL, 0, NULL, NULL) == 1) {
		len = BIO_get_mem_data(bio, &data);
		ret = np_secret_set(out, data, (size_t)len);
	}
	BIO_free(bio);
	return ret;
}

int np_cert_save(const struct np_cert *cert, const char *cert_path, const char *key_path,
		 struct np_err *err)
{
	struct np_secret key = NP_SECRET_INIT;
	struct np_buf pem = NP_BUF_INIT;
	int ret;

	ret = np_cert_pem(cert, &pem);
	if (!ret)
		ret = np_cert_key_pem(cert, &key);
	if (ret) {
		ssl_fail(err, "write it as PEM");
		goto out;
	}
	ret = np_file_create_new(key_path, key.data, key.len, 0600, err);
	if (!ret)
		ret = np_file_create_new(cert_path, pem.data, pem.len, 0644, err);
out:
	np_secret_fini(&key);
	np_buf_fini(&pem);
	return ret;
}
