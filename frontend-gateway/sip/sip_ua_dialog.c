/*
 * Dialogs are in one table under Call-ID, our tag and theirs; early ones of
 * our INVITEs as well, so that a request which overtakes the 200 on another
 * connection finds its place.
 *
 * A SUBSCRIBE of ours has its dialog from the start, half: it stands in the
 * table with an empty tag of the peer's, and moves to its place when the 2xx
 * or a NOTIFY brings the tag.  What comes from a second fork finds no half any
 * more and is answered 481, as one dialog is all that presence allows (RFC
 * 3856 6.9).
 */
#include "frontend-gateway/sip/sip_ua.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/sip/sip_image.h"
#include "frontend-gateway/sip/sip_ua_impl.h"

/* --- life --------------------------------------------------------------- */

static void
on_repeat(struct clock_timer *timer, void *arg)
{
	(void)timer;
	sip_ua_answer_repeat(arg);
}

int
sip_ua_dialog_new(
    struct ua_dialog **out, struct sip_ua *ua, const char *contact)
{
	struct ua_dialog *ud;

	if (ua->dialog_count >= ua->opts.dialogs_max)
		return ERR_FULL;
	ud = calloc(1, sizeof(*ud));
	if (ud == NULL)
		return ERR_NOMEM;
	ud->contact = strdup(contact);
	if (ud->contact == NULL) {
		free(ud);
		return ERR_NOMEM;
	}
	ud->ua = ua;
	list_init(&ud->node);
	list_init(&ud->of_call);
	buf_init(&ud->answer, 0);
	clock_timer_init(&ud->repeat, ua->opts.clock, on_repeat, ud);
	sip_ua_session_init(ud);
	*out = ud;
	return 0;
}

int
sip_ua_dialog_add(struct ua_dialog *ud)
{
	struct sip_ua *ua = ud->ua;
	int rc = map_put(&ua->dialogs, &ud->d.by_id, ud->d.id, ud->d.id_len);

	if (rc < 0)
		return rc;
	list_append(&ua->dialog_list, &ud->node);
	ua->dialog_count++;
	return 0;
}

struct ua_dialog *
sip_ua_dialog_find(struct sip_ua *ua, const char *call_id,
    const char *local_tag, const char *remote_tag)
{
	struct map_node *n;
	char *key;
	size_t len;

	if (sip_dialog_key(&key, &len, call_id, local_tag, remote_tag) < 0)
		return NULL;
	n = map_get(&ua->dialogs, key, len);
	free(key);
	return n != NULL ? map_entry(n, struct ua_dialog, d.by_id) : NULL;
}

struct ua_dialog *
sip_ua_dialog_of(struct sip_ua *ua, const struct sip_msg *req)
{
	struct ua_dialog *ud = sip_ua_dialog_find(ua, sip_msg_call_id(req),
	    sip_msg_to_tag(req), sip_msg_from_tag(req));

	return ud != NULL && !sip_dialog_is_half(&ud->d) ? ud : NULL;
}

void
sip_ua_dialog_free(struct ua_dialog *ud)
{
	clock_timer_stop(&ud->repeat);
	sip_ua_session_stop(ud);
	if (ud->d.by_id.in) {
		map_remove(&ud->ua->dialogs, &ud->d.by_id);
		ud->ua->dialog_count--;
	}
	list_remove(&ud->node);
	list_remove(&ud->of_call);
	sip_dialog_finish(&ud->d);
	buf_finish(&ud->answer);
	free(ud->contact);
	free(ud);
}

void
sip_ua_dialog_over(struct ua_dialog *ud, enum sip_dialog_end why)
{
	struct sip_ua *ua = ud->ua;

	sip_dialog_end(&ud->d);
	/* No longer found while the owner is told. */
	if (ud->d.by_id.in) {
		map_remove(&ua->dialogs, &ud->d.by_id);
		ua->dialog_count--;
	}
	list_remove(&ud->node);
	if (ud->owner != NULL && !ud->left)
		ud->owner->on_end(ua, &ud->d);
	else if (ud->shown && !ud->left)
		ua->opts.events->on_dialog_end(ua, &ud->d, why, ua->opts.arg);
	sip_ua_dialog_free(ud);
}

/* --- of subscriptions --------------------------------------------------- */

/* A dialog with the Contact that belongs to an address of ours. */
static int
new_owned(struct ua_dialog **out, struct sip_ua *ua, const char *uri,
    const struct sip_dialog_owner *owner)
{
	struct ua_dialog *ud;
	struct buf contact;
	int rc;

	buf_init(&contact, 0);
	rc = sip_ua_contact(&contact, ua, uri);
	if (rc == 0 && buf_cstr(&contact) == NULL)
		rc = ERR_NOMEM;
	if (rc == 0)
		rc = sip_ua_dialog_new(&ud, ua, buf_cstr(&contact));
	buf_finish(&contact);
	if (rc != 0)
		return rc;
	ud->owner = owner;
	*out = ud;
	return 0;
}

/* rc is what making ud->d gave. */
static int
add_owned(struct sip_dialog **out, struct ua_dialog *ud, int rc, void *user)
{
	if (rc == 0)
		rc = sip_ua_dialog_add(ud);
	if (rc < 0) {
		sip_ua_dialog_free(ud);
		return rc;
	}
	ud->d.user = user;
	*out = &ud->d;
	return 0;
}

