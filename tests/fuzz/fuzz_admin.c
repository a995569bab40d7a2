/*
 * What an administrator's request becomes before anything is decided: target,
 * conditions, body, changes.  The first byte says which.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "frontend-gateway/admin/admin_impl.h"
#include "frontend-gateway/admin/etag.h"
#include "frontend-gateway/admin/json_body.h"
#include "frontend-gateway/settings/setting_read.h"
#include "frontend-gateway/settings/settings_batch.h"
#include "frontend-gateway/settings/settings_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_target(const char *text, size_t size)
{
	struct http_target t;

	if (http_target_parse(&t, text, size) == 0)
		(void)http_target_param(&t, "after");
	http_target_finish(&t);
}

static void
try_tags(const char *text)
{
	struct etag_list tags;

	if (etag_parse(&tags, text, true) == 0)
		(void)etag_has(&tags, 7);
	if (etag_parse(&tags, text, false) == 0)
		(void)etag_has(&tags, 7);
	(void)admin_request_host_is_ours(text);
}

/* A change as far as its object is read by the kind's table. */
static void
try_change(const struct settings_change *c)
{
	static struct settings_report report;
	const struct setting_read what = {
		.kind = c->kind,
		.key = c->key != NULL ? c->key : "global",
		.given = c->object,
	};

	if (c->object == NULL)
		return;
	settings_report_init(&report);
	json_decref(setting_read(&what, &report));
	json_decref(settings_report_problems(&report));
	settings_report_finish(&report);
}

static void
try_batch(const json_t *body)
{
	struct settings_batch b;
	char why[256];

	if (settings_batch_read(
		&b, json_object_get(body, "changes"), why, sizeof(why)) < 0)
		return;
	for (size_t i = 0; i < b.count; i++)
		try_change(&b.v[i]);
	settings_batch_finish(&b);
}

static void
try_body(const char *text, size_t size)
{
	char why[JSON_BODY_WHY_SIZE];
	json_t *body;

	if (json_body_parse(&body, text, size, why) < 0)
		return;
	try_batch(body);
	for (size_t i = 0; i < setting_kind_count(); i++)
		try_change(&(struct settings_change){
		    .kind = setting_kinds[i], .object = body });
	json_decref(body);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size == 0)
		return 0;
	text = malloc(size);
	if (text == NULL)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (data[0] == 't')
		try_target(text, size - 1);
	else if (data[0] == 'e')
		try_tags(text);
	else
		try_body(text, size - 1);
	free(text);
	return 0;
}
