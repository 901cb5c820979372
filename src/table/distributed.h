/*
 * distributed.h - tables that another extension keeps elsewhere
 */
#ifndef DS_DISTRIBUTED_H
#define DS_DISTRIBUTED_H

#include "postgres.h"

#include "base/compat.h"
#include "table/description.h"

extern bool ds_distributed_is(Oid relid);
extern bool ds_distributed_is_copy(Oid relid);
extern Oid	ds_distributed_table_of_shard(Oid relid);
extern Oid	ds_distributed_known_as(Oid relid);
extern bool ds_distributed_hides_floor(Oid relid);
extern void ds_distributed_refuse_log(const DsCollection *events, const DsCollection *streams, int item);
extern void ds_distributed_refuse_history(const DsCollection *history);
extern void ds_distributed_note_local(const char *kind, Oid relid, const char *hint);
extern void ds_distributed_note_request(const char *id);
extern void ds_distributed_refuse_shard(Oid relid);
extern void ds_distributed_refuse_copy(const DsCollection *collection);
extern void ds_distributed_refuse_guard(Oid relid);
extern void ds_distributed_refuse_truncate(Oid relid);
extern void ds_distributed_refuse_track(Oid relid);

#endif							/* DS_DISTRIBUTED_H */
