/*
 * Rows are read as strictly as a commit is: the file may have been written by
 * another version, or by somebody else.
 */
#include "frontend-gateway/settings/settings_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/settings/setting.h"
#include "frontend-gateway/settings/setting_kind.h"
#include "frontend-gateway/settings/setting_read.h"
#include "frontend-gateway/settings/settings_report.h"
#include "frontend-gateway/settings/settings_order.h"
#include "frontend-gateway/settings/settings_view_impl.h"
#include "frontend-gateway/store/setting_store.h"

struct load {
	struct settings_entry *v;
	size_t count, room;
	struct settings_report report;
	char *why;
	size_t size;
};

static int
grow(struct load *l)
{
	size_t room = l->room > 0 ? 2 * l->room : 64;
	struct settings_entry *v;

	if (l->count < l->room)
		return 0;
	v = realloc(l->v, room * sizeof(*v));
	if (v == NULL)
		return ERR_NOMEM;
	l->v = v;
	l->room = room;
	return 0;
}

static int
refuse(struct load *l, const struct setting_row *row, const char *what)
{
	snprintf(l->why, l->size,
	    "setting %s %.200s cannot be used: %s; restore the store from a "
	    "backup",
	    row->kind, row->key, what);
	return ERR_STORE;
}

static int
make(struct setting **out, struct load *l, const struct setting_kind *kind,
    const struct setting_row *row)
{
	json_t *given = json_loads(row->object, JSON_REJECT_DUPLICATES, NULL);
	struct setting_read what = {
		.kind = kind, .key = row->key, .given = given, .internal = true
	};
	json_t *object;
	int rc;

	object = setting_read(&what, &l->report);
	json_decref(given);
	if (object == NULL) {
		const struct settings_remark *p = &l->report.problems[0];
		char text[256];

		snprintf(text, sizeof(text), "%s %s",
		    p->member != NULL ? p->member : "",
		    p->text != NULL ? p->text : "out of memory");
		return refuse(l, row, text);
	}
	rc = setting_new(out, kind, row->key, row->version, object);
	json_decref(object);
	return rc;
}

static int
on_row(const struct setting_row *row, void *arg)
{
	struct load *l = arg;
	const struct setting_kind *kind = setting_kind_find(row->kind);
	struct setting *s;
	int rc;

	if (kind == NULL)
		return refuse(l, row, "there is no such kind");
	rc = grow(l);
	if (rc == 0)
		rc = make(&s, l, kind, row);
	if (rc < 0)
		return rc;
	l->v[l->count++] = (struct settings_entry){ kind, s->key, s, 0 };
	return 0;
}

static int
make_view(struct settings_view **out, struct load *l,
    const struct settings_world *world)
{
	struct settings_view *empty;
	struct settings_order order;
	int rc = settings_view_new(&empty, world);

	if (rc < 0)
		return rc;
	rc = settings_order_begin(&order, l->v, l->count);
	if (rc == 0) {
		while (settings_order_step(&order))
			;
		settings_order_finish(&order);
		rc = settings_view_change(out, empty, l->v, l->count);
	}
	settings_view_unref(empty);
	return rc;
}

int
settings_load(struct settings_view **out, uint64_t *version,
    struct setting_store *store, const struct settings_world *world, char *why,
    size_t size)
{
	struct load l = { .why = why, .size = size };
	int rc;

	settings_report_init(&l.report);
	snprintf(why, size, "out of memory");
	rc = setting_store_load(store, version, on_row, &l, why, size);
	if (rc == 0)
		rc = make_view(out, &l, world);
	for (size_t i = 0; i < l.count; i++)
		setting_unref(l.v[i].setting);
	free(l.v);
	settings_report_finish(&l.report);
	return rc;
}
