/*
 * create_collection.h - make tables for documents, and what the makers of tables have in common
 */
#ifndef DS_CREATE_COLLECTION_H
#define DS_CREATE_COLLECTION_H

#include "postgres.h"

#include "table/id.h"

/* Of a column with jsonb: lz4 where the server has it. */
#ifdef USE_LZ4
#define DS_COMPRESSION " COMPRESSION lz4"
#else
#define DS_COMPRESSION ""
#endif

extern Oid	ds_collection_create(Oid schema, const char *name, const DsIdType *id_type);

#endif							/* DS_CREATE_COLLECTION_H */
