/* The runtime of presence on a manual clock; edges, pool and disk are played
 * by the test. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/heap.h"
#include "common/jid.h"
#include "common/log.h"
#include "frontend-gateway/barrier.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/policy/policy.h"
#include "frontend-gateway/presence/presence.h"
#include "frontend-gateway/presence/presence_impl.h"
#include "frontend-gateway/sip/sip_notifier.h"
#include "frontend-gateway/sip/sip_subscriber.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "frontend-gateway/store/pair_store.h"
#include "proto/channel.h"
#include "proto/frame.h"
#include "tests/unit/gateway_sample.h"
#include "tests/unit/policy_sample.h"

#define ANNA "anna@contoso.example"
#define BO   "bo@partner.example"

enum { NOTES_MAX = 65536, FLIGHT = 4096, SUBS = 4096 };

static struct clock *clk;
static struct gateway_conf *conf;
static struct policy *policy;
static struct barrier *barrier;
static struct presence *pr;

/* What happened, in a line each. */
static char notes[NOTES_MAX];
static size_t notes_len;

static void
note(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(notes + notes_len, sizeof(notes) - notes_len, fmt, ap);
	va_end(ap);
	notes_len += (size_t)n;
	assert_true(notes_len + 2 < sizeof(notes));
	notes[notes_len++] = '\n';
	notes[notes_len] = '\0';
}

/* All lines since the last time. */
#define expect(text)                                                           \
	do {                                                                   \
		assert_string_equal(notes, text);                              \
		notes_len = 0;                                                 \
		notes[0] = '\0';                                               \
	} while (0)

static size_t
count_notes(const char *word)
{
	size_t n = 0;

	for (const char *at = notes; (at = strstr(at, word)) != NULL; at++)
		n++;
	notes_len = 0;
	notes[0] = '\0';
	return n;
}

/* --- edges -------------------------------------------------------------- */

static struct edges {
	struct edges_sender *flight[FLIGHT];
	size_t count;
	bool quiet; /* no notes of frames */
	bool hold;  /* results wait */
} edges;

unsigned
edges_choose(const struct edges *e, const char *local, const char *user,
    const char *contact, unsigned preferred)
{
	(void)e;
	(void)local;
	(void)user;
	(void)contact;
	return preferred != EDGES_NONE ? preferred : 0;
}

const char *
edges_name(const struct edges *e, unsigned edge)
{
	(void)e;
	(void)edge;
	return "edge1";
}

int
edges_send(struct edges *e, unsigned edge, const struct buf *frame,
    struct edges_sender *sender, uint64_t *seq)
{
	char to[256], kind[17], show[16] = "", nick[64] = "", status[64] = "";
	struct frame f;

	(void)edge;
	assert_int_equal(frame_decode(&f, frame->data, frame->len), 0);
	assert_true(frame_copy(&f, FIELD_TO, to, sizeof(to)));
	assert_true(frame_copy(&f, FIELD_KIND, kind, sizeof(kind)));
	(void)frame_copy(&f, FIELD_SHOW, show, sizeof(show));
	(void)frame_copy(&f, FIELD_NICK, nick, sizeof(nick));
	(void)frame_copy(&f, FIELD_STATUS_TEXT, status, sizeof(status));
	if (!e->quiet)
		note("%s %s%s%s%s%s%s", kind, to, show[0] ? " " : "", show,
		    nick[0] ? " nick=" : "", nick,
		    frame_has(&f, FIELD_BARRIER) ? " proof" : "");
	assert_true(e->count < FLIGHT);
	e->flight[e->count++] = sender;
	*seq = e->count;
	return 0;
}

void
edges_withdraw(struct edges *e, unsigned edge, uint64_t seq)
{
	(void)edge;
	assert_in_range(seq, 1, e->count);
	e->flight[seq - 1] = NULL;
}

void
edges_answer(
    struct edges *e, struct edges_ticket ticket, const struct channel_result *r)
{
	(void)e;
	note("answer %llu %s", (unsigned long long)ticket.seq,
	    r->delivered ? "delivered" : condition_str(r->condition));
}

static size_t edges_up;

size_t
edges_count_up(const struct edges *e)
{
	(void)e;
	return edges_up;
}

bool
edges_reach(const struct edges *e, const char *local, const char *remote)
{
	(void)e;
	(void)local;
	(void)remote;
	return false;
}

