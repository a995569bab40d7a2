/*
 * keeper_wire - see the header.
 *
 * A message goes out: it is laid out in one block and queued; the block is
 * written as the socket takes it, its descriptor with the first byte, and
 * wiped.  A message comes in: bytes gather in one buffer until the message is
 * whole, a descriptor waits beside them; the callback gets both.
 *
 * What can go wrong: the other side is gone (on_end, 0), the socket fails
 * (on_end, its code), or what comes is not of the table (on_end,
 * ERR_PROTOCOL).  From then on the link is deaf and dumb until it is closed.
 */
#include "edge-proxy/keeper_wire.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "common/buf.h"
#include "common/control_level.h"
#include "common/err.h"
#include "common/list.h"

enum { HEAD_SIZE = 4, READ_SIZE = 64 * 1024 };

struct output {
	struct list node;
	int fd;
	size_t len, sent;
	uint8_t data[];
};

struct keeper_link {
	struct keeper_link_opts opts;
	uv_poll_t poll;
	int fd;
	struct list outputs;
	size_t queued;
	struct buf input;
	int input_fd;
	bool broken; /* on_end was fired */
	bool closed;
};

static const struct {
	const char *name;
	unsigned char blobs;
	bool fd;
} messages[] = {
#define X(name, number, text, blobs, fd) [number] = { text, blobs, fd },
	KEEPER_MESSAGES(X)
#undef X
};

static bool
known(unsigned type)
{
	return type < sizeof(messages) / sizeof(messages[0]) &&
	       messages[type].name != NULL;
}

const char *
keeper_message_str(enum keeper_message type)
{
	return known(type) ? messages[type].name : "unknown";
}

static void
blob_text(char *out, size_t size, const struct keeper_blob *blob)
{
	/* What does not fit is no name. */
	snprintf(out, size, "%.*s", (int)(blob->len < size ? blob->len : size),
	    (const char *)blob->data);
}

int
keeper_wire_level(struct control_level *out, const struct keeper_blob *blobs,
    char *why, size_t size)
{
	char component[CONTROL_LEVEL_NAME_SIZE + 1], level[16];

	blob_text(component, sizeof(component), &blobs[0]);
	blob_text(level, sizeof(level), &blobs[1]);
	return control_level_parse(out, component, level, why, size);
}

static uint32_t
get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static void
put_u32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

int
keeper_wire_length(size_t *size, const uint8_t *data, size_t len)
{
	size_t head, total;

	if (len < HEAD_SIZE)
		return ERR_INCOMPLETE;
	if (!known(data[0]) || data[1] != messages[data[0]].blobs ||
	    data[2] != 0 || data[3] != 0)
		return ERR_MALFORMED;
	head = HEAD_SIZE + 4u * data[1];
	if (len < head)
		return ERR_INCOMPLETE;
	total = head;
	for (size_t i = 0; i < data[1]; i++) {
		uint32_t n = get_u32(data + HEAD_SIZE + 4 * i);

		if (n > KEEPER_BLOB_MAX)
			return ERR_MALFORMED;
		total += n;
	}
	*size = total;
	return 0;
}

int
keeper_wire_decode(enum keeper_message *type,
    struct keeper_blob blobs[KEEPER_BLOBS_MAX], size_t *count,
    const uint8_t *data, size_t len)
{
	size_t size, at;
	int rc;

	rc = keeper_wire_length(&size, data, len);
	if (rc < 0)
		return rc;
	if (size != len)
		return ERR_MALFORMED;
	at = HEAD_SIZE + 4u * data[1];
	for (size_t i = 0; i < data[1]; i++) {
		blobs[i].data = data + at;
		blobs[i].len = get_u32(data + HEAD_SIZE + 4 * i);
		at += blobs[i].len;
	}
	*type = (enum keeper_message)data[0];
	*count = data[1];
	return 0;
}

/* Releases a queued message and what it holds. */
static void
drop_output(struct keeper_link *l, struct output *o)
{
	list_remove(&o->node);
	l->queued -= o->len;
	if (o->fd >= 0)
		close(o->fd);
	OPENSSL_cleanse(o->data, o->len);
	free(o);
}

