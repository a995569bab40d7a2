/*
 * What every stanza goes through: its type is looked at, the fields common to
 * all are written, then those of its family; in the end it is decided whether
 * there is anything to pass on.
 *
 * A stanza that is not acceptable is refused with an error stanza, unless it
 * is one of those that are never answered with an error (RFC 6120 8.3.1):
 * these are dropped.
 */
#include "edge-proxy/normalise.h"

#include <string.h>

#include "common/err.h"
#include "edge-proxy/call_decline.h"
#include "edge-proxy/domain_iq.h"
#include "edge-proxy/error_code.h"
#include "edge-proxy/iq_payload.h"
#include "edge-proxy/normalise_part.h"
#include "edge-proxy/render.h"
#include "edge-proxy/stanza_ns.h"
#include "proto/frame.h"
#include "proto/frame_info.h"

/* An answer larger than this was not made by us. */
enum { XML_MAX = 16 * 1024 };

void
normalise_init(struct normalised *n)
{
	memset(n, 0, sizeof(*n));
	n->why = "";
	buf_init(&n->frame, FRAME_MAX);
	buf_init(&n->xml, XML_MAX);
}

void
normalise_finish(struct normalised *n)
{
	buf_finish(&n->frame);
	buf_finish(&n->xml);
}

bool
normalise_barrier_node(char *out, const char *id)
{
	const char *node, *counter, *mac;
	size_t len;

	if (strncmp(id, "sp1-", 4) != 0)
		return false;
	node = id + 4;
	mac = strrchr(node, '-');
	if (mac == NULL || mac == node || strlen(mac + 1) != 32 ||
	    strspn(mac + 1, "0123456789abcdef") != 32)
		return false;
	counter = mac - 1;
	while (counter > node && *counter != '-')
		counter--;
	len = (size_t)(counter - node);
	if (len == 0 || len > 255 || counter + 1 == mac || mac - counter > 17 ||
	    strspn(counter + 1, "0123456789abcdef") !=
		(size_t)(mac - counter - 1))
		return false;
	memcpy(out, node, len);
	out[len] = '\0';
	return true;
}

bool
normalise_question_id(const char *id)
{
	return strncmp(id, "spp-", 4) == 0 && id[4] >= 'a' && id[4] <= 'z' &&
	       strlen(id + 5) == 16 && strspn(id + 5, "0123456789abcdef") == 16;
}

static const char *
type_of(const struct xml_elem *e)
{
	const char *type = xml_attr(e, "type");

	return type != NULL ? type : "";
}

static bool
one_of(const char *s, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strcmp(s, *list) == 0)
			return true;
	return false;
}

static bool
never_answered(const struct xml_elem *e)
{
	static const char *const message[] = { "error", NULL };
	static const char *const presence[] = { "error", "unavailable", "probe",
		NULL };
	static const char *const iq[] = { "error", "result", NULL };
	const char *type = type_of(e);

	if (strcmp(e->name, "message") == 0)
		return one_of(type, message);
	if (strcmp(e->name, "presence") == 0)
		return one_of(type, presence);
	return one_of(type, iq);
}

static void
drop(struct normalised *out, const char *why)
{
	out->outcome = NORMALISE_DROP;
	out->why = why;
}

static int
refuse(struct normalised *out, const struct xml_elem *e,
    const struct normalise_ctx *ctx, enum condition c, const char *why)
{
	struct render_stanza_error error = { .name = e->name };
	int rc;

	out->condition = c;
	if (never_answered(e)) {
		drop(out, why);
		return 0;
	}
	error.from = ctx->to->full;
	error.to = ctx->from->full;
	error.id = xml_attr(e, "id");
	error.condition = c;
	error.by = ctx->to->domain;
	/* To a user nothing is said that would tell users apart. */
	error.text = c == COND_SERVICE_UNAVAILABLE ? NULL : why;
	rc = render_stanza_error(&out->xml, &error);
	if (rc == ERR_FULL) {
		drop(out, why); /* an id or address of absurd length */
		return 0;
	}
	if (rc < 0)
		return ERR_NOMEM;
	out->outcome = NORMALISE_REFUSE;
	out->why = why;
	return 0;
}

/* --- fields of all families -------------------------------------------- */

static const char *
id_of(const struct normalised *out, const struct xml_elem *e,
    const struct normalise_ctx *ctx)
{
	return out->request && ctx->request_id != NULL ? ctx->request_id
						       : xml_attr(e, "id");
}

static void
begin(struct normalise_part *p, struct normalised *out,
    const struct xml_elem *e, const struct normalise_ctx *ctx,
    enum frame_type type)
{
	memset(p, 0, sizeof(*p));
	p->e = e;
	buf_init(&p->text, 0);
	p->language = ctx->language;
	p->prefer = ctx->prefer;
	frame_begin(&p->w, &out->frame, type);
	normalise_part_content(p, FIELD_ID, id_of(out, e, ctx));
	frame_put_str(&p->w, FIELD_FROM, ctx->from->full);
	frame_put_str(&p->w, FIELD_TO, ctx->to->full);
	frame_put_str(&p->w, FIELD_STREAM, ctx->stream);
	p->content = 0;
}

