/*
 * A libcurl handle, set anew for each question; its connection stays.  An
 * answer is read whole, up to a limit, and taken for JSON.  A refusal becomes
 * words and one of the command's exit statuses.
 */
#include "deploy/api_client.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <curl/curl.h>

#include "common/buf.h"
#include "common/conf.h"
#include "deploy/text.h"

enum { TOKEN_MAX = 1024, CONNECT_SECONDS = 5, WORDS_MAX = 1024 };

struct api_client {
	CURL *curl;
	char *socket; /* NULL when asked at a URL */
	char *base;   /* what stands before the path */
	char *trust;
	char *certificate, *key; /* ours; NULL = none */
	char token[TOKEN_MAX];   /* "" = none */
	struct buf answer;
	char error[CURL_ERROR_SIZE];
};

/* "sallyport: ..." with whatever a stranger put in made harmless. */
static enum command_exit __attribute__((format(printf, 2, 3)))
tell(enum command_exit status, const char *fmt, ...)
{
	char text[WORDS_MAX], clean[WORDS_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_clean(clean, sizeof(clean), text);
	fprintf(stderr, "sallyport: %s\n", clean);
	return status;
}

static enum command_exit
tell_memory(void)
{
	return tell(COMMAND_REFUSED, "out of memory");
}

/* --- which gateway --------------------------------------------------------- */

/* The socket that a configuration names.  Nobody named the default file: it
 * may be absent, or not for our eyes. */
static enum command_exit
read_config(struct api_client *c, const char *path)
{
	bool asked = path != NULL;
	enum command_exit status = COMMAND_OK;
	const char *socket;
	struct conf *conf;

	if (!asked && access(API_CLIENT_CONFIG, R_OK) < 0) {
		c->socket = strdup(API_CLIENT_SOCKET);
		return c->socket != NULL ? COMMAND_OK : tell_memory();
	}
	conf = conf_load(asked ? path : API_CLIENT_CONFIG);
	if (conf == NULL)
		return tell_memory();
	socket = conf_string_opt(
	    conf_object(conf_root(conf), "admin", false), "socket");
	if (conf_failed(conf)) {
		status = tell(COMMAND_USAGE, "%s", conf_error(conf));
	} else {
		c->socket = strdup(socket != NULL ? socket : API_CLIENT_SOCKET);
		if (c->socket == NULL)
			status = tell_memory();
	}
	conf_finish(conf);
	return status;
}

/* One line; nobody but its owner and its group may read it. */
static enum command_exit
read_token(struct api_client *c, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum command_exit status = COMMAND_USAGE;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0) {
		tell(status, "%s: %s", path, strerror(errno));
		goto done;
	}
	if (S_ISREG(st.st_mode) && (st.st_mode & S_IRWXO) != 0) {
		tell(status, "%s: everybody may read this token: chmod 600",
		    path);
		goto done;
	}
	n = read(fd, c->token, sizeof(c->token) - 1);
	if (n < 0) {
		tell(status, "%s: %s", path, strerror(errno));
		goto done;
	}
	c->token[n] = '\0';
	while (n > 0 && isspace((unsigned char)c->token[n - 1]))
		c->token[--n] = '\0';
	for (ssize_t i = 0; i < n; i++)
		if (!isgraph((unsigned char)c->token[i]))
			n = 0;
	if (n == 0)
		tell(status, "%s: holds no token", path);
	else
		status = COMMAND_OK;

done:
	if (fd >= 0)
		close(fd);
	return status;
}

/* Where the clear is nobody's to listen to. */
static bool
is_loopback(const char *host)
{
	return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
	       (strncmp(host, "127.", 4) == 0 &&
		   host[strspn(host, "0123456789.")] == '\0');
}

