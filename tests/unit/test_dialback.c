/*
 * The rules of XEP-0220 one by one: what each side makes of each element, by
 * tables.  No connection; the other side is text.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/log.h"
#include "common/xml.h"
#include "edge-proxy/dialback_in.h"
#include "edge-proxy/dialback_key.h"
#include "edge-proxy/dialback_out.h"
#include "edge-proxy/dialback_xml.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/pair_set.h"
#include "edge-proxy/xml_stream.h"
#include "proto/frame.h"
#include "proto/negotiation.h"
#include "tests/unit/stanza_parse.h"

#define NS      "xmlns:db='jabber:server:dialback' "
#define STANZAS "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'"
#define PAIR    "from='partner.example' to='contoso.example'"
#define BACK    "from='contoso.example' to='partner.example'"
#define CURRENT "00112233445566778899aabbccddeeff"
#define OLDER   "ffeeddccbbaa99887766554433221100"

/* --- the ground ---------------------------------------------------------- */

static const char config[] =
    "{\"generation\":{\"store\":\"s\",\"counter\":1},"
    "\"hosted\":[{\"domain\":\"contoso.example\"},"
    "{\"domain\":\"second.example\"}],"
    "\"partners\":["
    "{\"Domain\":\"partner.example\",\"TlsNegotiation\":\"Optional\","
    "\"SaslNegotiation\":\"Optional\"},"
    "{\"Domain\":\"tls.example\",\"SaslNegotiation\":\"Optional\"},"
    "{\"Domain\":\"xn--bcher-kva.example\",\"TlsNegotiation\":\"Optional\"},"
    "{\"Domain\":\"sasl.example\"}],"
    "\"dialback\":{\"current\":\"" CURRENT "\",\"previous\":\"" OLDER "\"}}";

static struct hosting *
make_hosting(void)
{
	struct hosting *h;
	struct frame_writer w;
	struct buf out, confirm;
	struct frame f;

	buf_init(&out, 0);
	buf_init(&confirm, 0);
	assert_int_equal(0, hosting_new(&h));
	frame_begin(&w, &out, FRAME_CONFIG);
	frame_put(&w, FIELD_JSON, config, strlen(config));
	assert_int_equal(0, frame_end(&w));
	assert_int_equal(0, frame_decode(&f, out.data, out.len));
	assert_int_equal(0, hosting_apply(h, "gw1", "s", 1, &f, &confirm));
	buf_finish(&out);
	buf_finish(&confirm);
	return h;
}

/* --- the inbound side ---------------------------------------------------- */

struct inbound {
	struct hosting *hosting;
	struct pair_set pairs;
	struct dialback_in d;
	struct buf said; /* what the peer gets, and !condition for an end */
	struct dialback_ask *asked[40];
	size_t asked_count;
	int ask_rc;
	const char *proves;
	unsigned method;
	bool full, closed;
};

static int
take_ask(struct dialback_ask *a, void *arg)
{
	struct inbound *t = arg;

	if (t->ask_rc == 0)
		t->asked[t->asked_count++] = a;
	return t->ask_rc;
}

static bool
on_proves(const char *domain, void *arg)
{
	struct inbound *t = arg;

	return t->proves != NULL && strcmp(t->proves, domain) == 0;
}

static void
on_send(struct buf *out, void *arg)
{
	struct inbound *t = arg;

	buf_add(&t->said, out->data, out->len);
	buf_finish(out);
}

static bool
on_valid(const char *local, const char *remote, unsigned method, void *arg)
{
	struct inbound *t = arg;

	t->method = method;
	return !t->full && pair_set_add(&t->pairs, local, remote, method) == 0;
}

static void
on_close(enum stream_error e, const char *why, void *arg)
{
	struct inbound *t = arg;

	assert_non_null(why);
	assert_false(t->closed);
	t->closed = true;
	buf_addf(&t->said, "!%s", stream_error_str(e));
	dialback_in_finish(&t->d);
}

static const struct dialback_in_events in_events = { on_proves, on_send,
	on_valid, on_close };

