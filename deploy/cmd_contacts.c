/* sallyport contacts: who watches whom, and what each side is shown; any number
 * of pairs, page by page. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/jid.h"
#include "deploy/listing.h"
#include "deploy/text.h"

enum { COLUMNS = 7, REMARK_SIZE = 256 };

enum { OPT_USER, OPT_CONTACT };

struct request {
	struct api_client_opts where;
	struct jid user, contact;
	bool by_user, by_contact;
	int64_t now_ms;
};

static const char help[] =
    "usage: sallyport contacts [OPTION]...\n"
    "\n"
    "Lists pairs of a Lync user and an XMPP contact: what they agreed on, "
    "what\n"
    "each is shown of the other, and what is still to be done.\n"
    "\n"
    "  --user JID           pairs of this Lync user\n"
    "  --contact JID        pairs of this XMPP contact\n" LISTING_HELP "\n"
    "Times in JSON are milliseconds since 1970, 0 = never.\n"
    "ROSTER is the subscription as the Lync user's server has it: to = she\n"
    "sees him, from = he sees her, both; +out and +in are requests that wait\n"
    "for an answer.  POOL is our subscription for him with the pool.\n"
    "\n"
    "examples:\n"
    "  sallyport contacts --user anna@contoso.example\n"
    "  sallyport contacts --json | jq -r '.contacts[].contact' | sort -u\n"
    "\n" LISTING_EXIT;

static const struct option options[] = {
	{ "user", required_argument, NULL, OPT_USER },
	{ "contact", required_argument, NULL, OPT_CONTACT },
	LISTING_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

/* --- options -------------------------------------------------------------- */

/* A user's address, without resource; "sip:" before it is what the pool's
 * tools print. */
static bool
read_address(struct jid *out, bool *set, const char *what, const char *s)
{
	const char *text = strncmp(s, "sip:", 4) == 0 ? s + 4 : s;
	struct jid j;

	if (jid_parse(&j, text, strlen(text)) < 0) {
		args_misused("contacts", "%s %s is no address", what, s);
		return false;
	}
	if (j.local == NULL || j.resource != NULL) {
		args_misused("contacts", "%s %s is not of the form user@domain",
		    what, s);
		jid_finish(&j);
		return false;
	}
	if (*set)
		jid_finish(out);
	*out = j;
	*set = true;
	return true;
}

static bool
take(void *arg, int c, const char *value)
{
	struct request *r = arg;

	switch (c) {
	case OPT_USER:
		return read_address(&r->user, &r->by_user, "--user", value);
	case OPT_CONTACT:
		return read_address(
		    &r->contact, &r->by_contact, "--contact", value);
	default:
		return api_args_take(&r->where, c, value);
	}
}

/* --- words ----------------------------------------------------------------- */

/* " in 5 min", " 3 d 2 h ago"; "" for never. */
static void
add_when(char *out, size_t size, int64_t ms, int64_t now_ms)
{
	char span[32];

	out[0] = '\0';
	if (ms == 0)
		return;
	if (ms > now_ms) {
		text_duration(span, sizeof(span), (ms - now_ms) / 1000);
		snprintf(out, size, " in %s", span);
	} else {
		text_duration(span, sizeof(span), (now_ms - ms) / 1000);
		snprintf(out, size, " %s ago", span);
	}
}

/* Adds a remark, the former ones before it. */
static void __attribute__((format(printf, 2, 3)))
add_remark(char out[REMARK_SIZE], const char *fmt, ...)
{
	size_t len = strlen(out);
	va_list ap;

	if (len > 0 && len + 2 < REMARK_SIZE) {
		memcpy(out + len, "; ", 3);
		len += 2;
	}
	va_start(ap, fmt);
	vsnprintf(out + len, REMARK_SIZE - len, fmt, ap);
	va_end(ap);
}

/* A stanza that did not provably arrive. */
static void
add_debt(char out[REMARK_SIZE], const json_t *half, int64_t now_ms)
{
	const char *owed = text_of(half, "owed");
	int64_t fails = text_number(half, "fails");
	char when[48];

	if (owed[0] == '\0')
		return;
	add_when(when, sizeof(when), text_number(half, "next"), now_ms);
	if (fails == 0)
		add_remark(out, "%s under way", owed);
	else
		add_remark(out, "%s failed %" PRId64 " times, again%s", owed,
		    fails, when[0] != '\0' ? when : " when he can be reached");
}

