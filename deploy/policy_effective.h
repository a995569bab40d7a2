/* policy_effective - sallyport policy effective: which external access policy
 * holds for a user, and what it comes to. */
#ifndef DEPLOY_POLICY_EFFECTIVE_H
#define DEPLOY_POLICY_EFFECTIVE_H

#include "deploy/command.h"

enum command_exit
policy_effective_run(const struct command_opts *opts, int argc, char **argv);

#endif
