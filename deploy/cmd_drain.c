/* sallyport drain */
#include <stdio.h>

#include "deploy/command.h"

enum command_exit
cmd_drain_run(const struct command_opts *opts, int argc, char **argv)
{
	enum command_exit status;
	json_t *answer;

	if (argc != 1)
		return command_misused(argv[0]);
	status =
	    command_ask(&answer, opts, json_pack("{s:s}", "verb", "drain"));
	if (status != COMMAND_OK)
		return status;
	if (opts->json)
		command_print_json(answer);
	else
		puts("takes nothing new, finishes what is under way, stops");
	json_decref(answer);
	return COMMAND_OK;
}