/* Results for all that is under way now. */
static void
settle(bool delivered)
{
	struct channel_result r = { .delivered = delivered,
		.proof = PROOF_PING,
		.condition = COND_REMOTE_SERVER_NOT_FOUND };
	struct edges_sender *all[FLIGHT];
	size_t n = edges.count;

	memcpy(all, edges.flight, sizeof(all));
	edges.count = 0;
	for (size_t i = 0; i < n; i++)
		if (all[i] != NULL)
			all[i]->on_result(all[i], &r);
}

/* --- the disk ----------------------------------------------------------- */

static struct pair_store {
	struct {
		pair_store_done_fn *done;
		void *arg;
	} waiting[256];
	size_t count, rows;
	bool broken;
	/* What a load gives. */
	size_t load_pairs;
	bool load_dialogs;
} store;

static int
take(pair_store_done_fn *done, void *arg)
{
	store.rows++;
	if (done == NULL)
		return 0;
	assert_true(store.count < 256);
	store.waiting[store.count].done = done;
	store.waiting[store.count++].arg = arg;
	return 0;
}

int
pair_store_put(struct pair_store *ps, const struct pair_row *row,
    pair_store_done_fn *done, void *arg)
{
	(void)ps;
	assert_true(row->user[0] != '\0' && row->contact[0] != '\0');
	return take(done, arg);
}

int
pair_store_drop(struct pair_store *ps, const char *user, const char *contact,
    pair_store_done_fn *done, void *arg)
{
	(void)ps;
	(void)user;
	(void)contact;
	return take(done, arg);
}

int
pair_store_put_dialog(struct pair_store *ps, const struct dialog_row *row,
    pair_store_done_fn *done, void *arg)
{
	(void)ps;
	assert_true(row->id != 0);
	return take(done, arg);
}

int
pair_store_drop_dialog(
    struct pair_store *ps, uint64_t id, pair_store_done_fn *done, void *arg)
{
	(void)ps;
	assert_true(id != 0);
	return take(done, arg);
}

void
pair_store_get_stats(struct pair_store *ps, struct pair_store_stats *out)
{
	(void)ps;
	memset(out, 0, sizeof(*out));
	out->well = !store.broken;
}

int
pair_store_load(struct pair_store *ps, const struct pair_store_reader *reader,
    void *arg, char *why, size_t size)
{
	char user[64], contact[64];
	int rc = 0;

	(void)ps;
	(void)why;
	(void)size;
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < store.load_pairs && rc == 0; i++) {
			struct pair_row row = { .user = user,
				.contact = contact,
				.roster = ROSTER_B,
				.used_ms = 1 + (int64_t)(i * 86400000) };
			struct dialog_row d = { .id = 2 * i + 1,
				.user = user,
				.contact = contact,
				.role = PAIR_STORE_SUBSCRIBER,
				.image = "image",
				.image_len = 5 };

			snprintf(user, sizeof(user), "%s", ANNA);
			snprintf(contact, sizeof(contact),
			    "bo%zu@partner.example", i);
			if (pass == 0)
				rc = reader->on_pair(&row, arg);
			else if (store.load_dialogs)
				rc = reader->on_dialog(&d, arg);
		}
	return rc;
}

/* What was written so far is on disk, or not. */
static void
disk(void)
{
	while (store.count > 0) {
		pair_store_done_fn *done = store.waiting[0].done;
		void *arg = store.waiting[0].arg;

		store.count--;
		memmove(store.waiting, store.waiting + 1,
		    store.count * sizeof(store.waiting[0]));
		done(store.broken ? ERR_STORE : 0, arg);
	}
}

/* --- the pool ----------------------------------------------------------- */

struct sip_ua {
	bool reachable;
};
static struct sip_ua ua;

struct sip_server_txn {
	int number;
};

struct sip_subscriber {
	const struct sip_subscriber_events *events;
	void *arg;
	char from[128];
	bool open;
};
static struct sip_subscriber subs[SUBS];
static size_t sub_count;

struct sip_notifier {
	const struct sip_notifier_events *events;
	void *arg;
	uint32_t label;
};
static struct sip_notifier notifiers[8];
static size_t notifier_count;

bool
sip_ua_reachable(const struct sip_ua *u)
{
	return u->reachable;
}

int
sip_ua_respond(
    struct sip_ua *u, struct sip_server_txn *st, const struct sip_answer *a)
{
	(void)u;
	(void)st;
	note("sip %d%s", a->status, a->header_count > 0 ? " retry" : "");
	return 0;
}

const struct sip_msg *
sip_ua_request_of(const struct sip_server_txn *st)
{
	(void)st;
	return NULL;
}