static void
drop_outputs(struct keeper_link *l)
{
	struct list *n;

	while ((n = list_first(&l->outputs)) != NULL)
		drop_output(l, list_entry(n, struct output, node));
}

static void
wipe_input(struct keeper_link *l)
{
	if (l->input.data != NULL)
		OPENSSL_cleanse(l->input.data, l->input.cap);
	buf_finish(&l->input);
	if (l->input_fd >= 0)
		close(l->input_fd);
	l->input_fd = -1;
}

static void
break_link(struct keeper_link *l, int rc)
{
	if (l->broken || l->closed)
		return;
	l->broken = true;
	uv_poll_stop(&l->poll);
	drop_outputs(l);
	wipe_input(l);
	l->opts.on_end(rc, l->opts.arg);
}

/* Writes what the socket takes.  0 also when it takes no more just now. */
static int
write_output(struct keeper_link *l, struct output *o)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { o->data + o->sent, o->len - o->sent };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (o->fd >= 0) {
		struct cmsghdr *c;

		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &o->fd, sizeof(int));
	}
	do
		n = sendmsg(l->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : uv_translate_sys_error(errno);
	if (o->fd >= 0) {
		close(o->fd);
		o->fd = -1;
	}
	o->sent += (size_t)n;
	return 0;
}

static void on_poll(uv_poll_t *h, int status, int events);

static int
rearm(struct keeper_link *l)
{
	int events = UV_READABLE;

	if (!list_empty(&l->outputs))
		events |= UV_WRITABLE;
	return uv_poll_start(&l->poll, events, on_poll);
}

/* 0, or the code that ends the link. */
static int
flush(struct keeper_link *l)
{
	struct list *n;

	while ((n = list_first(&l->outputs)) != NULL) {
		struct output *o = list_entry(n, struct output, node);
		int rc = write_output(l, o);

		if (rc < 0)
			return rc;
		if (o->sent < o->len)
			break;
		drop_output(l, o);
	}
	return rearm(l);
}

/* Keeps the first descriptor of a read; a second one closes the link. */
static int
take_fds(struct keeper_link *l, struct msghdr *msg)
{
	int rc = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL;
	     c = CMSG_NXTHDR(msg, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(
			    &fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (l->input_fd < 0) {
				l->input_fd = fd;
			} else {
				close(fd);
				rc = ERR_PROTOCOL;
			}
		}
	}
	if ((msg->msg_flags & MSG_CTRUNC) != 0)
		rc = ERR_PROTOCOL;
	return rc;
}

/* Reads once.  1 when there was something, 0 when not now, negative at the
 * end: ERR_CLOSED for an orderly one. */
static int
read_input(struct keeper_link *l)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec iov;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	uint8_t *room;
	ssize_t n;

	room = buf_extend(&l->input, READ_SIZE);
	if (room == NULL)
		return ERR_NOMEM;
	l->input.len -= READ_SIZE;
	iov.iov_base = room;
	iov.iov_len = READ_SIZE;
	msg.msg_control = control.bytes;
	msg.msg_controllen = sizeof(control.bytes);
	do
		n = recvmsg(l->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		if (errno == EAGAIN)
			return 0;
		/* The other side ended with our bytes unread. */
		if (errno == ECONNRESET)
			return ERR_CLOSED;
		return uv_translate_sys_error(errno);
	}
	if (n == 0)
		return ERR_CLOSED;
	l->input.len += (size_t)n;
	return take_fds(l, &msg) < 0 ? ERR_PROTOCOL : 1;
}

/* Hands out the messages that are whole. */
static int
dispatch(struct keeper_link *l)
{
	while (!l->broken && !l->closed) {
		struct keeper_blob blobs[KEEPER_BLOBS_MAX];
		enum keeper_message type;
		size_t size, count;
		int fd = -1;
		int rc;

		rc = keeper_wire_length(&size, l->input.data, l->input.len);
		if (rc == ERR_INCOMPLETE)
			return 0;
		if (rc < 0)
			return ERR_PROTOCOL;
		if (l->input.len < size)
			return 0;
		rc = keeper_wire_decode(
		    &type, blobs, &count, l->input.data, size);
		if (rc < 0)
			return ERR_PROTOCOL;
		if (messages[type].fd) {
			if (l->input_fd < 0)
				return ERR_PROTOCOL;
			fd = l->input_fd;
			l->input_fd = -1;
		}
		l->opts.on_message(type, blobs, fd, l->opts.arg);
		if (!l->broken && !l->closed) {
			OPENSSL_cleanse(l->input.data, size);
			buf_consume(&l->input, size);
		}
	}
	return 0;
}

