/* sallyport policy: new, set, get, remove, and who is granted which */
#include "deploy/args.h"
#include "deploy/noun_verbs.h"
#include "deploy/policy_effective.h"

static enum command_exit
run_new(const struct command_opts *opts, int argc, char **argv)
{
	return noun_verbs_run(
	    &noun_policy, NOUN_NEW, "policy new", opts, argc, argv);
}

static enum command_exit
run_set(const struct command_opts *opts, int argc, char **argv)
{
	return noun_verbs_run(
	    &noun_policy, NOUN_SET, "policy set", opts, argc, argv);
}

static enum command_exit
run_get(const struct command_opts *opts, int argc, char **argv)
{
	return noun_verbs_run(
	    &noun_policy, NOUN_GET, "policy get", opts, argc, argv);
}

static enum command_exit
run_remove(const struct command_opts *opts, int argc, char **argv)
{
	return noun_verbs_run(
	    &noun_policy, NOUN_REMOVE, "policy remove", opts, argc, argv);
}

static enum command_exit
run_grant(const struct command_opts *opts, int argc, char **argv)
{
	return noun_verbs_run(
	    &noun_grant, NOUN_GRANT, "policy grant", opts, argc, argv);
}

static enum command_exit
run_grants(const struct command_opts *opts, int argc, char **argv)
{
	return noun_verbs_run(
	    &noun_grant, NOUN_GET, "policy grants", opts, argc, argv);
}

enum command_exit
cmd_policy_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_verb verbs[] = {
		{ "new", "create one", run_new },
		{ "set", "change one", run_set },
		{ "get", "show one, or all", run_get },
		{ "remove", "remove one", run_remove },
		{ "grant", "give one to a user, or take it back", run_grant },
		{ "grants", "who has which", run_grants },
		{ "effective", "what holds for a user", policy_effective_run },
	};

	return args_verbs(
	    verbs, sizeof(verbs) / sizeof(verbs[0]), opts, argc, argv);
}
