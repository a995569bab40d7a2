/* sallyport licence: new, set, get, remove */
#include "deploy/args.h"
#include "deploy/noun_verbs.h"

static enum command_exit
run_new(const struct command_opts *opts, int argc, char **argv)
{
	return noun_verbs_run(
	    &noun_licence, NOUN_NEW, "licence new", opts, argc, argv);
}

static enum command_exit
run_set(const struct command_opts *opts, int argc, char **argv)
{
	return noun_verbs_run(
	    &noun_licence, NOUN_SET, "licence set", opts, argc, argv);
}

static enum command_exit
run_get(const struct command_opts *opts, int argc, char **argv)
{
	return noun_verbs_run(
	    &noun_licence, NOUN_GET, "licence get", opts, argc, argv);
}

static enum command_exit
run_remove(const struct command_opts *opts, int argc, char **argv)
{
	return noun_verbs_run(
	    &noun_licence, NOUN_REMOVE, "licence remove", opts, argc, argv);
}

enum command_exit
cmd_licence_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_verb verbs[] = {
		{ "new", "create one", run_new },
		{ "set", "change one", run_set },
		{ "get", "show one, or all", run_get },
		{ "remove", "remove one", run_remove },
	};

	return args_verbs(
	    verbs, sizeof(verbs) / sizeof(verbs[0]), opts, argc, argv);
}
