/*
 * api_args - the options by which every sub-command that asks the gateway's
 * administration says which gateway is meant.
 */
#ifndef DEPLOY_API_ARGS_H
#define DEPLOY_API_ARGS_H

#include <getopt.h>
#include <stdbool.h>

#include "deploy/api_client.h"
#include "deploy/args.h"

enum {
	API_ARGS_SOCKET = 900,
	API_ARGS_CONFIG,
	API_ARGS_URL,
	API_ARGS_TOKEN_FILE,
	API_ARGS_TRUST,
	API_ARGS_CERTIFICATE,
	API_ARGS_KEY
};

enum { API_ARGS_COUNT = 7 };

/* For a table of options, before its end: a gateway elsewhere. */
#define API_ARGS_ELSEWHERE                                                     \
	{ "url", required_argument, NULL, API_ARGS_URL },                      \
	    { "token-file", required_argument, NULL, API_ARGS_TOKEN_FILE },    \
	    { "trust", required_argument, NULL, API_ARGS_TRUST },              \
	    { "client-certificate", required_argument, NULL,                   \
		    API_ARGS_CERTIFICATE },                                    \
	{                                                                      \
		"client-key", required_argument, NULL, API_ARGS_KEY            \
	}
/* The same, and one of this host. */
#define API_ARGS_OPTIONS                                                       \
	{ "socket", required_argument, NULL, API_ARGS_SOCKET },                \
	    { "config", required_argument, NULL, API_ARGS_CONFIG },            \
	    API_ARGS_ELSEWHERE

/* Lines of a help text, for the options and for the exit status. */
#define API_ARGS_ELSEWHERE_HELP                                                \
	"  --url URL            a gateway's https or loopback address "        \
	"instead\n"                                                            \
	"  --token-file FILE    the token for that\n"                          \
	"  --trust FILE         authorities for its certificate\n"             \
	"  --client-certificate FILE\n"                                        \
	"                       shown to a reverse proxy that asks for one\n"  \
	"  --client-key FILE    its key; default: in the same file\n"
#define API_ARGS_HELP                                                          \
	"  --socket PATH        the gateway's administration socket; "         \
	"default:\n"                                                           \
	"                       what the configuration names\n"                \
	"  --config FILE        another configuration than\n"                  \
	"                       "                                              \
	"/etc/sallyport/gateway.json\n" API_ARGS_ELSEWHERE_HELP                \
	"  --json               all there is, for scripts\n"                   \
	"  --help               this text\n"
#define API_ARGS_EXIT                                                          \
	"exit status: 0 done, 1 refused, 2 wrong usage, 3 no gateway "         \
	"answered,\n"                                                          \
	"4 not permitted, 5 changed by another since or there already,\n"      \
	"6 no such object\n"

/* False when the option is none of these. */
bool api_args_take(struct api_client_opts *o, int c, const char *value);
/* With --socket of before the sub-command. */
enum command_exit api_args_open(struct api_client **out,
    const struct api_client_opts *o, const struct args *a);

#endif
