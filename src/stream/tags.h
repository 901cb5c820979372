/*
 * tags.h - lists of tags, of events and of scopes
 */
#ifndef DS_TAGS_H
#define DS_TAGS_H

#include "postgres.h"

#include "json/json.h"
#include "log/log.h"

extern const char *ds_tags_read(const JsonbValue *given, DsBytes **tags, int *count);
extern void ds_tags_require_short(const DsBytes *tags, int count, const char *whose);
pg_noreturn extern void ds_tags_refuse_log(const DsLog *log, int item);

#endif							/* DS_TAGS_H */
