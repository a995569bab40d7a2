/* sallyport gateway-config: get, set */
#include "deploy/args.h"
#include "deploy/noun_verbs.h"

static enum command_exit
run_get(const struct command_opts *opts, int argc, char **argv)
{
	return noun_verbs_run(&noun_gateway_config, NOUN_GET,
	    "gateway-config get", opts, argc, argv);
}

static enum command_exit
run_set(const struct command_opts *opts, int argc, char **argv)
{
	return noun_verbs_run(&noun_gateway_config, NOUN_SET,
	    "gateway-config set", opts, argc, argv);
}

enum command_exit
cmd_gateway_config_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_verb verbs[] = {
		{ "get", "show it", run_get },
		{ "set", "change it", run_set },
	};

	return args_verbs(
	    verbs, sizeof(verbs) / sizeof(verbs[0]), opts, argc, argv);
}
