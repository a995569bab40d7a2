/* Any bytes as the answer of a web server: at once and byte by byte it is the
 * same, and never more than was asked for.  Where it says to go on is read as
 * an address, and what comes of that again is. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge-proxy/http_reply.h"
#include "edge-proxy/http_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 512 };

static void
follow(const char *location)
{
	static const char start[] = "http://a.example/x";
	char text[2 * HTTP_URL_MAX];
	struct http_url base, u, again;

	if (http_url_parse(&base, start, sizeof(start) - 1) < 0)
		abort();
	if (http_url_follow(&u, &base, location) < 0)
		return;
	if (strpbrk(u.path, " \r\n") != NULL ||
	    strpbrk(u.authority, " \r\n/@") != NULL)
		abort();
	snprintf(text, sizeof(text), "http://%s%s", u.authority, u.path);
	if (strlen(text) <= HTTP_URL_MAX &&
	    (http_url_parse(&again, text, strlen(text)) < 0 ||
		strcmp(again.host, u.host) != 0 || again.port != u.port))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_reply one, many;
	int rc, mrc = 0;

	http_reply_init(&one, BODY_MAX);
	http_reply_init(&many, BODY_MAX);
	rc = http_reply_feed(&one, data, size);
	for (size_t i = 0; mrc == 0 && i < size; i++)
		mrc = http_reply_feed(&many, data + i, 1);
	if (rc != mrc || one.body.len > BODY_MAX)
		abort();
	if (rc == 0 && (one.state != many.state || one.status != many.status ||
			   one.body.len != many.body.len))
		abort();
	if (rc == 0)
		follow(one.location);
	http_reply_finish(&one);
	http_reply_finish(&many);
	return 0;
}
