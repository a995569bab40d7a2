/* Options, names and numbers of the command line. */
#include "deploy/args.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/jid.h"

enum { OPTIONS_MAX = 40, OPTION_JSON = 1000, OPTION_HELP };

enum command_exit
args_misused(const char *name, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "sallyport: %s: ", name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "; see sallyport %s --help\n", name);
	return COMMAND_USAGE;
}

/* The command's options and those that all have. */
static void
join_options(struct option out[OPTIONS_MAX], const struct option *own)
{
	static const struct option common[] = {
		{ "json", no_argument, NULL, OPTION_JSON },
		{ "help", no_argument, NULL, OPTION_HELP },
		{ NULL, 0, NULL, 0 },
	};
	size_t n = 0;

	for (; own->name != NULL && n + 3 < OPTIONS_MAX; own++)
		out[n++] = *own;
	memcpy(out + n, common, sizeof(common));
}

/* -1 to go on, else the exit status. */
static int
read_options(struct args *a, const struct args_command *own, void *request,
    int argc, char **argv)
{
	struct option all[OPTIONS_MAX];
	int c;

	join_options(all, own->options);
	optind = 0; /* begin again */
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", all, NULL)) != -1) {
		switch (c) {
		case OPTION_JSON:
			a->json = true;
			break;
		case OPTION_HELP:
			fputs(own->help, stdout);
			return COMMAND_OK;
		case ':':
			return (int)args_misused(
			    own->name, "%s needs a value", argv[optind - 1]);
		case '?':
			return (int)args_misused(
			    own->name, "%s is not known", argv[optind - 1]);
		default:
			if (!own->take(request, c, optarg))
				return COMMAND_USAGE;
		}
	}
	a->rest = argv + optind;
	a->rest_count = argc - optind;
	if (own->rest < 0 || a->rest_count <= own->rest)
		return -1;
	return (int)args_misused(
	    own->name, "\"%s\" is one too many", a->rest[own->rest]);
}

enum command_exit
args_run(const struct args_command *c, const struct command_opts *opts,
    int argc, char **argv)
{
	struct args a = { .opts = opts, .json = opts->json };
	void *request = calloc(1, c->size);
	int status;

	if (request == NULL) {
		fputs("sallyport: out of memory\n", stderr);
		return COMMAND_REFUSED;
	}
	if (c->initial != NULL)
		memcpy(request, c->initial, c->size);
	if (c->begin != NULL)
		c->begin(request);
	status = read_options(&a, c, request, argc, argv);
	if (status < 0)
		status = (int)c->run(request, &a);
	if (c->end != NULL)
		c->end(request);
	free(request);
	return (enum command_exit)status;
}

bool
args_names_have(const struct args_names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->v[i], name) == 0)
			return true;
	return false;
}

static bool
add_name(
    struct args_names *names, const char *command, const char *s, size_t len)
{
	char name[256];

	if (jid_domain_ascii(name, sizeof(name), s, len) < 0 ||
	    name[0] == '[') {
		args_misused(
		    command, "\"%.*s\" is not a domain name", (int)len, s);
		return false;
	}
	if (args_names_have(names, name))
		return true;
	if (names->count == ARGS_NAMES_MAX) {
		args_misused(
		    command, "more than %d names of a kind", ARGS_NAMES_MAX);
		return false;
	}
	memcpy(names->v[names->count++], name, sizeof(name));
	return true;
}

bool
args_names_add(struct args_names *names, const char *command, const char *list)
{
	for (;;) {
		size_t len = strcspn(list, ",");

		if (!add_name(names, command, list, len))
			return false;
		if (list[len] == '\0')
			return true;
		list += len + 1;
	}
}

bool
args_number(uint32_t *out, const char *command, const char *what,
    const char *text, uint32_t min, uint32_t max)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
	    n < min || n > max) {
		args_misused(command,
		    "%s: \"%s\" is not a number from %u to %u", what, text,
		    (unsigned)min, (unsigned)max);
		return false;
	}
	*out = (uint32_t)n;
	return true;
}

bool
args_word(int *out, const char *command, const char *what, const char *text,
    const char *const *words, size_t count)
{
	char all[256] = "";
	size_t len = 0;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(text, words[i]) == 0) {
			*out = (int)i;
			return true;
		}
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s",
		    i == 0 ? "" : ", ", words[i]);
		if (len >= sizeof(all))
			len = sizeof(all) - 1;
	}
	args_misused(command, "%s: \"%s\" is none of %s", what, text, all);
	return false;
}

/* What "get" is to one is "list" to another: the group has one of them. */
static const char *
synonym(const char *verb)
{
	if (strcmp(verb, "get") == 0)
		return "list";
	return strcmp(verb, "list") == 0 ? "get" : NULL;
}

static const struct args_verb *
find_verb(const struct args_verb *verbs, size_t count, const char *name)
{
	for (size_t i = 0; name != NULL && i < count; i++)
		if (strcmp(name, verbs[i].name) == 0)
			return &verbs[i];
	return NULL;
}

static void
help_verbs(
    FILE *f, const struct args_verb *verbs, size_t count, const char *name)
{
	fprintf(f, "usage: sallyport %s", name);
	for (size_t i = 0; i < count; i++)
		fprintf(f, "%s%s", i == 0 ? " " : "|", verbs[i].name);
	fputs(" [OPTION]...\n\n", f);
	for (size_t i = 0; i < count; i++)
		fprintf(f, "  %-8s %s\n", verbs[i].name, verbs[i].what);
	fprintf(f,
	    "\nexample:\n  sallyport %s %s --help\n"
	    "tells the options, and its exit status.\n",
	    name, verbs[0].name);
}

enum command_exit
args_verbs(const struct args_verb *verbs, size_t count,
    const struct command_opts *opts, int argc, char **argv)
{
	const struct args_verb *verb = NULL;

	if (argc > 1)
		verb = find_verb(verbs, count, argv[1]);
	if (argc > 1 && verb == NULL)
		verb = find_verb(verbs, count, synonym(argv[1]));
	if (verb != NULL)
		return verb->run(opts, argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		help_verbs(stdout, verbs, count, argv[0]);
		return COMMAND_OK;
	}
	if (argc > 1)
		fprintf(stderr, "sallyport: %s: \"%s\" is not known\n", argv[0],
		    argv[1]);
	help_verbs(stderr, verbs, count, argv[0]);
	return COMMAND_USAGE;
}
