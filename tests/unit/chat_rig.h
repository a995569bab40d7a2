/*
 * chat_rig - conversations, with the pool and the edges played by the test.
 *
 * Every function of sip_ua.h and edges.h that conversations use is defined
 * here, so neither is linked in: it goes with the programs test_chat_* alone
 * (see the Makefile).  What they are asked to do is written down in a journal
 * of one line per deed, which each step empties and compares.
 */
#ifndef TESTS_UNIT_CHAT_RIG_H
#define TESTS_UNIT_CHAT_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/jid.h"
#include "frontend-gateway/barrier.h"
#include "frontend-gateway/conversation/conversations.h"
#include "frontend-gateway/edges.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/policy/policy.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "proto/channel.h"

enum { CHAT_DIALOGS = 32, CHAT_TXNS = 32, CHAT_CALLS = 64 };

struct sip_ua {
	bool unreachable;
};
struct sip_server_txn {
	int number;
};
struct sip_ua_call {
	enum sip_method method;
	sip_ua_result_fn *on_result;
	void *arg;
	bool open;
};
struct edges {
	bool down[2];
	bool full;
};

/* One at a time, between chat_rig_setup() and chat_rig_teardown(). */
extern struct chat_rig {
	char journal[16384];
	struct clock *wall;
	struct gateway_conf *conf;
	struct policy *policy;
	struct barrier *barrier;
	struct conversations *cs;
	/* The pool. */
	struct sip_ua ua;
	struct sip_server_txn txns[CHAT_TXNS];
	size_t txn_count;
	struct sip_ua_call calls[CHAT_CALLS];
	size_t call_count;
	struct sip_dialog dialogs[CHAT_DIALOGS];
	size_t dialog_count;
	char last_epid[32]; /* of the last INVITE for bo */
	char last_id[128];  /* Ms-Conversation-ID of the last INVITE */
	/* The edges. */
	struct edges edges;
	struct edges_sender *last_sender;
	uint64_t next_seq;
	char last_stanza[64]; /* id of the last message frame */
} chat;

int chat_rig_setup(void **state);
int chat_rig_teardown(void **state);
#define CHAT_TEST(f)                                                           \
	cmocka_unit_test_setup_teardown(f, chat_rig_setup, chat_rig_teardown)

/* A line of the journal. */
void chat_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* What has happened since the last time. */
#define expect(want)                                                           \
	do {                                                                   \
		assert_string_equal(chat.journal, want);                       \
		chat.journal[0] = '\0';                                        \
	} while (0)

/* --- what the pool does ---------------------------------------------------- */

#define ANNA  "sip:anna@contoso.example"
#define BO    "sip:bo@partner.example"
#define IM    "Content-Type: application/sdp\r\n"
#define PLAIN "Content-Type: text/plain; charset=UTF-8\r\n"
/* In the journal: an INVITE whose first message is b64. */
#define INVITED(b64)                                                           \
	"INVITE sip:anna@contoso.example from sip:bo@partner.example (bo) "    \
	"ms-body=" b64 "\n"
#define TAKES_FIRST "Supported: timer, ms-text-format\r\n"
extern const char chat_im_sdp[], chat_audio_sdp[];

/* A message of the pool's, to be freed; head's lines end with CRLF each. */
struct sip_msg *chat_parse(const char *head, const char *body);
/* The final answer to the last call; headers end with CRLF each. */
void chat_pool_answers(int status, const char *headers);
void chat_pool_is_silent(enum sip_outcome outcome, int status);
/* A request from the pool. */
struct sip_server_txn *
chat_request(const char *method, const char *from, const char *to,
    const char *headers, const char *body, struct sip_dialog *d);
struct sip_dialog *chat_lync_invites(void);
struct sip_server_txn *chat_lync_says(struct sip_dialog *d, const char *text);

/* --- what the edges do ------------------------------------------------------ */

/* A message frame, as the guard passes it on. */
struct chat_stanza {
	const char *id, *from, *to, *kind, *body, *condition, *stream, *state;
};
void chat_stanza_comes(uint64_t seq, struct chat_stanza s);
void chat_says(uint64_t seq, const char *body);
/* What became of the last message that was sent. */
void chat_edge_result(bool delivered, enum condition c);

#endif