/* Scheme and host of the URL; what follows the host has to be nothing. */
static enum command_exit
read_url(struct api_client *c, const struct api_client_opts *o)
{
	char *scheme = NULL, *host = NULL, *path = NULL, *user = NULL;
	enum command_exit status = COMMAND_USAGE;
	CURLU *u = curl_url();

	if (u == NULL)
		return tell_memory();
	if (curl_url_set(u, CURLUPART_URL, o->url, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_PATH, &path, 0) != CURLUE_OK ||
	    (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
		tell(status,
		    "--url: \"%s\" is not of the form https://HOST "
		    "or https://HOST:PORT",
		    o->url);
	else if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK)
		tell(status, "--url: no name or password here; the token is "
			     "read from --token-file");
	else if (strcmp(scheme, "http") == 0 && !is_loopback(host))
		tell(status, "--url: the token would travel in the clear: "
			     "https, or a loopback address");
	else
		status = COMMAND_OK;
	curl_free(scheme);
	curl_free(host);
	curl_free(path);
	curl_free(user);
	curl_url_cleanup(u);
	if (status != COMMAND_OK)
		return status;
	c->base = strdup(o->url);
	if (c->base == NULL)
		return tell_memory();
	for (size_t n = strlen(c->base); n > 0 && c->base[n - 1] == '/';)
		c->base[--n] = '\0';
	if (o->token_file == NULL)
		return tell(COMMAND_USAGE,
		    "--url needs --token-file: the file that holds the token");
	return read_token(c, o->token_file);
}

static enum command_exit
choose(struct api_client *c, const struct api_client_opts *o)
{
	if (o->url != NULL && (o->socket != NULL || o->config != NULL))
		return tell(COMMAND_USAGE, "--url goes without --socket and "
					   "--config");
	if (o->url == NULL && (o->token_file != NULL || o->trust != NULL ||
				  o->certificate != NULL || o->key != NULL))
		return tell(COMMAND_USAGE,
		    "--token-file, --trust, --client-certificate and "
		    "--client-key go with --url alone");
	if (o->key != NULL && o->certificate == NULL)
		return tell(
		    COMMAND_USAGE, "--client-key needs --client-certificate");
	if ((o->trust != NULL && (c->trust = strdup(o->trust)) == NULL) ||
	    (o->certificate != NULL &&
		((c->certificate = strdup(o->certificate)) == NULL ||
		    (c->key = strdup(
			 o->key != NULL ? o->key : o->certificate)) == NULL)))
		return tell_memory();
	if (o->url != NULL)
		return read_url(c, o);
	c->base = strdup("http://gateway");
	if (c->base == NULL)
		return tell_memory();
	if (o->socket == NULL)
		return read_config(c, o->config);
	c->socket = strdup(o->socket);
	return c->socket != NULL ? COMMAND_OK : tell_memory();
}

enum command_exit
api_client_open(struct api_client **out, const struct api_client_opts *o)
{
	struct api_client *c = calloc(1, sizeof(*c));
	enum command_exit status;

	if (c == NULL)
		return tell_memory();
	buf_init(&c->answer, API_CLIENT_ANSWER_MAX);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
	    (c->curl = curl_easy_init()) == NULL)
		status = tell_memory();
	else
		status = choose(c, o);
	if (status == COMMAND_OK)
		*out = c;
	else
		api_client_close(c);
	return status;
}

void
api_client_close(struct api_client *c)
{
	if (c == NULL)
		return;
	if (c->curl != NULL)
		curl_easy_cleanup(c->curl);
	curl_global_cleanup();
	explicit_bzero(c->token, sizeof(c->token));
	buf_finish(&c->answer);
	free(c->socket);
	free(c->base);
	free(c->trust);
	free(c->certificate);
	free(c->key);
	free(c);
}

/* --- paths ------------------------------------------------------------------ */

/* before + escaped text, before used up. */
static char *
join(struct api_client *c, char *before, const char *mark, const char *text)
{
	char *escaped = curl_easy_escape(c->curl, text, 0);
	char *out = NULL;

	if (before == NULL || escaped == NULL ||
	    asprintf(&out, "%s%s%s", before, mark, escaped) < 0) {
		tell_memory();
		out = NULL;
	}
	curl_free(escaped);
	free(before);
	return out;
}

char *
api_client_path(struct api_client *c, const char *plural, const char *key)
{
	char *path = join(c, strdup("/v1/"), "", plural);

	return key != NULL && path != NULL ? join(c, path, "/", key) : path;
}

char *
api_client_query(
    struct api_client *c, char *path, const char *name, const char *value)
{
	char mark[64];

	if (path == NULL)
		return NULL;
	snprintf(mark, sizeof(mark),
	    "%c%s=", strchr(path, '?') != NULL ? '&' : '?', name);
	return join(c, path, mark, value);
}

/* --- refusals ---------------------------------------------------------------- */

static enum command_exit
exit_of(long http)
{
	switch (http) {
	case 401:
	case 403:
		return COMMAND_DENIED;
	case 404:
		return COMMAND_ABSENT;
	case 409:
	case 412:
		return COMMAND_CONFLICT;
	default:
		return COMMAND_REFUSED;
	}
}

/* What an admin should know beside the gateway's own words. */
static const char *
advice_of(const struct api_client *c, long http)
{
	switch (http) {
	case 401:
		return "the token is not known here, or has expired";
	case 403:
		return c->token[0] != '\0'
			   ? "the token may read, but not change"
			   : "only the gateway's own user and root may ask";
	case 413:
		return "too much for one batch: import parts of it, with "
		       "--kind and --Filter";
	case 412:
		return "nothing was done; look at it again with get";
	default:
		return NULL;
	}
}

