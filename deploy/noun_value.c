/* Values in, values out; the one file that is read holds a secret. */
#include "deploy/noun_value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/jid.h"
#include "deploy/command.h"
#include "deploy/noun.h"
#include "deploy/text.h"

static bool
refuse(char why[NOUN_VALUE_WHY], const char *what, const char *text)
{
	snprintf(why, NOUN_VALUE_WHY, "\"%.100s\" %s", text, what);
	return false;
}

static bool
keep(json_t **value, json_t *made, char why[NOUN_VALUE_WHY], const char *text)
{
	if (made == NULL)
		return refuse(why, "is no UTF-8", text);
	json_decref(*value);
	*value = made;
	return true;
}

/* --- single values ----------------------------------------------------------- */

static bool
read_flag(json_t **value, const char *text, char why[NOUN_VALUE_WHY])
{
	static const char *const words[][3] = { { "false", "$false", "0" },
		{ "true", "$true", "1" } };

	for (int on = 0; on < 2; on++)
		for (int i = 0; i < 3; i++)
			if (strcasecmp(text, words[on][i]) == 0)
				return keep(value, json_boolean(on), why, text);
	return refuse(why, "is neither true nor false", text);
}

static bool
read_number(json_t **value, const char *text, char why[NOUN_VALUE_WHY])
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
	    n > UINT32_MAX)
		return refuse(why, "is no number from 0 to 4294967295", text);
	return keep(value, json_integer((json_int_t)n), why, text);
}

static bool
read_word(json_t **value, const struct noun_member *m, const char *text,
    char why[NOUN_VALUE_WHY])
{
	size_t len;

	for (size_t i = 0; m->words[i] != NULL; i++)
		if (strcasecmp(text, m->words[i]) == 0)
			return keep(value, json_string(m->words[i]), why, text);
	refuse(why, "is none of", text);
	for (size_t i = 0; m->words[i] != NULL; i++) {
		len = strlen(why);
		snprintf(why + len, NOUN_VALUE_WHY - len, "%s%s",
		    i == 0 ? " " : ", ", m->words[i]);
	}
	return false;
}