static void
in_begin(struct inbound *t, bool secured)
{
	memset(t, 0, sizeof(*t));
	buf_init(&t->said, 0);
	t->hosting = make_hosting();
	dialback_in_init(
	    &t->d, &(struct dialback_in_opts){ .hosting = t->hosting,
		       .pairs = &t->pairs,
		       .ask = take_ask,
		       .ask_arg = t,
		       .events = &in_events,
		       .arg = t });
	dialback_in_begin(&t->d, "s1", secured);
}

static void
in_finish(struct inbound *t)
{
	dialback_in_finish(&t->d);
	pair_set_finish(&t->pairs);
	hosting_free(t->hosting);
	buf_finish(&t->said);
}

static void
hand_in(const struct xml_elem *e, void *arg)
{
	struct inbound *t = arg;

	if (!t->closed)
		dialback_in_take(&t->d, e);
}

static void
in_take(struct inbound *t, const char *text)
{
	assert_true(stanza_parse(text, strlen(text), hand_in, t) > 0);
}

static void
in_said(struct inbound *t, const char *text)
{
	const char *said = buf_cstr(&t->said);

	assert_string_equal(text, said != NULL ? said : "");
	buf_clear(&t->said);
}

static void
in_answer(struct inbound *t, size_t i, enum dialback_type v, enum condition c)
{
	struct dialback_ask *a = t->asked[i];

	t->asked[i] = NULL;
	a->on_answer(a, v, c);
}

#define REFUSAL(names, type, condition)                                        \
	"<db:result " NS names " type='error'><error type='" type              \
	"'><" condition " " STANZAS "/></error></db:result>"