/* Each in a line of its own; what is a change of many has its name there. */
static void
tell_problems(const json_t *problems, bool of_many)
{
	for (size_t i = 0; i < json_array_size(problems); i++) {
		const json_t *p = json_array_get(problems, i);
		const char *member = text_of(p, "member");

		fputs("  ", stderr);
		if (of_many && json_object_get(p, "key") != NULL)
			fprintf(stderr, "%s %s ", text_of(p, "kind"),
			    text_of(p, "key"));
		fprintf(stderr, "%s%s%s\n", member,
		    member[0] != '\0' ? ": " : "", text_of(p, "text"));
	}
}

/* The gateway's own words, then what is known here. */
static enum command_exit
tell_refusal(const struct api_client *c, long http, const json_t *answer,
    const struct api_client_request *r)
{
	const json_t *e = json_object_get(answer, "error");
	const json_t *problems = json_object_get(e, "problems");
	const char *advice = advice_of(c, http);
	const char *text = text_of(e, "text");
	const char *first = text_of(json_array_get(problems, 0), "text");

	if (text[0] != '\0')
		tell(COMMAND_REFUSED, "%s", text);
	else if (advice == NULL)
		tell(COMMAND_REFUSED, "the gateway answered with HTTP %ld",
		    http);
	if (advice != NULL)
		tell(COMMAND_REFUSED, "%s", advice);
	/* One alone is in the text already. */
	if (json_array_size(problems) != 1 || strstr(text, first) == NULL)
		tell_problems(problems, strstr(r->path, "/batch") != NULL);
	return exit_of(http);
}

static enum command_exit
tell_failure(const struct api_client *c, CURLcode rc)
{
	const char *at = c->socket != NULL ? c->socket : c->base;
	const char *why =
	    c->error[0] != '\0' ? c->error : curl_easy_strerror(rc);

	if (rc == CURLE_OUT_OF_MEMORY)
		return tell_memory();
	if (rc == CURLE_WRITE_ERROR)
		return tell(
		    COMMAND_UNREACHABLE, "%s: the answer is too long", at);
	if (rc != CURLE_COULDNT_CONNECT)
		return tell(COMMAND_UNREACHABLE, "%s: %s", at, why);
	if (c->socket == NULL)
		return tell(COMMAND_UNREACHABLE, "cannot connect: %s", why);
	return tell(COMMAND_UNREACHABLE,
	    "cannot connect to %s: %s: does sallyport-gateway run here, and "
	    "is this the \"socket\" under \"admin\" in its configuration?",
	    at, access(c->socket, W_OK) < 0 ? strerror(errno) : why);
}

/* --- asking ------------------------------------------------------------------ */

static size_t
on_bytes(char *data, size_t size, size_t count, void *arg)
{
	struct api_client *c = arg;

	return buf_add(&c->answer, data, size * count) == 0 ? size * count : 0;
}

/* NULL (told) without memory. */
static struct curl_slist *
make_headers(const struct api_client *c, const struct api_client_request *r)
{
	char line[TOKEN_MAX + 64];
	struct curl_slist *list, *more;

	snprintf(line, sizeof(line), "Accept: %s",
	    r->accept != NULL ? r->accept : "application/json");
	list = more = curl_slist_append(NULL, line);
	if (more != NULL && r->body != NULL)
		more = curl_slist_append(
		    list, strcmp(r->method, "PATCH") == 0
			      ? "Content-Type: application/merge-patch+json"
			      : "Content-Type: application/json");
	/* No question whether a body is welcome before it is sent. */
	if (more != NULL)
		more = curl_slist_append(list, "Expect:");
	if (more != NULL && c->token[0] != '\0') {
		snprintf(
		    line, sizeof(line), "Authorization: Bearer %s", c->token);
		more = curl_slist_append(list, line);
		explicit_bzero(line, sizeof(line));
	}
	if (more != NULL && r->version != NULL) {
		snprintf(line, sizeof(line), "If-Match: \"%s\"", r->version);
		more = curl_slist_append(list, line);
	}
	if (more != NULL && r->create)
		more = curl_slist_append(list, "If-None-Match: *");
	if (more == NULL) {
		curl_slist_free_all(list);
		tell_memory();
	}
	return more == NULL ? NULL : list;
}

static void
set_options(struct api_client *c, const struct api_client_request *r,
    const char *url, struct curl_slist *headers, const char *body)
{
	CURL *h = c->curl;

	curl_easy_reset(h);
	curl_easy_setopt(h, CURLOPT_URL, url);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_PROXY, "");
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
	curl_easy_setopt(h, CURLOPT_TIMEOUT, (long)API_CLIENT_SECONDS);
	curl_easy_setopt(h, CURLOPT_USERAGENT, "sallyport/" SALLYPORT_VERSION);
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, c->error);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, r->method);
	if (c->socket != NULL)
		curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, c->socket);
	if (c->trust != NULL)
		curl_easy_setopt(h, CURLOPT_CAINFO, c->trust);
	if (c->certificate != NULL) {
		curl_easy_setopt(h, CURLOPT_SSLCERT, c->certificate);
		curl_easy_setopt(h, CURLOPT_SSLKEY, c->key);
	}
	if (body != NULL) {
		curl_easy_setopt(
		    h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
		curl_easy_setopt(h, CURLOPT_POSTFIELDS, body);
	}
}

