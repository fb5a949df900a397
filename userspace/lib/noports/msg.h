/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control messages of noports.md section 4, one struct each, with its writer (member order as
 * published) and its bounded, liberal reader. Texts in the structs are owned; *_fini() frees and
 * wipes.
 */
#ifndef NP_NOPORTS_MSG_H
#define NP_NOPORTS_MSG_H

#include "base/secret.h"
#include "crypto/rand.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct np_buf;
struct np_err;
struct np_json;

#define NP_DEVICE_MAX 37 /* name with NUL, 1.  */
#define NP_NONCE_MAX 129 /* opaque text with NUL */
#define NP_MSG_HOST_MAX 256

/** np_device_name_parse() - lower-case, white space runs to "_", then the grammar of section 1. */
int np_device_name_parse(const char *text, char out[NP_DEVICE_MAX], struct np_err *err);
/** np_session_id_ok() - [A-Za-z0-9-]{1,64}: safe inside a verb line (trap 26). */
bool np_session_id_ok(const char *sid);

/* 4.2 ping response, device info */
struct np_ping_response {
	char device[NP_DEVICE_MAX];
	char group[64];	  /* "__none__" when absent */
	char version[32]; /* product version */
	char core[32];
	bool has_features; /* false: a v4 daemon that sends none */
	bool accepts_public_keys, sr_auth, sr_e2ee, supports_port_choice, adjustable_timeout;
	bool control_heartbeats, supports_escr, twin_keys;
	char **allowed; /* permit-open list, NULL terminated, or NULL */
};
void np_ping_response_fini(struct np_ping_response *msg);
int np_ping_response_write(const struct np_ping_response *msg, struct np_buf *out);
int np_ping_response_read(const char *text, size_t len, struct np_ping_response *msg,
			  struct np_err *err);

/* 4.3 relay request and answer */
struct np_relay_request {
	char sid[65];
	char atsign_a[168], atsign_b[168];
	bool auth_a, auth_b;
	char client_nonce[NP_NONCE_MAX];
	bool multiple_acks_ok, send_json_response, only443;
	char auth_mode[16]; /* "payload" */
};
int np_relay_request_write(const struct np_relay_request *msg, struct np_buf *out);
int np_relay_request_read(const char *text, size_t len, struct np_relay_request *msg,
			  struct np_err *err);

struct np_relay_answer {
	char address[NP_MSG_HOST_MAX];
	uint16_t port_a, port_b;
	char rvd_nonce[NP_NONCE_MAX];
	bool auto_detects;
};
/** np_relay_answer_write() - JSON when @json, else CSV. */
int np_relay_answer_write(const struct np_relay_answer *msg, bool json, struct np_buf *out);
int np_relay_answer_read(const char *text, size_t len, struct np_relay_answer *msg,
			 struct np_err *err);

/* 4.4 session request: one struct for ssh_request and npt_request */
struct np_session_request {
	bool is_npt;
	char sid[65];
	char host[NP_MSG_HOST_MAX];	   /* relay */
	uint16_t port;			   /* relay's port for the device */
	char target_host[NP_MSG_HOST_MAX]; /* npt only */
	uint16_t target_port;		   /* npt only */
	bool auth_to_rvd, encrypt;
	char auth_mode[16];
	struct np_secret relay_key; /* raw 32 bytes for ESCR, empty without */
	char client_nonce[NP_NONCE_MAX], rvd_nonce[NP_NONCE_MAX];
	char *client_pk; /* base64 SPKI, NULL without */
	uint64_t timeout_ms;
	bool twin_keys;
	char relay_atsign[168];
};
void np_session_request_fini(struct np_session_request *msg);
/** np_session_request_payload() - the payload object, to be signed. */
struct np_json *np_session_request_payload(const struct np_session_request *msg);
/** np_session_request_read() - from a payload; every number range-checked (0, 65536, fractions
 * refused). */
int np_session_request_read(const struct np_json *payload, bool is_npt,
			    struct np_session_request *msg, struct np_err *err);

/* 4.4 success answer. Keys here are the RSA ciphertexts in base64, NULL when absent. */
struct np_session_answer {
	char sid[65];
	struct np_secret ephemeral_private_key; /* PEM text, empty without */
	char *key_c2d, *iv_c2d, *key_d2c, *iv_d2c;
	bool twin_keys; /* writer: which member names */
};
void np_session_answer_fini(struct np_session_answer *msg);
struct np_json *np_session_answer_payload(const struct np_session_answer *msg);
int np_session_answer_read(const struct np_json *payload, struct np_session_answer *msg,
			   struct np_err *err);

#endif