int
sip_subscriber_open(struct sip_subscriber **out, struct sip_ua *u,
    const struct sip_subscriber_opts *o)
{
	struct sip_subscriber *s = &subs[sub_count++];

	(void)u;
	assert_true(sub_count < SUBS);
	*s = (struct sip_subscriber){
		.events = o->events, .arg = o->arg, .open = true
	};
	snprintf(s->from, sizeof(s->from), "%s", o->from_uri);
	note("subscribe-pool %s as %s <%s>", o->uri, o->from_display,
	    o->from_uri);
	*out = s;
	return 0;
}

int
sip_subscriber_restore(struct sip_subscriber **out, struct sip_ua *u,
    const struct sip_subscriber_opts *o, const void *image, size_t len)
{
	struct sip_subscriber *s = &subs[sub_count++];

	(void)u;
	(void)image;
	assert_int_equal(len, 5);
	*s = (struct sip_subscriber){
		.events = o->events, .arg = o->arg, .open = true
	};
	*out = s;
	return 0;
}

void
sip_subscriber_end(struct sip_subscriber *s)
{
	struct sip_subscriber_over over = { .cause = SIP_SUBSCRIBER_ENDED };

	note("end-pool");
	s->open = false;
	s->events->on_over(s, &over, s->arg);
}

void
sip_subscriber_drop(struct sip_subscriber *s)
{
	s->open = false;
}

int
sip_subscriber_refresh(struct sip_subscriber *s)
{
	(void)s;
	note("refresh-pool");
	return 0;
}

void
sip_subscriber_ask_for(struct sip_subscriber *s, uint32_t expires_s)
{
	(void)s;
	note("ask-for %u", (unsigned)expires_s);
}

int64_t
sip_subscriber_expires_ms(const struct sip_subscriber *s)
{
	(void)s;
	return 1;
}

int
sip_subscriber_save(struct buf *out, const struct sip_subscriber *s)
{
	(void)s;
	return buf_add(out, "image", 5);
}

const char *
sip_subscriber_cause_str(enum sip_subscriber_cause cause)
{
	(void)cause;
	return "cause";
}

/* What the pool is answered. */
static int
notice_comes(
    struct sip_subscriber *s, enum sip_sub_state state, const char *text)
{
	struct sip_notice n = { .state = state,
		.content_type = "text/xml+msrtc.pidf",
		.body = (const uint8_t *)text,
		.body_len = strlen(text) };

	return s->events->on_notice(s, &n, s->arg);
}

static void
document(struct sip_subscriber *s, int number)
{
	char text[256];

	snprintf(text, sizeof(text),
	    "<presentity uri=\"" ANNA "\"><userInfo><states>"
	    "<state avail=\"%d\"/></states></userInfo></presentity>",
	    number);
	assert_int_equal(notice_comes(s, SIP_SUB_ACTIVE, text), 200);
}

bool
sip_notifier_admit(
    struct sip_ua *u, struct sip_server_txn *st, const char *event)
{
	(void)u;
	(void)st;
	assert_string_equal(event, "presence");
	return true;
}

bool
sip_notifier_is_fetch(const struct sip_msg *req)
{
	(void)req;
	return false;
}

int
sip_notifier_open(struct sip_notifier **out, struct sip_ua *u,
    struct sip_server_txn *st, const struct sip_notifier_opts *o)
{
	struct sip_notifier *n = &notifiers[notifier_count++];

	(void)u;
	(void)st;
	assert_true(notifier_count < 8);
	*n = (struct sip_notifier){ o->events, o->arg, o->label };
	*out = n;
	return 0;
}

int
sip_notifier_confirm(struct sip_notifier *n, uint32_t expires_s)
{
	(void)n;
	assert_int_equal(expires_s, 0);
	note("sip 200");
	return 0;
}

void
sip_notifier_refuse(struct sip_notifier *n, int status, unsigned diagnostics,
    const char *reason)
{
	(void)n;
	(void)diagnostics;
	(void)reason;
	note("sip %d", status);
}

int
sip_notifier_fetch(struct sip_ua *u, struct sip_server_txn *st,
    const struct sip_notifier_opts *o, const char *type, const void *body,
    size_t len)
{
	(void)u;
	(void)st;
	(void)o;
	(void)type;
	(void)body;
	(void)len;
	note("sip 200 and one NOTIFY");
	return 0;
}

int
sip_notifier_notify(struct sip_notifier *n, enum sip_sub_state state,
    const char *type, const void *body, size_t len)
{
	struct buf text = { 0 };
	const char *s;

	(void)state;
	assert_string_equal(type, "application/pidf+xml");
	assert_int_equal(buf_add(&text, body, len), 0);
	s = buf_cstr(&text);
	note("notify %zu %s%s", (size_t)(n - notifiers),
	    strstr(s, "closed") != NULL ? "closed" : "open",
	    strstr(s, ">busy<") != NULL   ? " busy"
	    : strstr(s, ">away<") != NULL ? " away"
					  : "");
	buf_finish(&text);
	return 0;
}

