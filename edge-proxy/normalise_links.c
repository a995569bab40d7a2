/*
 * Links: those of XEP-0066, which clients set beside the address of a file they
 * have uploaded (XEP-0363), and those of files that are described: XEP-0447
 * and, before it, XEP-0385.  A client that does it in several ways names the
 * same address in each; it counts once, with all that is known of it.
 */
#include "edge-proxy/normalise_part.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "edge-proxy/stanza_ns.h"
#include "proto/frame_info.h"

enum { LINKS_MAX = 16, SIZE_DIGITS_MAX = 15 };

/* Places in the stanza; NULL = not said. */
struct link {
	const struct xml_elem *url; /* its text is the address, or */
	const char *target;         /* this is */
	const struct xml_elem *name, *size;
};

/* The first source that is an address. */
static bool
find_source(struct link *l, const struct xml_elem *sources)
{
	const struct xml_elem *c = NULL;

	if (sources == NULL)
		return false;
	if ((c = xml_child(sources, NS_URL_DATA, "url-data")) != NULL)
		l->target = xml_attr(c, "target");
	else if ((c = xml_child(sources, NS_REFERENCE, "reference")) != NULL)
		l->target = xml_attr(c, "uri");
	return l->target != NULL;
}

static void
describe(struct link *l, const struct xml_elem *sharing, const char *ns)
{
	const struct xml_elem *file = xml_child(sharing, ns, "file");

	if (file == NULL)
		return;
	l->name = xml_child(file, ns, "name");
	l->size = xml_child(file, ns, "size");
}

static bool
read_link(struct link *l, const struct xml_elem *c)
{
	const struct xml_elem *sharing;

	memset(l, 0, sizeof(*l));
	if (xml_is(c, NS_OOB, "x")) {
		l->url = xml_child(c, NS_OOB, "url");
		l->name = xml_child(c, NS_OOB, "desc");
		return l->url != NULL;
	}
	if (xml_is(c, NS_SFS, "file-sharing")) {
		describe(l, c, NS_FILE_METADATA);
		return find_source(l, xml_child(c, NS_SFS, "sources"));
	}
	sharing = xml_is(c, NS_REFERENCE, "reference")
		      ? xml_child(c, NS_SIMS, "media-sharing")
		      : NULL;
	if (sharing == NULL)
		return false;
	describe(l, sharing, NS_JINGLE_FILE);
	return find_source(l, xml_child(sharing, NS_SIMS, "sources"));
}

/* Gathers all; returns their number. */
static size_t
find_links(const struct normalise_part *p, struct link links[LINKS_MAX])
{
	struct xml_elem *c = NULL;
	size_t n = 0;

	while (n < LINKS_MAX && (c = xml_next(p->e, c, NULL, NULL)) != NULL)
		n += read_link(&links[n], c);
	return n;
}

static const char *
address(struct normalise_part *p, const struct link *l)
{
	return l->url != NULL ? normalise_part_text(p, l->url) : l->target;
}

bool
normalise_links_encrypted(struct normalise_part *p)
{
	struct link links[LINKS_MAX];
	size_t n = find_links(p, links);

	for (size_t i = 0; i < n; i++)
		if (strncmp(address(p, &links[i]), "aesgcm://", 9) == 0)
			return true;
	return false;
}

/* An address that a person may follow: one that leads out, in one word. */
static bool
is_address(const char *s)
{
	static const char *const schemes[] = { "https:", "http:", "ftp:",
		"ftps:", "sftp:", "geo:", "mailto:", "sip:", "tel:", "xmpp:" };

	for (const char *c = s; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return false;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncasecmp(s, schemes[i], strlen(schemes[i])) == 0)
			return true;
	return false;
}

static uint64_t
size_of(struct normalise_part *p, const struct link *l)
{
	const char *s = normalise_part_text(p, l->size);
	size_t len = strlen(s);

	if (len == 0 || len > SIZE_DIGITS_MAX || strspn(s, "0123456789") != len)
		return 0;
	return strtoull(s, NULL, 10);
}

/* Joins links of the same address into the first of them. */
static size_t
unite(struct normalise_part *p, struct link links[LINKS_MAX], size_t n)
{
	char *of[LINKS_MAX];
	size_t kept = 0, same;

	for (size_t i = 0; i < n; i++) {
		char *a = strdup(address(p, &links[i]));

		if (a == NULL) {
			p->nomem = true;
			break;
		}
		for (same = 0; same < kept && strcmp(of[same], a) != 0;)
			same++;
		if (same == kept) {
			of[kept] = a;
			links[kept++] = links[i];
			continue;
		}
		free(a);
		if (links[same].name == NULL)
			links[same].name = links[i].name;
		if (links[same].size == NULL)
			links[same].size = links[i].size;
	}
	for (size_t i = 0; i < kept; i++)
		free(of[i]);
	return kept;
}

void
normalise_links(struct normalise_part *p)
{
	const size_t name_max = frame_info_field(FIELD_LINK_NAME)->max;
	struct link links[LINKS_MAX];
	size_t n = unite(p, links, find_links(p, links));
	const char *name;

	for (size_t i = 0; i < n; i++) {
		if (!is_address(address(p, &links[i])) ||
		    !normalise_part_content(
			p, FIELD_LINK, address(p, &links[i])))
			continue;
		/* One name and size for each link, maybe saying nothing. */
		name = normalise_part_text(p, links[i].name);
		frame_put_str(&p->w, FIELD_LINK_NAME,
		    strlen(name) <= name_max ? name : "");
		frame_put_u64(&p->w, FIELD_LINK_SIZE, size_of(p, &links[i]));
	}
}
