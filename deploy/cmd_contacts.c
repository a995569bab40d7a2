/* sallyport contacts: who watches whom, and what each side is shown.
 *
 * The daemon answers in pages; here each is printed before the next is asked
 * for, so that any number of pairs takes no more memory than one page. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/jid.h"
#include "deploy/args.h"
#include "deploy/command.h"
#include "deploy/text.h"

enum { COLUMNS = 7, PAGE = 500, TABLE_MAX = 500, REMARK_SIZE = 256 };

struct filter {
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
    "  --user JID     pairs of this Lync user\n"
    "  --contact JID  pairs of this XMPP contact\n"
    "  --json         all there is to each pair, all pairs; times are\n"
    "                 milliseconds since 1970, 0 = never\n"
    "  --help         this text\n"
    "\n"
    "ROSTER is the subscription as the Lync user's server has it: to = she\n"
    "sees him, from = he sees her, both; +out and +in are requests that wait\n"
    "for an answer.  POOL is our subscription for him with the pool.\n"
    "\n"
    "examples:\n"
    "  sallyport contacts --user anna@contoso.example\n"
    "  sallyport contacts --json | jq -r '.contacts[].contact' | sort -u\n";

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
	struct filter *f = arg;

	if (c == 'u')
		return read_address(&f->user, &f->by_user, "--user", value);
	return read_address(&f->contact, &f->by_contact, "--contact", value);
}

/* --- asking ---------------------------------------------------------------- */

static json_t *
make_request(const struct filter *f, json_t *after)
{
	json_t *r = json_pack("{s:s, s:i}", "verb", "contacts", "limit", PAGE);

	if (f->by_user)
		json_object_set_new(r, "user", json_string(f->user.bare));
	if (f->by_contact)
		json_object_set_new(r, "contact", json_string(f->contact.bare));
	if (after != NULL)
		json_object_set(r, "after", after);
	return r;
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
add_row(struct text_table *t, const json_t *pair, int64_t now_ms)
{
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
	describe_rest(rest, pair, now_ms);
	text_table_row(
	    t, (const char *const[COLUMNS]){ text_of(pair, "user"),
		   text_of(pair, "contact"), text_of(pair, "roster"), her,
		   shown(from, "told"), text_of(from, "phase"), rest });
}

/* --- printing -------------------------------------------------------------- */

static enum command_exit
print_table(const struct command_opts *opts, const struct filter *f)
{
	static const char *const titles[COLUMNS] = { "USER", "CONTACT",
		"ROSTER", "USER SEES", "CONTACT SEES", "POOL", "REMARKS" };
	const json_t *contacts;
	enum command_exit status;
	struct text_table t;
	json_t *answer;

	status = command_ask(&answer, opts, make_request(f, NULL));
	if (status != COMMAND_OK)
		return status;
	contacts = json_object_get(answer, "contacts");
	if (json_array_size(contacts) == 0) {
		puts("no contacts");
	} else {
		text_table_init(&t, titles, COLUMNS);
		for (size_t i = 0; i < json_array_size(contacts); i++)
			add_row(&t, json_array_get(contacts, i), f->now_ms);
		text_table_print(&t, "");
		text_table_finish(&t);
		if (json_object_get(answer, "next") != NULL)
			printf(
			    "the first %zu of %" PRId64
			    "; --user or --contact chooses, --json has all\n",
			    json_array_size(contacts),
			    text_number(answer, "total"));
	}
	json_decref(answer);
	return COMMAND_OK;
}

/* The pages' rows in one object, each written as it comes. */
static enum command_exit
print_json(const struct command_opts *opts, const struct filter *f)
{
	const char *before = "\n";
	json_t *after = NULL;

	do {
		enum command_exit status;
		const json_t *contacts;
		json_t *answer;

		status = command_ask(&answer, opts, make_request(f, after));
		if (after == NULL && status == COMMAND_OK)
			printf("{\n\"daemon\": \"gateway\",\n"
			       "\"total\": %" PRId64 ",\n\"contacts\": [",
			    text_number(answer, "total"));
		json_decref(after);
		if (status != COMMAND_OK)
			return status;
		contacts = json_object_get(answer, "contacts");
		for (size_t i = 0; i < json_array_size(contacts); i++) {
			fputs(before, stdout);
			json_dumpf(json_array_get(contacts, i), stdout, 0);
			before = ",\n";
		}
		after = json_incref(json_object_get(answer, "next"));
		json_decref(answer);
	} while (after != NULL);
	puts("\n]\n}");
	return COMMAND_OK;
}

static void
begin(void *arg)
{
	struct filter *f = arg;

	f->now_ms = (int64_t)time(NULL) * 1000;
}

static enum command_exit
print(void *arg, const struct args *a)
{
	const struct filter *f = arg;

	return a->json ? print_json(a->opts, f) : print_table(a->opts, f);
}

static void
end(void *arg)
{
	struct filter *f = arg;

	if (f->by_user)
		jid_finish(&f->user);
	if (f->by_contact)
		jid_finish(&f->contact);
}

enum command_exit
cmd_contacts_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct option options[] = {
		{ "user", required_argument, NULL, 'u' },
		{ "contact", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	static const struct args_command command = { .name = "contacts",
		.help = help,
		.options = options,
		.size = sizeof(struct filter),
		.begin = begin,
		.take = take,
		.run = print,
		.end = end };

	return args_run(&command, opts, argc, argv);
}
