/*
 * Each rule stands for itself and none relies on what the edge has checked.
 * The order goes from form over names to the stream, so that the reason given
 * is the first thing an operator has to look at.
 */
#include "frontend-gateway/guard.h"

#include <stdint.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/gateway_conf.h"
#include "proto/frame.h"

/* Types of stanzas a partner may send us, by frame type. */
static const char *const message_kinds[] = { "chat", "normal", "headline",
	"groupchat", "error", NULL };
static const char *const presence_kinds[] = { "available", "unavailable",
	"subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe",
	"error", NULL };
static const char *const iq_kinds[] = { "get", "set", "result", "error", NULL };

/* kind may be absent where the stanza's type has a default. */
static bool
kind_known(const struct frame *f)
{
	const char *const *kinds = iq_kinds;

	if (f->type == FRAME_MESSAGE)
		kinds = message_kinds;
	else if (f->type == FRAME_PRESENCE)
		kinds = presence_kinds;
	if (!frame_has(f, FIELD_KIND))
		return f->type != FRAME_IQ;
	for (; *kinds != NULL; kinds++)
		if (frame_is(f, FIELD_KIND, *kinds))
			return true;
	return false;
}

/* An address must be given exactly as preparation leaves it, or two spellings
 * of one user would pass for two. */
static int
read_address(struct jid *out, const struct frame *f, enum frame_tag tag)
{
	const struct frame_field *field = frame_field(f, tag);
	struct jid j;
	int rc;

	if (field == NULL)
		return ERR_DENIED;
	rc = jid_parse(&j, (const char *)field->data, field->len);
	if (rc < 0)
		return rc == ERR_NOMEM ? rc : ERR_DENIED;
	if (strlen(j.full) != field->len ||
	    memcmp(j.full, field->data, field->len) != 0) {
		jid_finish(&j);
		return ERR_DENIED;
	}
	*out = j;
	return 0;
}

static bool
stream_has(const struct guard_stream *s, const char *local, const char *remote)
{
	for (size_t i = 0; i < s->pair_count; i++)
		if (strcmp(s->pairs[i].local, local) == 0 &&
		    strcmp(s->pairs[i].remote, remote) == 0)
			return true;
	return false;
}

/* NULL, or which rule the addresses break. */
static const char *
judge(const struct gateway_conf *conf, const struct guard_addresses *a,
    const struct guard_stream *stream)
{
	if (gateway_conf_is_own(conf, a->from.ascii))
		return "from-own-domain";
	if (gateway_conf_partner(conf, a->from.ascii) == NULL)
		return "from-no-partner";
	if (!gateway_conf_hosts(conf, a->to.ascii))
		return "to-not-hosted";
	if (stream == NULL)
		return "stream-unknown";
	if (!stream->inbound && !stream->bidi)
		return "stream-not-inbound";
	if (!stream_has(stream, a->to.ascii, a->from.ascii))
		return "stream-not-authorised";
	return NULL;
}

int
guard_check(struct guard_addresses *out, const char **why,
    const struct gateway_conf *conf, const struct frame *f,
    const struct guard_stream *stream)
{
	struct guard_addresses a;
	int rc;

	memset(&a, 0, sizeof(a));
	if (!frame_is_stanza(f->type) || !kind_known(f)) {
		*why = "kind-unknown";
		return ERR_DENIED;
	}
	rc = read_address(&a.from, f, FIELD_FROM);
	if (rc == 0)
		rc = read_address(&a.to, f, FIELD_TO);
	if (rc < 0) {
		*why = "address-malformed";
		goto fail;
	}
	*why = judge(conf, &a, stream);
	if (*why != NULL) {
		rc = ERR_DENIED;
		goto fail;
	}
	*out = a;
	return 0;

fail:
	guard_addresses_finish(&a);
	return rc;
}

void
guard_addresses_finish(struct guard_addresses *a)
{
	jid_finish(&a->from);
	jid_finish(&a->to);
}
