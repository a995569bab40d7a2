/*
 * gateway_conf - gateway.json, checked and in the form the program uses.
 *
 * Partner rows carry the parameter names, values and defaults of
 * New-CsXmppAllowedPartner; their negotiation settings are checked by the
 * matrix of "Negotiation settings for XMPP federated partners".  Default
 * deny: a domain that is no partner and a user who is not listed do not exist.
 *
 * Strings belong to the configuration and live as long as it does.  All
 * domains are in comparable form (common/jid.h).
 *
 * Errors   ERR_CONFIG with one line for an admin:
 *          gateway.json: /partners/0: SASL needs TLS ...
 */
#ifndef GATEWAY_GATEWAY_CONF_H
#define GATEWAY_GATEWAY_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/log.h"
#include "common/tls_identity.h"
#include "frontend-gateway/sip/sip_product.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "proto/negotiation.h"

struct conf;

enum {
	GATEWAY_CONF_EDGES_MAX = 16,
	GATEWAY_CONF_LISTEN_MAX = 8,
	GATEWAY_CONF_FRONT_ENDS_MAX = 32,
	GATEWAY_CONF_HOSTED_MAX = 256,
	GATEWAY_CONF_PARTNERS_MAX = 4096,
	GATEWAY_CONF_USERS_MAX = 200000,
	GATEWAY_CONF_LOG_MAX = 64,
	GATEWAY_CONF_ERROR_SIZE = 1024
};

enum gateway_partner_type {
	GATEWAY_FEDERATED,
	GATEWAY_PUBLIC_VERIFIED,
	GATEWAY_PUBLIC_UNVERIFIED
};
/* As the cmdlet spells it. */
const char *gateway_partner_type_str(enum gateway_partner_type t);

/* An edge or a front end. */
struct gateway_host {
	char name[256];
	struct sockaddr_storage address;
};

struct gateway_files {
	const char *certificate, *key, *trust;
};

struct gateway_partner {
	char domain[256];
	char **additional; /* comparable domains */
	size_t additional_count;
	const char *description; /* NULL when absent */
	enum gateway_partner_type type;
	enum negotiation tls, sasl;
	bool dialback;
	bool keep_alive;
	bool formatting;           /* else plain text alone passes, both ways */
	char proxy_fqdn[256];      /* "" = by SRV */
	uint32_t connection_limit; /* 0 = the gateway's */
	char provider[64];         /* a public one's people; "" = none's */
};

struct gateway_sip_conf {
	struct sockaddr_storage listen[GATEWAY_CONF_LISTEN_MAX];
	size_t listen_count;
	uint16_t port; /* the one the pool reaches us at: the first */
	char fqdn[256];
	struct gateway_files files;
	int tls_min, tls_max; /* TLS1_VERSION ...; max 0 = no limit */
	char pool[256];
	struct gateway_host front_ends[GATEWAY_CONF_FRONT_ENDS_MAX];
	size_t front_end_count;
	unsigned connections; /* of ours to each front end */
	uint32_t probe_ms;    /* of quiet before OPTIONS; 0 = never */
	enum sip_negotiate_reply negotiate_reply;
	enum sip_contact_form contact;
	char user_agent[SIP_PRODUCT_SIZE]; /* "" = none is sent */
};

/* How often contacts may do something: those of one partner together, and each
 * of them. */
struct gateway_rate {
	uint32_t per_minute, at_once;
	uint32_t contact_per_minute, contact_at_once;
};

struct gateway_limits {
	size_t body_bytes;                  /* of one text, as UTF-8 */
	size_t conversations;               /* pairs at a time */
	size_t queue_messages;              /* waiting in one conversation */
	size_t queue_bytes;                 /* the same in bytes */
	uint32_t connection_limit;          /* ConnectionLimit */
	uint32_t partner_connection_limit;  /* PartnerConnectionLimit */
	uint32_t stanza_bytes;              /* one stanza at the edge */
	uint32_t inward_window;             /* stanzas ahead of the count */
	uint32_t route_frames, route_bytes; /* queue of a connecting route */
	/* Streams at an edge: not authenticated yet, of all and of one address;
	 * of one address at all. */
	uint32_t half_open_streams, address_half_open, address_streams;
	uint32_t stanzas_per_second; /* on one stream; 0 = any */
	uint64_t edge_memory_bytes;  /* of all streams of an edge */
	struct gateway_rate misses;  /* strangers' first messages in vain */
};

struct gateway_timers {
	uint64_t idle_ms;    /* a chat without a message ends */
	uint64_t outward_ms; /* Lync's message without a proof: 504 */
	uint64_t inward_ms;  /* XMPP's message without an answer */
	uint64_t stream_establishment_ms;
	uint64_t stream_inactivity_ms;
	uint64_t keep_alive_ms;     /* KeepAliveInterval */
	uint64_t stream_silence_ms; /* of a partner's TCP */
};

/* "streams" */
struct gateway_streams_conf {
	bool bidirectional; /* stanzas both ways on one (XEP-0288) */
};

/* How a Lync user hears of a message that failed behind its 200. */
enum gateway_notices {
	GATEWAY_NOTICES_CHAT,
	GATEWAY_NOTICES_IMDN,
	GATEWAY_NOTICES_OFF
};