static bool
read_secret(json_t **value, const char *text, char why[NOUN_VALUE_WHY])
{
	char secret[NOUN_SECRET_MAX];
	size_t len = 0;
	ssize_t n = 1;
	bool ok;
	int fd;

	if (text[0] != '@')
		return refuse(why,
		    "would be seen by everybody on this host: @FILE, or @- "
		    "for standard input",
		    "a secret on the command line");
	fd = strcmp(text, "@-") == 0 ? dup(STDIN_FILENO)
				     : open(text + 1, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return refuse(why, strerror(errno), text + 1);
	while (len < sizeof(secret) && n > 0) {
		n = read(fd, secret + len, sizeof(secret) - len);
		len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	while (len > 0 && (secret[len - 1] == '\n' || secret[len - 1] == '\r'))
		len--;
	if (n < 0 || len == 0 || len == sizeof(secret))
		ok = refuse(
		    why, "holds no secret, or one that is too long", text + 1);
	else
		ok = keep(value, json_stringn(secret, len), why, text + 1);
	explicit_bzero(secret, sizeof(secret));
	return ok;
}

static bool
read_domain(json_t **value, const char *text, char why[NOUN_VALUE_WHY])
{
	char name[256] = "";

	if (text[0] != '\0' &&
	    jid_domain_ascii(name, sizeof(name), text, strlen(text)) < 0)
		return refuse(why, "is no domain name", text);
	return keep(value, json_string(name), why, text);
}

/* --- lists -------------------------------------------------------------------- */

/* "a,b" behind what is in the list. */
static bool
add_names(json_t *list, const char *text, size_t len, char why[NOUN_VALUE_WHY])
{
	const char *end = text + len;

	while (text < end) {
		size_t n = strcspn(text, ",;"), from = 0, to;

		if (n > (size_t)(end - text))
			n = (size_t)(end - text);
		to = n;
		while (from < to && strchr(" \"'", text[from]) != NULL)
			from++;
		while (to > from && strchr(" \"'", text[to - 1]) != NULL)
			to--;
		if (to == from)
			return refuse(why, "names nothing", text);
		if (json_array_append_new(
			list, json_stringn(text + from, to - from)) < 0)
			return refuse(why, "is no UTF-8", text);
		text += n;
		if (text < end)
			text++;
	}
	return true;
}

/* The list that a name stands for; *value becomes what it must be for that. */
static json_t *
open_list(json_t **value, const char *name)
{
	json_t *list;

	if (name == NULL || strcmp(name, "Replace") == 0) {
		if (!json_is_array(*value)) {
			json_decref(*value);
			*value = json_array();
		}
		return *value;
	}
	/* What is added after a whole list was said is of that list. */
	if (json_is_array(*value) && strcmp(name, "Add") == 0)
		return *value;
	if (!json_is_object(*value)) {
		json_decref(*value);
		*value = json_object();
	}
	list = json_object_get(*value, name);
	if (list == NULL) {
		json_object_set_new(*value, name, json_array());
		list = json_object_get(*value, name);
	}
	return list;
}

/* One of "a,b", "Add=a,b", with or without the @{} of PowerShell. */
static bool
read_names(json_t **value, const char *text, char why[NOUN_VALUE_WHY])
{
	static const char *const names[] = { "Add", "Remove", "Replace" };
	const char *whole = text;
	size_t len = strlen(text);

	if (strncmp(text, "@{", 2) == 0 && text[len - 1] == '}') {
		text += 2;
		len -= 3;
	}
	if (len == 0 || strcasecmp(text, "$Null") == 0)
		return keep(value, json_array(), why, whole);
	while (len > 0) {
		size_t part = strcspn(text, ";"), skip = 0;
		const char *name = NULL;

		if (part > len)
			part = len;
		for (size_t i = 0; i < 3 && name == NULL; i++) {
			skip = strlen(names[i]) + 1;
			if (strncasecmp(text, names[i], skip - 1) == 0 &&
			    text[skip - 1] == '=')
				name = names[i];
		}
		if (name == NULL && memchr(text, '=', part) != NULL)
			return refuse(why,
			    "is neither a list nor Add=, Remove= or Replace=",
			    whole);
		if (name == NULL)
			skip = 0;
		if (!add_names(
			open_list(value, name), text + skip, part - skip, why))
			return false;
		text += part;
		len -= part;
		if (len > 0) {
			text++;
			len--;
		}
	}
	return true;
}

bool
noun_value_read(json_t **value, const struct noun_member *m, const char *text,
    char why[NOUN_VALUE_WHY])
{
	if (m->type == NOUN_NAMES)
		return read_names(value, text, why);
	if (strcasecmp(text, "$Null") == 0 ||
	    (text[0] == '\0' && m->type != NOUN_TEXT && m->type != NOUN_DOMAIN))
		return keep(value, json_null(), why, text);
	switch (m->type) {
	case NOUN_FLAG:
		return read_flag(value, text, why);
	case NOUN_NUMBER:
		return read_number(value, text, why);
	case NOUN_WORD:
		return read_word(value, m, text, why);
	case NOUN_SECRET:
		return read_secret(value, text, why);
	case NOUN_DOMAIN:
		return read_domain(value, text, why);
	case NOUN_NAMES:
	case NOUN_TOLD:
	case NOUN_TEXT:
		break;
	}
	return keep(value, json_string(text), why, text);
}

bool
noun_value_settle(json_t **value)
{
	json_t *list;

	if (!json_is_object(*value))
		return true;
	if (json_object_get(*value, "Remove") != NULL)
		return false;
	list = json_incref(json_object_get(*value, "Add"));
	json_decref(*value);
	*value = list != NULL ? list : json_array();
	return true;
}

/* --- out ---------------------------------------------------------------------- */

void
noun_value_write(struct buf *out, const json_t *value)
{
	char *json;

	switch (value == NULL ? JSON_NULL : json_typeof(value)) {
	case JSON_NULL:
		return;
	case JSON_TRUE:
		buf_add_str(out, "True");
		return;
	case JSON_FALSE:
		buf_add_str(out, "False");
		return;
	case JSON_STRING:
		buf_add_str(out, json_string_value(value));
		return;
	case JSON_INTEGER:
		buf_addf(
		    out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return;
	case JSON_ARRAY:
		buf_add_char(out, '{');
		for (size_t i = 0; i < json_array_size(value); i++) {
			if (i > 0)
				buf_add_str(out, ", ");
			noun_value_write(out, json_array_get(value, i));
		}
		buf_add_char(out, '}');
		return;
	case JSON_OBJECT:
	case JSON_REAL:
		json = json_dumps(value, JSON_ENCODE_ANY);
		if (json != NULL)
			buf_add_str(out, json);
		free(json);
		return;
	}
}

char *
noun_value_line(const json_t *value)
{
	const char *text;
	struct buf b;
	char *out = NULL;

	buf_init(&b, 0);
	noun_value_write(&b, value);
	text = buf_cstr(&b);
	if (text != NULL)
		out = malloc(b.len + 1);
	if (out == NULL) {
		fputs("sallyport: out of memory\n", stderr);
		exit(COMMAND_REFUSED);
	}
	text_clean(out, b.len + 1, text);
	buf_finish(&b);
	return out;
}
