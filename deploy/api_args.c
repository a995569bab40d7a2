/* Which gateway. */
#include "deploy/api_args.h"

bool
api_args_take(struct api_client_opts *o, int c, const char *value)
{
	switch (c) {
	case API_ARGS_SOCKET:
		o->socket = value;
		return true;
	case API_ARGS_CONFIG:
		o->config = value;
		return true;
	case API_ARGS_URL:
		o->url = value;
		return true;
	case API_ARGS_TOKEN_FILE:
		o->token_file = value;
		return true;
	case API_ARGS_TRUST:
		o->trust = value;
		return true;
	case API_ARGS_CERTIFICATE:
		o->certificate = value;
		return true;
	case API_ARGS_KEY:
		o->key = value;
		return true;
	default:
		return false;
	}
}

enum command_exit
api_args_open(struct api_client **out, const struct api_client_opts *o,
    const struct args *a)
{
	struct api_client_opts all = *o;

	if (all.socket == NULL)
		all.socket = a->opts->socket;
	return api_client_open(out, &all);
}
