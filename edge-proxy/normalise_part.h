/*
 * normalise_part - the reading of one stanza in progress, shared by the files
 * that make up normalise.
 *
 * Each helper puts one field into the frame when the stanza has what it is
 * made of.  Two kinds of text differ when they do not fit: content makes the
 * stanza refused (nothing is ever cut short), ornament is left out.
 */
#ifndef EDGE_NORMALISE_PART_H
#define EDGE_NORMALISE_PART_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/xml.h"
#include "proto/condition.h"
#include "proto/frame.h"

struct normalise_part {
	struct frame_writer w;
	const struct xml_elem *e;
	const char *language; /* of the stream, or NULL */
	const char *prefer;   /* of several, or NULL */
	struct buf text;      /* for the value at hand */
	unsigned content;     /* fields that are worth a frame */
	bool nomem;
	const char *refused; /* NULL, or why the stanza is not acceptable */
	enum condition condition;
};

/* The first reason counts. */
void normalise_part_refuse(
    struct normalise_part *p, enum condition c, const char *why);
/* Both tell whether the field is in the frame. */
bool normalise_part_content(
    struct normalise_part *p, enum frame_tag tag, const char *s);
bool normalise_part_ornament(
    struct normalise_part *p, enum frame_tag tag, const char *s);
void normalise_part_flag(struct normalise_part *p, enum frame_tag tag);
/* FIELD_LANGUAGE for the text in e (or NULL): its own, else the stanza's, else
 * the stream's; what is no language tag counts as none. */
void
normalise_part_language(struct normalise_part *p, const struct xml_elem *e);
/* Milliseconds out of an attribute of a child. */
void normalise_part_time(struct normalise_part *p, enum frame_tag tag,
    const char *ns, const char *name, const char *attr);
/* Text of an element in p->text, line ends as LF; valid until the next call.
 * "" for NULL and without memory. */
const char *
normalise_part_text(struct normalise_part *p, const struct xml_elem *e);
/* Of several children of the stanza by that name: the first in the preferred
 * language, else the first without a language of its own, else the first; NULL
 * when there is none. */
const struct xml_elem *
normalise_part_choose(const struct normalise_part *p, const char *name);

/* The parts of a message and of a presence that pass. */
void normalise_message(struct normalise_part *p);
/* Of these, links and files with their names and sizes. */
void normalise_links(struct normalise_part *p);
/* Whether one of them leads to something encrypted. */
bool normalise_links_encrypted(struct normalise_part *p);
void normalise_presence(struct normalise_part *p);

#endif
