#include "tests/unit/torture_messages.h"

#include <stdio.h>
#include <stdlib.h>

#define FOLDER "tests/torture-messages/"

enum { FILE_MAX = 65536 };

json_t *
torture_messages_load(void)
{
	json_error_t where;
	json_t *all = json_load_file(
	    FOLDER "expected.json", JSON_REJECT_DUPLICATES, &where);
	json_t *rows;

	if (all == NULL) {
		fprintf(stderr, "%s:%d: %s\n", where.source, where.line,
		    where.text);
		return NULL;
	}
	rows = json_incref(json_object_get(all, "messages"));
	json_decref(all);
	return rows;
}

const char *
torture_messages_name(const json_t *row)
{
	return json_string_value(json_object_get(row, "name"));
}

uint8_t *
torture_messages_read(size_t *len, const json_t *row)
{
	uint8_t *data = malloc(FILE_MAX);
	char path[256];
	FILE *f;

	snprintf(
	    path, sizeof(path), FOLDER "%s.sip", torture_messages_name(row));
	f = fopen(path, "rbe");
	if (f == NULL || data == NULL) {
		free(data);
		if (f != NULL)
			fclose(f);
		return NULL;
	}
	*len = fread(data, 1, FILE_MAX, f);
	fclose(f);
	return data;
}
