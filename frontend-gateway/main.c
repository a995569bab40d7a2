/*
 * sallyport-gateway - options, configuration, signals, run, stop.
 *
 * Exit status: 0 after an orderly stop or a good --check, 1 when the
 * configuration or the start failed, 2 for a usage error.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "common/err.h"
#include "common/log.h"
#include "common/service.h"
#include "common/tls_identity.h"
#include "common/turns.h"
#include "frontend-gateway/gateway.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/store/store.h"

static const char usage[] =
    "usage: sallyport-gateway --config FILE [--check]\n"
    "\n"
    "The SIP door of Sallyport: joins a Lync or Skype for Business pool to\n"
    "its XMPP edges.\n"
    "\n"
    "  --config FILE  configuration (gateway.json)\n"
    "  --check        only say whether the configuration is in order\n"
    "  --help         this text\n"
    "  --version      the version\n";

struct options {
	const char *config;
	bool check;
};

/* -1 to go on, else the exit status. */
static int
read_options(struct options *o, int argc, char **argv)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (opt) {
		case 'c':
			o->config = optarg;
			break;
		case 'n':
			o->check = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'v':
			puts("sallyport-gateway " SALLYPORT_VERSION);
			return 0;
		default:
			return 2;
		}
	}
	if (o->config == NULL || optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	return -1;
}

/* Configuration, certificates and, for --check, the store. */
static int
load(struct gateway_conf **conf, struct tls_identity *channel,
    struct tls_identity *sip, const struct options *o)
{
	char error[GATEWAY_CONF_ERROR_SIZE];
	int rc;

	rc = gateway_conf_load(conf, o->config, error);
	if (rc < 0) {
		fprintf(stderr, "%s\n", error);
		return rc;
	}
	rc = gateway_conf_identities(channel, sip, *conf, error);
	if (rc < 0) {
		fprintf(stderr, "%s: %s\n", o->config, error);
		return rc;
	}
	if (!o->check)
		return 0;
	rc = store_check((*conf)->store, error, sizeof(error));
	if (rc < 0)
		fprintf(stderr, "%s: /store: %s\n", o->config, error);
	return rc;
}

/* --- running -------------------------------------------------------------- */

struct daemon {
	uv_loop_t loop;
	struct turns turns;
	uv_signal_t term, interrupt, hangup;
	struct gateway *gateway;
};

static void
on_signal(uv_signal_t *h, int signum)
{
	struct daemon *d = h->data;

	char why[GATEWAY_CONF_ERROR_SIZE];

	if (signum == SIGHUP)
		(void)gateway_reload(d->gateway, NULL, why, sizeof(why));
	else
		gateway_stop(d->gateway);
}

static void
on_stopped(struct gateway *g, void *arg)
{
	struct daemon *d = arg;

	(void)g;
	d->gateway = NULL;
	uv_close((uv_handle_t *)&d->term, NULL);
	uv_close((uv_handle_t *)&d->interrupt, NULL);
	uv_close((uv_handle_t *)&d->hangup, NULL);
}

static int
watch(struct daemon *d, uv_signal_t *h, int signum)
{
	int rc = uv_signal_init(&d->loop, h);

	h->data = d;
	return rc < 0 ? rc : uv_signal_start(h, on_signal, signum);
}

static int
run(const char *path, struct gateway_conf *conf, struct tls_identity *channel,
    struct tls_identity *sip)
{
	struct daemon d = { 0 };
	struct gateway_opts opts = {
		.loop = &d.loop,
		.turns = &d.turns,
		.path = path,
		.conf = conf,
		.channel_tls = channel,
		.sip_tls = sip,
		.on_stopped = on_stopped,
		.arg = &d,
	};
	char why[1024];
	int rc;

	rc = uv_loop_init(&d.loop);
	if (rc < 0) {
		fprintf(stderr, "sallyport-gateway: %s\n", err_str(rc));
		return rc;
	}
	turns_open(&d.turns, &d.loop);
	rc = gateway_open(&d.gateway, &opts, why, sizeof(why));
	if (rc < 0) {
		fprintf(stderr, "sallyport-gateway: %s\n", why);
	} else if (watch(&d, &d.term, SIGTERM) < 0 ||
		   watch(&d, &d.interrupt, SIGINT) < 0 ||
		   watch(&d, &d.hangup, SIGHUP) < 0) {
		/* Without signals there would be no orderly end. */
		fprintf(stderr, "sallyport-gateway: signals: %s\n",
		    strerror(errno));
		abort();
	}
	uv_run(&d.loop, UV_RUN_DEFAULT);
	turns_close(&d.turns);
	uv_run(&d.loop, UV_RUN_DEFAULT);
	uv_loop_close(&d.loop);
	return rc;
}

int
main(int argc, char **argv)
{
	struct options o = { 0 };
	struct gateway_conf *conf = NULL;
	struct tls_identity channel = { 0 }, sip = { 0 };
	int status, rc;

	status = read_options(&o, argc, argv);
	if (status >= 0)
		return status;
	signal(SIGPIPE, SIG_IGN);
	/* A store that may not grow is an error of its write. */
	signal(SIGXFSZ, SIG_IGN);
	rc = load(&conf, &channel, &sip, &o);
	if (rc == 0 && o.check) {
		for (size_t i = 0; i < conf->warning_count; i++)
			printf(
			    "%s: warning: %s\n", o.config, conf->warnings[i]);
		printf("%s: ok\n", o.config);
	} else if (rc == 0) {
		gateway_conf_apply_log(conf);
		gateway_conf_log_warnings(conf);
		rc = service_notify_open();
		if (rc < 0)
			fprintf(stderr,
			    "sallyport-gateway: NOTIFY_SOCKET: "
			    "%s\n",
			    err_str(rc));
		else
			rc = run(o.config, conf, &channel, &sip);
		service_notify_close();
	}
	tls_identity_finish(&channel);
	tls_identity_finish(&sip);
	gateway_conf_free(conf);
	return rc == 0 ? 0 : 1;
}
