/* Errors between the two sides: every row of tests/vectors/errors.json, and
 * what holds for all of them: ids that are used once and explained in the
 * manual page, no 503 for anything but the whole gateway, and no word to the
 * outside that tells of the inside. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/jid.h"
#include "edge-proxy/error_code.h"
#include "edge-proxy/normalise.h"
#include "frontend-gateway/conversation/refusal.h"
#include "frontend-gateway/sip/sip_diagnostics.h"
#include "frontend-gateway/sip/sip_msg.h"
#include "frontend-gateway/sip/sip_sdp.h"
#include "frontend-gateway/translate/address.h"
#include "frontend-gateway/translate/errors.h"
#include "proto/condition.h"
#include "proto/frame.h"
#include "tests/unit/stanza_parse.h"

#define VECTORS "tests/vectors/errors.json"
#define MANUAL  "frontend-gateway/sallyport-gateway.8"
#define FQDN    "gw1.contoso.example"
#define NS      "urn:ietf:params:xml:ns:xmpp-stanzas"

#include "tests/unit/vectors.inc"

/* Runs fn over the rows of a section. */
static void
each(const char *section, void (*fn)(const json_t *row))
{
	json_t *rows = json_object_get(document, section), *row;
	size_t i;

	assert_true(json_array_size(rows) > 0);
	json_array_foreach(rows, i, row)
	{
		row_id = str(row, "id");
		assert_non_null(row_id);
		if (str(row, "shown_by") == NULL)
			fn(row);
	}
}

/* --- XMPP to SIP: from the stanza to the answer --------------------------- */

static void
assert_sip(const struct errors_sip *e, const json_t *row)
{
	same_int(e->status, num(row, "status"));
	same_int((int)e->retry_after, num(row, "retry_after"));
	assert_in_range(e->diagnostics, 61000, 61999);
	if (json_object_get(row, "diagnostics") != NULL)
		same_int((int)e->diagnostics, num(row, "diagnostics"));
}

struct bounced {
	char condition[64], text[1024];
	bool has_text;
};

static void
on_stanza(const struct xml_elem *e, void *arg)
{
	static const char from[] = "bo@partner.example",
			  to[] = "anna@contoso.example";
	struct bounced *b = arg;
	struct normalised n;
	struct jid f, t;
	struct normalise_ctx ctx = { .from = &f, .to = &t, .stream = "s" };
	struct frame frame;

	assert_int_equal(jid_parse(&f, from, strlen(from)), 0);
	assert_int_equal(jid_parse(&t, to, strlen(to)), 0);
	normalise_init(&n);
	assert_int_equal(normalise_stanza(&n, e, &ctx), 0);
	assert_int_equal(n.outcome, NORMALISE_FRAME);
	assert_int_equal(frame_decode(&frame, n.frame.data, n.frame.len), 0);
	assert_true(frame_copy(
	    &frame, FIELD_CONDITION, b->condition, sizeof(b->condition)));
	b->has_text =
	    frame_copy(&frame, FIELD_ERROR_TEXT, b->text, sizeof(b->text));
	normalise_finish(&n);
	jid_finish(&f);
	jid_finish(&t);
}

/* The error element as it comes from the partner's server. */
static void
bounce(const json_t *row, const char *error)
{
	char reason[ERRORS_DETAIL_SIZE], stanza[2048];
	struct bounced b = { 0 };
	struct errors_sip e;

	snprintf(stanza, sizeof(stanza),
	    "<message type='error' id='1' from='bo@partner.example' "
	    "to='anna@contoso.example'>%s</message>",
	    error);
	assert_int_equal(
	    stanza_parse(stanza, strlen(stanza), on_stanza, &b), 1);
	errors_to_sip(&e, b.condition, b.has_text ? b.text : NULL);
	assert_sip(&e, row);
	errors_detail(reason, &e, b.has_text ? b.text : NULL);
	if (str(row, "reason") != NULL)
		same_str(reason, str(row, "reason"));
}

