#include "tests/unit/http_client.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"

enum { PATIENCE_MS = 5000 };

/* Kept between calls, until the program ends. */
static struct buf heard, whole;

void
http_client_address(struct sockaddr_in *out)
{
	*out = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons(8480) };
	out->sin_addr.s_addr =
	    htonl(0x7f400000u | ((unsigned)getpid() & 0x3fffffu));
}

void
http_client_turn(const struct http_client *c)
{
	for (int i = 0; i < 5; i++) {
		uv_run(c->loop, UV_RUN_NOWAIT);
		clock_advance(c->clock, 0);
	}
}

int
http_client_dial(const struct http_client *c)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(addr.sun_path, c->path, strlen(c->path) + 1);
	assert_int_equal(
	    connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	http_client_turn(c);
	return fd;
}

int
http_client_dial_tcp(const struct http_client *c)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	const int on = 1;

	assert_int_equal(
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
	assert_int_equal(
	    connect(fd, (const struct sockaddr *)&c->tcp, sizeof(c->tcp)), 0);
	http_client_turn(c);
	return fd;
}

void
http_client_say(
    const struct http_client *c, int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return; /* he has closed; the answer tells why */
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
		http_client_turn(c);
	}
}

/* False when there will be no more. */
static bool
hear_more(const struct http_client *c, int fd, bool *some)
{
	static char piece[256 * 1024];
	ssize_t n;

	http_client_turn(c);
	n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
	*some = n > 0;
	if (n > 0)
		assert_int_equal(buf_add(&heard, piece, (size_t)n), 0);
	return n > 0 || (n < 0 && errno != ECONNRESET);
}

const char *
http_client_hear(const struct http_client *c, int fd, bool *closed)
{
	bool some;

	buf_clear(&heard);
	*closed = false;
	for (int quiet = 0; quiet < 4 && !*closed;) {
		*closed = !hear_more(c, fd, &some);
		quiet = some ? 0 : quiet + 1;
	}
	return buf_cstr(&heard);
}

/* --- whole answers --------------------------------------------------------- */

unsigned
http_client_status(const char *answer)
{
	unsigned status = 0;

	(void)sscanf(answer, "HTTP/1.%*c %u", &status);
	return status;
}

const char *
http_client_body(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");

	return end != NULL ? end + 4 : "";
}

/* Whether all chunks are there; they are put together behind the header. */
static bool
put_together(const char *chunks)
{
	for (;;) {
		char *data;
		const size_t len = strtoul(chunks, &data, 16);

		if (strncmp(data, "\r\n", 2) != 0)
			return false;
		data += 2;
		if (strlen(data) < len + 2)
			return false;
		assert_int_equal(buf_add(&whole, data, len), 0);
		if (len == 0)
			return true;
		chunks = data + len + 2;
	}
}

static bool
is_whole(const char *method)
{
	const char *text = buf_cstr(&heard);
	const char *body = http_client_body(text);
	const char *length = strstr(text, "Content-Length: ");
	const size_t head = (size_t)(body - text);

	if (body[0] == '\0' && strstr(text, "\r\n\r\n") == NULL)
		return false;
	buf_clear(&whole);
	assert_int_equal(buf_add(&whole, text, head), 0);
	if (strcmp(method, "HEAD") == 0 || http_client_status(text) == 304)
		return true;
	if (length == NULL || length > body)
		return put_together(body);
	if (strlen(body) < strtoul(length + 16, NULL, 10))
		return false;
	assert_int_equal(buf_add_str(&whole, body), 0);
	return true;
}

const char *
http_client_answer(const struct http_client *c, int fd, const char *method)
{
	uint64_t end = uv_hrtime() + (uint64_t)PATIENCE_MS * 1000000;
	bool some;

	buf_clear(&heard);
	while (uv_hrtime() < end) {
		if (!hear_more(c, fd, &some))
			return NULL;
		if (some && is_whole(method))
			return buf_cstr(&whole);
		if (!some)
			usleep(100);
	}
	fail_msg("no answer, but: %s", buf_cstr(&heard));
	return NULL;
}
