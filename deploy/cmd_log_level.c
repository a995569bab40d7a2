/* sallyport log-level [COMPONENT] LEVEL */
#include <stdio.h>

#include "common/log.h"
#include "deploy/command.h"

enum command_exit
cmd_log_level_run(const struct command_opts *opts, int argc, char **argv)
{
	const char *component = argc == 3 ? argv[1] : NULL;
	enum log_level level;
	enum command_exit status;
	json_t *answer;

	if (argc != 2 && argc != 3)
		return command_misused(argv[0]);
	if (log_level_parse(&level, argv[argc - 1]) < 0) {
		fprintf(stderr,
		    "sallyport: %s is no level: error, warn, info or debug\n",
		    argv[argc - 1]);
		return COMMAND_USAGE;
	}
	status = command_ask(&answer, opts,
	    json_pack("{s:s, s:s*, s:s}", "verb", "log-level", "component",
		component, "level", argv[argc - 1]));
	if (status != COMMAND_OK)
		return status;
	if (opts->json)
		command_print_json(answer);
	else
		printf("%s: %s\n",
		    component != NULL ? component : "all components",
		    argv[argc - 1]);
	json_decref(answer);
	return COMMAND_OK;
}
