/* Settings for people. */
#include "deploy/noun_print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "deploy/noun.h"
#include "deploy/noun_value.h"

static bool
is_shown(const struct noun *n, const char *member)
{
	return noun_member(n, member) != NULL ||
	       (n->key_inside && strcmp(member, n->option) == 0);
}

static void
print_member(int width, const char *name, const json_t *value)
{
	char *line = noun_value_line(value);

	printf("%-*s : %s\n", width, name, line);
	free(line);
}

static bool
is_set(const json_t *item, const char *member)
{
	const json_t *set = json_object_get(item, "set");
	bool found = false;

	for (size_t i = 0; i < json_array_size(set) && !found; i++) {
		const char *name = json_string_value(json_array_get(set, i));

		found = name != NULL && strcmp(name, member) == 0;
	}
	return found;
}

static int
width_of(const struct noun *n, json_t *object)
{
	size_t width = strlen("Identity");
	const char *name;
	json_t *value;

	for (const struct noun_member *m = n->members; m->name != NULL; m++)
		if (strlen(m->name) > width)
			width = strlen(m->name);
	json_object_foreach(object, name, value)
	{
		if (strlen(name) > width)
			width = strlen(name);
	}
	return (int)width;
}

/* By UTC, as the gateway counts days. */
static const char *
today(const struct noun *n, const json_t *object)
{
	time_t now = time(NULL);
	char date[16] = "";
	struct tm tm;

	if (gmtime_r(&now, &tm) != NULL)
		(void)strftime(date, sizeof(date), "%Y-%m-%d", &tm);
	return n->today(object, date);
}

void
noun_print_item(const struct noun *n, const json_t *item)
{
	json_t *object = json_object_get(item, "object");
	const struct noun_member *m;
	const char *name;
	json_t *value;
	int width = width_of(n, object);

	print_member(width, "Identity", json_object_get(item, "key"));
	if (n->key_inside)
		print_member(
		    width, n->option, json_object_get(object, n->option));
	for (m = n->members; m->name != NULL; m++)
		if (m->type == NOUN_SECRET)
			printf("%-*s : %s\n", width, m->name,
			    is_set(item, m->name) ? "(set)" : "");
		else if (json_object_get(object, m->name) != NULL)
			print_member(
			    width, m->name, json_object_get(object, m->name));
	json_object_foreach(object, name, value)
	{
		char clean[64];

		text_clean(clean, sizeof(clean), name);
		if (!is_shown(n, name))
			print_member(width, clean, value);
	}
	if (n->today != NULL)
		printf("%-*s : %s\n", width, "Today", today(n, object));
	print_member(width, "Version", json_object_get(item, "version"));
	putchar('\n');
}

/* --- tables -------------------------------------------------------------------- */

/* The key and the members that have a title; how many. */
static size_t
columns_of(const struct noun *n, const struct noun_member *out[])
{
	size_t count = 1;

	out[0] = NULL;
	for (const struct noun_member *m = n->members; m->name != NULL; m++)
		if (m->title != NULL && count < TEXT_COLUMNS_MAX)
			out[count++] = m;
	return count;
}

void
noun_table_init(struct noun_table *t, const struct noun *n)
{
	const struct noun_member *columns[TEXT_COLUMNS_MAX];
	const char *titles[TEXT_COLUMNS_MAX] = { n->key_title };
	size_t count = columns_of(n, columns);

	*t = (struct noun_table){ .noun = n };
	for (size_t i = 1; i < count; i++)
		titles[i] = columns[i]->title;
	if (n->today != NULL && count < TEXT_COLUMNS_MAX)
		titles[count++] = "TODAY";
	text_table_init(&t->text, titles, count);
}

void
noun_table_add(struct noun_table *t, const json_t *item)
{
	const struct noun_member *columns[TEXT_COLUMNS_MAX];
	const json_t *object = json_object_get(item, "object");
	size_t count = columns_of(t->noun, columns);
	const char *cells[TEXT_COLUMNS_MAX];
	char *lines[TEXT_COLUMNS_MAX];

	for (size_t i = 0; i < count; i++) {
		lines[i] = noun_value_line(
		    i == 0 ? json_object_get(item, "key")
			   : json_object_get(object, columns[i]->name));
		cells[i] = lines[i];
	}
	if (t->noun->today != NULL && count < TEXT_COLUMNS_MAX)
		cells[count] = today(t->noun, object);
	text_table_row(&t->text, cells);
	for (size_t i = 0; i < count; i++)
		free(lines[i]);
	t->any = true;
}

void
noun_table_flush(struct noun_table *t)
{
	if (t->any)
		text_table_flush(&t->text, "");
}

void
noun_table_finish(struct noun_table *t)
{
	noun_table_flush(t);
	if (!t->any)
		printf("no %s\n", t->noun->plural);
	text_table_finish(&t->text);
}

/* --- changes -------------------------------------------------------------------- */

static void
print_difference(const char *name, const json_t *before, const json_t *after)
{
	char clean[64], *was = noun_value_line(before),
			*is = noun_value_line(after);

	text_clean(clean, sizeof(clean), name);
	if (before == NULL)
		printf("  %s: %s\n", clean, is);
	else if (after == NULL)
		printf("  %s: was %s\n", clean, was);
	else
		printf("  %s: %s -> %s\n", clean, was[0] != '\0' ? was : "\"\"",
		    is[0] != '\0' ? is : "\"\"");
	free(was);
	free(is);
}

size_t
noun_print_change(const json_t *before, const json_t *after)
{
	/* jansson's loops want what they do not change unprotected. */
	json_t *was = json_deep_copy(before), *is = json_deep_copy(after);
	size_t count = 0;
	const char *name;
	json_t *value;

	json_object_foreach(was, name, value)
	{
		const json_t *now = json_object_get(is, name);

		if (now != NULL && json_equal(value, now) == 1)
			continue;
		print_difference(name, value, now);
		count++;
	}
	json_object_foreach(is, name, value)
	{
		if (json_object_get(was, name) != NULL)
			continue;
		print_difference(name, NULL, value);
		count++;
	}
	json_decref(was);
	json_decref(is);
	return count;
}