/* What is said to one element on a fresh stream, when nobody is to be asked. */
static void
elements_are_judged_at_once(void **state)
{
	static const struct {
		bool secured;
		const char *text, *said;
	} rows[] = {
		/* unserved, stranger, TLS missing, method not permitted */
		{ true,
		    "<db:result " NS "from='partner.example' "
		    "to='fabrikam.example'>k</db:result>",
		    REFUSAL("from='fabrikam.example' to='partner.example'",
			"cancel", "item-not-found") },
		{ true,
		    "<db:result " NS "from='eve.example' "
		    "to='contoso.example'>k</db:result>",
		    REFUSAL("from='contoso.example' to='eve.example'", "auth",
			"forbidden") },
		{ false,
		    "<db:result " NS "from='tls.example' "
		    "to='contoso.example'>k</db:result>",
		    REFUSAL("from='contoso.example' to='tls.example'", "modify",
			"policy-violation") },
		{ true,
		    "<db:result " NS "from='sasl.example' "
		    "to='contoso.example'>k</db:result>",
		    REFUSAL("from='contoso.example' to='sasl.example'", "auth",
			"not-authorized") },
		{ false,
		    "<db:result " NS "from='sasl.example' "
		    "to='contoso.example'>k</db:result>",
		    REFUSAL("from='contoso.example' to='sasl.example'", "auth",
			"not-authorized") },
		/* a sub-domain is another domain */
		{ true,
		    "<db:result " NS "from='sub.partner.example' "
		    "to='contoso.example'>k</db:result>",
		    REFUSAL("from='contoso.example' "
			    "to='sub.partner.example'",
			"auth", "forbidden") },
		/* no key at all */
		{ true, "<db:result " NS PAIR "> \n </db:result>",
		    REFUSAL(BACK, "modify", "not-acceptable") },
		/* no or bad addresses */
		{ true, "<db:result " NS "from='partner.example'>k</db:result>",
		    "!improper-addressing" },
		{ true, "<db:verify " NS "to='contoso.example'>k</db:verify>",
		    "!improper-addressing" },
		{ true,
		    "<db:result " NS "from='a b' to='contoso.example'>k"
		    "</db:result>",
		    "!improper-addressing" },
		{ true, "<db:other " NS PAIR "/>", "!unsupported-stanza-type" },
		/* answers that nobody asked for */
		{ true, "<db:result " NS PAIR " type='valid'/>", "" },
		{ true, "<db:result " NS " type='valid'/>", "" },
		{ true, "<db:verify " NS PAIR " id='s1' type='valid'/>", "" },
		{ true, "<db:verify " NS PAIR " id='s1' type='invalid'/>", "" },
		{ true, "<db:result " NS PAIR " type='error'/>", "" },
		{ true, "<db:result " NS PAIR " type='maybe'>k</db:result>",
		    "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct inbound t;

		in_begin(&t, rows[i].secured);
		in_take(&t, rows[i].text);
		in_said(&t, rows[i].said);
		assert_int_equal(0, t.asked_count);
		assert_int_equal(0, t.pairs.count);
		in_finish(&t);
	}
}

static void
the_senders_domain_decides(void **state)
{
	static const struct {
		enum dialback_type verdict;
		enum condition condition;
		const char *said;
		size_t pairs;
	} rows[] = {
		{ DIALBACK_VALID, COND_UNDEFINED_CONDITION,
		    "<db:result " NS BACK " type='valid'/>", 1 },
		{ DIALBACK_INVALID, COND_UNDEFINED_CONDITION,
		    "<db:result " NS BACK " type='invalid'/>!", 0 },
		{ DIALBACK_ERROR, COND_REMOTE_SERVER_NOT_FOUND,
		    REFUSAL(BACK, "cancel", "remote-server-not-found"), 0 },
		{ DIALBACK_ERROR, COND_REMOTE_SERVER_TIMEOUT,
		    REFUSAL(BACK, "wait", "remote-server-timeout"), 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct inbound t;

		in_begin(&t, i % 2 == 0);
		in_take(&t, "<db:result " NS PAIR ">\n k&amp;y \n</db:result>");
		in_said(&t, "");
		assert_int_equal(0, t.pairs.count);
		assert_int_equal(1, t.asked_count);
		assert_string_equal("k&y", t.asked[0]->key);
		assert_string_equal("s1", t.asked[0]->id);
		assert_string_equal("contoso.example", t.asked[0]->local);
		assert_string_equal("partner.example", t.asked[0]->remote);
		in_answer(&t, 0, rows[i].verdict, rows[i].condition);
		in_said(&t, rows[i].said);
		assert_int_equal(rows[i].pairs, t.pairs.count);
		if (rows[i].pairs > 0)
			assert_int_equal(
			    i % 2 == 0 ? AUTH_DIALBACK_TLS : AUTH_DIALBACK_TCP,
			    t.method);
		in_finish(&t);
	}
}

/* The key is made of the names as the sender spells them. */
static void
names_are_passed_on_as_they_came(void **state)
{
	struct inbound t;

	(void)state;
	in_begin(&t, false);
	in_take(&t, "<db:result " NS "from='b\xc3\xbc"
		    "cher.example' to='Contoso.Example'>k</db:result>");
	in_said(&t, "");
	assert_string_equal("xn--bcher-kva.example", t.asked[0]->remote);
	assert_string_equal("b\xc3\xbc"
			    "cher.example",
	    t.asked[0]->remote_text);
	assert_string_equal("Contoso.Example", t.asked[0]->local_text);
	in_answer(&t, 0, DIALBACK_VALID, COND_UNDEFINED_CONDITION);
	in_said(&t, "<db:result " NS "from='Contoso.Example' to='b\xc3\xbc"
		    "cher.example' type='valid'/>");
	assert_true(
	    pair_set_has(&t.pairs, "contoso.example", "xn--bcher-kva.example"));
	in_finish(&t);
}

static void
a_certificate_spares_the_question(void **state)
{
	struct inbound t;

	(void)state;
	/* without TLS there is none */
	in_begin(&t, false);
	t.proves = "partner.example";
	in_take(&t, "<db:result " NS PAIR ">k</db:result>");
	assert_int_equal(1, t.asked_count);
	in_finish(&t);
	in_begin(&t, true);
	t.proves = "other.example";
	in_take(&t, "<db:result " NS PAIR ">k</db:result>");
	assert_int_equal(1, t.asked_count);
	in_finish(&t);
	in_begin(&t, true);
	t.proves = "partner.example";
	in_take(&t, "<db:result " NS PAIR ">k</db:result>");
	assert_int_equal(0, t.asked_count);
	in_said(&t, "<db:result " NS BACK " type='valid'/>");
	/* once more: it is in already */
	in_take(&t, "<db:result " NS PAIR ">k</db:result>");
	in_said(&t, "<db:result " NS BACK " type='valid'/>");
	/* one direction, one pair: the other domain of ours asks for itself */
	t.proves = NULL;
	in_take(&t, "<db:result " NS "from='partner.example' "
		    "to='second.example'>k</db:result>");
	assert_int_equal(1, t.asked_count);
	in_finish(&t);
}

static void
a_further_pair_does_no_harm(void **state)
{
	struct inbound t;

	(void)state;
	in_begin(&t, true);
	pair_set_add(
	    &t.pairs, "contoso.example", "partner.example", AUTH_SASL_TLS);
	in_take(&t, "<db:result " NS "from='tls.example' "
		    "to='contoso.example'>k</db:result>");
	in_answer(&t, 0, DIALBACK_INVALID, COND_UNDEFINED_CONDITION);
	in_said(&t, "<db:result " NS "from='contoso.example' "
		    "to='tls.example' type='invalid'/>");
	assert_false(t.closed);
	assert_int_equal(1, t.pairs.count);
	/* no room */
	t.full = true;
	in_take(&t, "<db:result " NS "from='tls.example' "
		    "to='contoso.example'>k</db:result>");
	in_answer(&t, 1, DIALBACK_VALID, COND_UNDEFINED_CONDITION);
	in_said(&t, REFUSAL("from='contoso.example' to='tls.example'", "wait",
			"resource-constraint"));
	/* nobody who could be asked */
	t.ask_rc = ERR_FULL;
	in_take(&t, "<db:result " NS "from='tls.example' "
		    "to='contoso.example'>k</db:result>");
	in_said(&t, REFUSAL("from='contoso.example' to='tls.example'", "wait",
			"resource-constraint"));
	in_finish(&t);
}

static void
requests_are_bounded(void **state)
{
	struct inbound t;

	(void)state;
	in_begin(&t, true);
	in_take(&t, "<db:result " NS PAIR ">k</db:result>");
	in_take(&t, "<db:result " NS PAIR ">k</db:result>");
	in_said(&t, REFUSAL(BACK, "wait", "resource-constraint"));
	assert_int_equal(1, t.asked_count);
	for (int i = 1; i < DIALBACK_IN_FAILURES_MAX; i++) {
		assert_false(t.closed);
		in_take(&t, "<db:result " NS PAIR ">k</db:result>");
	}
	assert_true(t.closed);
	assert_non_null(strstr(buf_cstr(&t.said), "!policy-violation"));
	/* what was under way has been withdrawn */
	assert_int_equal(0, t.d.pending_count);
	in_finish(&t);
}

static void
a_new_stream_forgets_what_was_asked(void **state)
{
	struct inbound t;

	(void)state;
	in_begin(&t, false);
	in_take(&t, "<db:result " NS PAIR ">k</db:result>");
	assert_int_equal(1, t.d.pending_count);
	dialback_in_begin(&t.d, "s2", true);
	assert_int_equal(0, t.d.pending_count);
	in_take(&t, "<db:result " NS PAIR ">k</db:result>");
	assert_string_equal("s2", t.asked[1]->id);
	in_finish(&t);
}

/* The authoritative server: whose key is it? */
static void
keys_are_verified(void **state)
{
	static const struct {
		const char *secret;
		/* the key is made of */
		const char *receiver, *sender, *key_id;
		/* the question names */
		const char *from, *to, *id;
		const char *type;
	} rows[] = {
		{ CURRENT, "partner.example", "contoso.example", "x1",
		    "partner.example", "contoso.example", "x1", "valid" },
		{ OLDER, "partner.example", "contoso.example", "x1",
		    "partner.example", "contoso.example", "x1", "valid" },
		{ "another secret", "partner.example", "contoso.example", "x1",
		    "partner.example", "contoso.example", "x1", "invalid" },
		{ CURRENT, "partner.example", "contoso.example", "x1",
		    "partner.example", "contoso.example", "x2", "invalid" },
		{ CURRENT, "partner.example", "contoso.example", "x1",
		    "partner.example", "second.example", "x1", "invalid" },
		{ CURRENT, "contoso.example", "partner.example", "x1",
		    "partner.example", "contoso.example", "x1", "invalid" },
		/* anybody may ask */
		{ CURRENT, "eve.example", "contoso.example", "x1",
		    "eve.example", "contoso.example", "x1", "valid" },
		{ CURRENT, "partner.example", "contoso.example", "x1",
		    "PARTNER.example", "contoso.EXAMPLE", "x1", "valid" },
		{ CURRENT, "partner.example", "contoso.example", "",
		    "partner.example", "contoso.example", "", "invalid" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char key[DIALBACK_KEY_LEN + 1], text[400], said[400];
		struct inbound t;

		assert_int_equal(
		    0, dialback_key_make(key, rows[i].secret, rows[i].receiver,
			   rows[i].sender, rows[i].key_id));
		in_begin(&t, true);
		snprintf(text, sizeof(text),
		    "<db:verify " NS "from='%s' to='%s' id='%s'>%s"
		    "</db:verify>",
		    rows[i].from, rows[i].to, rows[i].id, key);
		in_take(&t, text);
		snprintf(said, sizeof(said),
		    "<db:verify " NS "from='%s' to='%s'%s%s%s type='%s'/>",
		    rows[i].to, rows[i].from, rows[i].id[0] ? " id='" : "",
		    rows[i].id, rows[i].id[0] ? "'" : "", rows[i].type);
		in_said(&t, said);
		assert_int_equal(0, t.pairs.count);
		in_finish(&t);
	}
}

static void
other_questions_about_keys(void **state)
{
	static const struct {
		bool secured;
		const char *text, *said;
	} rows[] = {
		{ true,
		    "<db:verify " NS "from='partner.example' "
		    "to='fabrikam.example' id='x'>k</db:verify>",
		    "<db:verify " NS "from='fabrikam.example' "
		    "to='partner.example' id='x' type='error'><error "
		    "type='cancel'><item-not-found " STANZAS
		    "/></error></db:verify>" },
		{ false,
		    "<db:verify " NS "from='tls.example' "
		    "to='contoso.example' id='x'>k</db:verify>",
		    "<db:verify " NS "from='contoso.example' "
		    "to='tls.example' id='x' type='error'><error "
		    "type='modify'><policy-violation " STANZAS
		    "/></error></db:verify>" },
		{ true, "<db:verify " NS PAIR " id='x'/>",
		    "<db:verify " NS BACK " id='x' type='invalid'/>" },
		{ true, "<db:verify " NS PAIR ">k</db:verify>",
		    "<db:verify " NS BACK " type='invalid'/>" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct inbound t;

		in_begin(&t, rows[i].secured);
		in_take(&t, rows[i].text);
		in_said(&t, rows[i].said);
		in_finish(&t);
	}
}

/* --- the outbound side --------------------------------------------------- */

struct outbound {
	struct hosting *hosting;
	struct dialback_out d;
	struct dialback_pair pair;
	struct dialback_ask ask;
	enum dialback_type verdict, answer;
	enum condition condition;
	unsigned verdicts, answers;
	struct buf out;
};

static void
on_verdict(struct dialback_pair *p, enum dialback_type v, enum condition c,
    const char *reason)
{
	struct outbound *t = list_entry(p, struct outbound, pair);

	assert_non_null(reason);
	t->verdicts++;
	t->verdict = v;
	t->condition = c;
}

static void
on_answer(struct dialback_ask *a, enum dialback_type v, enum condition c)
{
	struct outbound *t = list_entry(a, struct outbound, ask);

	t->answers++;
	t->answer = v;
	t->condition = c;
}

static void
out_begin(struct outbound *t)
{
	memset(t, 0, sizeof(*t));
	buf_init(&t->out, 0);
	t->hosting = make_hosting();
	dialback_out_init(&t->d, t->hosting);
	dialback_out_header(
	    &t->d, &(struct stream_header){ .id = "p1", .dialback = true });
	assert_true(t->d.offered);
	t->pair = (struct dialback_pair){ .local = "contoso.example",
		.remote = "partner.example",
		.on_verdict = on_verdict };
	t->ask = (struct dialback_ask){ .local = "contoso.example",
		.remote = "partner.example",
		.local_text = "contoso.example",
		.remote_text = "Partner.example",
		.id = "s1",
		.key = "k<",
		.on_answer = on_answer };
}

static void
out_both(struct outbound *t)
{
	assert_int_equal(0, dialback_out_request(&t->d, &t->pair, &t->out));
	assert_int_equal(0, dialback_out_ask(&t->d, &t->ask, &t->out));
}

static void
out_finish(struct outbound *t)
{
	dialback_out_fail(&t->d, COND_REMOTE_SERVER_TIMEOUT, "over");
	hosting_free(t->hosting);
	buf_finish(&t->out);
}

static void
hand_out(const struct xml_elem *e, void *arg)
{
	dialback_out_take(&((struct outbound *)arg)->d, e);
}

static void
requests_are_written(void **state)
{
	char key[DIALBACK_KEY_LEN + 1], text[600];
	struct outbound t;

	(void)state;
	out_begin(&t);
	out_both(&t);
	assert_int_equal(0, dialback_key_make(key, CURRENT, "partner.example",
				"contoso.example", "p1"));
	snprintf(text, sizeof(text),
	    "<db:result " NS BACK ">%s</db:result><db:verify " NS
	    "from='contoso.example' to='Partner.example' id='s1'>k&lt;"
	    "</db:verify>",
	    key);
	assert_string_equal(text, buf_cstr(&t.out));
	assert_int_equal(
	    ERR_EXISTS, dialback_out_request(&t.d, &t.pair, &t.out));
	out_finish(&t);
	assert_int_equal(1, t.verdicts);
	assert_int_equal(1, t.answers);
	assert_int_equal(DIALBACK_ERROR, t.verdict);
	assert_int_equal(DIALBACK_ERROR, t.answer);
	/* no id, no key */
	out_begin(&t);
	dialback_out_header(&t.d, &(struct stream_header){ .id = NULL });
	assert_false(t.d.offered);
	assert_int_equal(
	    ERR_NOT_FOUND, dialback_out_request(&t.d, &t.pair, &t.out));
	out_finish(&t);
}

#define FORGED UINT32_MAX

/* One answer to both questions; FORGED: it settles neither. */
static void
answers_are_matched(void **state)
{
	static const struct {
		const char *text;
		bool verify;
		unsigned type;
		enum condition condition;
	} rows[] = {
		{ "<db:result " NS PAIR " type='valid'/>", false,
		    DIALBACK_VALID, COND_UNDEFINED_CONDITION },
		{ "<db:result " NS PAIR " type='valid'>key</db:result>", false,
		    DIALBACK_VALID, COND_UNDEFINED_CONDITION },
		{ "<db:result " NS PAIR " type='invalid'/>", false,
		    DIALBACK_INVALID, COND_INTERNAL_SERVER_ERROR },
		{ "<db:result " NS PAIR " type='error'/>", false,
		    DIALBACK_ERROR, COND_REMOTE_SERVER_TIMEOUT },
		{ "<db:result " NS PAIR " type='error'><error type='cancel'>"
		  "<item-not-found " STANZAS "/></error></db:result>",
		    false, DIALBACK_ERROR, COND_REMOTE_SERVER_NOT_FOUND },
		{ "<db:result " NS PAIR " type='error'><error type='cancel'>"
		  "<text " STANZAS ">no</text><not-allowed " STANZAS
		  "/></error></db:result>",
		    false, DIALBACK_ERROR, COND_REMOTE_SERVER_NOT_FOUND },
		{ "<db:result " NS PAIR " type='error'><error type='modify'>"
		  "<policy-violation " STANZAS "/></error></db:result>",
		    false, DIALBACK_ERROR, COND_REMOTE_SERVER_TIMEOUT },
		{ "<db:verify " NS PAIR " id='s1' type='valid'/>", true,
		    DIALBACK_VALID, COND_UNDEFINED_CONDITION },
		{ "<db:verify " NS "from='PARTNER.example' "
		  "to='contoso.example' id='s1' type='valid'>k</db:verify>",
		    true, DIALBACK_VALID, COND_UNDEFINED_CONDITION },
		{ "<db:verify " NS PAIR " id='s1' type='invalid'/>", true,
		    DIALBACK_INVALID, COND_UNDEFINED_CONDITION },
		{ "<db:verify " NS PAIR " id='s1' type='error'/>", true,
		    DIALBACK_ERROR, COND_REMOTE_SERVER_NOT_FOUND },
		/* none of ours */
		{ "<db:verify " NS PAIR " id='s2' type='valid'/>", true, FORGED,
		    0 },
		{ "<db:verify " NS PAIR " type='valid'/>", true, FORGED, 0 },
		{ "<db:verify " NS BACK " id='s1' type='valid'/>", true, FORGED,
		    0 },
		{ "<db:verify " NS "from='partner.example' "
		  "to='second.example' id='s1' type='valid'/>",
		    true, FORGED, 0 },
		{ "<db:verify " NS "from='tls.example' "
		  "to='contoso.example' id='s1' type='valid'/>",
		    true, FORGED, 0 },
		{ "<db:result " NS BACK " type='valid'/>", false, FORGED, 0 },
		{ "<db:result " NS "from='partner.example' "
		  "to='second.example' type='valid'/>",
		    false, FORGED, 0 },
		{ "<db:result " NS PAIR " type='perhaps'/>", false, FORGED, 0 },
		{ "<db:result " NS PAIR ">k</db:result>", false, FORGED, 0 },
		{ "<db:verify " NS PAIR " id='s1'>k</db:verify>", false, FORGED,
		    0 },
		{ "<db:result " NS "type='valid'/>", false, FORGED, 0 },
		{ "<db:other " NS PAIR " type='valid'/>", false, FORGED, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool forged = rows[i].type == FORGED;
		struct outbound t;

		out_begin(&t);
		out_both(&t);
		assert_int_equal(1, stanza_parse(rows[i].text,
					strlen(rows[i].text), hand_out, &t));
		assert_int_equal(!forged && !rows[i].verify, t.verdicts);
		assert_int_equal(!forged && rows[i].verify, t.answers);
		if (!forged) {
			assert_int_equal(rows[i].type,
			    rows[i].verify ? t.answer : t.verdict);
			assert_int_equal(rows[i].condition, t.condition);
		}
		/* a second time it is no answer any more */
		stanza_parse(rows[i].text, strlen(rows[i].text), hand_out, &t);
		assert_int_equal(!forged, t.verdicts + t.answers);
		out_finish(&t);
		assert_int_equal(1, t.verdicts);
		assert_int_equal(1, t.answers);
	}
}

static void
a_question_withdrawn_is_not_answered(void **state)
{
	static const char text[] =
	    "<db:verify " NS PAIR " id='s1' type='valid'/>";
	struct outbound t;

	(void)state;
	out_begin(&t);
	out_both(&t);
	dialback_ask_cancel(&t.ask);
	dialback_ask_cancel(&t.ask);
	assert_int_equal(0, t.d.ask_count);
	stanza_parse(text, strlen(text), hand_out, &t);
	out_finish(&t);
	assert_int_equal(0, t.answers);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_are_judged_at_once),
		cmocka_unit_test(the_senders_domain_decides),
		cmocka_unit_test(names_are_passed_on_as_they_came),
		cmocka_unit_test(a_certificate_spares_the_question),
		cmocka_unit_test(a_further_pair_does_no_harm),
		cmocka_unit_test(requests_are_bounded),
		cmocka_unit_test(a_new_stream_forgets_what_was_asked),
		cmocka_unit_test(keys_are_verified),
		cmocka_unit_test(other_questions_about_keys),
		cmocka_unit_test(requests_are_written),
		cmocka_unit_test(answers_are_matched),
		cmocka_unit_test(a_question_withdrawn_is_not_answered),
	};

	log_set_fd(-1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