void
sip_notifier_end(struct sip_notifier *n, enum sip_sub_reason reason,
    uint32_t retry_after_s, const char *type, const void *body, size_t len)
{
	(void)n;
	(void)reason;
	(void)retry_after_s;
	(void)type;
	(void)body;
	(void)len;
	note("notify-end");
}

void
sip_notifier_drop(struct sip_notifier *n)
{
	(void)n;
}

int64_t
sip_notifier_expires_ms(const struct sip_notifier *n)
{
	(void)n;
	return 1;
}

uint32_t
sip_notifier_label(const struct sip_notifier *n)
{
	return n->label;
}

int
sip_notifier_save(struct buf *out, const struct sip_notifier *n)
{
	(void)n;
	return buf_add(out, "image", 5);
}

int
sip_notifier_restore(struct sip_notifier **out, struct sip_ua *u,
    const struct sip_notifier_opts *o, const void *image, size_t len)
{
	(void)image;
	(void)len;
	return sip_notifier_open(out, u, NULL, o);
}

const char *
sip_notifier_why_str(enum sip_notifier_why why)
{
	(void)why;
	return "why";
}

/* --- a SUBSCRIBE -------------------------------------------------------- */

static void
endpoint_subscribes(bool context)
{
	static struct sip_server_txn st;
	char head[1024];
	const char *body =
	    context ? "<batchSub><resource><context/></resource></batchSub>"
		    : "<batchSub/>";
	struct sip_msg *m;

	snprintf(head, sizeof(head),
	    "SUBSCRIBE sip:" BO " SIP/2.0\r\n"
	    "Via: SIP/2.0/TLS fe1.contoso.example:5061;branch=z9hG4bK1\r\n"
	    "From: \"Anna\"<sip:" ANNA ">;tag=a1;epid=e1\r\n"
	    "To: <sip:" BO ">\r\nCall-ID: c1\r\nCSeq: 1 SUBSCRIBE\r\n"
	    "Contact: <sip:" ANNA ";opaque=user:epid:x;gruu>\r\n"
	    "Event: presence\r\n"
	    "Accept: application/msrtc-event-categories+xml, "
	    "text/xml+msrtc.pidf, application/pidf+xml\r\n"
	    "Content-Length: %zu\r\n\r\n",
	    strlen(body));
	assert_int_equal(sip_msg_parse(&m, (const uint8_t *)head, strlen(head),
			     (const uint8_t *)body, strlen(body)),
	    0);
	presence_on_request(pr, &st, m);
	sip_msg_free(m);
}

/* --- a stanza ----------------------------------------------------------- */

static uint64_t last_seq;

static void
stanza(const char *from, const char *to, const char *kind, const char *show)
{
	struct guard_addresses who;
	struct frame_writer w;
	struct frame f;
	struct buf b;

	buf_init(&b, 0);
	frame_begin(&w, &b, FRAME_PRESENCE);
	frame_put_str(&w, FIELD_FROM, from);
	frame_put_str(&w, FIELD_TO, to);
	frame_put_str(&w, FIELD_KIND, kind);
	frame_put_str(&w, FIELD_SHOW, show);
	assert_int_equal(frame_end(&w), 0);
	assert_int_equal(frame_decode(&f, b.data, b.len), 0);
	assert_int_equal(jid_parse(&who.from, from, strlen(from)), 0);
	assert_int_equal(jid_parse(&who.to, to, strlen(to)), 0);
	presence_on_stanza(
	    pr, (struct edges_ticket){ 0, ++last_seq }, &f, &who);
	guard_addresses_finish(&who);
	buf_finish(&b);
}

/* --- the world ---------------------------------------------------------- */

static void
open_presence(void)
{
	struct presence_opts o = {
		.conf = conf,
		.clock = clk,
		.edges = &edges,
		.ua = &ua,
		.policy = policy,
		.barrier = barrier,
		.store = &store,
		.epoch = 3,
	};
	char why[200];

	assert_int_equal(presence_new(&pr, &o), 0);
	assert_int_equal(presence_load(pr, why, sizeof(why)), 0);
}

