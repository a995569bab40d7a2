/*
 * doors - see the header.
 */
#include "edge-proxy/doors.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/list.h"

enum { BACKLOG = 512 };

/* One listening handle; frees itself when it is closed. */
struct door {
	struct list all;
	uv_tcp_t tcp;
	bool direct;
	struct doors *doors; /* NULL when closed */
};

struct doors {
	uv_loop_t *loop;
	doors_fn *on_connection;
	doors_exhausted_fn *on_exhausted;
	void *arg;
	struct doors_place *listen;
	size_t count;
	struct list open; /* all of them, or empty while closed */
};

int
doors_new(struct doors **out, uv_loop_t *loop, doors_fn *on_connection,
    doors_exhausted_fn *on_exhausted, void *arg)
{
	struct doors *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return ERR_NOMEM;
	d->loop = loop;
	d->on_connection = on_connection;
	d->on_exhausted = on_exhausted;
	d->arg = arg;
	list_init(&d->open);
	*out = d;
	return 0;
}

void
doors_free(struct doors *d)
{
	if (d == NULL)
		return;
	doors_close(d);
	free(d->listen);
	free(d);
}

int
doors_set(struct doors *d, const struct doors_place *listen, size_t count)
{
	struct doors_place *copy = calloc(count, sizeof(*copy));

	if (copy == NULL)
		return ERR_NOMEM;
	memcpy(copy, listen, count * sizeof(*copy));
	doors_close(d);
	free(d->listen);
	d->listen = copy;
	d->count = count;
	return 0;
}

bool
doors_same(
    const struct doors *d, const struct doors_place *listen, size_t count)
{
	if (d->count != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (d->listen[i].direct != listen[i].direct ||
		    memcmp(&d->listen[i].addr, &listen[i].addr,
			sizeof(listen[i].addr)) != 0)
			return false;
	return true;
}

static void
on_closed(uv_handle_t *h)
{
	free(h->data);
}

static void
close_door(struct door *door)
{
	door->doors = NULL;
	list_remove(&door->all);
	uv_close((uv_handle_t *)&door->tcp, on_closed);
}

static void
on_connection(uv_stream_t *h, int status)
{
	struct door *door = h->data;

	struct doors *d = door->doors;

	if (d == NULL)
		return;
	if (status == 0) {
		d->on_connection(h, door->direct, d->arg);
	} else if (status == UV_EMFILE || status == UV_ENFILE) {
		/* libuv would accept again and again within this call, and
		 * nobody else have a turn; only closing ends that. */
		doors_close(d);
		d->on_exhausted(d->arg);
	}
}

static int
open_door(struct doors *d, const struct doors_place *at)
{
	struct door *door = calloc(1, sizeof(*door));
	int rc;

	if (door == NULL)
		return ERR_NOMEM;
	rc = uv_tcp_init(d->loop, &door->tcp);
	if (rc < 0) {
		free(door);
		return rc;
	}
	door->tcp.data = door;
	door->direct = at->direct;
	door->doors = d;
	list_append(&d->open, &door->all);
	rc = uv_tcp_bind(&door->tcp, (const struct sockaddr *)&at->addr, 0);
	if (rc == 0)
		rc = uv_listen(
		    (uv_stream_t *)&door->tcp, BACKLOG, on_connection);
	return rc;
}

int
doors_open(struct doors *d, char *why, size_t size)
{
	int rc;

	if (doors_are_open(d))
		return 0;
	for (size_t i = 0; i < d->count; i++) {
		const struct doors_place *at = &d->listen[i];
		char host[64] = "?";

		rc = open_door(d, at);
		if (rc == 0)
			continue;
		uv_ip_name(
		    (const struct sockaddr *)&at->addr, host, sizeof(host));
		/* The port is at the same place in both families. */
		snprintf(why, size, "cannot listen on %s port %u: %s", host,
		    ntohs(((const struct sockaddr_in *)&at->addr)->sin_port),
		    err_str(rc));
		doors_close(d);
		return rc;
	}
	return 0;
}

void
doors_close(struct doors *d)
{
	LIST_FOREACH_SAFE (it, &d->open)
		close_door(list_entry(it, struct door, all));
}

bool
doors_are_open(const struct doors *d)
{
	return !list_empty(&d->open);
}

const struct doors_place *
doors_at(const struct doors *d, size_t i)
{
	return i < d->count ? &d->listen[i] : NULL;
}

static void
on_turned_away(uv_handle_t *h)
{
	free(h);
}

void
doors_turn_away(uv_stream_t *listener)
{
	uv_tcp_t *tcp = calloc(1, sizeof(*tcp));

	/* Without memory libuv stops asking until the next one comes. */
	if (tcp == NULL)
		return;
	if (uv_tcp_init(listener->loop, tcp) < 0) {
		free(tcp);
		return;
	}
	(void)uv_accept(listener, (uv_stream_t *)tcp);
	uv_close((uv_handle_t *)tcp, on_turned_away);
}
