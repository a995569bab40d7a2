#include "tests/unit/settings_world.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "frontend-gateway/store/setting_store.h"
#include "frontend-gateway/store/store.h"

static bool
is_own(const char *domain, void *arg)
{
	(void)arg;
	return strcmp(domain, "contoso.example") == 0 ||
	       strcmp(domain, "pool.contoso.example") == 0;
}

static bool
hosts(const char *domain, void *arg)
{
	(void)arg;
	return strcmp(domain, "contoso.example") == 0;
}

static void
on_health(bool well, const char *why, void *arg)
{
	(void)well;
	(void)why;
	(void)arg;
}

static int
open_all(struct settings_test *t, char *why, size_t size)
{
	static const struct settings_world world = { is_own, hosts, NULL };
	static const struct setting_store_events events = { on_health };

	assert_int_equal(uv_loop_init(&t->loop), 0);
	if (t->live)
		assert_int_equal(clock_open_uv(&t->clock, &t->loop), 0);
	else
		assert_int_equal(clock_open_manual(&t->clock, 0, 1000), 0);
	if (store_open(&t->store, t->path, why, size) < 0)
		fail_msg("%s", why);
	assert_int_equal(setting_store_open(&t->setting_store, t->store,
			     &t->loop, &events, NULL),
	    0);
	return settings_open(
	    &t->settings, t->setting_store, t->clock, &world, why, size);
}

static void
close_store(struct settings_test *t)
{
	setting_store_close(t->setting_store, NULL, NULL);
	uv_run(&t->loop, UV_RUN_DEFAULT);
	store_close(t->store);
	clock_close(t->clock);
	uv_run(&t->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&t->loop), 0);
}

void
settings_test_start(struct settings_test *t)
{
	char why[512];

	if (open_all(t, why, sizeof(why)) < 0)
		fail_msg("%s", why);
}

int
settings_test_try(struct settings_test *t, char *why, size_t size)
{
	int rc = open_all(t, why, size);

	assert_true(rc < 0);
	close_store(t);
	return rc;
}

void
settings_test_stop(struct settings_test *t)
{
	settings_close(t->settings, NULL, NULL);
	close_store(t);
}

void
settings_test_restart(struct settings_test *t)
{
	settings_test_stop(t);
	settings_test_start(t);
}

static void
init(struct settings_test *t, bool live)
{
	memset(t, 0, sizeof(*t));
	t->live = live;
	snprintf(t->dir, sizeof(t->dir), "/tmp/test_settings.XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	snprintf(t->path, sizeof(t->path), "%s/gateway.db", t->dir);
	settings_test_start(t);
}

void
settings_test_init(struct settings_test *t)
{
	init(t, false);
}

void
settings_test_init_live(struct settings_test *t)
{
	init(t, true);
}

void
settings_test_finish(struct settings_test *t)
{
	char cmd[128];

	settings_test_stop(t);
	snprintf(cmd, sizeof(cmd), "rm -r %s", t->dir);
	assert_int_equal(system(cmd), 0);
}

json_t *
settings_test_json(const char *text)
{
	char *copy = strdup(text);
	json_error_t error;
	json_t *j;

	assert_non_null(copy);
	for (char *p = copy; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	j = json_loads(copy, JSON_DECODE_ANY, &error);
	if (j == NULL)
		fail_msg("%s: %s", text, error.text);
	free(copy);
	return j;
}

static void
write_remarks(
    char *out, size_t size, const struct settings_remark *v, size_t count)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < count && i < SETTINGS_REPORT_MAX && used < size;
	     i++)
		used += (size_t)snprintf(
		    out + used, size - used, "%s: %s;", v[i].member, v[i].text);
}

static void
on_done(const struct settings_outcome *o, void *arg)
{
	struct settings_test *t = arg;
	struct settings_world_last *l = &t->last;

	l->done++;
	l->rc = o->rc;
	l->version = o->version;
	l->generation = o->generation;
	l->deltas = o->delta_count;
	l->changed = 0;
	snprintf(l->why, sizeof(l->why), "%s", o->why);
	snprintf(l->after, sizeof(l->after), "-");
	l->set[0] = l->problems[0] = l->warnings[0] = '\0';
	if (o->report == NULL)
		return;
	write_remarks(l->problems, sizeof(l->problems), o->report->problems,
	    o->report->problem_count);
	write_remarks(l->warnings, sizeof(l->warnings), o->report->warnings,
	    o->report->warning_count);
	for (size_t i = 0; i < o->delta_count; i++)
		if (o->deltas[i].before != o->deltas[i].after)
			l->changed++;
	if (o->delta_count > 0 && o->deltas[0].after != NULL) {
		json_t *item = setting_item(o->deltas[0].after);
		char *text =
		    json_dumps(json_object_get(item, "object"), JSON_COMPACT);
		char *set =
		    json_dumps(json_object_get(item, "set"), JSON_COMPACT);

		snprintf(l->after, sizeof(l->after), "%s", text);
		snprintf(l->set, sizeof(l->set), "%s", set);
		free(text);
		free(set);
		json_decref(item);
	}
}

void
settings_test_turn(struct settings_test *t)
{
	/* The slices of a large commit. */
	if (!t->live)
		clock_advance(t->clock, 0);
	uv_run(&t->loop, UV_RUN_NOWAIT);
}

void
settings_test_wait(struct settings_test *t, size_t done)
{
	while (t->last.done < done)
		settings_test_turn(t);
}

int
settings_test_batch(struct settings_test *t,
    const struct settings_change *changes, size_t count, bool dry_run)
{
	struct settings_commit c = { .changes = changes,
		.count = count,
		.who = "anna",
		.via = "test",
		.dry_run = dry_run };
	size_t before = t->last.done;

	settings_commit(t->settings, &c, on_done, t);
	settings_test_wait(t, before + 1);
	return t->last.rc;
}

int
settings_test_commit(struct settings_test *t, const char *kind, const char *key,
    enum settings_action action, const char *object, uint64_t version)
{
	json_t *j = object != NULL ? settings_test_json(object) : NULL;
	struct settings_change c = { .kind = setting_kind_find(kind),
		.key = key,
		.action = action,
		.object = j,
		.version = version };
	int rc;

	assert_non_null(c.kind);
	rc = settings_test_batch(t, &c, 1, false);
	json_decref(j);
	return rc;
}

int
settings_test_put(struct settings_test *t, const char *kind, const char *key,
    const char *object)
{
	return settings_test_commit(
	    t, kind, key, SETTINGS_PUT, object, SETTINGS_ANY);
}

int
settings_test_patch(struct settings_test *t, const char *kind, const char *key,
    const char *object)
{
	return settings_test_commit(
	    t, kind, key, SETTINGS_PATCH, object, SETTINGS_ANY);
}