/* "presence" */
struct gateway_presence_conf {
	/* Towards the pool: Expires that we ask for. */
	uint32_t subscribe_s;
	/* Towards Lync's endpoints: granted to who names none, and the bounds
	 * of what is granted (minimum and maximum as the pool's own). */
	uint32_t expires_default_s, expires_min_s, expires_max_s;
	uint32_t damp_ms; /* one notification per pair and direction */
	uint32_t renew_per_second;
	uint32_t first_per_user_s;  /* one new watcher per user in that time */
	uint32_t probes_per_second; /* to one partner */
	uint32_t grace_s;           /* pool or partner out of reach */
	uint32_t removal_days;      /* no endpoint subscribed: `unsubscribe` */
	uint32_t pending_repeat_hours;
	uint32_t added_repeat_s;       /* added anew: `subscribe` again */
	uint32_t retry_s, retry_max_s; /* a subscription the pool refused */
	struct gateway_rate newcomers; /* addresses asked for the first time */
	bool refusal_ends;             /* a refused endpoint's dialog ends */
	bool generated_status;
	const char *language; /* of generated texts */
	bool busy_idle_is_away, unknown_is_available;
	bool msrtc; /* documents for Lync in its own form */
	bool dnd_is_do_not_disturb, xa_is_off_work, short_away_is_inactive,
	    chat_text;
	size_t pairs;          /* in memory */
	size_t pair_endpoints; /* dialogs of one pair */
};

/* "messages" */
struct gateway_messages_conf {
	bool formatting; /* else plain text alone passes, both ways */
	bool styling;    /* XEP-0393 directives are formatting */
	/* Bytes from Lync that are no text of their charset become U+FFFD;
	 * else the message is refused. */
	bool replace_bad_text;
	const char *language;    /* of the words: "en", "de" */
	bool receipts;           /* to who sees the user's presence */
	bool correction_is_word; /* "[corrected] " instead of "* " */
	bool reactions, retractions, attention, sent_time, headlines;
};

/* "admin" */
struct gateway_admin_conf {
	char socket[108]; /* "" = none */
	struct sockaddr_storage listen[GATEWAY_CONF_LISTEN_MAX];
	size_t listen_count;
};

struct gateway_log_conf {
	enum log_level level;
	struct {
		const char *name;
		enum log_level level;
	} components[GATEWAY_CONF_LOG_MAX];
	size_t component_count;
	bool bodies;
};

struct gateway_conf {
	struct conf *doc;
	char node[256];
	struct gateway_host edges[GATEWAY_CONF_EDGES_MAX];
	size_t edge_count;
	struct gateway_files channel;
	struct gateway_sip_conf sip;
	char store[1024];
	char control[108]; /* path of the control socket; "" = none */
	struct gateway_admin_conf admin;
	char (*hosted)[256];
	size_t hosted_count;
	struct gateway_partner *partners;
	size_t partner_count;
	char **users; /* prepared bare JIDs, sorted; for the import */
	size_t user_count;
	uint8_t dialback_secret[64];
	size_t dialback_secret_len; /* 0 = made from the store's secret */
	struct gateway_limits limits;
	struct gateway_timers timers;
	struct gateway_streams_conf streams;
	struct gateway_presence_conf presence;
	enum gateway_notices notices;
	struct gateway_messages_conf messages;
	struct gateway_log_conf log;
	/* What is allowed but unwise: lines for the log. */
	char **warnings;
	size_t warning_count;
	/* Rows sorted by domain, for look-ups. */
	struct gateway_domain {
		const char *domain;
		const struct gateway_partner *partner;
	} * domains;
	size_t domain_count;
};

/* Reads and checks the file.  On error *out is untouched and error
 * (GATEWAY_CONF_ERROR_SIZE bytes) has the line. */
int gateway_conf_load(struct gateway_conf **out, const char *path, char *error);
/* The same from text; name is what messages call it. */
int gateway_conf_parse(struct gateway_conf **out, const char *name,
    const char *text, size_t len, char *error);
void gateway_conf_free(struct gateway_conf *c);

/* Makes logging follow the "log" part. */
void gateway_conf_apply_log(const struct gateway_conf *c);
/* Its "bodies" alone, which settings change. */
void gateway_conf_apply_bodies(const struct gateway_conf *c);
void gateway_conf_log_warnings(const struct gateway_conf *c);

/* Loads both identities, and sees that each certificate names this node.  The
 * error begins with the member: "/sip: ...". */
int gateway_conf_identities(struct tls_identity *channel,
    struct tls_identity *sip, const struct gateway_conf *c, char *error);

/* Look-ups by comparable domain or prepared bare JID; all exact. */
bool gateway_conf_hosts(const struct gateway_conf *c, const char *domain);
/* A name that nobody outside may carry: hosted domains, pool, front ends,
 * edges and this node. */
bool gateway_conf_is_own(const struct gateway_conf *c, const char *domain);
/* NULL when the domain is no partner. */
const struct gateway_partner *
gateway_conf_partner(const struct gateway_conf *c, const char *domain);
/* Whether formatted text is exchanged with that domain. */
bool gateway_conf_formats(const struct gateway_conf *c, const char *domain);

#endif
