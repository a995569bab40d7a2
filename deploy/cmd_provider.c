/* sallyport provider: list, set */
#include "deploy/args.h"
#include "deploy/noun_verbs.h"

static enum command_exit
run_list(const struct command_opts *opts, int argc, char **argv)
{
	return noun_verbs_run(
	    &noun_provider, NOUN_GET, "provider list", opts, argc, argv);
}

static enum command_exit
run_set(const struct command_opts *opts, int argc, char **argv)
{
	return noun_verbs_run(
	    &noun_provider, NOUN_SET, "provider set", opts, argc, argv);
}

enum command_exit
cmd_provider_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_verb verbs[] = {
		{ "list", "the public providers, as of today", run_list },
		{ "set", "change one", run_set },
	};

	return args_verbs(
	    verbs, sizeof(verbs) / sizeof(verbs[0]), opts, argc, argv);
}
