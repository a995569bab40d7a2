/*
 * A pair as a row, and its dialogs.
 *
 * The column of the user's document holds her display name in front: a byte
 * with its length, the name, then the image of the document.  Documents
 * change often and none is acknowledged by being stored, so they are written
 * FLUSH_MS after the first change, at most FLUSH_MAX rows at a time.
 */
#include "frontend-gateway/presence/presence_impl.h"

#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "frontend-gateway/sip/sip_notifier.h"
#include "frontend-gateway/sip/sip_subscriber.h"
#include "frontend-gateway/store/pair_store.h"

enum { FLUSH_MS = 10000, FLUSH_MAX = 2000, EPOCH_SHIFT = 36 };

/* Starts are counted, so that no number is given out again after one. */
uint64_t
pair_row_number(struct presence *pr)
{
	return (pr->opts.epoch << EPOCH_SHIFT) + ++pr->last_row;
}

static void
not_written(const struct pair *p, const char *what, int rc)
{
	log_warn(&p->presence->log, "not-written",
	    "what=%s user=%s contact=%s error=%s", what, pair_user(p),
	    pair_contact(p), err_str(rc));
}

/* --- pairs -------------------------------------------------------------- */

static int
put_told(struct buf *out, const struct pair *p)
{
	const char *name = p->user->name != NULL ? p->user->name : "";
	size_t len = strlen(name);

	if (len > PRESENCE_NAME_MAX)
		len = 0;
	if (len == 0 && p->doc_len == 0)
		return 0;
	(void)buf_add_char(out, (char)(unsigned char)len);
	(void)buf_add(out, name, len);
	(void)buf_add(out, p->doc, p->doc_len);
	return buf_failed(out) ? ERR_NOMEM : 0;
}

int
pair_row_put(struct pair *p, const struct pair_state *s,
    void (*done)(int rc, void *arg), void *arg)
{
	struct pair_store *store = p->presence->opts.store;
	struct pair_saved saved;
	struct pair_row row;
	struct buf told, seen;
	int rc;

	list_remove(&p->dirty);
	if (pair_state_empty(s))
		return pair_store_drop(
		    store, pair_user(p), pair_contact(p), done, arg);
	buf_init(&told, PAIR_STORE_BLOB_MAX);
	buf_init(&seen, PAIR_STORE_BLOB_MAX);
	pair_state_save(&saved, s);
	rc = put_told(&told, p);
	if (rc == 0)
		rc = resources_save(&seen, &p->seen);
	row = (struct pair_row){
		.user = pair_user(p),
		.contact = pair_contact(p),
		.roster = saved.roster,
		.flags = saved.flags,
		.asked_ms = saved.asked_ms,
		.refused_ms = saved.refused_ms,
		.remove_ms = saved.remove_ms,
		.used_ms = saved.used_ms,
		.name = p->name,
		.told = told.len > 0 ? told.data : NULL,
		.told_len = told.len,
		.seen = seen.len > 0 ? seen.data : NULL,
		.seen_len = seen.len,
	};
	if (rc == 0)
		rc = pair_store_put(store, &row, done, arg);
	buf_finish(&told);
	buf_finish(&seen);
	return rc;
}

void
pair_row_dirty(struct pair *p)
{
	struct presence *pr = p->presence;

	if (pr->stopping || !list_empty(&p->dirty))
		return;
	list_append(&pr->dirty, &p->dirty);
	if (!clock_timer_running(&pr->flush))
		clock_timer_start(&pr->flush, FLUSH_MS);
}

/* A pair whose step is with the disk is written by that. */
static void
flush_some(struct presence *pr, size_t max)
{
	while (max-- > 0 && !list_empty(&pr->dirty)) {
		struct pair *p =
		    list_entry(list_first(&pr->dirty), struct pair, dirty);
		int rc = 0;

		list_remove(&p->dirty);
		if (!pair_state_empty(&p->state))
			rc = pair_row_put(p, &p->state, NULL, NULL);
		if (rc < 0)
			not_written(p, "documents", rc);
	}
}