static void
xmpp_to_sip(const json_t *row)
{
	const char *text = str(row, "text");
	const json_t *name;
	struct errors_sip e;
	char error[512];
	size_t i;

	if (str(row, "cause") != NULL) {
		same_str(str(row, "cause"), "ERRORS_DEADLINE");
		errors_refusal(&e, ERRORS_DEADLINE);
		assert_sip(&e, row);
	}
	if (str(row, "xml") != NULL)
		bounce(row, str(row, "xml"));
	json_array_foreach(json_object_get(row, "conditions"), i, name)
	{
		snprintf(error, sizeof(error),
		    "<error type='cancel'><%s xmlns='" NS "'/>"
		    "<text xmlns='" NS "'>%s</text></error>",
		    json_string_value(name), text != NULL ? text : "");
		bounce(row, error);
	}
}

static void
test_xmpp_to_sip(void **state)
{
	(void)state;
	each("xmpp_to_sip", xmpp_to_sip);
}

/* --- SIP to XMPP ---------------------------------------------------------- */

static enum errors_next
next_of(const char *name)
{
	static const char *const names[] = {
		[ERRORS_TAKEN] = "taken",
		[ERRORS_NOTHING] = "nothing",
		[ERRORS_RETRY_INVITE] = "retry-invite",
		[ERRORS_RETRY_CONVERSATION] = "retry-conversation",
		[ERRORS_REPORT] = "report",
	};
	enum errors_next n = ERRORS_TAKEN;

	while (strcmp(names[n], name) != 0) {
		assert_true(n < ERRORS_REPORT);
		n++;
	}
	return n;
}

static void
assert_stanza(const struct errors_stanza *s, const json_t *row)
{
	struct buf uri = { 0 };
	struct jid j;

	same_str(condition_str(s->condition), str(row, "condition"));
	same_str(s->type, str(row, "type"));
	same_int(s->alarm, is_set(row, "alarm"));
	same_int(s->moved, is_set(row, "moved"));
	if (str(row, "text") != NULL)
		assert_non_null(strstr(s->text, str(row, "text")));
	if (is_set(row, "stranger"))
		assert_null(s->text);
	if (str(row, "contact") != NULL) {
		same_int(address_from_sip(&j, str(row, "contact"),
			     strlen(str(row, "contact"))),
		    0);
		same_int(address_xmpp_uri(&uri, &j), 0);
		same_str(buf_cstr(&uri), str(row, "gone_to"));
		jid_finish(&j);
		buf_finish(&uri);
	}
}

static void
sip_to_xmpp(const json_t *row)
{
	const json_t *status;
	size_t i;

	json_array_foreach(json_object_get(row, "statuses"), i, status)
	{
		struct errors_answer in = {
			.status = (int)json_integer_value(status),
			.warning = (unsigned)num(row, "warning"),
			.diagnostics = (unsigned)num(row, "diagnostics"),
			.in_dialog = is_set(row, "in_dialog"),
			.notification = is_set(row, "notification"),
			.stranger = is_set(row, "stranger"),
		};
		struct errors_stanza s;
		enum errors_next next = errors_from_sip(&s, &in);

		same_int((int)next, (int)next_of(str(row, "next")));
		if (next == ERRORS_REPORT)
			assert_stanza(&s, row);
		if (str(row, "then") == NULL)
			continue;
		in.retried = true;
		same_int((int)errors_from_sip(&s, &in),
		    (int)next_of(str(row, "then")));
	}
}

static void
test_sip_to_xmpp(void **state)
{
	(void)state;
	each("sip_to_xmpp", sip_to_xmpp);
}

/* --- what is refused ------------------------------------------------------ */

static struct sip_msg *
request_of(const json_t *row)
{
	const char *method = str(row, "method"), *body = str(row, "body");
	const json_t *line;
	struct sip_msg *m;
	struct buf head;
	size_t i;

	buf_init(&head, 0);
	buf_addf(&head,
	    "%s sip:bo@partner.example SIP/2.0\r\n"
	    "Via: SIP/2.0/TLS fe1:5061;branch=z9hG4bK1\r\n"
	    "From: <sip:anna@contoso.example>;tag=t1\r\n"
	    "To: <sip:bo@partner.example>%s\r\n"
	    "Call-ID: c1\r\nCSeq: 1 %s\r\nMax-Forwards: 70\r\n",
	    method, is_set(row, "in_dialog") ? ";tag=t2" : "", method);
	json_array_foreach(json_object_get(row, "headers"), i, line)
	    buf_addf(&head, "%s\r\n", json_string_value(line));
	buf_addf(&head, "Content-Length: %zu\r\n\r\n", strlen(body));
	if (sip_msg_parse(&m, head.data, head.len, (const uint8_t *)body,
		strlen(body)) != 0)
		fail_msg("%s: not readable", row_id);
	buf_finish(&head);
	return m;
}