/* The socket can be read or written. */
static void
on_poll(uv_poll_t *h, int status, int events)
{
	struct keeper_link *l = h->data;
	int rc = status;

	if (rc == 0 && (events & UV_WRITABLE) != 0)
		rc = flush(l);
	/* A dead link is noticed by reading, after the last message. */
	if (rc == 0 || rc == UV_EPIPE || rc == UV_EBADF) {
		do {
			rc = read_input(l);
			if (rc > 0) {
				int drc = dispatch(l);

				if (drc < 0)
					rc = drc;
			}
		} while (rc > 0 && !l->broken && !l->closed);
	}
	if (rc < 0)
		break_link(l, rc == ERR_CLOSED ? 0 : rc);
}

static void
on_poll_closed(uv_handle_t *h)
{
	struct keeper_link *l = h->data;

	close(l->fd);
	free(l);
}

int
keeper_link_open(struct keeper_link **out, const struct keeper_link_opts *opts)
{
	struct keeper_link *l;
	int rc;

	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return ERR_NOMEM;
	l->opts = *opts;
	l->fd = opts->fd;
	l->input_fd = -1;
	list_init(&l->outputs);
	buf_init(&l->input, HEAD_SIZE + 4 * KEEPER_BLOBS_MAX +
				(size_t)KEEPER_BLOBS_MAX * KEEPER_BLOB_MAX +
				READ_SIZE);
	rc = uv_poll_init(opts->loop, &l->poll, l->fd);
	if (rc < 0) {
		free(l);
		return rc;
	}
	l->poll.data = l;
	rc = rearm(l);
	if (rc < 0) {
		/* The caller keeps the descriptor when we fail. */
		l->fd = -1;
		l->closed = true;
		uv_close((uv_handle_t *)&l->poll, on_poll_closed);
		return rc;
	}
	*out = l;
	return 0;
}

int
keeper_link_send(struct keeper_link *l, enum keeper_message type,
    const struct keeper_blob *blobs, size_t count, int fd)
{
	struct output *o = NULL;
	size_t size, at;
	int rc;

	assert(known(type) && count == messages[type].blobs);
	assert((fd >= 0) == messages[type].fd);
	rc = ERR_CLOSED;
	if (l->broken || l->closed)
		goto fail;
	size = HEAD_SIZE + 4 * count;
	rc = ERR_TOO_LONG;
	for (size_t i = 0; i < count; i++) {
		if (blobs[i].len > KEEPER_BLOB_MAX)
			goto fail;
		size += blobs[i].len;
	}
	rc = ERR_FULL;
	if (size > KEEPER_QUEUE_MAX - l->queued)
		goto fail;
	rc = ERR_NOMEM;
	o = calloc(1, sizeof(*o) + size);
	if (o == NULL)
		goto fail;
	o->fd = fd;
	o->len = size;
	o->data[0] = (uint8_t)type;
	o->data[1] = (uint8_t)count;
	at = HEAD_SIZE + 4 * count;
	for (size_t i = 0; i < count; i++) {
		put_u32(o->data + HEAD_SIZE + 4 * i, (uint32_t)blobs[i].len);
		if (blobs[i].len > 0)
			memcpy(o->data + at, blobs[i].data, blobs[i].len);
		at += blobs[i].len;
	}
	list_append(&l->outputs, &o->node);
	l->queued += size;
	/* Written by the poll callback: an error is never ours to report
	 * from within a call of the owner. */
	return rearm(l);

fail:
	if (fd >= 0)
		close(fd);
	return rc;
}

void
keeper_link_close(struct keeper_link *l)
{
	if (l == NULL || l->closed)
		return;
	/* What was queued just before (stop, refused) should get out. */
	if (!l->broken && !list_empty(&l->outputs))
		(void)flush(l);
	l->closed = true;
	drop_outputs(l);
	wipe_input(l);
	uv_close((uv_handle_t *)&l->poll, on_poll_closed);
}
