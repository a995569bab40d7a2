/* sallyport reload */
#include <stdio.h>

#include "deploy/command.h"
#include "deploy/text.h"

enum command_exit
cmd_reload_run(const struct command_opts *opts, int argc, char **argv)
{
	enum command_exit status;
	json_t *answer;

	if (argc != 1)
		return command_misused(argv[0]);
	status =
	    command_ask(&answer, opts, json_pack("{s:s}", "verb", "reload"));
	if (status != COMMAND_OK)
		return status;
	if (opts->json) {
		command_print_json(answer);
	} else {
		puts("configuration and certificates read again");
		if (json_array_size(json_object_get(answer, "restart")) > 0)
			printf("changed, but as before until a restart: %s\n",
			    text_list(answer, "restart"));
	}
	json_decref(answer);
	return COMMAND_OK;
}
