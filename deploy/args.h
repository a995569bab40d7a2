/*
 * args - the options of a sub-command that has its own.
 *
 * A sub-command has a table of options, one function that is called for each
 * option met, and one that does what they ask.  --help and --json are understood everywhere.  What is
 * wrong is told to standard error, with the sub-command's full name.
 */
#ifndef DEPLOY_ARGS_H
#define DEPLOY_ARGS_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deploy/command.h"

enum { ARGS_NAMES_MAX = 2048 };

/* Domain names in comparable form, each once. */
struct args_names {
	char v[ARGS_NAMES_MAX][256];
	size_t count;
};

/* What is known of the command line beside the sub-command's own options. */
struct args {
	const struct command_opts *opts;
	bool json;   /* said here, or before the sub-command */
	char **rest; /* arguments that are no options */
	int rest_count;
};

/* "sallyport: dns plan: ..." with a hint to --help; COMMAND_USAGE. */
enum command_exit args_misused(const char *name, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A sub-command that is nothing but options and what is done with them.  Its
 * request is memory of size bytes, zeroed. */
struct args_command {
	const char *name; /* "dns plan" */
	const char *help; /* the whole text of --help */
	const struct option *options;
	size_t size;
	/* Arguments that are no options: how many it takes, -1 = any number. */
	int rest;
	/* What the request begins with, size bytes; NULL = zeroes. */
	const void *initial;
	/* What stands there when nothing is said. */
	void (*begin)(void *request);
	/* c is the option's val.  False after telling what is wrong. */
	bool (*take)(void *request, int c, const char *value);
	/* Once all options are taken. */
	enum command_exit (*run)(void *request, const struct args *a);
	/* Ends what was taken; NULL = nothing to end. */
	void (*end)(void *request);
};
enum command_exit args_run(const struct args_command *c,
    const struct command_opts *opts, int argc, char **argv);

/* Adds the names of a list with commas.  False (told) when one is no domain
 * name or there are too many. */
bool
args_names_add(struct args_names *names, const char *command, const char *list);
bool args_names_have(const struct args_names *names, const char *name);
/* A decimal number between min and max; false (told) else. */
bool args_number(uint32_t *out, const char *command, const char *what,
    const char *text, uint32_t min, uint32_t max);
/* One of count words; false (told, with all of them) else. */
bool args_word(int *out, const char *command, const char *what,
    const char *text, const char *const *words, size_t count);

/* A group's second word: "plan" of "dns plan". */
struct args_verb {
	const char *name;
	const char *what;
	command_fn *run;
};
/* Runs the verb that argv[1] names, or helps.  "list" is understood where a
 * group has "get", and the other way round. */
enum command_exit args_verbs(const struct args_verb *verbs, size_t count,
    const struct command_opts *opts, int argc, char **argv);

#endif