static void
refused(const json_t *row)
{
	struct sip_msg *req = request_of(row);
	struct sip_sdp *offer = calloc(1, sizeof(*offer));
	enum errors_cause cause = refusal_of(offer, req);
	bool info = strcmp(str(row, "method"), "INFO") == 0;
	struct refusal r;
	char line[512] = "";

	same_int((int)refusal_of(NULL, req), (int)cause);
	same_int(cause != ERRORS_CAUSE_COUNT, str(row, "cause") != NULL);
	if (cause == ERRORS_CAUSE_COUNT) {
		if (!info)
			same_int(offer->kind != SIP_SDP_OTHER, true);
		goto done;
	}
	refusal_make_because(
	    &r, &(struct policy_refusal){ cause, "", "" }, FQDN);
	same_int(r.answer.status, num(row, "status"));
	same_int((int)r.answer.diagnostics, num(row, "diagnostics"));
	same_int((int)r.answer.header_count, str(row, "header") != NULL);
	if (r.answer.header_count > 0)
		snprintf(line, sizeof(line), "%s: %s", r.answer.headers->name,
		    r.answer.headers->value);
	same_str(line, str(row, "header") != NULL ? str(row, "header") : "");
done:
	free(offer);
	sip_msg_free(req);
}

static void
test_refused(void **state)
{
	(void)state;
	each("refused", refused);
}

/* The header field of every refusal (RFC 3261 20, 21): a 415 names what is
 * taken, a 488 why, who may try again is told when. */
static void
test_headers_of_refusals(void **state)
{
	(void)state;
	for (int i = 0; i < ERRORS_CAUSE_COUNT; i++) {
		struct refusal r;
		const char *name = "";

		refusal_make_because(&r,
		    &(struct policy_refusal){ (enum errors_cause)i, "", "" },
		    FQDN);
		if (r.answer.header_count > 0)
			name = r.answer.headers->name;
		assert_int_equal(
		    strcmp(name, "Accept") == 0, r.answer.status == 415);
		assert_int_equal(
		    strcmp(name, "Warning") == 0, r.answer.status == 488);
		assert_int_equal(strcmp(name, "Retry-After") == 0,
		    r.answer.status == 500 || r.answer.status == 503);
	}
}

/* --- what holds for all --------------------------------------------------- */

/* Every failure towards SIP, one after the other; false behind the last. */
static bool
nth(struct errors_sip *out, int i)
{
	if (i < COND_COUNT)
		errors_to_sip(out, condition_str((enum condition)i), NULL);
	else if (i < COND_COUNT + ERRORS_CAUSE_COUNT)
		errors_refusal(out, (enum errors_cause)(i - COND_COUNT));
	else if (i == COND_COUNT + ERRORS_CAUSE_COUNT)
		errors_to_sip(out, "policy-violation", "too large");
	else
		return false;
	return true;
}

static void
test_statuses_that_never_go_out(void **state)
{
	struct errors_sip e;

	(void)state;
	for (int i = 0; nth(&e, i); i++) {
		assert_in_range(e.status, 400, 504);
		assert_int_not_equal(e.status, 401);
		assert_int_not_equal(e.status, 407);
		assert_int_not_equal(e.status, 408);
		/* It would speak for the whole gateway. */
		assert_int_equal(
		    e.status == 503, i == COND_COUNT + ERRORS_STOPPING);
		assert_null(strpbrk(e.reason, "\"\\\r\n"));
	}
	errors_to_sip(&e, "policy-violation", "users belong elsewhere");
	assert_int_equal(e.status, 403);
}

