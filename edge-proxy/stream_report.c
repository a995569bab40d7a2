/*
 * stream_report - see the header.
 */
#include "edge-proxy/stream_report.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/buf.h"
#include "common/err.h"
#include "edge-proxy/hosting.h"
#include "proto/channel.h"
#include "proto/frame.h"

static bool
owns(const struct hosting *hosting, const char *node, const char *local)
{
	const char *owner = hosting_owner(hosting, local);

	return owner != NULL && strcmp(owner, node) == 0;
}

bool
stream_report_concerns(const struct stream_info *info,
    const struct hosting *hosting, const char *node)
{
	for (size_t i = 0; i < info->pair_count; i++)
		if (owns(hosting, node, info->pairs[i].local))
			return true;
	return false;
}

static json_t *
make_pairs(const struct stream_info *info, const struct hosting *hosting,
    const char *node)
{
	json_t *pairs = json_array();

	for (size_t i = 0; pairs != NULL && i < info->pair_count; i++) {
		const struct stream_pair *p = &info->pairs[i];

		if (!owns(hosting, node, p->local))
			continue;
		if (json_array_append_new(
			pairs, json_pack("[ss]", p->local, p->remote)) < 0) {
			json_decref(pairs);
			return NULL;
		}
	}
	return pairs;
}

json_t *
stream_report_proofs(unsigned proofs)
{
	json_t *list = json_array();

	for (unsigned p = PROOF_PING; list != NULL && p <= PROOF_GATEWAY; p++) {
		if ((proofs & 1u << p) == 0)
			continue;
		if (json_array_append_new(
			list, json_string(proof_str((enum proof)p))) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* A member that is left out when there is nothing to say. */
static int
add(json_t *o, const char *key, const char *value)
{
	json_t *text;

	if (value == NULL || value[0] == '\0')
		return 0;
	/* What a partner's server made up may be no text at all. */
	text = json_string(value);
	if (text == NULL)
		text = json_string("(unprintable)");
	return json_object_set_new(o, key, text);
}

static json_t *
make_content(enum stream_event ev, const struct stream_info *info,
    const struct hosting *hosting, const char *node)
{
	json_t *o = json_object();
	int rc = 0;

	if (o == NULL)
		return NULL;
	rc |= add(o, "id", info->id);
	rc |= add(o, "event", stream_event_str(ev));
	rc |= add(o, "direction", stream_direction_str(info->direction));
	rc |= json_object_set_new(o, "pairs", make_pairs(info, hosting, node));
	rc |= add(o, "peer", info->peer);
	rc |= add(o, "auth", info->auth);
	rc |= add(o, "tls", info->tls);
	rc |= add(o, "cipher", info->cipher);
	if (info->bidi)
		rc |= json_object_set_new(o, "bidi", json_true());
	rc |= json_object_set_new(
	    o, "proofs", stream_report_proofs(info->proofs));
	rc |= add(o, "reason", info->reason);
	rc |= add(o, "condition", info->condition);
	if (rc == 0)
		return o;
	json_decref(o);
	return NULL;
}

int
stream_report_write(struct buf *out, enum stream_event ev,
    const struct stream_info *info, const struct hosting *hosting,
    const char *node)
{
	json_t *content = make_content(ev, info, hosting, node);
	struct frame_writer w;
	char *text;
	int rc;

	text = content != NULL ? json_dumps(content, JSON_COMPACT) : NULL;
	json_decref(content);
	if (text == NULL)
		return ERR_NOMEM;
	frame_begin(&w, out, FRAME_STREAM);
	frame_put_str(&w, FIELD_JSON, text);
	rc = frame_end(&w);
	free(text);
	return rc;
}
