/*
 * A stream on its way to another scanner: what it holds back, the text behind it, and what is known about matches in it.
 *
 * Vectorscan's own state does not travel, since another version of it could not read it: it is made anew from the text, as after a
 * character that was taken back. The rules are the receiver's; they have to be the same, which stream_rules_save and _check say.
 * What is read is outside input: all that is used as an index or a length is checked.
 */
#ifndef CARREL_SHIM_SCAN_STREAM_SAVE_H
#define CARREL_SHIM_SCAN_STREAM_SAVE_H

struct pack;
struct rules;
struct stream;
struct stream_spec;
struct unpack;

void stream_rules_save(const struct rules *r, struct pack *p);
void stream_rules_check(const struct rules *r, struct unpack *u);

void stream_save(const struct stream *s, struct pack *p);
/* NULL after an error. */
struct stream *stream_restore(const struct stream_spec *spec, struct unpack *u);

#endif
