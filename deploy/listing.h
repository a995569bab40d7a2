/*
 * listing - what a daemon tells of its own doings: asked of the daemon on this
 * host over its control socket, or of a gateway elsewhere over HTTP.  Lists
 * come page by page, of which one is held at a time.
 *
 * What goes wrong has been told to standard error when a function returns
 * anything but COMMAND_OK.
 */
#ifndef DEPLOY_LISTING_H
#define DEPLOY_LISTING_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "deploy/api_args.h"
#include "deploy/args.h"
#include "deploy/text.h"

/* Narrows the list; value NULL = not asked for. */
struct listing_wish {
	const char *name, *value;
};

struct listing {
	const char *what; /* "contacts": what it is called everywhere */
	const struct listing_wish *wishes;
	size_t wish_count;
	/* What the daemon did not sort out itself; NULL = all fit. */
	bool (*fits)(const json_t *item, void *arg);
	/* As a table: its titles, a row of it, what is said without any. */
	const char *const *titles;
	size_t columns;
	void (*add_row)(struct text_table *t, const json_t *item, void *arg);
	const char *nothing;
	void *arg;
};

/* Where to ask, as options of a sub-command. */
#define LISTING_OPTIONS                                                        \
	{ "socket", required_argument, NULL, API_ARGS_SOCKET },                \
	    API_ARGS_ELSEWHERE
#define LISTING_HELP                                                           \
	"  --socket PATH        the daemon's control "                         \
	"socket\n" API_ARGS_ELSEWHERE_HELP                                     \
	"  --json               all there is, for scripts\n"                   \
	"  --help               this text\n"
#define LISTING_EXIT                                                           \
	"exit status: 0 done, 1 refused, 2 wrong usage, 3 no daemon "          \
	"answered,\n"                                                          \
	"4 not permitted\n"

/* What is one object: "status".  With COMMAND_OK the caller owns *answer. */
enum command_exit listing_ask(json_t **answer, const char *what,
    const struct api_client_opts *where, const struct args *a);
/* On standard output, each page as it comes: the table, or with --json
 * {"daemon", "total" where it is known, "<what>": [...]}. */
enum command_exit listing_print(const struct listing *l,
    const struct api_client_opts *where, const struct args *a);

#endif