/* Ends the frame and decides.  always: the stanza means something even if
 * nothing of it has a field. */
static int
end(struct normalise_part *p, struct normalised *out,
    const struct normalise_ctx *ctx, bool always)
{
	int rc = frame_end(&p->w);

	buf_finish(&p->text);
	if (p->nomem)
		rc = ERR_NOMEM;
	if (rc == ERR_NOMEM)
		return rc;
	if (rc < 0 && p->refused == NULL)
		normalise_part_refuse(p,
		    rc == ERR_TOO_LONG ? COND_POLICY_VIOLATION
				       : COND_BAD_REQUEST,
		    rc == ERR_TOO_LONG ? "the stanza is too long"
				       : "the stanza is malformed");
	if (p->refused != NULL) {
		buf_clear(&out->frame);
		return refuse(out, p->e, ctx, p->condition, p->refused);
	}
	if (!always && p->content == 0) {
		buf_clear(&out->frame);
		drop(out, "nothing in it passes");
		return 0;
	}
	out->outcome = NORMALISE_FRAME;
	return 0;
}

/* The error of an error stanza (RFC 6120 8.3.2). */
static void
read_error(struct normalise_part *p)
{
	static const char *const types[] = { "cancel", "modify", "wait", "auth",
		"continue", NULL };
	const struct xml_elem *error = xml_child(p->e, p->e->ns, "error");
	enum condition c = COND_UNDEFINED_CONDITION;
	struct xml_elem *in = NULL;
	const char *type, *gone = NULL;

	while (error != NULL &&
	       (in = xml_next(error, in, NS_STANZA_ERRORS, NULL)) != NULL) {
		if (strcmp(in->name, "text") == 0)
			continue;
		c = condition_parse(in->name, strlen(in->name));
		if (c == COND_GONE || c == COND_REDIRECT)
			gone = normalise_part_text(p, in);
		break;
	}
	if (c == COND_UNDEFINED_CONDITION && error != NULL && in == NULL)
		c = error_code_condition(xml_attr(error, "code"));
	frame_put_str(&p->w, FIELD_CONDITION, condition_str(c));
	normalise_part_ornament(p, FIELD_GONE_TO, gone);
	type = error != NULL ? xml_attr(error, "type") : NULL;
	frame_put_str(&p->w, FIELD_ERROR_TYPE,
	    type != NULL && one_of(type, types) ? type : condition_type(c));
	if (error == NULL)
		return;
	normalise_part_ornament(p, FIELD_ERROR_BY, xml_attr(error, "by"));
	normalise_part_ornament(p, FIELD_ERROR_TEXT,
	    normalise_part_text(p, xml_child(error, NS_STANZA_ERRORS, "text")));
}

/* --- families ---------------------------------------------------------- */

static int
take_message(struct normalised *out, const struct xml_elem *e,
    const struct normalise_ctx *ctx)
{
	static const char *const kinds[] = { "chat", "groupchat", "headline",
		"error", NULL };
	const char *type = type_of(e);
	struct normalise_part p;
	bool error = strcmp(type, "error") == 0;
	int rc;

	if (ctx->to->local != NULL) {
		rc = call_decline(&out->xml, e, ctx->from->full, ctx->to->full);
		if (rc > 0)
			out->outcome = NORMALISE_ANSWER;
		if (rc != 0)
			return rc < 0 ? ERR_NOMEM : 0;
	}
	begin(&p, out, e, ctx, FRAME_MESSAGE);
	/* RFC 6121 5.2.2: an unknown type is normal. */
	frame_put_str(&p.w, FIELD_KIND, one_of(type, kinds) ? type : "normal");
	if (error)
		read_error(&p);
	else
		normalise_message(&p);
	return end(&p, out, ctx, error);
}

static int
take_presence(struct normalised *out, const struct xml_elem *e,
    const struct normalise_ctx *ctx)
{
	static const char *const kinds[] = { "unavailable", "subscribe",
		"subscribed", "unsubscribe", "unsubscribed", "probe", "error",
		NULL };
	const char *type = xml_attr(e, "type");
	struct normalise_part p;

	if (type == NULL)
		type = "available";
	else if (!one_of(type, kinds))
		return refuse(
		    out, e, ctx, COND_BAD_REQUEST, "unknown type of presence");
	begin(&p, out, e, ctx, FRAME_PRESENCE);
	frame_put_str(&p.w, FIELD_KIND, type);
	if (strcmp(type, "error") == 0)
		read_error(&p);
	else
		normalise_presence(&p);
	return end(&p, out, ctx, true);
}

/* An answer to something the gateway asked.  Barrier pings come back to the
 * node that their id names, whatever else is in them; of the rest, whether it
 * was asked at all and of whom, the gateway knows. */