static int
setup(void **state)
{
	(void)state;
	memset(&edges, 0, sizeof(edges));
	memset(&store, 0, sizeof(store));
	sub_count = notifier_count = 0;
	notes_len = 0;
	notes[0] = '\0';
	last_seq = 0;
	ua.reachable = true;
	edges_up = 1;
	log_set_fd(-1);
	assert_int_equal(clock_open_manual(&clk, 1000000, 1763712000000), 0);
	conf = gateway_sample(NULL);
	assert_int_equal(policy_sample(&policy, conf, 0), 0);
	assert_int_equal(barrier_new(&barrier, "gw1", clk), 0);
	open_presence();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	presence_stop(pr);
	disk();
	presence_free(pr);
	barrier_free(barrier);
	policy_free(policy);
	gateway_conf_free(conf);
	clock_close(clk);
	return 0;
}

static void
run(uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i += 10)
		clock_advance(clk, 10);
}

/* --- the contact watches ------------------------------------------------ */

static struct sip_subscriber *
bo_watches(void)
{
	stanza(BO, ANNA, "subscribe", NULL);
	disk();
	run(10);
	assert_int_equal(sub_count, 1);
	subs[0].events->on_granted(&subs[0], 28800, subs[0].arg);
	document(&subs[0], 3500);
	disk();
	settle(true);
	disk();
	notes_len = 0;
	notes[0] = '\0';
	return &subs[0];
}

static void
a_contact_adds_a_user_and_sees_her(void **state)
{
	(void)state;
	stanza(BO, ANNA, "subscribe", NULL);
	/* Nothing is acknowledged before it is on disk. */
	expect("");
	disk();
	expect("answer 1 delivered\n");
	run(10);
	expect("subscribe-pool sip:" ANNA " as bo <sip:" BO ">\n");
	subs[0].events->on_granted(&subs[0], 28800, subs[0].arg);
	document(&subs[0], 6500);
	disk();
	expect("subscribed " BO " proof\navailable " BO " dnd\n");
	stanza(BO, ANNA, "probe", NULL);
	expect("answer 2 delivered\navailable " BO " dnd\n");
	stanza(BO, ANNA, "unsubscribe", NULL);
	disk();
	settle(true);
	disk();
	assert_int_equal(count_notes("end-pool"), 1);
}

/* What is no document is refused, what tells nothing is taken, and neither
 * changes anything. */
static void
documents_are_judged_before_they_are_taken(void **state)
{
	static const struct {
		const char *text;
		int status;
	} rows[] = {
		{ "<!DOCTYPE presentity [<!ENTITY a 'b'>]><presentity "
		  "uri='" ANNA "'><availability aggregate='300'/></presentity>",
		    400 },
		{ "<presentity uri='" ANNA "'", 400 },
		{ "no document", 400 },
		{ "<roster xmlns='x'/>", 415 },
		{ "<presentity uri='carl@contoso.example'/>", 200 },
		{ "", 200 },
	};
	struct sip_subscriber *s = bo_watches();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int status = notice_comes(s, SIP_SUB_ACTIVE, rows[i].text);

		if (status != rows[i].status)
			fail_msg("%s: %d", rows[i].text, status);
	}
	/* The end needs no document. */
	run(6000);
	expect("");
	document(s, 6500);
	run(6000);
	expect("available " BO " dnd\n");
	assert_int_equal(
	    notice_comes(s, SIP_SUB_TERMINATED, rows[0].text), 200);
}

/* What runs longer than is wished now is refreshed; the rest next time. */
static void
subscriptions_follow_the_interval(void **state)
{
	(void)state;
	(void)bo_watches();
	conf->presence.subscribe_s = 3600;
	presence_recheck(pr);
	run(1000);
	expect("ask-for 3600\nrefresh-pool\n");
	presence_recheck(pr);
	run(1000);
	expect("");
	conf->presence.subscribe_s = 7200;
	presence_recheck(pr);
	run(1000);
	expect("ask-for 7200\n");
}

