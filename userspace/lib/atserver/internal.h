/* SPDX-License-Identifier: BSD-3-Clause */
/* The objects that the files of the atServer share. */
#ifndef NP_ATSERVER_INTERNAL_H
#define NP_ATSERVER_INTERNAL_H

#include "atserver/server.h"
#include "base/backoff.h"
#include "base/log.h"
#include "base/map.h"
#include "crypto/rand.h"
#include "at/atsign.h"
#include "net/linebuf.h"

#include <ev.h>

#include <stddef.h>
#include <sys/queue.h>

#define NP_COMMAND_MAX 10240000 /* bytes of one command (3.3) */

struct np_capture;
struct np_enrol;
struct np_monitor;
struct np_outbound;
struct np_reply;
struct np_delivery;
struct np_queue;
struct np_refresh;
struct np_rsa;
struct np_tls;
struct np_visits;

enum np_auth { NP_AUTH_NONE, NP_AUTH_OWNER, NP_AUTH_POL };

/* Idle limits differ by the state of a connection; each list is ordered by the time of the last
 * write. */
enum np_idle { NP_IDLE_HANDSHAKE, NP_IDLE_UNAUTH, NP_IDLE_AUTH, NP_IDLE_NR };

TAILQ_HEAD(np_session_list, np_session);
TAILQ_HEAD(np_monitor_list, np_monitor);
STAILQ_HEAD(np_reply_list, np_reply);
STAILQ_HEAD(np_delivery_list, np_delivery);

/* One atSign that is hosted here. Never freed while the server runs; a removed one is marked. */
struct np_tenant {
	struct np_atserver *srv;
	char name[NP_ATSIGN_MAX];
	bool gone;	     /* taken out of the directory */
	bool listed;	     /* mark of a reload */
	bool signing_known;  /* its signing key pair is in the store */
	bool stats_dirty;    /* the commit log grew in this turn */
	int64_t last_commit; /* -2: not read yet */
	struct np_rsa *signing;
	struct np_monitor_list monitors;
	struct np_map enrols; /* enrolment id -> struct np_enrol, a cache of the store */
	struct np_map blocked; /* atSigns that may not connect, a cache of the store */
	bool blocked_known;
	int64_t nr_keys, nr_bytes; /* of the store, when usage_known */
	bool usage_known;
	unsigned int nr_owners;	   /* authenticated connections */
	uint64_t notes_left;	   /* of this minute */
	long long notes_at_ms;	   /* monotonic: when the bucket was filled last */
	struct np_visits *visits;  /* for stats; NULL until somebody came */
	int64_t login_at, pkam_at; /* wall clock of the last ones, 0 since the start none */
	STAILQ_ENTRY(np_tenant) dirty;
	long long wrong_otp_at_ms; /* monotonic */
	unsigned char nr_wrong_otp;
};

/* What `from` left behind: small, and only as long as it is needed. */
struct np_challenge {
	char sid[NP_UUID_SIZE + 1]; /* "_" and a UUID, constant on a connection */
	char uuid[NP_UUID_SIZE];
	char atsign[NP_ATSIGN_MAX]; /* who the client says it is */
	bool foreign;		    /* hosted elsewhere: answered by pol */
	long long until_ms;	    /* monotonic */
};

/* An inbound connection. Kept small: thousands of them idle. */
struct np_session {
	struct np_atserver *srv;
	struct np_tls *tls;
	struct np_linebuf in;
	struct np_tenant *tenant;
	struct np_challenge *challenge;
	char *peer;	/* pol: "@bob" */
	char *enrol_id; /* owner with an enrolment */
	struct np_monitor *monitor;
	struct np_capture *capture; /* inside a batch: where the answer goes */
	void *op; /* the command being waited for, and how to end it early */
	void (*op_cancel)(void *op);
	TAILQ_ENTRY(np_session) idle;
	TAILQ_ENTRY(np_session) dying;
	TAILQ_ENTRY(np_session) more;
	size_t turn_bytes;     /* answered in this turn */
	long long wrote_at_ms; /* monotonic */
	unsigned char auth, idle_list;
	bool json_errors;
	bool cram;		  /* authenticated by cram: may onboard */
	bool busy;		  /* a command waits for something; no further line is read */
	bool in_lines;		  /* processing lines: completion must not recurse */
	bool closing;		  /* is on the dying list */
	bool broken;		  /* nothing can be sent any more */
	bool mute;		  /* the last answer was given */
	bool refused;		  /* over the limit of connections */
	bool has_more;		  /* is on the list of those with lines left */
	bool paused;		  /* reading stopped because the client does not read */
	unsigned char nr_enrolls; /* enroll:request on this connection */
};

STAILQ_HEAD(np_tenant_dirty_list, np_tenant);

/* What the present turn of the loop has gathered. */
struct np_turn {
	bool open;    /* a store transaction */
	int failed;   /* its first error */
	bool ending;  /* the turn is being ended */
	bool touched; /* the command at hand used the open transaction */
	struct np_reply_list replies;
	struct np_delivery_list deliveries;
	struct np_tenant_dirty_list dirty;
	struct np_monitor_list starting; /* monitors that join after this turn */
};

struct np_atserver {
	struct ev_loop *loop;
	struct np_atserver_conf conf;
	struct np_store *store;
	struct np_map tenants;
	size_t nr_tenants;
	struct np_tenant *only; /* the tenant when there is exactly one */
	int64_t generation;
	struct np_turn turn;
	struct np_session_list idle[NP_IDLE_NR];
	struct np_session_list dying;
	struct np_session_list more; /* lines are left although the turn ended */
	ev_timer more_now;
	struct np_monitor_list
		stats; /* all monitors, by the time of their next statsNotification */
	unsigned int nr_sessions;
	struct np_map proofs; /* "_sid@bob" -> signature that the other side of a pol looks up */
	struct np_outbound *outbound;
	struct np_queue *queue;
	struct np_refresh *refresh;
	ev_prepare turn_end;
	ev_timer tick;
	unsigned int nr_ticks;
	unsigned int expiry_at; /* tick before which nothing is expired */
	long long started_ms;
	struct np_log_limit log_limit;
};

#endif