/* Those of the SIP layers and ours together. */
static void
test_ids_are_used_once(void **state)
{
	static const unsigned of_sip[] = {
#define X(name, id, statuses, meaning) (id),
		SIP_DIAGNOSTICS(X)
#undef X
	};
	unsigned char used[1000] = { 0 };
	struct errors_sip e;

	(void)state;
	for (size_t i = 0; i < sizeof(of_sip) / sizeof(*of_sip); i++) {
		assert_in_range(of_sip[i], 61000, 61999);
		assert_int_equal(used[of_sip[i] - 61000]++, 0);
	}
	/* It means the same to either. */
	used[SIP_UA_DIAG_DIALOG - 61000] = 0;
	for (int i = 0; nth(&e, i); i++) {
		assert_in_range(e.diagnostics, 61000, 61999);
		if (used[e.diagnostics - 61000]++ != 0)
			fail_msg("%u is used twice", e.diagnostics);
	}
}

static char *
read_manual(void)
{
	FILE *f = fopen(MANUAL, "re");
	char *text = calloc(1, 256 * 1024);

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, 256 * 1024 - 1, f) > 0);
	fclose(f);
	return text;
}

static void
explained(
    const char *manual, unsigned id, const char *statuses, const char *reason)
{
	char row[512];

	snprintf(row, sizeof(row), "\n.It %u (%s)\n%s.\n.br\n", id, statuses,
	    reason);
	if (strstr(manual, row) == NULL)
		fail_msg("%s lacks:%s", MANUAL, row);
}

/* An administrator who finds an id in a client's log finds it there, with
 * what to do. */
static void
test_the_manual_explains_each_id(void **state)
{
	static const struct {
		unsigned id;
		const char *statuses, *meaning;
	} of_sip[] = {
#define X(name, id, statuses, meaning) { (id), (statuses), (meaning) },
		SIP_DIAGNOSTICS(X)
#undef X
	};
	char *manual = read_manual(), statuses[16];
	size_t rows = 0, ids = 0;
	struct errors_sip e;

	(void)state;
	for (size_t i = 0; i < sizeof(of_sip) / sizeof(*of_sip); i++, ids++)
		explained(manual, of_sip[i].id, of_sip[i].statuses,
		    of_sip[i].meaning);
	for (int i = 0; nth(&e, i); i++) {
		if (e.diagnostics == SIP_UA_DIAG_DIALOG)
			continue;
		snprintf(statuses, sizeof(statuses), "%d", e.status);
		explained(manual, e.diagnostics, statuses, e.reason);
		ids++;
	}
	for (const char *p = manual; (p = strstr(p, "\n.It 61")) != NULL; p++)
		rows++;
	assert_int_equal(rows, ids);
	free(manual);
}

/* What XMPP users read about a failure says nothing of how it is inside. */
static void
test_texts_for_xmpp_leak_nothing(void **state)
{
	static const char *const words[] = { "SIP", "sip", "Lync", "Skype",
		"pool", "front end", "gateway", "Gateway", "edge", "Edge",
		"contoso", "server", "diagnostics", "INVITE", "MESSAGE", "61",
		"Sallyport", "dialog", "endpoint" };

	(void)state;
	for (int status = 100; status <= 999; status++)
		for (int k = 0; k < 8; k++) {
			struct errors_answer in = { .status = status,
				.warning = (k & 1) != 0 ? 309 : 0,
				.transport = (k & 2) != 0,
				.in_dialog = (k & 4) != 0,
				.diagnostics = 52035,
				.retried = true };
			struct errors_stanza s = { 0 };

			if (errors_from_sip(&s, &in) != ERRORS_REPORT ||
			    s.text == NULL)
				continue;
			assert_int_equal(
			    strcspn(s.text, "0123456789@<>"), strlen(s.text));
			for (size_t w = 0; w < sizeof(words) / sizeof(*words);
			     w++)
				if (strstr(s.text, words[w]) != NULL)
					fail_msg("%d: \"%s\" names \"%s\"",
					    status, s.text, words[w]);
		}
}

/* A stranger is told one and the same, whatever the pool answered. */
static void
test_strangers_are_told_one_thing(void **state)
{
	(void)state;
	for (int status = 300; status <= 699; status++) {
		struct errors_answer in = {
			.status = status, .warning = 309, .stranger = true
		};
		struct errors_stanza s;

		assert_int_equal(errors_from_sip(&s, &in), ERRORS_REPORT);
		assert_int_equal(s.condition, COND_SERVICE_UNAVAILABLE);
		assert_string_equal(s.type, "cancel");
		assert_null(s.text);
		assert_false(s.moved);
	}
}