/* A contact whom she watches is asked how he is as often. */
static void
contacts_are_asked_anew(void **state)
{
	(void)state;
	endpoint_subscribes(true);
	disk();
	settle(true);
	/* Not as long as he has not said that she may know. */
	run(28801 * 1000);
	assert_int_equal(count_notes("probe " BO), 0);
	stanza(BO, ANNA, "subscribed", NULL);
	disk();
	stanza(BO "/desk", ANNA, "available", NULL);
	run(5100);
	assert_int_equal(count_notes("probe " BO), 1); /* by his consent */
	settle(true);
	run(28790 * 1000);
	assert_int_equal(count_notes("probe " BO), 0);
	run(10 * 1000);
	assert_int_equal(count_notes("probe " BO), 1);
	settle(true);
	/* He need not answer. */
	run(3600 * 1000);
	assert_int_equal(count_notes("closed"), 0);
	/* More often: at once, and then in that time. */
	conf->presence.subscribe_s = 7200;
	presence_recheck(pr);
	run(1000);
	assert_int_equal(count_notes("probe " BO), 1);
	settle(true);
	run(7190 * 1000);
	assert_int_equal(count_notes("probe " BO), 0);
	/* Less often: when the longer time is over. */
	conf->presence.subscribe_s = 14400;
	presence_recheck(pr);
	run(7190 * 1000);
	assert_int_equal(count_notes("probe " BO), 0);
	run(20 * 1000);
	assert_int_equal(count_notes("probe " BO), 1);
}

/* Who was granted her presence keeps it through a state nobody can read; who
 * was not does not get it so. */
static void
a_garbled_state_changes_nothing(void **state)
{
	static const char busy[] =
	    "<presentity uri='" ANNA "'><userInfo><states>"
	    "<state avail='6500'/></states></userInfo></presentity>";
	struct sip_subscriber *s;

	(void)state;
	stanza(BO, ANNA, "subscribe", NULL);
	disk();
	run(10);
	s = &subs[0];
	s->events->on_granted(s, 28800, s->arg);
	disk();
	notes_len = 0;
	notes[0] = '\0';
	assert_int_equal(notice_comes(s, SIP_SUB_STRANGE, busy), 200);
	disk();
	run(6000);
	expect("");
	document(s, 3500);
	disk();
	settle(true);
	disk();
	run(6000);
	notes_len = 0;
	notes[0] = '\0';
	assert_int_equal(notice_comes(s, SIP_SUB_STRANGE, ""), 200);
	run(6000);
	expect("");
	assert_int_equal(notice_comes(s, SIP_SUB_STRANGE, busy), 200);
	run(6000);
	expect("available " BO " dnd\n");
	assert_int_equal(notice_comes(s, SIP_SUB_PENDING, ""), 200);
	run(6000);
	expect("unavailable " BO "\n");
}

static void
a_disk_that_fails_acknowledges_nothing(void **state)
{
	(void)state;
	store.broken = true;
	stanza(BO, ANNA, "subscribe", NULL);
	disk();
	expect("answer 1 resource-constraint\n");
	run(60000);
	expect("");
	assert_null(pairs_find(pr, ANNA, BO));
	endpoint_subscribes(true);
	disk();
	expect("sip 500\n");
	/* Once it works, all is well. */
	store.broken = false;
	stanza(BO, ANNA, "subscribe", NULL);
	disk();
	expect("answer 2 delivered\n");
}

static void
requests_of_one_pair_stand_in_line(void **state)
{
	(void)state;
	stanza(BO, ANNA, "subscribe", NULL);
	stanza(BO, ANNA, "unsubscribe", NULL);
	expect("");
	disk();
	assert_int_equal(count_notes("delivered"), 2);
	/* Not without end. */
	stanza(BO, ANNA, "subscribe", NULL);
	for (int i = 0; i < 40; i++)
		stanza(BO, ANNA, "probe", NULL);
	assert_int_equal(
	    count_notes("resource-constraint"), 40 - PRESENCE_WAITING_MAX);
	disk();
}

static void
changes_are_damped_and_the_newest_wins(void **state)
{
	struct sip_subscriber *s = bo_watches();
	static const int numbers[] = { 6500, 15500, 3500, 9500, 12500 };

	(void)state;
	run(6000);
	for (size_t i = 0; i < 5; i++) {
		document(s, numbers[i]);
		run(200);
	}
	expect("available " BO " dnd\n");
	run(3900);
	expect("");
	run(400);
	expect("available " BO " away\n");
	/* What he knows is not said again. */
	document(s, 12500);
	run(10000);
	expect("");
}

static void
new_watchers_ask_one_by_one(void **state)
{
	char from[64];

	(void)state;
	for (int i = 0; i < 5; i++) {
		snprintf(from, sizeof(from), "bo%d@partner.example", i);
		stanza(from, ANNA, "subscribe", NULL);
		disk();
	}
	run(100);
	assert_int_equal(count_notes("subscribe-pool"), 1);
	for (int i = 1; i < 5; i++) {
		run(9800);
		assert_int_equal(count_notes("subscribe-pool"), 0);
		run(200);
		assert_int_equal(count_notes("subscribe-pool"), 1);
	}
}

