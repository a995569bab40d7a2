/* sallyport access-edge: get, set */
#include "deploy/args.h"
#include "deploy/noun_verbs.h"

static enum command_exit
run_get(const struct command_opts *opts, int argc, char **argv)
{
	return noun_verbs_run(
	    &noun_access_edge, NOUN_GET, "access-edge get", opts, argc, argv);
}

static enum command_exit
run_set(const struct command_opts *opts, int argc, char **argv)
{
	return noun_verbs_run(
	    &noun_access_edge, NOUN_SET, "access-edge set", opts, argc, argv);
}

enum command_exit
cmd_access_edge_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_verb verbs[] = {
		{ "get", "show it", run_get },
		{ "set", "change it", run_set },
	};

	return args_verbs(
	    verbs, sizeof(verbs) / sizeof(verbs[0]), opts, argc, argv);
}