/* One row, whichever, to see whether the disk works again: all will be written
 * then. */
static void
try_disk(struct presence *pr)
{
	LIST_FOREACH (it, &pr->all) {
		struct pair *p = list_entry(it, struct pair, all);

		if (p->busy || pair_state_empty(&p->state))
			continue;
		pair_row_put_all(p);
		return;
	}
}

void
pair_row_on_flush(struct clock_timer *t, void *arg)
{
	struct presence *pr = arg;

	if (pr->well)
		flush_some(pr, FLUSH_MAX);
	else
		try_disk(pr);
	if (!pr->well || !list_empty(&pr->dirty))
		clock_timer_start(t, pr->well ? 1000 : FLUSH_MS);
}

void
pair_row_flush(struct presence *pr)
{
	flush_some(pr, SIZE_MAX);
}

/* --- dialogs ------------------------------------------------------------ */

static int
put_dialog(const struct pair *p, uint64_t id, enum pair_store_role role,
    int64_t expires_ms, const struct buf *image,
    void (*done)(int rc, void *arg), void *arg)
{
	struct dialog_row row = {
		.id = id,
		.user = pair_user(p),
		.contact = pair_contact(p),
		.role = role,
		.expires_ms = expires_ms,
		.image = image->data,
		.image_len = image->len,
	};

	return pair_store_put_dialog(p->presence->opts.store, &row, done, arg);
}

static void
drop_row(const struct pair *p, uint64_t *id)
{
	int rc = 0;

	if (*id != 0)
		rc = pair_store_drop_dialog(
		    p->presence->opts.store, *id, NULL, NULL);
	*id = 0;
	if (rc < 0)
		not_written(p, "end-of-dialog", rc);
}

void
pair_row_put_sub(struct pair *p)
{
	const struct sip_subscriber *sub = from_half_sip(p);
	struct buf image;
	int rc;

	if (sub == NULL)
		return;
	buf_init(&image, PAIR_STORE_BLOB_MAX);
	rc = sip_subscriber_save(&image, sub);
	if (rc == 0) {
		if (p->sub_row == 0)
			p->sub_row = pair_row_number(p->presence);
		rc = put_dialog(p, p->sub_row, PAIR_STORE_SUBSCRIBER,
		    sip_subscriber_expires_ms(sub), &image, NULL, NULL);
	} else if (rc == ERR_BAD_STATE) {
		rc = 0; /* There is nothing to keep. */
	}
	buf_finish(&image);
	if (rc < 0)
		not_written(p, "subscription", rc);
}

void
pair_row_drop_sub(struct pair *p)
{
	drop_row(p, &p->sub_row);
}

int
pair_row_put_watch(
    struct presence_watch *w, void (*done)(int rc, void *arg), void *arg)
{
	struct pair *p = w->pair;
	struct buf image;
	int rc;

	buf_init(&image, PAIR_STORE_BLOB_MAX);
	rc = sip_notifier_save(&image, w->notifier);
	if (rc == 0) {
		if (w->row == 0)
			w->row = pair_row_number(p->presence);
		rc = put_dialog(p, w->row, PAIR_STORE_NOTIFIER,
		    sip_notifier_expires_ms(w->notifier), &image, done, arg);
	}
	buf_finish(&image);
	if (rc < 0)
		not_written(p, "dialog", rc);
	return rc;
}

void
pair_row_drop_watch(struct presence_watch *w)
{
	drop_row(w->pair, &w->row);
}

void
pair_row_put_all(struct pair *p)
{
	int rc;

	if (p->busy || pair_state_empty(&p->state))
		return;
	rc = pair_row_put(p, &p->state, NULL, NULL);
	if (rc < 0) {
		not_written(p, "pair", rc);
		return;
	}
	pair_row_put_sub(p);
	LIST_FOREACH (it, &p->watches) {
		struct presence_watch *w =
		    list_entry(it, struct presence_watch, link);

		if (w->confirmed && w->notifier != NULL)
			(void)pair_row_put_watch(w, NULL, NULL);
	}
}
