/*
 * sallyport-edge - options, and which of the four processes this one is.
 *
 * Exit status: 0 after an orderly stop or a good check, 1 when something is
 * wrong with configuration, files or ports, 2 for wrong arguments.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "edge-proxy/edge_conf.h"
#include "edge-proxy/fetcher.h"
#include "edge-proxy/keeper.h"
#include "edge-proxy/resolver.h"
#include "edge-proxy/streams.h"

static const char usage[] =
    "usage: sallyport-edge --config FILE [--check]\n"
    "       sallyport-edge --help | --version\n"
    "\n"
    "  --config FILE  the configuration (edge.json)\n"
    "  --check        only validate it, certificates and keys included\n"
    "  --help         print this text\n"
    "  --version      print the version\n";

static int
check(const char *path)
{
	struct edge_conf *conf;
	char why[1024];
	int rc;

	rc = edge_conf_load(&conf, path, NULL, why, sizeof(why));
	if (rc == 0) {
		rc = edge_conf_check(conf, path, why, sizeof(why));
		if (rc == 0)
			rc =
			    edge_conf_check_dates(conf, path, why, sizeof(why));
		edge_conf_free(conf);
	}
	if (rc < 0) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	printf("%s: ok\n", path);
	return 0;
}

static bool
is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* Started by the keeper, never by hand. */
static int
run_role(const char *role)
{
	if (is_socket(KEEPER_CONTROL_FD) && is_socket(KEEPER_DNS_FD)) {
		if (strcmp(role, KEEPER_STREAMS) == 0)
			return streams_main(KEEPER_CONTROL_FD, KEEPER_DNS_FD);
		if (strcmp(role, KEEPER_RESOLVER) == 0)
			return resolver_main(KEEPER_CONTROL_FD, KEEPER_DNS_FD);
		if (strcmp(role, KEEPER_FETCHER) == 0)
			return fetcher_main(KEEPER_CONTROL_FD, KEEPER_DNS_FD);
	}
	fputs(usage, stderr);
	return 2;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = NULL;
	bool only_check = false;
	int c;

	if (argc == 3 && strcmp(argv[1], KEEPER_ROLE_OPTION) == 0)
		return run_role(argv[2]);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			path = optarg;
			break;
		case 'n':
			only_check = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'v':
			puts("sallyport-edge " SALLYPORT_VERSION);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (path == NULL || optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	return only_check ? check(path) : keeper_run(path);
}
