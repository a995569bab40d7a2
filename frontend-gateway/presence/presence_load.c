/*
 * The start: pairs and dialogs as they were.
 *
 * A dialog that cannot be restored is lost like any other: the machine is told
 * what there is, and asks anew for what there is not, at the pace of renewals.
 * Each pair gets that event in a walk after the start, so that nothing of the
 * reading waits for it.
 *
 * The document kept is the pool's last one, which the contact may never have
 * seen: it was damped, or on its way, when the process ended.  So nothing counts
 * as told, and what the pool says first goes to the contact, known or not.
 */
#include "frontend-gateway/presence/presence_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/jid.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/sip/sip_subscriber.h"
#include "frontend-gateway/store/pair_store.h"

struct loading {
	struct presence *presence;
	size_t pairs, dialogs;
	uint64_t *dropped; /* rows of dialogs that are lost */
	size_t dropped_count, dropped_cap;
	char bad[512]; /* which pair cannot be used; "" = none */
};

/* --- pairs -------------------------------------------------------------- */

static int
take_told(struct pair *p, const struct pair_row *row)
{
	const uint8_t *at = row->told;
	char name[PRESENCE_NAME_MAX + 1];
	size_t len;

	if (row->told_len == 0)
		return 0;
	len = at[0];
	if (len + 1 > row->told_len)
		return ERR_MALFORMED;
	memcpy(name, at + 1, len);
	name[len] = '\0';
	if (len > 0 && pairs_set_name(&p->user->name, name) < 0)
		return ERR_NOMEM;
	p->doc_len = (uint32_t)(row->told_len - len - 1);
	if (p->doc_len == 0)
		return 0;
	p->doc = malloc(p->doc_len);
	if (p->doc == NULL)
		return ERR_NOMEM;
	memcpy(p->doc, at + 1 + len, p->doc_len);
	return 0;
}

static int
check_told(const struct pair *p)
{
	struct xmpp_presence x = { 0 };
	int rc = p->doc != NULL ? from_half_current(&x, p) : 0;

	xmpp_presence_finish(&x);
	return rc;
}

/* Documents are no reason to refuse a store: without them it is as before the
 * first one. */
static int
take_documents(struct pair *p, const struct pair_row *row)
{
	int rc = take_told(p, row);

	if (rc == 0)
		rc = check_told(p);
	if (rc < 0) {
		free(p->doc);
		p->doc = NULL;
		p->doc_len = 0;
	}
	if (rc != ERR_NOMEM)
		rc = resources_restore(&p->seen, row->seen, row->seen_len);
	if (rc == ERR_NOMEM)
		return rc;
	if (rc < 0)
		log_warn(&p->presence->log, "document-dropped",
		    "user=%s contact=%s error=%s", row->user, row->contact,
		    err_str(rc));
	return row->name != NULL ? pairs_set_name(&p->name, row->name) : 0;
}

/* Rows hold prepared addresses: what is ASCII needs no second look. */
static int
domain_of(char out[static 256], const char *bare)
{
	const char *at = strchr(bare, '@');
	size_t len;

	if (at == NULL || at == bare)
		return ERR_MALFORMED;
	len = strlen(++at);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)at[i] >= 0x80)
			return jid_domain_ascii(out, 256, at, len);
	if (len == 0 || len >= 256)
		return ERR_MALFORMED;
	memcpy(out, at, len + 1);
	return 0;
}

static int
add(struct pair **out, struct presence *pr, const struct pair_row *row)
{
	char local[256], remote[256];
	struct pair_names names = { row->user, row->contact, local, remote };
	int rc = domain_of(local, row->user);

	if (rc == 0)
		rc = domain_of(remote, row->contact);
	return rc < 0 ? rc : pairs_add(out, pr, &names);
}

/* Addresses may be as long as they like. */
static void
name_bad(struct loading *l, const struct pair_row *row, int rc)
{
	snprintf(l->bad, sizeof(l->bad),
	    "the pair of %.120s and %.120s cannot be used: %s", row->user,
	    row->contact, err_str(rc));
}