static void
a_pool_away_is_told_after_the_grace_time(void **state)
{
	(void)state;
	(void)bo_watches();
	run(6000);
	presence_on_reachable(pr, false);
	run(119000);
	expect("");
	run(2000);
	assert_int_equal(count_notes("unavailable"), 1);
	settle(true);
	presence_on_reachable(pr, true);
	run(1000);
	disk();
	assert_int_equal(count_notes("unsubscribed"), 0);
}

static void
a_blink_of_the_pool_is_not_seen(void **state)
{
	(void)state;
	(void)bo_watches();
	run(6000);
	presence_on_reachable(pr, false);
	run(60000);
	presence_on_reachable(pr, true);
	run(300000);
	assert_int_equal(count_notes("available"), 0);
}

/* --- the user watches --------------------------------------------------- */

static void
a_user_adds_a_contact_and_sees_him(void **state)
{
	(void)state;
	endpoint_subscribes(true);
	expect("");
	disk();
	expect("subscribe " BO " nick=Anna proof\n"
	       "sip 200\nnotify 0 closed\n");
	settle(true);
	endpoint_subscribes(true);
	disk();
	/* Another endpoint is no other request. */
	expect("sip 200\nnotify 1 closed\n");
	stanza(BO, ANNA, "subscribed", NULL);
	disk();
	assert_int_equal(count_notes("delivered"), 1);
	stanza(BO "/desk", ANNA, "available", "dnd");
	expect("answer 2 delivered\nnotify 0 open busy\nnotify 1 open busy\n");
	/* One in five seconds. */
	stanza(BO "/desk", ANNA, "available", "away");
	stanza(BO "/desk", ANNA, "available", NULL);
	assert_int_equal(count_notes("notify"), 0);
	/* His card was asked for, once. */
	run(5100);
	expect("get " BO "\nnotify 0 open\nnotify 1 open\n");
	stanza(BO "/desk", ANNA, "unavailable", NULL);
	run(5100);
	assert_int_equal(count_notes("closed"), 2);
}

static void
a_stranger_is_not_seen(void **state)
{
	(void)state;
	stanza(BO "/desk", ANNA, "available", NULL);
	expect("answer 1 delivered\n");
	assert_null(pairs_find(pr, ANNA, BO));
	stanza(BO, ANNA, "probe", NULL);
	disk();
	run(1000);
	settle(true);
	disk();
	assert_null(pairs_find(pr, ANNA, BO));
}

static json_int_t
partners_away(void)
{
	json_t *status = presence_status(pr);
	json_int_t n =
	    json_integer_value(json_object_get(status, "partners_away"));

	json_decref(status);
	return n;
}

/* The answer to the ping that the former boot had may be used up already. */
static void
a_ping_goes_anew_to_an_edge_that_restarted(void **state)
{
	(void)state;
	(void)bo_watches();
	settle(true);
	run(6000);
	settle(true);
	(void)count_notes("available");
	presence_on_partner(pr, 0, "contoso.example", "partner.example", false);
	run(2000);
	expect("get partner.example proof\n");
	/* Another edge, and one that is away and has no other beside it. */
	presence_on_renewed(pr, 1);
	presence_on_lost(pr, 0);
	expect("");
	presence_on_renewed(pr, 0);
	expect("get partner.example proof\n");
	/* One of them counts; it says that there is no stream, and what makes
	 * an edge open one says the rest. */
	notes_len = 0;
	notes[0] = '\0';
	settle(false);
	assert_int_equal(partners_away(), 0);
	assert_int_equal(count_notes("available " BO), 1);
	settle(false);
	assert_int_equal(partners_away(), 1);
}

/* Nothing else would tell: what was sent waits with an edge that is gone. */
static void
without_an_edge_all_partners_are_away(void **state)
{
	(void)state;
	(void)bo_watches();
	settle(true);
	run(6000);
	assert_int_equal(partners_away(), 0);
	presence_on_lost(pr, 0);
	assert_int_equal(partners_away(), 0);
	edges_up = 0;
	presence_on_lost(pr, 0);
	assert_int_equal(partners_away(), 1);
	/* It is tried, and found, when there is an edge again. */
	notes_len = 0;
	notes[0] = '\0';
	edges_up = 1;
	run(120000);
	assert_true(count_notes("get partner.example proof") > 0);
	settle(true);
	assert_int_equal(partners_away(), 0);
}

/* --- many --------------------------------------------------------------- */

