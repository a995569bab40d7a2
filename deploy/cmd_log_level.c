/* sallyport log-level [COMPONENT] LEVEL */
#include <stdio.h>
#include <strings.h>

#include "common/log.h"
#include "deploy/command.h"

/* The levels of Lync's Centralized Logging Service, for those who know them:
 * there are more of them than there is to tell apart. */
static const struct {
	const char *name, *level;
} others[] = {
	{ "Fatal", "error" },
	{ "Warning", "warn" },
	{ "Verbose", "debug" },
	{ "All", "debug" },
};

/* Ours, in small letters. */
static const char *
level_of(const char *given)
{
	static const char *const ours[] = { "error", "warn", "info", "debug" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcasecmp(given, others[i].name) == 0)
			return others[i].level;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strcasecmp(given, ours[i]) == 0)
			return ours[i];
	return given;
}

enum command_exit
cmd_log_level_run(const struct command_opts *opts, int argc, char **argv)
{
	const char *component = argc == 3 ? argv[1] : NULL;
	const char *name;
	enum log_level level;
	enum command_exit status;
	json_t *answer;

	if (argc != 2 && argc != 3)
		return command_misused(argv[0]);
	name = level_of(argv[argc - 1]);
	if (log_level_parse(&level, name) < 0) {
		fprintf(stderr,
		    "sallyport: %s is no level: error, warn, info or debug\n",
		    name);
		return COMMAND_USAGE;
	}
	status = command_ask(&answer, opts,
	    json_pack("{s:s, s:s*, s:s}", "verb", "log-level", "component",
		component, "level", name));
	if (status != COMMAND_OK)
		return status;
	if (opts->json)
		command_print_json(answer);
	else
		printf("%s: %s\n",
		    component != NULL ? component : "all components", name);
	json_decref(answer);
	return COMMAND_OK;
}