static int
on_pair(const struct pair_row *row, void *arg)
{
	struct loading *l = arg;
	struct pair_saved saved = {
		.roster = row->roster,
		.flags = row->flags,
		.asked_ms = row->asked_ms,
		.refused_ms = row->refused_ms,
		.remove_ms = row->remove_ms,
		.used_ms = row->used_ms,
	};
	struct pair_state state;
	struct pair *p = NULL;
	int rc = pair_state_load(&state, &saved);

	if (rc == 0)
		rc = add(&p, l->presence, row);
	if (rc < 0 || p == NULL) {
		name_bad(l, row, rc);
		return rc < 0 ? rc : ERR_NOMEM;
	}
	p->state = state;
	p->restored = true;
	l->pairs++;
	return take_documents(p, row);
}

/* --- dialogs ------------------------------------------------------------ */

static int
restore(struct pair *p, const struct dialog_row *row)
{
	switch (row->role) {
	case PAIR_STORE_SUBSCRIBER:
		return from_half_restore(
		    p, row->id, row->image, row->image_len);
	case PAIR_STORE_NOTIFIER:
		return to_half_restore(p, row->id, row->image, row->image_len);
	}
	return ERR_MALFORMED;
}

/* Rows are not written while they are read. */
static int
note_dropped(struct loading *l, uint64_t id)
{
	size_t cap = l->dropped_cap > 0 ? 2 * l->dropped_cap : 64;
	uint64_t *rows = l->dropped;

	if (l->dropped_count == l->dropped_cap) {
		rows = realloc(l->dropped, cap * sizeof(*rows));
		if (rows == NULL)
			return ERR_NOMEM;
		l->dropped = rows;
		l->dropped_cap = cap;
	}
	rows[l->dropped_count++] = id;
	return 0;
}

static int
on_dialog(const struct dialog_row *row, void *arg)
{
	struct loading *l = arg;
	struct presence *pr = l->presence;
	struct pair *p = pairs_find(pr, row->user, row->contact);
	int rc = p != NULL ? restore(p, row) : ERR_NOT_FOUND;

	if (rc == 0) {
		l->dialogs++;
		return 0;
	}
	if (rc == ERR_NOMEM)
		return rc;
	if (rc != ERR_TIMEOUT)
		log_warn(&pr->log, "dialog-dropped",
		    "user=%s contact=%s error=%s", row->user, row->contact,
		    err_str(rc));
	return note_dropped(l, row->id);
}

/* --- all ---------------------------------------------------------------- */

static void
drop_rows(const struct loading *l)
{
	struct presence *pr = l->presence;

	for (size_t i = 0; i < l->dropped_count; i++) {
		int rc = pair_store_drop_dialog(
		    pr->opts.store, l->dropped[i], NULL, NULL);

		if (rc < 0)
			log_warn(&pr->log, "row-not-dropped", "error=%s",
			    err_str(rc));
	}
}

/* The pair's first event; others that come earlier bring it along. */
static void
tell_restart(struct pair *p, const struct presence_sweep *s)
{
	(void)s;
	if (p->restored)
		pair_run_restart(p);
}

int
presence_load(struct presence *pr, char *why, size_t size)
{
	static const struct pair_store_reader reader = {
		.on_pair = on_pair,
		.on_dialog = on_dialog,
	};
	uint64_t began = clock_now_ms(pr->opts.clock);
	struct loading l = { .presence = pr };
	int rc;

	snprintf(why, size, "out of memory");
	rc = pair_store_load(pr->opts.store, &reader, &l, why, size);
	if (rc < 0 && l.bad[0] != '\0')
		snprintf(why, size, "%s: %s", pr->opts.conf->store, l.bad);
	if (rc == 0) {
		drop_rows(&l);
		log_info(&pr->log, "loaded",
		    "pairs=%zu dialogs=%zu dropped=%zu ms=%llu", l.pairs,
		    l.dialogs, l.dropped_count,
		    (unsigned long long)(clock_now_ms(pr->opts.clock) - began));
		sweep_start(
		    &pr->walks[WALK_RESTART], tell_restart, PAIR_ON_RESTART);
	}
	free(l.dropped);
	return rc;
}