/* What an admin would ask next. */
static void
describe_rest(char out[REMARK_SIZE], const json_t *pair, int64_t now_ms)
{
	const json_t *to = json_object_get(pair, "to");
	const json_t *from = json_object_get(pair, "from");
	const char *queued = text_of(from, "queued");
	const char *roster = text_of(pair, "roster");
	char when[48];

	out[0] = '\0';
	if (text_number(to, "refused") != 0) {
		add_when(
		    when, sizeof(when), text_number(to, "refused"), now_ms);
		add_remark(out, "refused her%s", when);
	} else if (strstr(roster, "+out") != NULL) {
		add_when(when, sizeof(when), text_number(to, "asked"), now_ms);
		add_remark(out, "asked%s, no answer yet", when);
	}
	if (text_number(to, "remove") != 0) {
		add_when(when, sizeof(when), text_number(to, "remove"), now_ms);
		add_remark(out, "taken off%s unless she comes back", when);
	}
	add_debt(out, to, now_ms);
	if (strcmp(queued, "prompt") == 0)
		add_remark(out, "waits to be shown to her as a new contact");
	else if (queued[0] != '\0')
		add_remark(out, "waits for its turn at the pool");
	add_debt(out, from, now_ms);
	if (strcmp(text_of(from, "phase"), "retry") == 0) {
		add_when(when, sizeof(when), text_number(from, "next"), now_ms);
		add_remark(
		    out, "pool said %s, again%s", text_of(from, "why"), when);
	}
}

/* What one is shown of the other, "-" for nothing. */
static const char *
shown(const json_t *half, const char *key)
{
	const char *s = text_of(half, key);

	return s[0] != '\0' ? s : "-";
}

static void
add_row(struct text_table *t, const json_t *pair, void *arg)
{
	const struct request *r = arg;
	const json_t *to = json_object_get(pair, "to");
	const json_t *from = json_object_get(pair, "from");
	int64_t dialogs = text_number(to, "dialogs");
	char rest[REMARK_SIZE], devices[48] = "";
	char her[96];

	if (dialogs > 1)
		snprintf(devices, sizeof(devices), " on %" PRId64 " devices",
		    dialogs);
	snprintf(her, sizeof(her), "%s%s",
	    dialogs > 0 ? shown(to, "shown") : "-", devices);
	describe_rest(rest, pair, r->now_ms);
	text_table_row(
	    t, (const char *const[COLUMNS]){ text_of(pair, "user"),
		   text_of(pair, "contact"), text_of(pair, "roster"), her,
		   shown(from, "told"), text_of(from, "phase"), rest });
}

/* --- printing -------------------------------------------------------------- */

static void
begin(void *arg)
{
	struct request *r = arg;

	r->now_ms = (int64_t)time(NULL) * 1000;
}

static enum command_exit
run(void *arg, const struct args *a)
{
	static const char *const titles[COLUMNS] = { "USER", "CONTACT",
		"ROSTER", "USER SEES", "CONTACT SEES", "POOL", "REMARKS" };
	struct request *r = arg;
	const struct listing_wish wishes[] = {
		{ "user", r->by_user ? r->user.bare : NULL },
		{ "contact", r->by_contact ? r->contact.bare : NULL },
	};
	const struct listing contacts = { .what = "contacts",
		.wishes = wishes,
		.wish_count = sizeof(wishes) / sizeof(wishes[0]),
		.titles = titles,
		.columns = COLUMNS,
		.add_row = add_row,
		.nothing = "no contacts",
		.arg = r };

	return listing_print(&contacts, &r->where, a);
}

static void
end(void *arg)
{
	struct request *r = arg;

	if (r->by_user)
		jid_finish(&r->user);
	if (r->by_contact)
		jid_finish(&r->contact);
}

enum command_exit
cmd_contacts_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_command command = { .name = "contacts",
		.help = help,
		.options = options,
		.size = sizeof(struct request),
		.begin = begin,
		.take = take,
		.run = run,
		.end = end };

	return args_run(&command, opts, argc, argv);
}