static int
take_iq_answer(struct normalised *out, const struct xml_elem *e,
    const struct normalise_ctx *ctx, const char *type)
{
	const struct xml_elem *payload = xml_child(e, NULL, NULL);
	bool error = strcmp(type, "error") == 0, barrier;
	enum iq_request request = IQ_NONE;
	struct normalise_part p;
	struct buf json;
	int rc = 0;

	barrier = normalise_barrier_node(out->node, xml_attr(e, "id"));
	if (!barrier && !normalise_question_id(xml_attr(e, "id"))) {
		drop(out, "an answer to nothing we asked");
		return 0;
	}
	if (barrier)
		request = IQ_PING;
	else if (!error && payload != NULL)
		request = iq_payload_of(payload);
	if (!error && request == IQ_NONE) {
		drop(out, "an answer to nothing we asked");
		return 0;
	}
	begin(&p, out, e, ctx, FRAME_IQ);
	frame_put_str(&p.w, FIELD_KIND, type);
	frame_put_str(&p.w, FIELD_REQUEST, iq_payload_str(request));
	if (error) {
		read_error(&p);
	} else if (request != IQ_PING) {
		buf_init(&json, frame_info_field(FIELD_ANSWER)->max);
		rc = iq_payload_read_answer(&json, request, payload);
		p.nomem = rc == ERR_NOMEM;
		if (rc == 0)
			frame_put(&p.w, FIELD_ANSWER, json.data, json.len);
		else
			normalise_part_refuse(&p, COND_POLICY_VIOLATION,
			    "the answer is too long");
		buf_finish(&json);
		if (request == IQ_DISCO_INFO || request == IQ_DISCO_ITEMS)
			normalise_part_ornament(
			    &p, FIELD_DISCO_NODE, xml_attr(payload, "node"));
	}
	return end(&p, out, ctx, true);
}

/* A request: for the domain it is answered here, for a user it passes when
 * the vocabulary has a name for it. */
static int
take_iq_request(struct normalised *out, const struct xml_elem *e,
    const struct normalise_ctx *ctx, const char *type)
{
	const struct xml_elem *payload = xml_child(e, NULL, NULL);
	enum iq_request request;
	struct normalise_part p;
	bool refused;
	int rc;

	if (payload == NULL || xml_next(e, payload, NULL, NULL) != NULL)
		return refuse(out, e, ctx, COND_BAD_REQUEST,
		    "a request has exactly one child");
	if (ctx->to->local == NULL && ctx->to->resource == NULL) {
		rc = domain_iq_answer(&out->xml, &refused, &out->condition, e,
		    ctx->from->full, ctx->to->full);
		if (rc < 0)
			return ERR_NOMEM;
		out->outcome = refused ? NORMALISE_REFUSE : NORMALISE_ANSWER;
		out->why = refused ? "not served by the domain" : "";
		return 0;
	}
	request = iq_payload_of(payload);
	if (ctx->to->local == NULL || request == IQ_NONE ||
	    strcmp(type, "get") != 0)
		return refuse(out, e, ctx, COND_SERVICE_UNAVAILABLE,
		    "a request that does not pass");
	out->request = true;
	begin(&p, out, e, ctx, FRAME_IQ);
	frame_put_str(&p.w, FIELD_KIND, type);
	frame_put_str(&p.w, FIELD_REQUEST, iq_payload_str(request));
	if (request == IQ_DISCO_INFO || request == IQ_DISCO_ITEMS)
		normalise_part_content(
		    &p, FIELD_DISCO_NODE, xml_attr(payload, "node"));
	return end(&p, out, ctx, true);
}

static int
take_iq(struct normalised *out, const struct xml_elem *e,
    const struct normalise_ctx *ctx)
{
	const char *id = xml_attr(e, "id"), *type = type_of(e);

	if (id == NULL || id[0] == '\0')
		return refuse(out, e, ctx, COND_BAD_REQUEST, "iq without id");
	if (strlen(id) > frame_info_field(FIELD_ID)->max)
		return refuse(
		    out, e, ctx, COND_POLICY_VIOLATION, "the id is too long");
	if (strcmp(type, "result") == 0 || strcmp(type, "error") == 0)
		return take_iq_answer(out, e, ctx, type);
	if (strcmp(type, "get") == 0 || strcmp(type, "set") == 0)
		return take_iq_request(out, e, ctx, type);
	return refuse(out, e, ctx, COND_BAD_REQUEST, "unknown type of iq");
}

int
normalise_stanza(struct normalised *out, const struct xml_elem *e,
    const struct normalise_ctx *ctx)
{
	buf_clear(&out->frame);
	buf_clear(&out->xml);
	out->outcome = NORMALISE_DROP;
	out->node[0] = '\0';
	out->request = false;
	out->condition = COND_UNDEFINED_CONDITION;
	out->why = "";
	if (xml_is(e, NS_STANZA_SERVER, "message"))
		return take_message(out, e, ctx);
	if (xml_is(e, NS_STANZA_SERVER, "presence"))
		return take_presence(out, e, ctx);
	if (xml_is(e, NS_STANZA_SERVER, "iq"))
		return take_iq(out, e, ctx);
	return ERR_UNSUPPORTED;
}