static void
test_details(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ NULL, "R" },
		{ "", "R" },
		{ "no such name", "R: no such name" },
		{ "a \"b\"\\\r\nX: y\t\x7f", "R: a 'b''  X: y  " },
		{ "gr\xc3\xbc\xc3\x9f", "R: gr\xc3\xbc\xc3\x9f" },
		{ "\xc2\x85next", "R:  next" },
		{ "cut\xff more", "R: cut" },
	};
	const struct errors_sip e = { .reason = "R" };
	char out[ERRORS_DETAIL_SIZE], huge[2000];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		errors_detail(out, &e, rows[i].text);
		assert_string_equal(out, rows[i].want);
	}
	memset(huge, 'x', sizeof(huge));
	huge[sizeof(huge) - 1] = '\0';
	errors_detail(out, &e, huge);
	assert_in_range(
	    strlen(out), ERRORS_DETAIL_SIZE - 8, ERRORS_DETAIL_SIZE - 1);
}

/* Every number that an old server may send has a condition of its own class. */
static void
test_numbered_errors(void **state)
{
	static const struct {
		const char *code;
		enum condition condition;
	} rows[] = {
		{ "400", COND_BAD_REQUEST },
		{ "401", COND_NOT_AUTHORIZED },
		{ "403", COND_FORBIDDEN },
		{ "404", COND_ITEM_NOT_FOUND },
		{ "405", COND_NOT_ALLOWED },
		{ "406", COND_NOT_ACCEPTABLE },
		{ "408", COND_REMOTE_SERVER_TIMEOUT },
		{ "501", COND_FEATURE_NOT_IMPLEMENTED },
		{ "502", COND_SERVICE_UNAVAILABLE },
		{ "504", COND_REMOTE_SERVER_TIMEOUT },
		{ "", COND_UNDEFINED_CONDITION },
		{ "4040", COND_UNDEFINED_CONDITION },
		{ NULL, COND_UNDEFINED_CONDITION },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(
		    error_code_condition(rows[i].code), rows[i].condition);
}

static size_t
count_id(const json_t *rows, const char *id)
{
	size_t i, count = 0;
	const json_t *row;

	json_array_foreach(rows, i, row) count +=
	    strcmp(str(row, "id"), id) == 0;
	return count;
}

static bool
names(const json_t *rows, const char *condition)
{
	const json_t *row, *name;
	size_t i, k;

	json_array_foreach(rows, i, row)
	    json_array_foreach(json_object_get(row, "conditions"), k,
		name) if (strcmp(json_string_value(name), condition) ==
			  0) return true;
	return false;
}

/* No row was lost, no condition forgotten. */
static void
test_none_is_missing(void **state)
{
	static const struct {
		const char *section, *letter;
		int last;
	} want[] = {
		{ "xmpp_to_sip", "E", 16 },
		{ "sip_to_xmpp", "F", 21 },
		{ "refused", "F12.", 3 },
	};
	const json_t *outward = json_object_get(document, "xmpp_to_sip");
	char id[16];

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++)
		for (int n = 1; n <= want[i].last; n++) {
			snprintf(id, sizeof(id), "%s%d", want[i].letter, n);
			row_id = id;
			same_int(
			    (int)count_id(
				json_object_get(document, want[i].section), id),
			    1);
		}
	for (int c = 0; c < COND_COUNT; c++) {
		row_id = condition_str((enum condition)c);
		same_int(names(outward, row_id), true);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none_is_missing),
		cmocka_unit_test(test_xmpp_to_sip),
		cmocka_unit_test(test_sip_to_xmpp),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_headers_of_refusals),
		cmocka_unit_test(test_statuses_that_never_go_out),
		cmocka_unit_test(test_ids_are_used_once),
		cmocka_unit_test(test_the_manual_explains_each_id),
		cmocka_unit_test(test_texts_for_xmpp_leak_nothing),
		cmocka_unit_test(test_strangers_are_told_one_thing),
		cmocka_unit_test(test_details),
		cmocka_unit_test(test_numbered_errors),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