/* The answer's JSON, or what is wrong with it. */
static enum command_exit
understand(
    json_t **answer, struct api_client *c, const struct api_client_request *r)
{
	json_t *root = NULL;
	enum command_exit status = COMMAND_OK;
	long http = 0;

	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &http);
	if (c->answer.len > 0)
		root = json_loadb((const char *)c->answer.data, c->answer.len,
		    JSON_REJECT_DUPLICATES, NULL);
	if (http < 200 || http > 299) {
		status = http == 404 && r->may_be_absent
			     ? COMMAND_ABSENT
			     : tell_refusal(c, http, root, r);
	} else if (root == NULL && c->answer.len > 0) {
		status = tell(COMMAND_UNREACHABLE,
		    "%s: the answer is not understood",
		    c->socket != NULL ? c->socket : c->base);
	}
	if (status == COMMAND_OK)
		*answer = root;
	else
		json_decref(root);
	return status;
}

enum command_exit
api_client_ask(
    json_t **answer, struct api_client *c, const struct api_client_request *r)
{
	struct curl_slist *headers = make_headers(c, r);
	char *url = NULL, *body = NULL;
	enum command_exit status = COMMAND_REFUSED;
	CURLcode rc;

	if (headers == NULL)
		return status;
	if (r->body != NULL)
		body = json_dumps(r->body, JSON_COMPACT);
	if (asprintf(&url, "%s%s", c->base, r->path) < 0)
		url = NULL;
	if (url == NULL || (r->body != NULL && body == NULL)) {
		tell_memory();
		goto done;
	}
	buf_clear(&c->answer);
	c->error[0] = '\0';
	set_options(c, r, url, headers, body);
	rc = curl_easy_perform(c->curl);
	status =
	    rc == CURLE_OK ? understand(answer, c, r) : tell_failure(c, rc);

done:
	curl_slist_free_all(headers);
	free(url);
	free(body);
	return status;
}

/* --- streams ------------------------------------------------------------------ */

struct listening {
	struct api_client *client;
	const struct api_client_stream *stream;
	bool stopped;
};

static long
status_of(const struct api_client *c)
{
	long http = 0;

	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &http);
	return http;
}

/* A refusal is collected, to be understood. */
static size_t
on_piece(char *data, size_t size, size_t count, void *arg)
{
	struct listening *l = arg;
	const size_t len = size * count;

	if (status_of(l->client) != 200)
		return on_bytes(data, size, count, l->client);
	if (!l->stream->on_bytes(data, len, l->stream->arg))
		l->stopped = true;
	return l->stopped ? 0 : len;
}

static int
on_progress(void *arg, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
    curl_off_t ulnow)
{
	struct listening *l = arg;

	(void)dltotal;
	(void)dlnow;
	(void)ultotal;
	(void)ulnow;
	if (!l->stream->go_on(l->stream->arg))
		l->stopped = true;
	return l->stopped ? 1 : 0;
}

static enum command_exit
listen_to(struct listening *l, const struct api_client_request *r,
    const char *url, struct curl_slist *headers)
{
	struct api_client *c = l->client;
	json_t *answer = NULL;
	CURLcode rc;

	set_options(c, r, url, headers, NULL);
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, 0L);
	curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(
	    c->curl, CURLOPT_LOW_SPEED_TIME, (long)API_CLIENT_SECONDS);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_piece);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, l);
	curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, l);
	rc = curl_easy_perform(c->curl);
	if (l->stopped)
		return COMMAND_OK;
	if (rc != CURLE_OK)
		return tell_failure(c, rc);
	return status_of(c) == 200 ? COMMAND_OK : understand(&answer, c, r);
}

enum command_exit
api_client_listen(struct api_client *c, const struct api_client_stream *s)
{
	const struct api_client_request r = {
		.method = "GET", .path = s->path, .accept = s->accept
	};
	struct curl_slist *headers = make_headers(c, &r);
	struct listening l = { .client = c, .stream = s };
	enum command_exit status;
	char *url = NULL;

	if (headers == NULL)
		return COMMAND_REFUSED;
	buf_clear(&c->answer);
	c->error[0] = '\0';
	if (asprintf(&url, "%s%s", c->base, s->path) < 0) {
		url = NULL;
		status = tell_memory();
	} else {
		status = listen_to(&l, &r, url, headers);
	}
	curl_slist_free_all(headers);
	free(url);
	return status;
}
