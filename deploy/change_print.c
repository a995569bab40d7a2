/* Beside a change. */
#include "deploy/change_print.h"

#include <stdio.h>

#include "deploy/text.h"

void
change_print_warnings(const json_t *answer)
{
	const json_t *warnings = json_object_get(answer, "warnings");

	for (size_t i = 0; i < json_array_size(warnings); i++) {
		const json_t *w = json_array_get(warnings, i);
		const char *key = text_of(w, "key");
		const char *member = text_of(w, "member");

		fprintf(stderr, "sallyport: warning: %s%s%s%s%s\n", key,
		    key[0] != '\0' ? ": " : "", member,
		    member[0] != '\0' ? ": " : "", text_of(w, "text"));
	}
}

void
change_print_reach(const json_t *answer)
{
	const json_t *g = json_object_get(answer, "generation");
	const char *confirmed = text_list(g, "confirmed");
	const char *waiting = text_list(g, "waiting");

	if (confirmed[0] != '\0')
		printf("in force on %s\n", confirmed);
	if (waiting[0] != '\0')
		printf("not yet on %s, which is told when it is connected\n",
		    waiting);
}

bool
change_print_ask(const char *what)
{
	char clean[1024], line[16];

	text_clean(clean, sizeof(clean), what);
	fprintf(stderr, "%s. Sure? [y/N] ", clean);
	fflush(stderr);
	if (fgets(line, sizeof(line), stdin) == NULL) {
		fputc('\n', stderr);
		return false;
	}
	return line[0] == 'y' || line[0] == 'Y';
}