int
sip_ua_dialog_prepare(struct sip_dialog **out, struct sip_ua *ua,
    const struct sip_question *who, const struct sip_dialog_owner *owner,
    void *user)
{
	struct ua_dialog *ud;
	struct sip_ua_fresh f;
	int rc;

	if (ua->closing)
		return ERR_BAD_STATE;
	rc = sip_ua_out_fresh(&f, ua, who);
	if (rc == 0)
		rc = new_owned(&ud, ua, who->from_uri, owner);
	if (rc == 0)
		rc = add_owned(out, ud,
		    sip_dialog_init_half(&ud->d, buf_cstr(&f.from),
			buf_cstr(&f.to), f.call_id, who->uri),
		    user);
	sip_ua_out_fresh_finish(&f);
	return rc;
}

int
sip_ua_dialog_take(struct sip_dialog **out, struct sip_ua *ua,
    struct sip_server_txn *st, const struct sip_dialog_owner *owner, void *user)
{
	const struct sip_msg *req = sip_server_request(st);
	struct ua_dialog *ud;
	int rc;

	assert(sip_msg_method(req) == SIP_SUBSCRIBE);
	assert(*sip_msg_to_tag(req) == '\0');
	if (ua->closing)
		return ERR_BAD_STATE;
	rc = new_owned(&ud, ua, sip_msg_to_uri(req), owner);
	if (rc != 0)
		return rc;
	return add_owned(out, ud,
	    sip_dialog_init_uas(&ud->d, req, sip_server_to_tag(st)), user);
}

/* Our own address in a dialog that was read. */
static int
own_uri(char **out, const struct sip_dialog *d)
{
	struct sip_addr a;
	int rc = sip_addr_read(&a, d->local, strlen(d->local));

	if (rc == 0)
		rc = sip_uri_check(a.uri, a.uri_len);
	if (rc != 0)
		return rc;
	*out = strndup(a.uri, a.uri_len);
	return *out != NULL ? 0 : ERR_NOMEM;
}

/* The Contact is made anew: the gateway may have another name or port now,
 * and tells so with its next request. */
int
sip_ua_dialog_restore(struct sip_dialog **out, struct sip_ua *ua,
    struct sip_image *im, const struct sip_dialog_owner *owner, void *user)
{
	struct ua_dialog *ud;
	struct sip_dialog d;
	char *uri = NULL;
	int rc;

	if (ua->closing)
		return ERR_BAD_STATE;
	rc = sip_dialog_restore(&d, im);
	if (rc != 0)
		return rc;
	rc = own_uri(&uri, &d);
	if (rc == 0)
		rc = new_owned(&ud, ua, uri, owner);
	free(uri);
	if (rc != 0) {
		sip_dialog_finish(&d);
		return rc;
	}
	ud->d = d;
	return add_owned(out, ud, 0, user);
}

/* Gives the half dialog its other half; its key changes with it.  Nobody else
 * has that key: Call-ID and tag are random ones of ours, and there is one half
 * of them. */
static int
complete(struct ua_dialog *ud, const struct sip_msg *m)
{
	struct sip_ua *ua = ud->ua;
	int rc, back;

	map_remove(&ua->dialogs, &ud->d.by_id);
	rc = sip_dialog_complete(&ud->d, m);
	back = map_put(&ua->dialogs, &ud->d.by_id, ud->d.id, ud->d.id_len);
	assert(back == 0);
	return rc;
}

struct ua_dialog *
sip_ua_dialog_notified(struct sip_ua *ua, const struct sip_msg *notify)
{
	struct ua_dialog *ud = sip_ua_dialog_find(
	    ua, sip_msg_call_id(notify), sip_msg_to_tag(notify), "");
	int rc;

	if (ud == NULL || !sip_dialog_is_half(&ud->d))
		return NULL;
	rc = complete(ud, notify);
	if (rc < 0)
		log_info(&ua->log, "no-dialog", "call_id=%s error=%s",
		    sip_msg_call_id(notify), err_str(rc));
	return rc == 0 ? ud : NULL;
}

/* Without a usable Contact the dialog stays half: a NOTIFY may still make
 * it.  A 2xx of another fork than the NOTIFY's changes nothing. */
struct sip_dialog *
sip_ua_dialog_answered(struct sip_ua *ua, const struct sip_msg *m)
{
	struct ua_dialog *ud = sip_ua_dialog_find(
	    ua, sip_msg_call_id(m), sip_msg_from_tag(m), sip_msg_to_tag(m));
	int rc;

	if (ud != NULL && !sip_dialog_is_half(&ud->d)) {
		rc = sip_dialog_refresh(&ud->d, m);
	} else {
		ud = sip_ua_dialog_find(
		    ua, sip_msg_call_id(m), sip_msg_from_tag(m), "");
		if (ud == NULL || !sip_dialog_is_half(&ud->d))
			return NULL;
		rc = complete(ud, m);
	}
	if (rc < 0)
		log_warn(&ua->log, "refresh-not-taken", "call_id=%s error=%s",
		    sip_msg_call_id(m), err_str(rc));
	return &ud->d;
}

struct ua_dialog *
sip_ua_dialog_of_txn(struct sip_ua *ua, const struct sip_server_txn *st)
{
	const struct sip_msg *req = sip_server_request(st);
	const char *tag = sip_msg_to_tag(req);

	return sip_ua_dialog_find(ua, sip_msg_call_id(req),
	    *tag != '\0' ? tag : sip_server_to_tag(st), sip_msg_from_tag(req));
}
