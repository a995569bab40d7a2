/* Findings, collected and printed. */
#include "deploy/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deploy/text.h"

enum { TEXT_SIZE = 1024 };

static const struct {
	const char *name, *shown;
} levels[] = {
	[REPORT_OK] = { "ok", "ok" },
	[REPORT_NOTE] = { "note", "note" },
	[REPORT_SKIPPED] = { "skipped", "skipped" },
	[REPORT_WARNING] = { "warning", "WARNING" },
	[REPORT_FAILURE] = { "failure", "FAILED" },
};

static void
need(bool ok)
{
	if (ok)
		return;
	fputs("sallyport: out of memory\n", stderr);
	exit(COMMAND_REFUSED);
}

json_t *
report_text(const char *s)
{
	char clean[TEXT_SIZE];
	json_t *text;

	text_clean(clean, sizeof(clean), s);
	text = json_string(clean);
	need(text != NULL);
	return text;
}

void
report_init(struct report *r)
{
	*r = (struct report){ .findings = json_array() };
	need(r->findings != NULL);
}

void
report_finish(struct report *r)
{
	json_decref(r->findings);
	*r = (struct report){ 0 };
}

static json_t *
format(const char *fmt, va_list ap)
{
	char text[TEXT_SIZE];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	return report_text(text);
}

void
report_add(struct report *r, enum report_level level, const char *check,
    const char *fmt, ...)
{
	json_t *finding = json_object();
	va_list ap;

	need(finding != NULL);
	va_start(ap, fmt);
	need(json_object_set_new(
		 finding, "level", report_text(levels[level].name)) == 0 &&
	     json_object_set_new(finding, "check", report_text(check)) == 0 &&
	     json_object_set_new(finding, "text", format(fmt, ap)) == 0 &&
	     json_array_append_new(r->findings, finding) == 0);
	va_end(ap);
	r->count[level]++;
}

void
report_next(struct report *r, const char *fmt, ...)
{
	size_t last = json_array_size(r->findings) - 1;
	va_list ap;

	va_start(ap, fmt);
	need(json_object_set_new(json_array_get(r->findings, last), "next",
		 format(fmt, ap)) == 0);
	va_end(ap);
}

void
report_merge(struct report *r, const struct report *from, const char *check,
    const char *what, const char *except)
{
	for (size_t i = 0; i < json_array_size(from->findings); i++) {
		const json_t *f = json_array_get(from->findings, i);
		const char *level = text_of(f, "level");
		bool failure = strcmp(level, levels[REPORT_FAILURE].name) == 0;
		const char *next = text_of(f, "next");

		if ((!failure &&
			strcmp(level, levels[REPORT_WARNING].name) != 0) ||
		    strcmp(text_of(f, "check"), except) == 0)
			continue;
		report_add(r, failure ? REPORT_FAILURE : REPORT_WARNING, check,
		    "%s: %s", what, text_of(f, "text"));
		if (next[0] != '\0')
			report_next(r, "%s", next);
	}
}

const char *
report_verdict(const struct report *r)
{
	if (r->count[REPORT_FAILURE] > 0)
		return "failed";
	return r->count[REPORT_WARNING] > 0 ? "warnings" : "ok";
}

static const char *
shown(const json_t *finding)
{
	const char *level = text_of(finding, "level");

	for (size_t i = 0; i <= REPORT_FAILURE; i++)
		if (strcmp(levels[i].name, level) == 0)
			return levels[i].shown;
	return level;
}

static void
print_text(const struct report *r)
{
	for (size_t i = 0; i < json_array_size(r->findings); i++) {
		const json_t *f = json_array_get(r->findings, i);
		const char *next = text_of(f, "next");

		printf("%-8s %-11s %s\n", shown(f), text_of(f, "check"),
		    text_of(f, "text"));
		if (next[0] != '\0')
			printf("%-8s %-11s -> %s\n", "", "", next);
	}
	if (r->count[REPORT_FAILURE] == 0 && r->count[REPORT_WARNING] == 0)
		puts("\nAll is well.");
	else
		printf("\n%zu failed, %zu warnings.\n",
		    r->count[REPORT_FAILURE], r->count[REPORT_WARNING]);
}

enum command_exit
report_print(const struct report *r, json_t *about, bool json)
{
	if (json) {
		need(about != NULL &&
		     json_object_set_new(about, "verdict",
			 json_string(report_verdict(r))) == 0 &&
		     json_object_set(about, "findings", r->findings) == 0);
		command_print_json(about);
	} else {
		print_text(r);
	}
	json_decref(about);
	return r->count[REPORT_FAILURE] > 0 ? COMMAND_REFUSED : COMMAND_OK;
}