static void
a_restart_is_not_seen_and_what_is_lost_is_renewed_at_a_pace(void **state)
{
	size_t first;

	(void)state;
	presence_stop(pr);
	presence_free(pr);
	store.load_pairs = 500;
	open_presence();
	run(1000);
	/* Most recently used first. */
	assert_non_null(strstr(notes, "as bo499 <"));
	assert_true(strstr(notes, "as bo0 <") == NULL);
	first = count_notes("subscribe-pool");
	assert_true(first >= 20 && first <= 30);
	edges.quiet = true;
	run(19500);
	assert_int_equal(sub_count, 500);
	notes_len = 0;
	notes[0] = '\0';
	edges.quiet = false;
	/* 120 s from the start. */
	run(98000);
	assert_int_equal(count_notes("unavailable"), 0);
}

static void
restored_subscriptions_are_not_renewed(void **state)
{
	(void)state;
	presence_stop(pr);
	presence_free(pr);
	store.load_pairs = 100;
	store.load_dialogs = true;
	edges.quiet = true;
	open_presence();
	run(10000);
	assert_int_equal(sub_count, 100);
	assert_null(strstr(notes, "subscribe-pool"));
	/* They are refreshed: at once, and when the pool has given up what it
	 * could not tell while nobody was here. */
	assert_int_equal(count_notes("refresh-pool"), 100);
	run(24000);
	assert_int_equal(count_notes("refresh-pool"), 0);
	run(10000);
	assert_int_equal(count_notes("refresh-pool"), 100);
	run(100000);
	assert_int_equal(count_notes("refresh-pool"), 0);
	edges.quiet = false;
	document(&subs[7], 6500);
	assert_int_equal(count_notes("available bo7@partner.example dnd"), 1);
}

static void
a_partner_away_holds_one_word_for_each_pair(void **state)
{
	enum { PAIRS = 2000 };

	(void)state;
	presence_stop(pr);
	presence_free(pr);
	store.load_pairs = PAIRS;
	store.load_dialogs = true;
	edges.quiet = true;
	open_presence();
	/* The morning: everybody comes, thrice, and nothing is answered. */
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < PAIRS; i++)
			document(&subs[i], 3500 + 3000 * round);
		run(6000);
	}
	assert_true(edges.count <= 512);
	assert_true(pr->flight <= 512);
	settle(false);
	run(40000);
	/* It can't be reached: one at a time is tried. */
	assert_true(edges.count <= 4);
	for (int i = 0; i < 400 && pr->flight > 0; i++) {
		settle(true);
		run(100);
	}
	assert_int_equal(pr->flight, 0);
	LIST_FOREACH (it, &pr->all) {
		const struct pair *p = list_entry(it, struct pair, all);

		assert_int_equal(p->box.tell, 0);
		assert_true(p->told != 0);
	}
}

/* 5 s and 1 KB are what is promised; a sanitizer's allocator and pace are
 * none of ours. */
static void
many_pairs_are_loaded_fast_and_are_small(void **state)
{
	enum { PAIRS = 200000, BYTES = 1024, SECONDS = 5 };
	size_t before, bytes;
	clock_t began;
	double took;

	(void)state;
	presence_stop(pr);
	presence_free(pr);
	before = heap_in_use();
	began = clock();
	store.load_pairs = PAIRS;
	open_presence();
	took = (double)(clock() - began) / CLOCKS_PER_SEC;
	bytes = (heap_in_use() - before) / PAIRS;
	print_message("%zu bytes a pair, %.2f s\n", bytes, took);
	assert_int_equal(pr->pairs.count, PAIRS);
#ifndef SALLYPORT_SANITIZED
	assert_true(bytes <= BYTES);
	assert_true(took <= SECONDS);
#endif
}

int
main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_contact_adds_a_user_and_sees_her),
		T(documents_are_judged_before_they_are_taken),
		T(subscriptions_follow_the_interval),
		T(contacts_are_asked_anew),
		T(a_garbled_state_changes_nothing),
		T(a_disk_that_fails_acknowledges_nothing),
		T(requests_of_one_pair_stand_in_line),
		T(changes_are_damped_and_the_newest_wins),
		T(new_watchers_ask_one_by_one),
		T(a_pool_away_is_told_after_the_grace_time),
		T(a_blink_of_the_pool_is_not_seen),
		T(a_user_adds_a_contact_and_sees_him),
		T(a_stranger_is_not_seen),
		T(a_ping_goes_anew_to_an_edge_that_restarted),
		T(a_restart_is_not_seen_and_what_is_lost_is_renewed_at_a_pace),
		T(restored_subscriptions_are_not_renewed),
		T(a_partner_away_holds_one_word_for_each_pair),
		T(without_an_edge_all_partners_are_away),
		T(many_pairs_are_loaded_fast_and_are_small),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
